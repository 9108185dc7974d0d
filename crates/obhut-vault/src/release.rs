//! What may leave about a group of people: generalise until everybody stands among enough others, or say that it cannot be done.
//!
//! Each person has a few *quasi-identifiers*: things that identify nobody alone but may do so together. They are made coarser step by step until every
//! combination that occurs is shared by at least `k` people (k-anonymity: Sweeney 2002; WP 216 of the Article 29 working party, section 3.2). Times leave only
//! relative to a person's first reading. Not for: who may ask, which data, whose consent; and no claim that what leaves is anonymous: it stays personal data
//! (EDPB 01/2025), k is one safeguard among several. Values themselves may be rare; k says nothing of them.
//!
//! What always holds: nothing is released under fewer than `k_min` people; the report of a refusal holds counts and nothing about anybody.

use std::collections::BTreeMap;

/// From this age on everybody is as old as this: very old people are few.
pub const AGE_TOP: u16 = 90;

/// What could tell somebody apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quasi {
    /// Whole years at the first reading; `None` if the birth date is not known.
    pub age_years: Option<u16>,
    /// Administrative sex in FHIR's words; `None` if not asked.
    pub sex: Option<&'static str>,
}

/// How coarse, from fine to all in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Five years and sex.
    Years5Sex,
    /// Ten years and sex.
    Years10Sex,
    /// Twenty years and sex.
    Years20Sex,
    /// Twenty years.
    Years20,
    /// Nothing of either.
    Nothing,
}

impl Level {
    /// Every level, the finest first.
    pub const ALL: [Self; 5] = [Self::Years5Sex, Self::Years10Sex, Self::Years20Sex, Self::Years20, Self::Nothing];

    /// A word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Years5Sex => "age-5-sex",
            Self::Years10Sex => "age-10-sex",
            Self::Years20Sex => "age-20-sex",
            Self::Years20 => "age-20",
            Self::Nothing => "none",
        }
    }

    const fn years(self) -> Option<u16> {
        match self {
            Self::Years5Sex => Some(5),
            Self::Years10Sex => Some(10),
            Self::Years20Sex | Self::Years20 => Some(20),
            Self::Nothing => None,
        }
    }

    const fn tells_sex(self) -> bool {
        matches!(self, Self::Years5Sex | Self::Years10Sex | Self::Years20Sex)
    }

    /// What leaves of `quasi` at this level: age band and sex, either empty where it does not leave.
    #[must_use]
    pub fn generalise(self, quasi: &Quasi) -> (String, &'static str) {
        let band = self.years().map_or_else(String::new, |years| age_band(quasi.age_years, years));
        (band, if self.tells_sex() { quasi.sex.unwrap_or("unknown") } else { "" })
    }
}

/// `40-44`, `90+`, `unknown`.
fn age_band(age: Option<u16>, years: u16) -> String {
    match age {
        None => "unknown".to_owned(),
        Some(age) if age >= AGE_TOP => format!("{AGE_TOP}+"),
        Some(age) => {
            let from = age - age % years;
            // The band below the top ends where the top begins.
            format!("{from}-{}", (from + years - 1).min(AGE_TOP - 1))
        }
    }
}

/// How one level would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelReport {
    /// The level.
    pub level: Level,
    /// People in the smallest class.
    pub k: usize,
    /// Classes.
    pub classes: usize,
    /// People who stand in classes that are too small.
    pub too_few: usize,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KReport {
    /// People in all.
    pub people: usize,
    /// What was demanded.
    pub k_min: usize,
    /// Each level, the finest first.
    pub levels: Vec<LevelReport>,
    /// The finest level at which every class is large enough; `None`: nothing may leave.
    pub chosen: Option<Level>,
}

/// Finds the finest level at which everybody stands among at least `k_min`. A `k_min` below two is taken as two: alone is never among others.
#[must_use]
pub fn check(people: &[Quasi], k_min: usize) -> KReport {
    let k_min = k_min.max(2);
    let levels: Vec<LevelReport> = Level::ALL.into_iter().map(|level| look(people, level, k_min)).collect();
    let chosen = levels.iter().find(|report| report.k >= k_min).map(|report| report.level);
    KReport { people: people.len(), k_min, levels, chosen }
}

fn look(people: &[Quasi], level: Level, k_min: usize) -> LevelReport {
    let mut classes: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for quasi in people {
        *classes.entry(level.generalise(quasi)).or_default() += 1;
    }
    LevelReport {
        level,
        k: classes.values().copied().min().unwrap_or(0),
        classes: classes.len(),
        too_few: classes.values().filter(|count| **count < k_min).sum(),
    }
}

/// Whole years from `birth` to `day`, both ISO 8601 dates; `None` if either is not one or they are the wrong way round.
#[must_use]
pub fn age_years(birth: &str, day: &str) -> Option<u16> {
    let (birth, day) = (date(birth)?, date(day)?);
    let years = day.0.checked_sub(birth.0)?;
    years.checked_sub(u16::from((day.1, day.2) < (birth.1, birth.2)))
}

fn date(text: &str) -> Option<(u16, u8, u8)> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn person(age: u16, sex: &'static str) -> Quasi {
        Quasi { age_years: Some(age), sex: Some(sex) }
    }

    #[test]
    fn ages_and_bands() {
        for (birth, day, want) in [
            ("1964-08-12", "2026-08-11", Some(61)),
            ("1964-08-12", "2026-08-12", Some(62)),
            ("2026-01-02", "2026-01-01", None),
            ("2027-01-01", "2026-01-01", None),
            ("x", "2026-01-01", None),
            ("1964-13-01", "2026-01-01", None),
        ] {
            assert_eq!(age_years(birth, day), want, "{birth} {day}");
        }
        for (age, years, want) in [(0, 5, "0-4"), (44, 5, "40-44"), (89, 20, "80-89"), (90, 5, "90+"), (104, 20, "90+")]
        {
            assert_eq!(age_band(Some(age), years), want);
        }
    }

    #[test]
    fn it_goes_only_as_coarse_as_it_must() {
        let people: Vec<Quasi> = (0..10).map(|n| person(40 + n % 10, "female")).collect();
        assert_eq!(check(&people, 5).chosen, Some(Level::Years5Sex));
        assert_eq!(check(&people, 6).chosen, Some(Level::Years10Sex));
        assert_eq!(check(&people, 11).chosen, None);
        let mut with_one_man = people;
        with_one_man.push(person(44, "male"));
        let report = check(&with_one_man, 5);
        assert_eq!(report.chosen, Some(Level::Years20));
        assert_eq!((report.levels[0].k, report.levels[0].too_few), (1, 1));
        assert_eq!(check(&[], 5).chosen, None);
        assert_eq!(check(&[person(1, "male")], 0).chosen, None, "alone is never among others");
    }

    proptest! {
        #[test]
        fn what_leaves_is_shared_by_k(ages in proptest::collection::vec((proptest::option::of(0u16..110), 0u8..4), 0..60), k_min in 2usize..8) {
            let sexes = [None, Some("male"), Some("female"), Some("other")];
            let people: Vec<Quasi> = ages.iter().map(|(age, sex)| Quasi { age_years: *age, sex: sexes[usize::from(*sex)] }).collect();
            let report = check(&people, k_min);
            if let Some(level) = report.chosen {
                for one in &people {
                    let same = people.iter().filter(|other| level.generalise(other) == level.generalise(one)).count();
                    prop_assert!(same >= k_min);
                }
            } else {
                prop_assert!(people.len() < k_min);
            }
        }
    }
}
