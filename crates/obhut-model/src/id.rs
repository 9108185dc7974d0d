//! Identifiers. Each is parsed once at the edge; after that the type is the proof.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("an identifier must not be empty")]
    Empty,
    /// Longer than the type allows.
    #[error("an identifier holds at most {max} characters, this one has {got}")]
    TooLong {
        /// Longest allowed.
        max: usize,
        /// Length found.
        got: usize,
    },
    /// A character outside the allowed set.
    #[error("`{found}` at position {at} is not allowed; use a-z, 0-9 and `-`, and begin with a letter or digit")]
    Character {
        /// What was found.
        found: char,
        /// Zero-based position in characters.
        at: usize,
    },
    /// A pseudonym is 32 lower-case hexadecimal digits.
    #[error("a pseudonym is 32 lower-case hexadecimal digits")]
    Pseudonym,
}

/// Longest device, model, bed or ward identifier, in bytes. Sixty-three, so that every one fits a DNS label and an X.509 common name.
pub const ID_BYTES_MAX: usize = 63;

fn label(text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { max: ID_BYTES_MAX, got: text.chars().count() });
    }
    for (at, found) in text.chars().enumerate() {
        let good = found.is_ascii_lowercase() || found.is_ascii_digit() || (found == '-' && at > 0);
        if !good {
            return Err(IdError::Character { found, at });
        }
    }
    Ok(Arc::from(text))
}

macro_rules! label_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses `[a-z0-9][a-z0-9-]*`, at most [`ID_BYTES_MAX`] bytes.
            ///
            /// # Errors
            /// [`IdError`] saying which character or length is wrong.
            pub fn new(text: &str) -> Result<Self, IdError> {
                label(text).map(Self)
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

label_id!(
    /// One device, as its certificate names it (common name, and `urn:obhut:device:…` among the alternative names).
    DeviceId
);
label_id!(
    /// One device model of the charter, for example `monitor-m1`.
    ModelId
);
label_id!(
    /// One bed. A bed label shown on a screen is separate text; this is its key.
    BedId
);
label_id!(
    /// One ward.
    WardId
);

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes 16 bytes drawn from a cryptographic random source. Never derive them from anything about a person.
            #[must_use]
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, for storage and as associated data.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                random_bytes(text).map(Self)
            }
        }
    };
}

random_id!(
    /// A pseudonymised patient: 128 random bits that mean nothing outside the identity vault.
    Subject
);
random_id!(
    /// Someone who signs in: staff, a service provider, a patient at their own data. Random; the name lies in the register.
    PersonId
);
random_id!(
    /// One request to the server, and the one ledger entry made for it.
    RequestId
);
random_id!(
    /// A thing with a life of its own in the register: a consent, a request of a patient, an emergency access, a hold, a ticket, an erasure.
    CaseId
);

fn random_bytes(text: &str) -> Result<[u8; 16], IdError> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return Err(IdError::Pseudonym);
    }
    let nibble = |b: u8| match b {
        b'0'..=b'9' => Ok(b - b'0'),
        b'a'..=b'f' => Ok(b - b'a' + 10),
        _ => Err(IdError::Pseudonym),
    };
    let mut out = [0u8; 16];
    for (slot, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return Err(IdError::Pseudonym) };
        *slot = nibble(*high)? << 4 | nibble(*low)?;
    }
    Ok(out)
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                // What was written is not repeated: it may be anything.
                text.parse().map_err(|_| serde::de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    )*};
}

as_text!(DeviceId, ModelId, BedId, WardId, Subject, PersonId, RequestId, CaseId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_checked() {
        assert_eq!(DeviceId::new("mon-01").unwrap().as_str(), "mon-01");
        assert_eq!(DeviceId::new(""), Err(IdError::Empty));
        assert_eq!(DeviceId::new("-a"), Err(IdError::Character { found: '-', at: 0 }));
        assert_eq!(DeviceId::new("a/b"), Err(IdError::Character { found: '/', at: 1 }));
        assert_eq!(DeviceId::new("A"), Err(IdError::Character { found: 'A', at: 0 }));
        assert!(matches!(DeviceId::new(&"a".repeat(64)), Err(IdError::TooLong { .. })));
    }

    #[test]
    fn pseudonyms_round_trip() {
        let subject = Subject::from_random([0xab; 16]);
        assert_eq!(subject.to_string().parse(), Ok(subject));
        assert_eq!("AB".repeat(16).parse::<Subject>(), Err(IdError::Pseudonym));
        assert_eq!("".parse::<Subject>(), Err(IdError::Pseudonym));
    }
}
