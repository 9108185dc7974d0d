//! A situation as a test writes it, the question it makes, and what the table says of it.

use obhut_access::rules::Thing;
use obhut_access::table::{Need, Reach, Row};
use obhut_access::{
    AccessRules, Action, Assurance, Circumstances, Decision, Device, Patient, Person, PersonKind, Question, Resource,
    RoleGrant, Stay,
};
use obhut_charter::schema::Relation;
use obhut_charter::{Charter, Checked, Date};
use obhut_model::{CaseId, DeviceId, ModelId, PersonId, ServerTime, Subject, WardId};
use std::sync::{Arc, LazyLock};

pub(crate) const DAY: i64 = 86_400_000_000;

pub(crate) fn now() -> ServerTime {
    // 2026-11-24.
    ServerTime::from_micros(20_781 * DAY)
}

pub(crate) fn charter(name: &str, text: &str) -> Checked {
    let today = Date::new(2026, 11, 24).unwrap();
    Charter::parse(name, text, today).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

pub(crate) fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../charters/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(crate) static DEMO: LazyLock<Checked> = LazyLock::new(|| charter("demo", &shipped("demo")));
pub(crate) static RULES: LazyLock<AccessRules> = LazyLock::new(|| AccessRules::compile(&DEMO).unwrap());
pub(crate) static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| obhut_access::table::rows(&DEMO));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Training {
    Valid,
    Missing,
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stays {
    Never,
    Here,
    HereElsewhere,
    GoneRecently,
    GoneLongAgo,
    /// Long gone from the own ward, still in the house.
    Moved,
    /// Gone recently, but from another ward.
    GoneElsewhere,
}

pub(crate) const STAYS: [Stays; 7] = [
    Stays::Here,
    Stays::Never,
    Stays::HereElsewhere,
    Stays::GoneRecently,
    Stays::GoneLongAgo,
    Stays::Moved,
    Stays::GoneElsewhere,
];

/// Everything a decision may depend on.
#[derive(Debug, Clone)]
pub(crate) struct Situation {
    pub(crate) role: String,
    pub(crate) action: Action,
    pub(crate) thing: Thing,
    pub(crate) project: String,
    pub(crate) own_ward: bool,
    pub(crate) stays: Stays,
    pub(crate) case: bool,
    pub(crate) oneself: bool,
    pub(crate) restricted: bool,
    pub(crate) purpose: String,
    pub(crate) categories: Vec<Arc<str>>,
    pub(crate) consent: bool,
    pub(crate) emergency: bool,
    pub(crate) ticket: bool,
    pub(crate) pledged: bool,
    pub(crate) training: Training,
    pub(crate) ended: bool,
    pub(crate) assurance: Assurance,
    pub(crate) right_kind: bool,
}

impl Situation {
    /// Everything in favour.
    pub(crate) fn generous(role: &str, action: Action, thing: Thing, purpose: &str) -> Self {
        Self {
            role: role.to_owned(),
            action,
            thing,
            project: "early-warning".to_owned(),
            own_ward: true,
            stays: Stays::Here,
            case: true,
            oneself: true,
            restricted: false,
            purpose: purpose.to_owned(),
            categories: Vec::new(),
            consent: true,
            emergency: false,
            ticket: true,
            pledged: true,
            training: Training::Valid,
            ended: false,
            assurance: Assurance::Passkey,
            right_kind: true,
        }
    }

    pub(crate) fn decide(&self, rules: &AccessRules) -> Decision {
        self.ask(|question| rules.decide(question))
    }

    pub(crate) fn ask<R>(&self, ask: impl FnOnce(&Question<'_>) -> R) -> R {
        let person = self.person();
        let resource = self.resource();
        let circumstances = Circumstances {
            now: now(),
            consent: self.consent,
            emergency: self.emergency.then(|| CaseId::from_random([1; 16])),
            ticket: self.ticket.then(|| CaseId::from_random([2; 16])),
            pledged: self.pledged,
        };
        ask(&Question {
            person: &person,
            action: self.action,
            resource: &resource,
            purpose: &self.purpose,
            categories: &self.categories,
            circumstances: &circumstances,
        })
    }

    pub(crate) fn person(&self) -> Person {
        let natural = kind(&self.role);
        let other = if natural == PersonKind::Staff { PersonKind::External } else { PersonKind::Staff };
        let trained_until = match self.training {
            Training::Valid => Some(now().plus_micros(30 * DAY)),
            Training::Missing => None,
            Training::Old => Some(now()),
        };
        Person {
            id: me(),
            kind: if self.right_kind { natural } else { other },
            grants: vec![RoleGrant {
                role: Arc::from(self.role.as_str()),
                wards: vec![ward("station-3")],
                until: self.ended.then(now),
                trained_until,
            }],
            assurance: self.assurance,
        }
    }

    fn resource(&self) -> Resource {
        match self.thing {
            Thing::System => Resource::System,
            Thing::Ward => Resource::Ward(ward(if self.own_ward { "station-3" } else { "station-4" })),
            Thing::Patient => Resource::Patient(self.patient()),
            Thing::Device => Resource::Device(Device {
                id: DeviceId::new("pump-1").unwrap(),
                model: ModelId::new("pump-p1").unwrap(),
                bound: true,
            }),
            Thing::Person => Resource::Person(PersonId::from_random([9; 16])),
            Thing::People => Resource::People,
            Thing::Ledger => Resource::Ledger,
            Thing::Register => Resource::Register,
            Thing::Retention => Resource::Retention,
            Thing::Project => Resource::Project(Arc::from(self.project.as_str())),
        }
    }

    fn patient(&self) -> Patient {
        let stay = |name: &str, from: i64, to: Option<i64>| Stay {
            ward: ward(name),
            from: now().plus_micros(-from * DAY),
            to: to.map(|to| now().plus_micros(-to * DAY)),
        };
        let stays = match self.stays {
            Stays::Never => vec![],
            Stays::Here => vec![stay("station-3", 2, None)],
            Stays::HereElsewhere => vec![stay("station-4", 2, None)],
            Stays::GoneRecently => vec![stay("station-3", 9, Some(6))],
            Stays::GoneLongAgo => vec![stay("station-3", 90, Some(8))],
            Stays::Moved => vec![stay("station-3", 90, Some(8)), stay("station-4", 8, None)],
            Stays::GoneElsewhere => vec![stay("station-4", 9, Some(6))],
        };
        Patient {
            subject: if self.oneself { patient() } else { Subject::from_random([8; 16]) },
            stays,
            cases: if self.case { vec![me()] } else { vec![PersonId::from_random([7; 16])] },
            restricted: self.restricted,
        }
    }

    /// What the table says.
    pub(crate) fn allowed(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.allowed_by(row))
    }

    fn allowed_by(&self, row: &Row) -> bool {
        let named =
            |category: &Arc<str>| DEMO.charter().entries.data.iter().any(|data| data.id.as_str() == &**category);
        let data = self.categories.iter().filter(|category| named(category));
        let mut words = self.categories.iter().filter(|category| !named(category));
        let words_fit = match (row.reach, row.action) {
            (Reach::Emergency, _) => words.all(|word| &**word == "identity"),
            (_, Action::OwnView | Action::BreakGlass) => true,
            (_, Action::ResearchExport) => words.next().is_none(),
            (_, action) => !action.shows_values() || words.next().is_none(),
        };
        let reached = match row.reach {
            Reach::All => true,
            Reach::OwnWard => self.own_ward,
            Reach::WardPatient => matches!(self.stays, Stays::Here | Stays::GoneRecently),
            Reach::CasePatient => self.case && !matches!(self.stays, Stays::Never | Stays::GoneLongAgo),
            Reach::Oneself => self.oneself,
            Reach::Ticket => self.ticket,
            Reach::Emergency => self.emergency,
        };
        let met = |need: &Need| match need {
            Need::Training => self.training == Training::Valid,
            Need::Pledge => self.pledged,
            Need::Consent(purposes) => self.consent || !purposes.contains(&self.purpose),
            Need::NotRestricted => !self.restricted,
            Need::Passkey => self.assurance != Assurance::Oidc,
            Need::Project | Need::ConsentOfEach => true,
        };
        row.role == self.role
            && row.action == self.action
            && row.thing == self.thing
            && row.only.as_ref().is_none_or(|only| *only == self.project)
            && row.purposes.contains(&self.purpose)
            && data.into_iter().all(|id| row.data.iter().any(|seen| **seen == **id))
            && words_fit
            && reached
            && row.needs.iter().all(met)
            && !self.ended
            && self.right_kind
    }

    /// Asks, and compares with the table.
    pub(crate) fn check(&self) {
        let decision = self.decide(&RULES);
        assert_eq!(decision.is_granted(), self.allowed(&ROWS), "{self:#?}\n{decision:#?}");
    }
}

pub(crate) fn ward(name: &str) -> WardId {
    WardId::new(name).unwrap()
}

pub(crate) fn me() -> PersonId {
    PersonId::from_random([5; 16])
}

pub(crate) fn patient() -> Subject {
    Subject::from_random([6; 16])
}

/// The sort of person a role is open to.
pub(crate) fn kind(role: &str) -> PersonKind {
    let declared = DEMO.role(role).unwrap();
    if role == "console" {
        PersonKind::Console
    } else if *declared.relation == Relation::Own {
        PersonKind::Patient(patient())
    } else if declared.recipient.is_some() {
        PersonKind::External
    } else {
        PersonKind::Staff
    }
}
