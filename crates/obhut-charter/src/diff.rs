//! What another version of a charter changes, and for whom.
//!
//! Compares what is declared, not how it is written: order, comments and wrapping do not count. Each change says whether it allows more or less
//! than before, so that a reviewer reads the widening ones first. Not a text diff, and not a judgement whether a change is lawful.

use crate::check::Checked;
use crate::speech::{Arg, Lang, Speech};
use std::collections::BTreeSet;

mod things;
use things::{Field, Thing, Value};

/// Whom a change concerns most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Concern {
    /// Patients: purposes, data, retention.
    Patients,
    /// People who work in the house: roles, alarm limits.
    Staff,
    /// Others outside the house: recipients, interfaces.
    Outside,
    /// Devices.
    Devices,
    /// The network.
    Network,
    /// Management: controller, ward, gates, figures.
    House,
}

/// Whether a change allows more than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// More is allowed, known or kept.
    More,
    /// Less is.
    Less,
    /// Neither, or not to be told by a machine.
    Other,
}

impl Effect {
    const fn reversed(self) -> Self {
        match self {
            Self::More => Self::Less,
            Self::Less => Self::More,
            Self::Other => Self::Other,
        }
    }

    /// `more`, `less` or `other`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
            Self::Other => "other",
        }
    }
}

impl Concern {
    const ALL: [Self; 6] = [Self::Patients, Self::Staff, Self::Outside, Self::Devices, Self::Network, Self::House];

    /// The word used in machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patients => "patients",
            Self::Staff => "staff",
            Self::Outside => "outside",
            Self::Devices => "devices",
            Self::Network => "network",
            Self::House => "house",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whom it concerns most.
    pub concern: Concern,
    /// Whether it allows more.
    pub effect: Effect,
    /// The section of the charter, as its header is written.
    pub section: &'static str,
    /// The entry's name; empty for sections that have only one.
    pub id: String,
    /// The key that changed; `None` if the whole entry came or went.
    pub field: Option<&'static str>,
    /// The change in words.
    pub text: String,
}

/// All changes from one charter to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    lang: Lang,
    old: String,
    new: String,
    changes: Vec<Change>,
}

/// What changes from `old` to `new`, in words of `lang`.
#[must_use]
pub fn diff(old: &Checked, new: &Checked, lang: Lang) -> Diff {
    let speech = Speech::new(lang);
    let (before, after) = (things::of(old, &speech), things::of(new, &speech));
    let mut changes = Vec::new();
    for thing in &after {
        match before.iter().find(|other| other.is(thing)) {
            Some(other) => compare(&speech, other, thing, &mut changes),
            None => changes.push(whole(&speech, thing, "change-added", thing.added)),
        }
    }
    for thing in before.iter().filter(|thing| !after.iter().any(|other| other.is(thing))) {
        changes.push(whole(&speech, thing, "change-removed", thing.added.reversed()));
    }
    changes.sort_by_key(|change| (change.concern, change.effect));
    Diff { lang, old: label(old), new: label(new), changes }
}

fn label(charter: &Checked) -> String {
    format!("{} {}", charter.name(), charter.fingerprint().get(..8).unwrap_or_default())
}

fn whole(speech: &Speech, thing: &Thing, key: &str, effect: Effect) -> Change {
    let text = speech.say(key, &[("what", (&thing.title).into())]);
    Change { concern: thing.concern, effect, section: thing.section, id: thing.id.clone(), field: None, text }
}

fn compare(speech: &Speech, old: &Thing, new: &Thing, changes: &mut Vec<Change>) {
    for field in &new.fields {
        let Some(before) = old.fields.iter().find(|other| other.is(field)) else { continue };
        let mut push = |key: &str, effect: Effect, arguments: &[(&str, &str)]| {
            let name = match &field.of {
                Some(of) => format!("{} ({of})", speech.word(&format!("field-{}", field.key))),
                None => speech.word(&format!("field-{}", field.key)),
            };
            let mut all: Vec<(&str, Arg<'_>)> = vec![("what", (&new.title).into()), ("field", (&name).into())];
            all.extend(arguments.iter().map(|(key, value)| (*key, Arg::from(*value))));
            let text = speech.say(key, &all);
            changes.push(Change {
                concern: new.concern,
                effect,
                section: new.section,
                id: new.id.clone(),
                field: Some(field.key),
                text,
            });
        };
        match (&before.value, &field.value) {
            (
                Value::One { shown: was, compared: old, weight: weighed },
                Value::One { shown: is, compared: new, weight },
            ) if old != new => {
                let absent = speech.word("absent");
                let effect = match (weighed, weight) {
                    (Some(before), Some(after)) if after > before => Effect::More,
                    (Some(before), Some(after)) if after < before => Effect::Less,
                    _ => Effect::Other,
                };
                push(
                    "change-value",
                    effect,
                    &[("old", was.as_deref().unwrap_or(&absent)), ("new", is.as_deref().unwrap_or(&absent))],
                );
            }
            (Value::Set { items: was, .. }, Value::Set { items: is, grows }) => {
                let missing = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                    a.difference(b).cloned().collect::<Vec<_>>().join(", ")
                };
                let (gained, lost) = (missing(is, was), missing(was, is));
                if !gained.is_empty() {
                    push("change-set-more", *grows, &[("list", &gained)]);
                }
                if !lost.is_empty() {
                    push("change-set-less", grows.reversed(), &[("list", &lost)]);
                }
            }
            _ => {}
        }
    }
}

impl Diff {
    /// All changes: by whom they concern, the widening ones first.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether both allow the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// All of it as plain text, grouped by whom it concerns.
    #[must_use]
    pub fn render(&self) -> String {
        let speech = Speech::new(self.lang);
        let mut out = speech.say("diff-title", &[("old", (&self.old).into()), ("new", (&self.new).into())]);
        out.push('\n');
        if self.is_empty() {
            return out + &speech.word("diff-same") + "\n";
        }
        let count = |effect| self.changes.iter().filter(|change| change.effect == effect).count().to_string();
        let (all, more, less, other) =
            (self.changes.len().to_string(), count(Effect::More), count(Effect::Less), count(Effect::Other));
        let arguments = [
            ("n", self.changes.len().into()),
            ("count", (&all).into()),
            ("more", (&more).into()),
            ("less", (&less).into()),
            ("other", (&other).into()),
        ];
        out += &speech.say("diff-count", &arguments);
        out.push('\n');
        for concern in Concern::ALL {
            let mut changes = self.changes.iter().filter(|change| change.concern == concern).peekable();
            if changes.peek().is_some() {
                out += &format!("\n{}\n", speech.word(&format!("concern-{}", concern.as_str())));
            }
            for change in changes {
                out += &format!("  {}: {}\n", speech.word(&format!("effect-{}", change.effect.as_str())), change.text);
            }
        }
        out
    }
}

impl Thing {
    fn is(&self, other: &Self) -> bool {
        self.section == other.section && self.id == other.id
    }
}

impl Field {
    fn is(&self, other: &Self) -> bool {
        self.key == other.key && self.of == other.of
    }
}
