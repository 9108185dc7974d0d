//! Every bound of the door, in one place, and what happens when it is reached.

use std::time::Duration;

/// Bounds of the door. The defaults suit one hospital machine; what a charter says about a model narrows them further.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest MQTT packet, bytes, whatever the model may send. Beyond it: closed with 0x95 before a body is buffered.
    pub packet_bytes_max: u32,
    /// Largest packet that is not a PUBLISH, bytes. Beyond it: closed with 0x95.
    pub control_bytes_max: u32,
    /// Most bytes of MQTT 5 properties in a PUBLISH. Beyond it: closed with 0x95.
    pub property_bytes_max: u32,
    /// Longest topic name, bytes. Beyond it: closed with 0x90.
    pub topic_bytes_max: u16,
    /// Most levels of a topic name. Beyond it: closed with 0x90.
    pub topic_levels_max: u8,
    /// Most messages waiting for their acknowledgement. Announced as Receive Maximum in MQTT 5; in both versions the socket is not read
    /// while they wait.
    pub in_flight_max: u16,
    /// Most messages a 3.1.1 session leaves unanswered because the store could not take them. Beyond it: closed, so that they are sent again.
    /// Less than clients have in flight, or they would wait for ever.
    pub unanswered_max: u16,
    /// Most commands to a device that it has not acknowledged or that wait to be sent. Beyond it: the sender is told.
    pub commands_max: u16,
    /// Longest keep-alive, seconds. A longer or absent one is lowered (announced in MQTT 5).
    pub keep_alive_seconds_max: u16,
    /// Most connections at once, handshakes included. Beyond it: closed before TLS.
    pub connections_max: usize,
    /// Most connections from one address. Beyond it: closed before TLS.
    pub connections_per_address_max: usize,
    /// Most handshakes at once. Beyond it: not accepted from the kernel's queue until one ends.
    pub handshakes_max: usize,
    /// Most handshakes at once from one address. Beyond it: closed before TLS.
    pub handshakes_per_address_max: usize,
    /// Longest TLS handshake.
    pub handshake_time_max: Duration,
    /// Longest wait for a whole CONNECT after the handshake.
    pub connect_time_max: Duration,
    /// Longest wait for the other side to read its farewell.
    pub linger: Duration,
    /// How far a device's clock may be ahead before the server's time is used instead, microseconds.
    pub ahead_micros_max: i64,
    /// How late a value may come, microseconds. Older ones are refused.
    pub late_micros_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 256 * 1024,
            control_bytes_max: 1024,
            property_bytes_max: 256,
            topic_bytes_max: 128,
            topic_levels_max: 8,
            in_flight_max: 100,
            unanswered_max: 10,
            commands_max: 8,
            keep_alive_seconds_max: 300,
            connections_max: 20_000,
            connections_per_address_max: 4_096,
            handshakes_max: 256,
            handshakes_per_address_max: 128,
            handshake_time_max: Duration::from_secs(10),
            connect_time_max: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            ahead_micros_max: 5_000_000,
            late_micros_max: 7 * 24 * 3_600 * 1_000_000,
        }
    }
}
