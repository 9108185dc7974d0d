//! Which rights a person has for a purpose: a table of law, told by its grounds.
//!
//! Not a judge of a single request (whether a refusal is right is decided by people, with a reason). What always holds: portability and
//! objection are offered exactly where the law gives them, and a ground this table does not know gives neither.
//!
//! Sources: GDPR Art. 15–22; § 630f and § 630g BGB. The church laws carry the same rights under their own numbers: KDG §§ 17–23, DSG-EKD
//! §§ 19–25, with objection tied to the public task (§ 23(1) KDG, § 25(1) DSG-EKD).

use obhut_model::ServerTime;

/// The kind of a legal ground, as the rights ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    /// The person agreed: Art. 6(1)(a) or 9(2)(a) GDPR, § 6(1) b or § 11(2) a KDG, § 6 no. 2 or § 13(2) no. 1 DSG-EKD.
    Consent,
    /// A contract with the person, the treatment contract for example: Art. 6(1)(b) GDPR, § 6(1) c KDG, § 6 no. 5 DSG-EKD.
    Contract,
    /// A task in the public (or the Church's) interest: Art. 6(1)(e) GDPR, § 6(1) f KDG, § 6 no. 3 and 4 DSG-EKD.
    PublicTask,
    /// A legitimate interest: Art. 6(1)(f) GDPR, § 6(1) g KDG, § 6 no. 8 DSG-EKD.
    LegitimateInterest,
    /// Any other.
    Other,
}

impl Ground {
    /// Reads a ground as a charter writes it, `Art. 6(1)(b)`, `§ 6(1)(c)` (KDG) or `§ 6 Nr. 5` (DSG-EKD).
    #[must_use]
    pub fn of(written: &str) -> Self {
        let bare: String = written.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        match bare.as_str() {
            "art.6(1)(a)" | "art.9(2)(a)" | "§6(1)(b)" | "§11(2)(a)" | "§6nr.2" | "§13(2)nr.1" => Self::Consent,
            "art.6(1)(b)" | "§6(1)(c)" | "§6nr.5" => Self::Contract,
            "art.6(1)(e)" | "§6(1)(f)" | "§6nr.3" | "§6nr.4" => Self::PublicTask,
            "art.6(1)(f)" | "§6(1)(g)" | "§6nr.8" => Self::LegitimateInterest,
            _ => Self::Other,
        }
    }
}

/// A right of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Access and a copy: Art. 15, § 630g BGB.
    Access,
    /// Correction: Art. 16, § 630f(1) BGB.
    Correction,
    /// Erasure: Art. 17.
    Erasure,
    /// Restriction: Art. 18.
    Restriction,
    /// Portability: Art. 20.
    Portability,
    /// Objection: Art. 21.
    Objection,
    /// Withdrawal of a consent: Art. 7(3).
    Withdrawal,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::Correction,
        Self::Erasure,
        Self::Restriction,
        Self::Portability,
        Self::Objection,
        Self::Withdrawal,
    ];
}

/// Which rights there are for a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    portability: bool,
    objection: bool,
    withdrawal: bool,
}

impl Rights {
    /// The rights for a purpose that rests on `grounds`.
    ///
    /// Portability (Art. 20(1)) wants consent or contract *and* processing by automated means, which everything in this system is; it does
    /// not apply where the processing is necessary for a public task (Art. 20(3)). Objection (Art. 21(1)) wants Art. 6(1)(e) or (f).
    #[must_use]
    pub fn of(grounds: impl IntoIterator<Item = Ground>) -> Self {
        let mut has = [false; 4];
        for ground in grounds {
            let [consent, contract, public, interest] = &mut has;
            match ground {
                Ground::Consent => *consent = true,
                Ground::Contract => *contract = true,
                Ground::PublicTask => *public = true,
                Ground::LegitimateInterest => *interest = true,
                Ground::Other => {}
            }
        }
        let [consent, contract, public, interest] = has;
        Self { portability: (consent || contract) && !public, objection: public || interest, withdrawal: consent }
    }

    /// Whether `right` exists here.
    #[must_use]
    pub const fn offers(self, right: Right) -> bool {
        match right {
            Right::Access | Right::Correction | Right::Erasure | Right::Restriction => true,
            Right::Portability => self.portability,
            Right::Objection => self.objection,
            Right::Withdrawal => self.withdrawal,
        }
    }
}

/// The clock of a request, as the law sets it from a day on. Dated, because law changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestClock {
    /// In force from this instant.
    pub since: ServerTime,
    /// Months to answer, from receipt.
    pub months: u16,
    /// Months in all, from receipt, with the one extension.
    pub months_extended: u16,
    /// Days after receipt on which whoever works on it is warned.
    pub alert_days: &'static [u16],
    /// Where it stands.
    pub source: &'static str,
}

/// Every clock there was, oldest first.
pub const REQUEST_CLOCKS: &[RequestClock] = &[SINCE_2018];

const SINCE_2018: RequestClock = RequestClock {
    since: ServerTime::from_micros(1_527_206_400_000_000),
    months: 1,
    months_extended: 3,
    alert_days: &[20, 27],
    source: "Art. 12(3) GDPR; § 14(3) KDG; DSG-EKD allows longer and is kept within this",
};

/// The clock in force at `at`; the oldest one for what came before it.
#[must_use]
pub fn request_clock(at: ServerTime) -> RequestClock {
    REQUEST_CLOCKS.iter().rev().find(|clock| clock.since <= at).copied().unwrap_or(SINCE_2018)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(written: &[&str]) -> (bool, bool, bool) {
        let rights = Rights::of(written.iter().map(|w| Ground::of(w)));
        for right in [Right::Access, Right::Correction, Right::Erasure, Right::Restriction] {
            assert!(rights.offers(right), "{right:?} exists whatever the ground");
        }
        (rights.offers(Right::Portability), rights.offers(Right::Objection), rights.offers(Right::Withdrawal))
    }

    /// The table of law, each row as a lawyer reads it: portability, objection, withdrawal.
    #[test]
    fn each_right_is_offered_exactly_where_the_law_gives_it() {
        let rows: &[(&[&str], (bool, bool, bool))] = &[
            (&["Art. 6(1)(a)", "Art. 9(2)(a)"], (true, false, true)),
            (&["Art. 6(1)(a)"], (true, false, true)),
            (&["Art. 9(2)(a)"], (true, false, true)),
            (&["Art. 6(1)(b)", "Art. 9(2)(h)"], (true, false, false)),
            (&["Art. 6(1)(c)"], (false, false, false)),
            (&["Art. 6(1)(d)", "Art. 9(2)(c)"], (false, false, false)),
            (&["Art. 6(1)(e)", "Art. 9(2)(h)"], (false, true, false)),
            (&["Art. 6(1)(f)"], (false, true, false)),
            // A public hospital: the contract would give portability, the public task takes it (Art. 20(3)) and gives objection.
            (&["Art. 6(1)(b)", "Art. 6(1)(e)", "Art. 9(2)(h)"], (false, true, false)),
            (&["Art. 6(1)(b)", "Art. 6(1)(f)"], (true, true, false)),
            (&["Art. 6(1)(e)", "Art. 9(2)(i)"], (false, true, false)),
            (&["Art. 6(1)(e)", "Art. 9(2)(j)"], (false, true, false)),
            (&["§ 6(1)(b)", "§ 11(2)(a)"], (true, false, true)),
            (&["§ 6(1)(c)", "§ 11(2)(h)"], (true, false, false)),
            (&["§ 6(1)(d)"], (false, false, false)),
            (&["§ 6(1)(f)"], (false, true, false)),
            (&["§ 6(1)(g)"], (false, true, false)),
            (&["§ 6 Nr. 2"], (true, false, true)),
            (&["§ 6 Nr. 5", "§ 13(2) Nr. 8"], (true, false, false)),
            (&["§ 6 Nr. 4"], (false, true, false)),
            (&["§ 6 Nr. 6"], (false, false, false)),
            // Nothing known gives nothing.
            (&[], (false, false, false)),
            (&["Art. 6(1)(z)", "made up"], (false, false, false)),
        ];
        for (written, expected) in rows {
            assert_eq!(of(written), *expected, "{written:?}");
        }
    }
}
