//! The two languages of this crate's texts, from the Fluent files in `locales/`.
//!
//! INVARIANT: a message that is missing shows as its key, never as silence; the tests say every message in both languages.

use crate::schema::Text;
use crate::{At, Date, Period, PeriodUnit, Rate, RateUnit};
use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use obhut_model::{CodeInfo, Decimal};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// German.
    #[default]
    De,
    /// English.
    En,
}

impl Lang {
    /// From a tag such as `de`, `de-AT` or `en_GB.UTF-8`; `None` for any other language.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.split(['-', '_', '.']).next() {
            Some("de") => Some(Self::De),
            Some("en") => Some(Self::En),
            _ => None,
        }
    }

    /// `de` or `en`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    const fn messages(self) -> &'static str {
        match self {
            Self::De => include_str!("../locales/de.ftl"),
            Self::En => include_str!("../locales/en.ftl"),
        }
    }
}

/// Speaks one language.
pub(crate) struct Speech {
    lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

/// One argument of a message.
pub(crate) enum Arg<'a> {
    Text(&'a str),
    Number(f64),
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for Arg<'a> {
    fn from(text: &'a T) -> Self {
        Self::Text(text.as_ref())
    }
}

impl From<usize> for Arg<'_> {
    fn from(number: usize) -> Self {
        // Counts here are at most a few thousand and exact.
        Self::Number(u32::try_from(number).map_or(f64::INFINITY, f64::from))
    }
}

impl Speech {
    pub(crate) fn new(lang: Lang) -> Self {
        // A resource with a mistake still holds all its good messages; the tests refuse any mistake.
        let resource = FluentResource::try_new(lang.messages().to_owned()).unwrap_or_else(|(resource, _)| resource);
        let locales = lang.as_str().parse().into_iter().collect();
        let mut bundle = FluentBundle::new(locales);
        // Isolation marks are for mixed directions; here they would only end up in files and diffs.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { lang, bundle }
    }

    pub(crate) const fn lang(&self) -> Lang {
        self.lang
    }

    /// The message `key`; the key itself if there is none.
    pub(crate) fn say(&self, key: &str, arguments: &[(&str, Arg<'_>)]) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            return format!("⟨{key}⟩");
        };
        let arguments: FluentArgs<'_> = arguments
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Arg::Text(text) => FluentValue::from(*text),
                    Arg::Number(number) => FluentValue::from(*number),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        let mut errors = Vec::new();
        let said = self.bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        if errors.is_empty() { said.into_owned() } else { format!("⟨{key}⟩ {said}") }
    }

    /// A message without arguments.
    pub(crate) fn word(&self, key: &str) -> String {
        self.say(key, &[])
    }

    /// The side of a text in this language.
    pub(crate) fn text<'t>(&self, text: &'t Text) -> &'t str {
        self.pick(&text.de, &text.en)
    }

    pub(crate) const fn pick<'t>(&self, de: &'t str, en: &'t str) -> &'t str {
        match self.lang {
            Lang::De => de,
            Lang::En => en,
        }
    }

    /// A decimal as this language writes it.
    pub(crate) fn decimal(&self, decimal: Decimal) -> String {
        let text = decimal.to_string();
        match self.lang {
            Lang::De => text.replace('.', ","),
            Lang::En => text,
        }
    }

    /// A whole number with groups of three.
    pub(crate) fn count(&self, number: u64) -> String {
        let digits = number.to_string();
        let group = match self.lang {
            Lang::De => '.',
            Lang::En => ',',
        };
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        out
    }

    pub(crate) fn rate(&self, rate: Rate) -> String {
        let key = match rate.unit() {
            RateUnit::Hertz => "rate-hertz",
            RateUnit::PerSecond => "rate-second",
            RateUnit::PerMinute => "rate-minute",
            RateUnit::PerHour => "rate-hour",
            RateUnit::PerDay => "rate-day",
        };
        self.say(key, &[("n", Arg::Number(rate.count().to_f64())), ("count", (&self.decimal(rate.count())).into())])
    }

    pub(crate) fn period(&self, period: Period) -> String {
        let key = match period.unit() {
            PeriodUnit::Second => "period-second",
            PeriodUnit::Minute => "period-minute",
            PeriodUnit::Hour => "period-hour",
            PeriodUnit::Day => "period-day",
            PeriodUnit::Week => "period-week",
            PeriodUnit::Year => "period-year",
        };
        let count = self.count(u64::from(period.count()));
        self.say(key, &[("n", Arg::Number(f64::from(period.count()))), ("count", (&count).into())])
    }

    /// A number with the unit of a code; without one where the unit is 1.
    pub(crate) fn quantity(&self, number: Decimal, info: Option<&CodeInfo>) -> String {
        match info.filter(|info| info.ucum != "1") {
            Some(info) => format!("{} {}", self.decimal(number), info.unit_shown),
            None => self.decimal(number),
        }
    }

    /// The full name of what a code measures.
    pub(crate) fn name(&self, info: Option<&'static CodeInfo>) -> &'static str {
        info.map_or("?", |info| self.pick(info.name_de, info.name_en))
    }

    /// Words of a closed list, each as `prefix-word`, joined.
    pub(crate) fn words<'w>(&self, prefix: &str, words: impl Iterator<Item = &'w str>) -> String {
        words.map(|word| self.word(&format!("{prefix}-{word}"))).collect::<Vec<_>>().join(", ")
    }

    /// A day as this language writes it.
    pub(crate) fn date(&self, date: Date) -> String {
        match self.lang {
            Lang::De => format!("{:02}.{:02}.{}", date.day(), date.month(), date.year()),
            Lang::En => date.to_string(),
        }
    }

    pub(crate) fn yes_no(&self, yes: bool) -> String {
        self.word(if yes { "yes" } else { "no" })
    }
}

/// What each of `permissions` allows, in words of `lang`; for tables, pages and records.
#[must_use]
pub fn permissions_said(permissions: &[crate::schema::Permission], lang: Lang) -> Vec<String> {
    let speech = Speech::new(lang);
    permissions.iter().map(|permission| speech.word(&format!("permission-{}", permission.as_str()))).collect()
}

/// Items joined as they are written.
pub(crate) fn list<T: std::fmt::Display>(items: &[At<T>], between: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(lang: Lang) -> Vec<String> {
        let mut keys: Vec<String> = lang
            .messages()
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key.to_owned()))
            .collect();
        keys.sort();
        keys
    }

    #[test]
    fn both_languages_have_the_same_messages_without_mistakes() {
        assert_eq!(keys(Lang::De), keys(Lang::En));
        for lang in [Lang::De, Lang::En] {
            assert!(FluentResource::try_new(lang.messages().to_owned()).is_ok(), "{lang:?}");
            let speech = Speech::new(lang);
            for key in keys(lang) {
                assert!(speech.bundle.has_message(&key), "{lang:?} {key}");
            }
        }
        let mut unique = keys(Lang::De);
        unique.dedup();
        assert_eq!(unique, keys(Lang::De), "a message stands twice");
    }

    #[test]
    fn every_word_of_the_schema_can_be_said() {
        use crate::schema::{
            Approver, ContractKind, Covers, DeviceKind, Direction, InterfaceKind, Permission, Priority, Regime,
            Relation, RetentionStart, Stage, Word,
        };
        fn words<T: Word>() -> Vec<&'static str> {
            T::ALL.iter().map(|(word, _)| *word).collect()
        }
        for (prefix, words) in [
            ("approver", words::<Approver>()),
            ("contract", words::<ContractKind>()),
            ("covers", words::<Covers>()),
            ("device", words::<DeviceKind>()),
            ("direction", words::<Direction>()),
            ("kind", words::<InterfaceKind>()),
            ("permission", words::<Permission>()),
            ("priority", words::<Priority>()),
            ("regime", words::<Regime>()),
            ("role-relation", words::<Relation>()),
            ("stage", words::<Stage>()),
            ("start", words::<RetentionStart>()),
        ] {
            for word in words {
                let said = Speech::new(Lang::De).word(&format!("{prefix}-{word}"));
                assert!(!said.contains('⟨'), "{said}");
            }
        }
    }

    #[test]
    fn numbers_are_written_as_the_language_does() {
        let (de, en) = (Speech::new(Lang::De), Speech::new(Lang::En));
        let tenth: Decimal = "0.1".parse().unwrap();
        assert_eq!((de.decimal(tenth), en.decimal(tenth)), ("0,1".to_owned(), "0.1".to_owned()));
        assert_eq!(
            (de.count(65_536), en.count(1_234_567), en.count(123)),
            ("65.536".to_owned(), "1,234,567".to_owned(), "123".to_owned())
        );
        assert_eq!(de.rate("1/s".parse().unwrap()), "ein Wert je Sekunde");
        assert_eq!(en.rate("62.5 Hz".parse().unwrap()), "62.5 values a second");
        assert_eq!(de.period("72 h".parse().unwrap()), "72 Stunden");
        assert_eq!(de.period("1 y".parse().unwrap()), "ein Jahr");
    }

    #[test]
    fn tags_of_other_languages_are_not_guessed() {
        assert_eq!(Lang::from_tag("de_DE.UTF-8"), Some(Lang::De));
        assert_eq!(Lang::from_tag("en-GB"), Some(Lang::En));
        assert_eq!(Lang::from_tag("den"), None);
    }
}
