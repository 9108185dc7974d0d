//! Whether a profile can be relied on. All mistakes are found at once; a profile with one is not taken.

use super::profile::{Condition, Profile, Rule, Side, Step, TechnicalKind};
use super::words::Priority;
use crate::limits::{LOSS_SIGNAL_MAX, RULES_MAX, TERMS_MAX};
use obhut_model::Code;
use std::collections::BTreeSet;

/// One mistake of a profile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// More rules than an engine holds.
    #[error("the profile has {got} rules, more than {RULES_MAX}")]
    TooManyRules {
        /// Found.
        got: usize,
    },
    /// Two rules of one name.
    #[error("two rules are called `{rule}`")]
    RuleTwice {
        /// The name.
        rule: String,
    },
    /// A rule without a limit.
    #[error("rule `{rule}` has no limit")]
    NoStep {
        /// The rule.
        rule: String,
    },
    /// A number that cannot be compared with.
    #[error("rule `{rule}`: a limit or hysteresis is not a finite number, or the hysteresis is negative")]
    NotANumber {
        /// The rule.
        rule: String,
    },
    /// Steps that do not go from less to more urgent and outwards.
    #[error("rule `{rule}`: each step must be more urgent and lie further out than the one before")]
    StepOrder {
        /// The rule.
        rule: String,
    },
    /// An alarm without priority.
    #[error("rule `{rule}` has no priority")]
    NoPriority {
        /// The rule.
        rule: String,
    },
    /// The lower limit of a code not below its upper one.
    #[error("{code}: the lower limit of `{low}` is not below the upper limit of `{high}`")]
    Crossed {
        /// The code.
        code: Code,
        /// The rule with the lower limit.
        low: String,
        /// The rule with the upper limit.
        high: String,
    },
    /// A code that is compared but not watched for silence.
    #[error("rule `{rule}` looks at {code}, which nobody watches: say after how long it is stale")]
    NotWatched {
        /// The rule.
        rule: String,
        /// The code.
        code: Code,
    },
    /// A code watched twice, or stale at once.
    #[error("{code} is watched twice, or is stale after no time at all")]
    BadWatch {
        /// The code.
        code: Code,
    },
    /// A combination that can never hold, or too long.
    #[error("rule `{rule}` needs {at_least} of {terms} parts (at most {TERMS_MAX})")]
    Combination {
        /// The rule.
        rule: String,
        /// How many are needed.
        at_least: u8,
        /// How many there are.
        terms: usize,
    },
    /// Bounds the rule's own limits lie outside of, or bounds of a rule without limits.
    #[error("rule `{rule}`: a limit lies outside the bounds within which it may be set, or there is nothing to set")]
    Settable {
        /// The rule.
        rule: String,
    },
    /// A technical condition nobody gave a rule, which would be silence.
    #[error("no rule for technical condition `{kind}`: it would be silent")]
    TechnicalMissing {
        /// Which.
        kind: &'static str,
    },
    /// Two rules for one technical condition or one finding.
    #[error("two rules for `{kind}`")]
    KindTwice {
        /// Which.
        kind: &'static str,
    },
    /// The loss of a part signalled too late.
    #[error("rule `{rule}`: the loss of a part must be signalled within {LOSS_SIGNAL_MAX} s, not {seconds} s")]
    LossTooLate {
        /// The rule.
        rule: String,
        /// Its total delay.
        seconds: u32,
    },
    /// A pause without a length.
    #[error("`{which}` has no length")]
    Pause {
        /// Which.
        which: &'static str,
    },
    /// An escalation that calls nobody, waits no time, or stands twice.
    #[error("the escalation of priority {priority} calls nobody, waits no time, or stands twice")]
    BadEscalation {
        /// The priority, `PL`, `PM` or `PH`.
        priority: &'static str,
    },
}

/// Everything wrong with a profile; never empty.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("profile `{profile}`: {}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ProfileErrors {
    /// Its name.
    pub profile: String,
    /// What is wrong.
    pub errors: Vec<ProfileError>,
}

impl Profile {
    /// Whether an engine can take it. `// REQ-ALM-020`
    ///
    /// # Errors
    /// [`ProfileErrors`] with everything that is wrong.
    pub fn check(&self) -> Result<(), ProfileErrors> {
        let mut errors = Vec::new();
        if self.rules.len() > RULES_MAX {
            errors.push(ProfileError::TooManyRules { got: self.rules.len() });
        }
        let mut names = BTreeSet::new();
        for rule in &self.rules {
            if !names.insert(&rule.id) {
                errors.push(ProfileError::RuleTwice { rule: rule.id.to_string() });
            }
            self.check_rule(rule, &mut errors);
        }
        self.crossed(&mut errors);
        self.kinds(&mut errors);
        self.watches(&mut errors);
        self.pauses_and_calls(&mut errors);
        if errors.is_empty() { Ok(()) } else { Err(ProfileErrors { profile: self.id.to_string(), errors }) }
    }

    fn check_rule(&self, rule: &Rule, errors: &mut Vec<ProfileError>) {
        let name = || rule.id.to_string();
        if rule.condition.signals().any(|(_, signal)| signal.priority == Priority::None) {
            errors.push(ProfileError::NoPriority { rule: name() });
        }
        let mut looked_at = Vec::new();
        match &rule.condition {
            Condition::Limit { code, side, hysteresis, steps } => {
                looked_at.push(*code);
                check_steps(rule, *side, *hysteresis, steps, errors);
            }
            // A fall is given as a positive change, so both sides grow outwards.
            Condition::Trend { code, hysteresis, steps, over, .. } => {
                looked_at.push(*code);
                check_steps(rule, Side::High, *hysteresis, steps, errors);
                if over.0 == 0 || steps.iter().any(|step| step.limit <= 0.0) {
                    errors.push(ProfileError::NotANumber { rule: name() });
                }
            }
            Condition::Combined { terms, at_least, .. } => {
                looked_at.extend(terms.iter().map(|term| term.code));
                if terms.is_empty() || terms.len() > TERMS_MAX || *at_least == 0 || usize::from(*at_least) > terms.len()
                {
                    errors.push(ProfileError::Combination { rule: name(), at_least: *at_least, terms: terms.len() });
                }
                if terms.iter().any(|term| !term.limit.is_finite()) {
                    errors.push(ProfileError::NotANumber { rule: name() });
                }
            }
            Condition::Finding { .. } => {}
            Condition::Technical { kind, signal } => {
                let seconds = signal.delays.total().0;
                if kind.is_loss() && seconds > LOSS_SIGNAL_MAX {
                    errors.push(ProfileError::LossTooLate { rule: name(), seconds });
                }
            }
        }
        for code in looked_at.into_iter().filter(|code| self.stale_after(*code).is_none()) {
            errors.push(ProfileError::NotWatched { rule: name(), code });
        }
        if let Some(bounds) = rule.settable {
            let mut limits = rule.condition.signals().filter_map(|(limit, _)| limit).peekable();
            if limits.peek().is_none() || limits.any(|limit| !(bounds.from..=bounds.to).contains(&limit)) {
                errors.push(ProfileError::Settable { rule: name() });
            }
        }
    }

    fn crossed(&self, errors: &mut Vec<ProfileError>) {
        let limits = |wanted: Side| {
            self.rules.iter().filter_map(move |rule| match &rule.condition {
                Condition::Limit { code, side, steps, .. } if *side == wanted => {
                    steps.first().map(|step| (*code, step.limit, rule.id.to_string()))
                }
                _ => None,
            })
        };
        for (code, below, low) in limits(Side::Low) {
            for (_, _, high) in limits(Side::High).filter(|(other, above, _)| *other == code && *above <= below) {
                errors.push(ProfileError::Crossed { code, low: low.clone(), high });
            }
        }
    }

    fn kinds(&self, errors: &mut Vec<ProfileError>) {
        let mut seen = BTreeSet::new();
        for rule in &self.rules {
            let kind = match &rule.condition {
                Condition::Technical { kind, .. } => kind.word(),
                Condition::Finding { finding, .. } => finding.word(),
                _ => continue,
            };
            if !seen.insert(kind) {
                errors.push(ProfileError::KindTwice { kind });
            }
        }
        for kind in TechnicalKind::ALL.iter().map(|kind| kind.word()).filter(|kind| !seen.contains(kind)) {
            errors.push(ProfileError::TechnicalMissing { kind });
        }
    }

    fn watches(&self, errors: &mut Vec<ProfileError>) {
        let mut seen = BTreeSet::new();
        for watched in &self.watched {
            if !seen.insert(watched.code) || watched.stale_after.0 == 0 {
                errors.push(ProfileError::BadWatch { code: watched.code });
            }
        }
    }

    fn pauses_and_calls(&self, errors: &mut Vec<ProfileError>) {
        let lengths = [
            ("audio_pause_max", self.pauses.audio_max),
            ("alarm_pause_max", self.pauses.alarm_max),
            ("update_every", self.update_every),
        ];
        errors.extend(
            lengths.into_iter().filter(|(_, length)| length.0 == 0).map(|(which, _)| ProfileError::Pause { which }),
        );
        let mut seen = BTreeSet::new();
        for escalation in &self.escalation {
            let waits = escalation.steps.iter().all(|call| call.answer_within.0 > 0);
            if !seen.insert(escalation.priority) || escalation.steps.is_empty() || !waits {
                errors.push(ProfileError::BadEscalation { priority: escalation.priority.word() });
            }
        }
    }
}

fn check_steps(rule: &Rule, side: Side, hysteresis: f64, steps: &[Step], errors: &mut Vec<ProfileError>) {
    let name = || rule.id.to_string();
    if steps.is_empty() {
        errors.push(ProfileError::NoStep { rule: name() });
    }
    if !hysteresis.is_finite() || hysteresis < 0.0 || steps.iter().any(|step| !step.limit.is_finite()) {
        errors.push(ProfileError::NotANumber { rule: name() });
    }
    let outwards = steps.iter().zip(steps.iter().skip(1)).all(|(inner, outer)| {
        let further = match side {
            Side::Low => outer.limit < inner.limit,
            Side::High => outer.limit > inner.limit,
        };
        further && outer.signal.priority > inner.signal.priority
    });
    if !outwards {
        errors.push(ProfileError::StepOrder { rule: name() });
    }
}

impl TechnicalKind {
    /// Whether it is the loss of a part, which must be signalled within [`LOSS_SIGNAL_MAX`] (REQ-ALM-012).
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::DeviceLost
                | Self::LinkLost
                | Self::GatewayLost
                | Self::ServerLost
                | Self::StoreLost
                | Self::LedgerLost
                | Self::DisplayLost
        )
    }
}
