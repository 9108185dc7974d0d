//! The minimal rule for emergencies: plain comparisons, no policy, so that it works when nothing else does (control B03).
//!
//! It is asked only when policies failed. It grants what the charter's roles with `break-glass` would be granted in an emergency, to people who hold
//! such a role now and are trained. INVARIANT: it opens nothing that the policies would not open in the same emergency; a
//! test compares the two.

use super::policies::{data_of, emergency_actions};
use crate::Action;
use crate::decision::{Asked, Grant};
use crate::limits::{GRANTS_MAX, PERMIT_MICROS_MAX};
use crate::question::{Person, PersonKind, Question, Resource, RoleGrant};
use obhut_charter::Checked;
use std::sync::{Arc, OnceLock};

/// What one role may do in an emergency.
#[derive(Debug)]
pub(super) struct EmergencyRule {
    role: Arc<str>,
    actions: Vec<Action>,
    purposes: Vec<Arc<str>>,
    data: Vec<Arc<str>>,
    needs_training: bool,
}

/// The rule of each role with `break-glass`.
pub(super) fn rules(charter: &Checked) -> Vec<EmergencyRule> {
    let consent = |purpose: &str| charter.purpose(purpose).is_none_or(|purpose| *purpose.needs_consent);
    let roles = charter.charter().entries.roles.iter();
    roles
        .filter(|role| role.permissions.iter().any(|permission| **permission == Action::BreakGlass))
        .filter(|role| super::policies::kind_of(charter, role) == "staff")
        .map(|role| EmergencyRule {
            role: Arc::from(role.id.as_str()),
            actions: emergency_actions(role),
            // An emergency never rests on a consent.
            purposes: role
                .purposes
                .iter()
                .filter(|purpose| !consent(purpose.as_str()))
                .map(|purpose| Arc::from(purpose.as_str()))
                .collect(),
            data: data_of(charter, &role.data),
            needs_training: role.training.is_some(),
        })
        .collect()
}

/// The first purpose of the first role of `person` that has emergencies.
pub(super) fn default_purpose(rules: &[EmergencyRule], person: &Person) -> Option<Arc<str>> {
    let of = |grant: &RoleGrant| rules.iter().find(|rule| rule.role == grant.role)?.purposes.first().map(Arc::clone);
    person.grants.iter().take(GRANTS_MAX).find_map(of)
}

/// A grant, if this is an emergency that one of `rules` covers.
pub(super) fn decide(rules: &[EmergencyRule], question: &Question<'_>) -> Option<Grant> {
    let Resource::Patient(_) = question.resource else { return None };
    if question.person.kind != PersonKind::Staff {
        return None;
    }
    let now = question.circumstances.now;
    question.person.grants.iter().take(GRANTS_MAX).find_map(|grant| {
        let rule = rules.iter().find(|rule| rule.role == grant.role)?;
        let opens = question.action == Action::BreakGlass
            || question.circumstances.emergency.is_some() && rule.actions.contains(&question.action);
        let trained = !rule.needs_training || grant.trained_until.is_some_and(|until| now < until);
        let current = grant.until.is_none_or(|until| now < until);
        let purpose = rule.purposes.iter().any(|purpose| **purpose == *question.purpose);
        let values = question.action != Action::BreakGlass;
        let wanted = |category: &Arc<str>| values && rule.data.contains(category) || **category == *"identity";
        let seen = question.categories.iter().all(wanted);
        if !(opens && trained && current && purpose && seen) {
            return None;
        }
        let mut asked = Asked::of(question);
        if asked.categories.is_empty() && question.action.shows_values() && question.action != Action::BreakGlass {
            asked.categories.clone_from(&rule.data);
        }
        let mut until = now.plus_micros(PERMIT_MICROS_MAX);
        for end in [grant.until, grant.trained_until.filter(|_| rule.needs_training)].into_iter().flatten() {
            until = until.min(end.plus_micros(-1));
        }
        Some(Grant {
            asked,
            role: Arc::clone(&rule.role),
            organisation: None,
            policies: vec![Arc::from("minimal/emergency")],
            until,
            emergency: true,
            request: OnceLock::new(),
        })
    })
}
