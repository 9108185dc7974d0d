//! What a patient is called, and where.
//!
//! A *domain* is a room in which one name is used for a patient and from which nobody can conclude to another room's name (EDPB 01/2025, "pseudonymisation domain"). In
//! the domain of care the name is the [`Subject`]; in every other it is 128 random bits of its own, drawn when it is first needed. Because they are drawn and
//! not computed, no key gives one away from the other, and erasing one patient leaves no trace in anybody else's.
//!
//! Not for: where they are kept and who may look them up; that is the store's and the register's.

use obhut_model::Subject;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest domain in text, in bytes.
pub const DOMAIN_BYTES_MAX: usize = 96;

/// Where a pseudonym is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Domain {
    /// The ward, the store, the ledger: the pseudonym is the [`Subject`].
    Care,
    /// Whatever leaves towards devices and their makers' tools. (Devices themselves learn no patient at all.)
    DeviceNetwork,
    /// Quality assurance and testing.
    Quality,
    /// One research project of the charter.
    Project(Arc<str>),
    /// One recipient of the charter.
    Recipient(Arc<str>),
}

/// Not a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a domain is `care`, `device-network`, `quality`, `project/` or `recipient/` with an identifier of the charter"
)]
pub struct NoDomain;

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Care => f.write_str("care"),
            Self::DeviceNetwork => f.write_str("device-network"),
            Self::Quality => f.write_str("quality"),
            Self::Project(id) => write!(f, "project/{id}"),
            Self::Recipient(id) => write!(f, "recipient/{id}"),
        }
    }
}

impl FromStr for Domain {
    type Err = NoDomain;

    fn from_str(text: &str) -> Result<Self, NoDomain> {
        let id = |text: &str| {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
            let fits = !text.is_empty() && text.len() <= DOMAIN_BYTES_MAX - "recipient/".len();
            (fits && text.chars().all(good)).then(|| Arc::from(text)).ok_or(NoDomain)
        };
        match text {
            "care" => Ok(Self::Care),
            "device-network" => Ok(Self::DeviceNetwork),
            "quality" => Ok(Self::Quality),
            _ => match text.split_once('/') {
                Some(("project", rest)) => id(rest).map(Self::Project),
                Some(("recipient", rest)) => id(rest).map(Self::Recipient),
                _ => Err(NoDomain),
            },
        }
    }
}

/// What a patient is called in one domain: 128 random bits. In text 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// Takes 16 bytes drawn from a cryptographic random source. Never derive them from anything about a person.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// What the patient is called in [`Domain::Care`].
    #[must_use]
    pub const fn in_care(subject: Subject) -> Self {
        Self(*subject.as_bytes())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonym({self})")
    }
}

impl FromStr for Pseudonym {
    type Err = obhut_model::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The same 32 digits.
        text.parse::<Subject>().map(|subject| Self(*subject.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_what_they_say() {
        for text in ["care", "device-network", "quality", "project/sepsis-2027", "recipient/acme"] {
            assert_eq!(text.parse::<Domain>().unwrap().to_string(), text);
        }
        for text in ["", "Care", "project", "project/", "project/A", "project/a/b", "recipient/ä", "other/x"] {
            assert_eq!(text.parse::<Domain>(), Err(NoDomain), "{text}");
        }
        assert!(format!("project/{}", "a".repeat(90)).parse::<Domain>().is_err());
    }

    #[test]
    fn pseudonyms_are_their_digits() {
        let one = Pseudonym::from_random([0x0a; 16]);
        assert_eq!(one.to_string().parse(), Ok(one));
        assert!("0A".repeat(16).parse::<Pseudonym>().is_err());
        assert_eq!(Pseudonym::in_care(Subject::from_random([7; 16])).as_bytes(), &[7; 16]);
    }
}
