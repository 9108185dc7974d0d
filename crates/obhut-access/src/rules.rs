//! The rules in force: compiled once from a checked charter, asked for every access.
//!
//! For each role and action only the policies that can speak about them are evaluated (decision 0101); a test compares that with evaluating all of them.
//! INVARIANT: no policy, an unknown word, an evaluation error: each denies. The one exception is an emergency, which has a rule of its own without
//! policies ([`AccessRules::decide`]).

mod emergency;
mod facts;
pub mod policies;
mod things;

pub use things::{ADMINISTRATION, DISCLOSING, EMERGENCY, PROTECTIVE, RESTRICTED, Thing, WHOLE, things_of};

use crate::Action;
use crate::decision::{Asked, Decision, Denial, Grant, Reason};
use crate::limits::{CATEGORIES_MAX, GRANTS_MAX, PERMIT_CONSENT_MICROS_MAX, PERMIT_LIVE_MICROS_MAX, PERMIT_MICROS_MAX};
use crate::question::{Person, Question, RoleGrant};
use cedar_policy::{Authorizer, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use emergency::EmergencyRule;
use facts::Types;
use obhut_charter::Checked;
use obhut_charter::schema::{Relation, Role};
use obhut_model::ServerTime;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// Why a charter could not be turned into rules. None of this can come from what a hospital writes: it is a fault of this program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The schema is wrong.
    #[error("the schema of the policies does not hold: {0}")]
    Schema(String),
    /// A policy cannot be read.
    #[error("policy `{id}` cannot be read: {why}")]
    Policy {
        /// Which.
        id: Arc<str>,
        /// Why.
        why: String,
    },
    /// A policy does not fit the schema.
    #[error("the policies do not fit their schema: {0}")]
    Validation(String),
}

/// A step on the way to a decision failed.
#[derive(Debug, Clone, Copy)]
struct Failure;

/// The rules in force. Share it as `Arc<AccessRules>`; a reload of the charter makes a new one.
#[derive(Debug)]
pub struct AccessRules {
    schema: Option<Schema>,
    types: Option<Types>,
    all: PolicySet,
    roles: HashMap<Arc<str>, RoleRules>,
    data: HashSet<Arc<str>>,
    consent_purposes: HashSet<Arc<str>>,
    apart: Vec<(Arc<str>, Arc<str>)>,
    emergency: Vec<EmergencyRule>,
    console: Option<Arc<str>>,
}

/// What is known of one role.
#[derive(Debug)]
struct RoleRules {
    id: Arc<str>,
    uid: EntityUid,
    kind: &'static str,
    relation: Relation,
    permissions: BTreeSet<Action>,
    purposes: Vec<Arc<str>>,
    data: Vec<Arc<str>>,
    recipient: Option<Arc<str>>,
    needs_training: bool,
    /// Until when contract and pledge of its recipient last.
    contract_until: Option<i64>,
    actions: HashMap<Action, (EntityUid, PolicySet)>,
}

impl RoleRules {
    fn action_uid(&self, action: Action) -> Option<EntityUid> {
        self.actions.get(&action).map(|(uid, _)| uid.clone())
    }
}

/// What one role says.
enum Verdict {
    Yes { policies: Vec<Arc<str>> },
    No { reason: Reason, policies: Vec<Arc<str>> },
    Failed,
}

impl AccessRules {
    /// Generates the policies of `charter`, reads them and checks them strictly against their schema.
    ///
    /// # Errors
    /// [`AccessError`] if this program made a policy that does not hold.
    pub fn compile(charter: &Checked) -> Result<Self, AccessError> {
        let (schema, _) = Schema::from_cedarschema_str(&policies::schema())
            .map_err(|error| AccessError::Schema(error.to_string()))?;
        let rules = policies::generate(charter);
        let mut all = PolicySet::new();
        let mut parsed = Vec::with_capacity(rules.len());
        for rule in &rules {
            let broken = |why: String| AccessError::Policy { id: Arc::clone(&rule.id), why };
            let policy =
                Policy::parse(Some(PolicyId::new(&*rule.id)), &rule.text).map_err(|error| broken(error.to_string()))?;
            all.add(policy.clone()).map_err(|error| broken(error.to_string()))?;
            parsed.push(policy);
        }
        let result = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
        if !result.validation_passed() {
            let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
            return Err(AccessError::Validation(errors.join("; ")));
        }
        let types = Types::new().map_err(|Failure| AccessError::Schema("a type has no name".to_owned()))?;
        let mut compiled = Self::bare(charter);
        for role in &charter.charter().entries.roles {
            let mut made = role_rules(charter, role, &types);
            for action in &made.permissions {
                let mut set = PolicySet::new();
                for (rule, policy) in rules.iter().zip(&parsed) {
                    let of_role = rule.role.as_ref().is_none_or(|of| *of == made.id);
                    let of_action = rule.actions.is_empty() || rule.actions.contains(action);
                    if of_role && of_action {
                        set.add(policy.clone()).map_err(|error| AccessError::Policy {
                            id: Arc::clone(&rule.id),
                            why: error.to_string(),
                        })?;
                    }
                }
                made.actions.insert(*action, (types.action(action.as_str()), set));
            }
            compiled.roles.insert(Arc::clone(&made.id), made);
        }
        Ok(Self { schema: Some(schema), types: Some(types), all, ..compiled })
    }

    /// Rules that grant nothing but emergencies, for a server whose policies cannot be compiled: the bedside goes on, everything else is refused.
    #[must_use]
    pub fn emergency_only(charter: &Checked) -> Self {
        Self::bare(charter)
    }

    fn bare(charter: &Checked) -> Self {
        let entries = &charter.charter().entries;
        Self {
            schema: None,
            types: None,
            all: PolicySet::new(),
            roles: HashMap::new(),
            data: entries.data.iter().map(|data| Arc::from(data.id.as_str())).collect(),
            consent_purposes: entries
                .purposes
                .iter()
                .filter(|purpose| *purpose.needs_consent)
                .map(|purpose| Arc::from(purpose.id.as_str()))
                .collect(),
            apart: apart(charter),
            emergency: emergency::rules(charter),
            console: charter.access().console.as_ref().map(|role| Arc::from(role.as_str())),
        }
    }

    /// How many policies there are.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        self.all.num_of_policies()
    }

    /// Decides. Any failure on the way denies; only an emergency then still has its minimal rule (control B03).
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let mut denied = (Reason::NotPermitted, None, Vec::new());
        let mut failed = self.schema.is_none();
        let mut granted = None;
        if question.categories.len() > CATEGORIES_MAX {
            denied.0 = Reason::Categories;
            return self.denied(question, denied);
        }
        for grant in question.person.grants.iter().take(GRANTS_MAX) {
            let Some(role) = self.roles.get(&grant.role) else { continue };
            if !role.actions.contains_key(&question.action) {
                continue;
            }
            match self.ask(question, role, grant) {
                Verdict::Yes { policies } => {
                    granted = Some((role, grant, policies));
                    break;
                }
                Verdict::No { reason, policies } if reason >= denied.0 || denied.1.is_none() => {
                    denied = (reason, Some(Arc::clone(&role.id)), policies);
                }
                Verdict::No { .. } => {}
                Verdict::Failed => failed = true,
            }
        }
        if failed {
            if let Some(grant) = emergency::decide(&self.emergency, question) {
                return Decision::Granted(grant);
            }
            return self.denied(question, (Reason::PolicyFailed, denied.1, denied.2));
        }
        match granted {
            Some((role, grant, policies)) => Decision::Granted(self.granted(question, role, grant, policies)),
            None => self.denied(question, denied),
        }
    }

    #[expect(clippy::unused_self, reason = "beside `granted`, and symmetrical to it")]
    fn denied(
        &self,
        question: &Question<'_>,
        (reason, role, policies): (Reason, Option<Arc<str>>, Vec<Arc<str>>),
    ) -> Decision {
        Decision::Denied(Denial { asked: Asked::of(question), role, policies, reason })
    }

    fn granted(&self, question: &Question<'_>, role: &RoleRules, grant: &RoleGrant, policies: Vec<Arc<str>>) -> Grant {
        let mut asked = Asked::of(question);
        if asked.categories.is_empty() && question.action.shows_values() && question.action != Action::BreakGlass {
            asked.categories.clone_from(&role.data);
        }
        // While an emergency access runs, everything it opens counts as part of it, whatever else would have opened it.
        let emergency =
            question.action == Action::BreakGlass || policies.iter().any(|policy| policy.ends_with("/emergency"));
        Grant {
            asked,
            role: Arc::clone(&role.id),
            organisation: role.recipient.clone(),
            policies,
            until: self.until(question, role, grant),
            emergency,
            request: OnceLock::new(),
        }
    }

    fn until(&self, question: &Question<'_>, role: &RoleRules, grant: &RoleGrant) -> ServerTime {
        let life = if self.consent_purposes.contains(question.purpose) {
            PERMIT_CONSENT_MICROS_MAX
        } else if question.action == Action::LiveView {
            PERMIT_LIVE_MICROS_MAX
        } else {
            PERMIT_MICROS_MAX
        };
        let mut until = question.circumstances.now.plus_micros(life);
        let trained = grant.trained_until.filter(|_| role.needs_training);
        let contract = role.contract_until.map(ServerTime::from_micros);
        for end in [grant.until, trained, contract].into_iter().flatten() {
            until = until.min(end.plus_micros(-1));
        }
        until
    }

    /// The categories of a question: data of the charter, and other words.
    fn split<'q>(&self, question: &Question<'q>) -> (Vec<&'q str>, Vec<&'q str>) {
        question.categories.iter().map(AsRef::as_ref).partition(|category| self.data.contains(*category))
    }

    fn ask(&self, question: &Question<'_>, role: &RoleRules, grant: &RoleGrant) -> Verdict {
        let Some((_, set)) = role.actions.get(&question.action) else { return Verdict::Failed };
        self.ask_of(set, question, role, grant)
    }

    /// What `set` says about the holder of one role.
    fn ask_of(&self, set: &PolicySet, question: &Question<'_>, role: &RoleRules, grant: &RoleGrant) -> Verdict {
        if !things_of(question.action).contains(&question.resource.kind()) {
            return Verdict::No { reason: Reason::NotPermitted, policies: Vec::new() };
        }
        let (Some(schema), Some(types)) = (&self.schema, &self.types) else { return Verdict::Failed };
        let (data, words) = self.split(question);
        let Ok((request, entities)) = facts::of(types, schema, question, role, grant, &data, &words) else {
            return Verdict::Failed;
        };
        let response = Authorizer::new().is_authorized(&request, set, &entities);
        if response.diagnostics().errors().next().is_some() {
            return Verdict::Failed;
        }
        let mut policies: Vec<Arc<str>> =
            response.diagnostics().reason().map(|id| Arc::from(AsRef::<str>::as_ref(id))).collect();
        policies.sort();
        match response.decision() {
            cedar_policy::Decision::Allow => Verdict::Yes { policies },
            cedar_policy::Decision::Deny => {
                Verdict::No { reason: self.reason(question, role, grant, &policies), policies }
            }
        }
    }

    /// Why not, in one word. Only a word for people: the decision is already made.
    fn reason(&self, question: &Question<'_>, role: &RoleRules, grant: &RoleGrant, policies: &[Arc<str>]) -> Reason {
        if role.kind != question.person.kind.word() {
            return Reason::WrongPerson;
        }
        if !self.serves(role, question.action, question.purpose) {
            return Reason::Purpose;
        }
        let forbidden = policies.iter().filter_map(|policy| {
            let mut parts = policy.split('/');
            (parts.next() == Some("forbid")).then(|| parts.next()).flatten()
        });
        let reason = forbidden
            .map(|what| match what {
                "expired" => Reason::RoleExpired,
                "training" => Reason::Training,
                "ticket" => Reason::NoTicket,
                "pledge" => Reason::NoPledge,
                "contract" => Reason::ContractEnded,
                "project" => Reason::ProjectEnded,
                "consent" => Reason::NoConsent,
                "restricted" | "restricted-unless-emergency" => Reason::Restricted,
                "assurance" => Reason::Assurance,
                "discharged" | "discharged-unless-emergency" => Reason::Discharged,
                _ => Reason::PolicyFailed,
            })
            .max();
        // "Discharged too long ago" would tell of someone who was never there.
        let related = was_related(question, role, grant);
        match reason {
            Some(Reason::Discharged) if !related => Reason::NoRelation,
            Some(reason) => reason,
            None => {
                let (data, words) = self.split(question);
                let unseen = data.iter().any(|id| !role.data.iter().any(|seen| **seen == **id));
                if question.action.shows_values() && (unseen || !words.is_empty()) {
                    Reason::Categories
                } else if question.action.needs_relation() {
                    Reason::NoRelation
                } else {
                    Reason::NotPermitted
                }
            }
        }
    }

    /// Two of `roles` that one person must not hold together: the charter keeps them apart, or together they hold permissions that must not meet.
    #[must_use]
    pub fn toxic(&self, roles: &[&str]) -> Option<(Arc<str>, Arc<str>)> {
        for (at, one) in roles.iter().enumerate() {
            for other in roles.iter().skip(at + 1).filter(|other| *other != one) {
                let pair = || Some((Arc::from(*one), Arc::from(*other)));
                let named =
                    |a: &Arc<str>, b: &Arc<str>| **a == **one && **b == **other || **a == **other && **b == **one;
                if self.apart.iter().any(|(a, b)| named(a, b)) {
                    return pair();
                }
                let (Some(first), Some(second)) = (self.roles.get(*one), self.roles.get(*other)) else { continue };
                let meet = first
                    .permissions
                    .iter()
                    .any(|a| second.permissions.iter().any(|b| obhut_charter::duties::toxic(*a, *b).is_some()));
                if meet {
                    return pair();
                }
            }
        }
        None
    }

    /// Whether `role` does `action` for `purpose`.
    fn serves(&self, role: &RoleRules, action: Action, purpose: &str) -> bool {
        role.purposes.iter().any(|served| **served == *purpose)
            && (DISCLOSING.contains(&action) || !self.consent_purposes.contains(purpose))
    }

    /// The purpose meant where `person` does `action` and names none: the first of the first role awake that may do it, else of the first that may.
    #[must_use]
    pub fn default_purpose(&self, person: &Person, action: Action, now: ServerTime) -> Option<Arc<str>> {
        if self.schema.is_none() {
            return emergency::default_purpose(&self.emergency, person);
        }
        let grants = person.grants.iter().take(GRANTS_MAX);
        let mut of_roles: Vec<(bool, &RoleRules)> = grants
            .filter_map(|grant| self.roles.get(&grant.role).map(|role| (!self.is_awake(person, grant, now), role)))
            .filter(|(_, role)| role.permissions.contains(&action))
            .collect();
        // Stable: those awake first, each in the order they were given.
        of_roles.sort_by_key(|(asleep, _)| *asleep);
        of_roles.iter().find_map(|(_, role)| {
            role.purposes.iter().find(|purpose| self.serves(role, action, purpose)).map(Arc::clone)
        })
    }

    /// The role of whoever works on the machine itself; `None`: nothing is allowed there.
    #[must_use]
    pub fn console_role(&self) -> Option<Arc<str>> {
        self.console.clone()
    }

    /// Whether a granted role counts now: open to this sort of person, not over, trained, under contract.
    #[must_use]
    pub fn is_awake(&self, person: &Person, grant: &RoleGrant, now: ServerTime) -> bool {
        self.roles.get(&grant.role).is_some_and(|role| {
            role.kind == person.kind.word()
                && grant.until.is_none_or(|until| now < until)
                && (!role.needs_training || grant.trained_until.is_some_and(|until| now < until))
                && role.contract_until.is_none_or(|until| now.micros() < until)
        })
    }

    /// What `person` may do at all at `now`, each with the roles it comes from. For menus and sessions; only [`AccessRules::decide`] decides.
    #[must_use]
    pub fn permissions(&self, person: &Person, now: ServerTime) -> BTreeMap<Action, Vec<Arc<str>>> {
        let mut out: BTreeMap<Action, Vec<Arc<str>>> = BTreeMap::new();
        for grant in person.grants.iter().take(GRANTS_MAX).filter(|grant| self.is_awake(person, grant, now)) {
            if let Some(role) = self.roles.get(&grant.role) {
                for action in &role.permissions {
                    out.entry(*action).or_default().push(Arc::clone(&role.id));
                }
            }
        }
        out
    }

    /// Every role the rules know.
    #[must_use]
    pub fn roles(&self) -> Vec<Arc<str>> {
        let mut roles: Vec<Arc<str>> = self.roles.keys().cloned().collect();
        roles.sort();
        roles
    }
}

/// Whether the asker, in this role, ever had something to do with the patient asked about.
fn was_related(question: &Question<'_>, role: &RoleRules, grant: &RoleGrant) -> bool {
    let crate::question::Resource::Patient(patient) = question.resource else { return true };
    match role.relation {
        Relation::Case => patient.cases.contains(&question.person.id),
        _ => patient.stays.iter().any(|stay| grant.wards.contains(&stay.ward)),
    }
}

fn role_rules(charter: &Checked, role: &Role, types: &Types) -> RoleRules {
    let recipient = role.recipient.as_ref().and_then(|id| charter.recipient(id.as_str()));
    let contract_until = recipient.map(|recipient| {
        let pledge = recipient.secrecy_pledge.as_ref().map(|pledge| pledge.expiry);
        policies::end_of(pledge.map_or(recipient.contract.expiry, |pledge| pledge.min(recipient.contract.expiry)))
    });
    RoleRules {
        id: Arc::from(role.id.as_str()),
        uid: types.role(role.id.as_str()),
        kind: policies::kind_of(charter, role),
        relation: *role.relation,
        permissions: role.permissions.iter().map(|permission| **permission).collect(),
        purposes: role.purposes.iter().map(|purpose| Arc::from(purpose.as_str())).collect(),
        data: policies::data_of(charter, &role.data),
        recipient: role.recipient.as_ref().map(|id| Arc::from(id.as_str())),
        needs_training: role.training.is_some(),
        contract_until,
        actions: HashMap::new(),
    }
}

fn apart(charter: &Checked) -> Vec<(Arc<str>, Arc<str>)> {
    let pairs = charter.access().apart.iter();
    pairs.map(|pair| (Arc::from(pair.one.as_str()), Arc::from(pair.other.as_str()))).collect()
}

#[cfg(test)]
mod tests;
