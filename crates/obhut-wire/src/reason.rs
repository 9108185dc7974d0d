//! MQTT 5 reason codes of a PUBACK, as Obhut uses them (OASIS MQTT 5.0, section 3.4.2.1), and what a device does about each.
//!
//! 3.1.1 has no reason codes there: what is refused for good or comes too fast is acknowledged all the same and counted, and what the store
//! cannot take is not acknowledged.

/// Kept: durable on disk.
pub const SUCCESS: u8 = 0x00;
/// Accepted and shown live, but nothing of it is kept.
pub const NOTHING_KEPT: u8 = 0x10;
/// Could not be stored now; keep it and try again later.
pub const STORE_FAILED: u8 = 0x83;
/// The charter does not allow any of it, or the topic is not the device's own. Trying again will not help.
pub const NOT_AUTHORISED: u8 = 0x87;
/// No such topic.
pub const TOPIC_INVALID: u8 = 0x90;
/// Too fast, or the disk is full; keep it and try again later.
pub const QUOTA_EXCEEDED: u8 = 0x97;
/// The payload cannot be read.
pub const PAYLOAD_INVALID: u8 = 0x99;

/// What the sender does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Done with: forget it.
    Taken,
    /// Keep it and send it again later.
    Later,
    /// Refused for good: forget it and count it.
    Refused,
}

/// Sorts a PUBACK's reason code. One that is not listed counts as refused if it is an error (0x80 and up), else as taken.
#[must_use]
pub const fn answer(code: u8) -> Answer {
    match code {
        STORE_FAILED | QUOTA_EXCEEDED => Answer::Later,
        0x80.. => Answer::Refused,
        _ => Answer::Taken,
    }
}
