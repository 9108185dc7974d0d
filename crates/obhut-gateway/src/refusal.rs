//! Why something was refused, and how often: one list for the wire, the metrics and the ward page.
//!
//! The names are stable: they are metric labels. Nothing here tells who or what was refused; that stands in the log, without values.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $reason:literal;)*) => {
        /// Why something was refused. Each carries its MQTT 5 reason code, used wherever it occurs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* $variant,)*
        }

        impl Refusal {
            /// All of them, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Stable name: metric label and key on the ward page.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// MQTT 5 reason code (OASIS MQTT 5.0, section 2.4).
            #[must_use]
            pub const fn reason(self) -> u8 {
                match self { $(Self::$variant => $reason,)* }
            }
        }
    };
}

refusals! {
    /// TLS: no client certificate was shown.
    NoCertificate = "no_certificate", 0x87;
    /// TLS: the certificate is from another authority.
    WrongCa = "wrong_ca", 0x87;
    /// The certificate has ended, in the handshake or during the session.
    Expired = "expired", 0xA0;
    /// The certificate or the device was revoked.
    Revoked = "revoked", 0x87;
    /// TLS: the certificate is wrong in another way, or names a model the device is not registered as.
    Certificate = "certificate", 0x87;
    /// TLS: the handshake failed for another reason, such as an older version.
    Handshake = "handshake", 0x80;
    /// Handshake or CONNECT took too long.
    Slow = "slow", 0x8D;
    /// Too many connections, in all or from one address.
    TooManyConnections = "too_many_connections", 0x89;
    /// The device is not registered, or has not enrolled.
    UnknownDevice = "unknown_device", 0x87;
    /// The charter does not declare the device's model.
    UndeclaredModel = "undeclared_model", 0x98;
    /// The client identifier is not the certificate's device.
    ClientId = "client_id", 0x85;
    /// A user name or password was sent; there are none here.
    Password = "password", 0x86;
    /// Enhanced authentication was asked for; the certificate is the authentication.
    Authentication = "authentication", 0x8C;
    /// A will message was registered; a lost device is noticed by its silence.
    Will = "will", 0x87;
    /// Not MQTT 3.1.1 or 5.
    Version = "version", 0x84;
    /// A packet that must not come then, or from a client at all.
    Protocol = "protocol", 0x82;
    /// Bytes that are not the packet they claim to be.
    Malformed = "malformed", 0x81;
    /// A packet, or the properties in it, is too large.
    PacketSize = "packet_size", 0x95;
    /// More unacknowledged messages than announced.
    ReceiveMaximum = "receive_maximum", 0x93;
    /// QoS 2 was used.
    Qos2 = "qos2", 0x9B;
    /// The retain flag was set.
    Retain = "retain", 0x9A;
    /// A topic alias was used.
    TopicAlias = "topic_alias", 0x94;
    /// The topic is another device's, or not for publishing.
    Topic = "topic", 0x87;
    /// No such topic, or too long or deep a name.
    TopicName = "topic_name", 0x90;
    /// A subscription to anything but the device's own commands.
    Subscription = "subscription", 0x87;
    /// A wildcard subscription.
    Wildcard = "wildcard", 0xA2;
    /// A shared subscription.
    Shared = "shared", 0x9E;
    /// A subscription identifier was used.
    SubscriptionId = "subscription_identifier", 0xA1;
    /// The charter does not declare the code for the model.
    UndeclaredCode = "undeclared_code", 0x87;
    /// A numeric where the charter declares a waveform, or the reverse.
    Kind = "kind", 0x87;
    /// More messages a second than the charter allows the model.
    RateMessages = "rate_messages", 0x97;
    /// More values or samples a second than the charter allows, by the time of measurement. For good: sent again, they are as dense as before.
    RateValues = "rate_values", 0x87;
    /// The value does not fit the charter's resolution.
    Value = "value", 0x99;
    /// The unit is missing or not the code's own.
    Unit = "unit", 0x99;
    /// No patient was bound when it was measured.
    Unbound = "unbound", 0x87;
    /// Measured too long ago, or at an impossible time.
    Clock = "clock", 0x99;
    /// The payload cannot be read, or is larger than the charter allows the model.
    Payload = "payload", 0x99;
    /// A record speaks for another device.
    OtherDevice = "other_device", 0x87;
    /// The disk is full; the device keeps it and tries again.
    DiskFull = "disk_full", 0x97;
    /// The store failed; the device keeps it and tries again.
    StoreFailed = "store_failed", 0x83;
    /// The store is behind; the device keeps it and tries again.
    StoreBehind = "store_behind", 0x97;
    /// The bound patient has no key, as after an erasure; the device keeps it and tries again.
    NoKey = "no_key", 0x83;
    /// A newer connection of the same device took over.
    TakenOver = "taken_over", 0x8E;
    /// Nothing was heard for one and a half keep-alive periods.
    KeepAlive = "keep_alive", 0x8D;
}

impl Refusal {
    /// Whether the device should keep what was refused and send it again later.
    #[must_use]
    pub const fn is_for_now(self) -> bool {
        matches!(self, Self::DiskFull | Self::StoreFailed | Self::StoreBehind | Self::NoKey | Self::RateMessages)
    }

    /// MQTT 3.1.1 CONNACK return code (section 3.2.2.3).
    #[must_use]
    pub const fn return_code(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::ClientId => 2,
            Self::TooManyConnections => 3,
            Self::Password => 4,
            _ => 5,
        }
    }
}

/// What the door counted since it was opened.
#[derive(Debug)]
pub struct Counters {
    refused: Box<[AtomicU64]>,
    /// Connections that completed a CONNECT.
    pub sessions: AtomicU64,
    /// PUBLISH packets received.
    pub messages: AtomicU64,
    /// Numerics admitted.
    pub numerics: AtomicU64,
    /// Samples admitted.
    pub samples: AtomicU64,
    /// Messages acknowledged as durable.
    pub acknowledged: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            refused: Refusal::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            sessions: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            numerics: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts one refusal.
    pub fn refuse(&self, why: Refusal) {
        if let Some(counter) = self.refused.get(why as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often `why` was counted.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused.get(why as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Name and count of every refusal, zeros included.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Refusal::ALL.iter().map(|why| (why.name(), self.refused(*why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_every_reason_is_an_error() {
        let names: HashSet<_> = Refusal::ALL.iter().map(|why| why.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
        assert!(Refusal::ALL.iter().all(|why| why.reason() >= 0x80));
    }

    #[test]
    fn what_passes_is_what_the_device_keeps() {
        for why in Refusal::ALL.iter().filter(|why| why.is_for_now()) {
            assert_eq!(obhut_wire::reason::answer(why.reason()), obhut_wire::reason::Answer::Later, "{}", why.name());
        }
    }

    #[test]
    fn counters_count() {
        let counters = Counters::default();
        counters.refuse(Refusal::Topic);
        counters.refuse(Refusal::KeepAlive);
        assert_eq!(
            (counters.refused(Refusal::Topic), counters.refused(Refusal::KeepAlive), counters.refused(Refusal::Unit)),
            (1, 1, 0)
        );
        assert_eq!(counters.refusals().map(|(_, n)| n).sum::<u64>(), 2);
    }
}
