//! Who a patient is, as the identity vault keeps it: the parts of a FHIR R4 `Patient` that a ward needs to tell two people apart, and no more.
//!
//! Not for values, and never beside them. `Debug` prints nothing of it, and it does not serialise: the edges that show a name spell it out.

use obhut_model::ServerTime;
use std::fmt;

/// Administrative sex, with FHIR's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// `male`
    Male,
    /// `female`
    Female,
    /// `other`
    Other,
    /// `unknown`: asked and not known. Not asked is `None`.
    Unknown,
}

impl Sex {
    /// FHIR's code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }

    /// From FHIR's code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Male, Self::Female, Self::Other, Self::Unknown].into_iter().find(|sex| sex.as_str() == text)
    }
}

/// An identity. Never beside values; `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Family name (`Patient.name.family`).
    pub family: String,
    /// Given names, in order (`Patient.name.given`).
    pub given: Vec<String>,
    /// Birth date, ISO 8601 (`Patient.birthDate`).
    pub birth_date: String,
    /// Administrative sex (`Patient.gender`), if it was asked.
    pub sex: Option<Sex>,
    /// Record number of the hospital (`Patient.identifier`, type MR).
    pub record_number: String,
    /// Number of the health insurance (`Patient.identifier`, type KVZ10 in Germany), if it is needed.
    pub insurance_number: Option<String>,
}

impl Identity {
    /// An identity as it stands on a wristband: the name in one piece, either `Family, Given` or with the family name last.
    #[must_use]
    pub fn of(name: &str, birth_date: &str, record_number: &str) -> Self {
        let (family, given) = split_name(name);
        Self {
            family,
            given,
            birth_date: birth_date.trim().to_owned(),
            record_number: record_number.trim().to_owned(),
            ..Self::default()
        }
    }

    /// The name as it is shown: `Family, Given`.
    #[must_use]
    pub fn name(&self) -> String {
        let given = self.given.join(" ");
        match (self.family.is_empty(), given.is_empty()) {
            (_, true) => self.family.clone(),
            (true, false) => given,
            (false, false) => format!("{}, {given}", self.family),
        }
    }

    /// Whether a name was given at all.
    #[must_use]
    pub fn has_name(&self) -> bool {
        !self.family.trim().is_empty() || self.given.iter().any(|name| !name.trim().is_empty())
    }
}

fn split_name(name: &str) -> (String, Vec<String>) {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if let Some((family, given)) = name.split_once(',') {
        return (family.trim().to_owned(), words(given));
    }
    let mut given = words(name);
    (given.pop().unwrap_or_default(), given)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(<redacted>)")
    }
}

/// An identity as it was at a time. The first version is what was written down first; a correction (Art. 16 GDPR) adds one and takes none away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityVersion {
    /// Counts from one.
    pub version: u32,
    /// Since when it has been kept.
    pub at: ServerTime,
    /// What was kept.
    pub identity: Identity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_joined() {
        for (text, family, given, shown) in [
            ("Erika Musterfrau", "Musterfrau", vec!["Erika"], "Musterfrau, Erika"),
            ("Musterfrau, Erika Maria", "Musterfrau", vec!["Erika", "Maria"], "Musterfrau, Erika Maria"),
            ("von der Heide, Max", "von der Heide", vec!["Max"], "von der Heide, Max"),
            ("Cher", "Cher", vec![], "Cher"),
            ("", "", vec![], ""),
        ] {
            let identity = Identity::of(text, "1964-08-12", " 4711 ");
            assert_eq!(
                (identity.family.as_str(), identity.given.clone()),
                (family, given.into_iter().map(str::to_owned).collect())
            );
            assert_eq!(identity.name(), shown);
            assert_eq!(identity.has_name(), !text.is_empty());
            assert_eq!(identity.record_number, "4711");
        }
        assert_eq!(format!("{:?}", Identity::of("Erika", "x", "y")), "Identity(<redacted>)");
        assert_eq!(Sex::parse("female"), Some(Sex::Female));
        assert_eq!(Sex::parse("f"), None);
    }
}
