//! Grant, record, permit, data: each only after the one before, and only for the same.

use crate::world::{RULES, Situation, me, now, patient};
use obhut_access::rules::Thing;
use obhut_access::{Action, Decision, Grant, NotRecorded, Permit, Reason, Sealed, WrongPermit};
use obhut_ledger::testing::recorded;
use obhut_ledger::{Actor, Channel, EventKind, Origin, Outcome, Place};
use obhut_model::{RequestId, Subject};
use std::sync::Arc;

const WEB: Origin = Origin { address: None, channel: Channel::Web, session: None };

fn request(n: u8) -> RequestId {
    RequestId::from_random([n; 16])
}

fn grant(situation: &Situation) -> Grant {
    match situation.decide(&RULES) {
        Decision::Granted(grant) => grant,
        Decision::Denied(denial) => panic!("{denial:?}"),
    }
}

fn history() -> Situation {
    Situation::generous("nurse", Action::HistoryView, Thing::Patient, "monitoring")
}

fn permit(situation: &Situation) -> Permit {
    let grant = grant(situation);
    let _ = grant.event(request(1), now(), WEB, None);
    grant.complete(recorded(request(1), Place::Ledger { index: 0 })).unwrap()
}

#[test]
fn a_grant_needs_the_record_of_its_own_request() {
    let never_recorded = grant(&history());
    assert_eq!(
        never_recorded.complete(recorded(request(1), Place::Ledger { index: 0 })).unwrap_err(),
        NotRecorded::AnotherRequest
    );
    let of_another = grant(&history());
    let _ = of_another.event(request(1), now(), WEB, None);
    assert_eq!(
        of_another.complete(recorded(request(2), Place::Ledger { index: 0 })).unwrap_err(),
        NotRecorded::AnotherRequest
    );
    let good = permit(&history());
    assert_eq!(
        (good.action(), good.subject(), good.purpose(), good.person()),
        (Action::HistoryView, Some(patient()), "monitoring", me())
    );
}

#[test]
fn only_the_bedside_and_emergencies_go_on_with_the_spool() {
    let spooled = |situation: &Situation| {
        let grant = grant(situation);
        let may = grant.may_spool();
        let _ = grant.event(request(1), now(), WEB, None);
        assert_eq!(grant.complete(recorded(request(1), Place::Spool)).is_ok(), may);
        may
    };
    assert!(!spooled(&history()));
    assert!(!spooled(&Situation { action: Action::IdentityView, ..history() }));
    assert!(!spooled(&Situation { role: "physician".into(), action: Action::Export, ..history() }));
    assert!(spooled(&Situation { action: Action::LiveView, ..history() }));
    assert!(spooled(&Situation { action: Action::AlarmAcknowledge, thing: Thing::Ward, ..history() }));
    assert!(spooled(&Situation { action: Action::BreakGlass, ..history() }));
    assert!(spooled(&Situation { emergency: true, stays: crate::world::Stays::Never, ..history() }));
}

#[test]
fn what_takes_away_goes_on_with_the_spool_and_nothing_else_does() {
    let leave = |situation: &Situation, of: u8| {
        let grant = grant(situation);
        let may = grant.may_spool_leave();
        let _ = grant.event(request(1), now(), WEB, None);
        let left = grant.leave(recorded(request(of), Place::Spool));
        assert_eq!(left.is_ok(), may && of == 1);
        left
    };
    let taking_back = Situation { action: Action::ConsentManage, categories: vec![Arc::from("consent")], ..history() };
    let left = leave(&taking_back, 1).unwrap();
    assert_eq!((left.action(), left.subject()), (Action::ConsentManage, Some(patient())));
    assert_eq!(leave(&taking_back, 2).unwrap_err(), NotRecorded::AnotherRequest);
    assert_eq!(leave(&history(), 1).unwrap_err(), NotRecorded::OnlySpooled);
    assert_eq!(
        leave(&Situation { action: Action::IdentityView, ..history() }, 1).unwrap_err(),
        NotRecorded::OnlySpooled
    );
    // The same grant gives no permit from there: what was given stays closed.
    let grant = grant(&taking_back);
    let _ = grant.event(request(1), now(), WEB, None);
    assert_eq!(grant.complete(recorded(request(1), Place::Spool)).unwrap_err(), NotRecorded::OnlySpooled);
    // Nothing that shows values or names is among them.
    for action in obhut_access::rules::PROTECTIVE.iter().filter(|action| **action != Action::OwnView) {
        assert!(!action.shows_values() && *action != Action::IdentityView, "{}", action.as_str());
    }
}

#[test]
fn what_is_sealed_opens_for_the_right_permit_only() {
    const NEEDS: &[Action] = &[Action::HistoryView, Action::Export];
    let sealed = |subject| Sealed::about(subject, NEEDS, 37);
    let good = permit(&history());
    assert_eq!(sealed(Some(patient())).open(&good, now()), Ok(37));
    assert_eq!(sealed(None).open(&good, now()), Ok(37));
    assert_eq!(sealed(Some(Subject::from_random([1; 16]))).open(&good, now()), Err(WrongPermit::Subject));
    assert_eq!(sealed(Some(patient())).open(&good, good.until().plus_micros(1)), Err(WrongPermit::Ended));
    let identity = permit(&Situation { action: Action::IdentityView, ..history() });
    assert_eq!(sealed(Some(patient())).open(&identity, now()), Err(WrongPermit::Action));
    // Named data: only for a permit that names them; one that names none was recorded with all the role sees.
    let ecg = || sealed(Some(patient())).containing("ecg-ii");
    assert_eq!(ecg().open(&good, now()), Ok(37));
    let pulse = permit(&Situation { categories: vec![Arc::from("heart-rate")], ..history() });
    assert_eq!(ecg().open(&pulse, now()), Err(WrongPermit::Category));
    assert_eq!(format!("{:?}", sealed(Some(patient()))), "<sealed>");
    assert!(!format!("{good:?}").contains(&patient().to_string()));
}

#[test]
fn a_project_opens_only_those_who_agreed() {
    let project = Situation::generous("researcher", Action::ResearchExport, Thing::Project, "research");
    let sealed = || Sealed::about(Some(patient()), &[Action::ResearchExport], 37);
    let permit = permit(&project);
    assert_eq!(sealed().open(&permit, now()), Err(WrongPermit::Subject));
    assert_eq!(sealed().open_of_member(&permit, now(), |_, _| false), Err(WrongPermit::NoConsent));
    let agreed = |subject: Subject, purpose: &str| subject == patient() && purpose == "research";
    assert_eq!(sealed().open_of_member(&permit, now(), agreed), Ok(37));
    assert_eq!(sealed().open_of_member(&permit, permit.until().plus_micros(1), agreed), Err(WrongPermit::Ended));
    // A permit for one patient is none for a set.
    let one = self::permit(&history());
    assert_eq!(sealed().open_of_member(&one, now(), |_, _| true), Err(WrongPermit::Action));
}

#[test]
fn an_event_says_who_what_whose_why_and_with_what_result() {
    let granted = grant(&history()).event(request(1), now(), WEB, None);
    assert_eq!((granted.kind, &granted.outcome), (EventKind::Access, &Outcome::Success));
    assert_eq!((granted.role.as_deref(), granted.purpose.as_deref()), (Some("nurse"), Some("monitoring")));
    assert_eq!((granted.actor.clone(), granted.subject), (Actor::Person(me()), Some(patient())));
    assert_eq!((&*granted.action, &*granted.resource.kind), ("history-view", "patient"));
    assert!(
        granted.categories.iter().any(|category| &**category == "ecg-ii"),
        "nothing named: all the role sees is recorded"
    );
    assert_eq!(granted.policies, vec![Arc::<str>::from("nurse/history-view/patient")]);

    let emergency = Situation { emergency: true, stays: crate::world::Stays::Never, ..history() };
    let event = grant(&emergency).event(request(1), now(), WEB, None);
    assert_eq!((event.purpose.as_deref(), event.case.is_some()), (Some("btg"), true));

    let refused = Situation { stays: crate::world::Stays::Never, ..history() }.decide(&RULES);
    let event = refused.event(request(1), now(), WEB, Some("why".to_owned()));
    assert_eq!((event.kind, event.outcome), (EventKind::Denial, Outcome::Denied(Arc::from("no-relation"))));
    assert_eq!((event.subject, event.note.as_deref()), (Some(patient()), Some("why")));

    let service = Situation::generous("pump-service", Action::DeviceMaintain, Thing::Device, "operation");
    let event = grant(&service).event(request(1), now(), WEB, None);
    assert_eq!(event.organisation.as_deref(), Some("pump-maker"));
    for event in [granted, event] {
        assert!(event.encode().is_ok());
    }
}

#[test]
fn every_refusal_has_its_word() {
    let base = history();
    let of = |situation: Situation| situation.decide(&RULES).reason().unwrap();
    assert_eq!(of(Situation { action: Action::Erase, ..base.clone() }), Reason::NotPermitted);
    assert_eq!(of(Situation { right_kind: false, ..base.clone() }), Reason::WrongPerson);
    assert_eq!(of(Situation { purpose: "research".into(), ..base.clone() }), Reason::Purpose);
    assert_eq!(of(Situation { categories: vec![Arc::from("genome")], ..base.clone() }), Reason::Categories);
    assert_eq!(of(Situation { stays: crate::world::Stays::HereElsewhere, ..base.clone() }), Reason::NoRelation);
    assert_eq!(of(Situation { stays: crate::world::Stays::GoneLongAgo, ..base.clone() }), Reason::Discharged);
    assert_eq!(of(Situation { restricted: true, ..base.clone() }), Reason::Restricted);
    assert_eq!(of(Situation { purpose: "relatives".into(), consent: false, ..base }), Reason::NoConsent);
    let service = Situation::generous("pump-service", Action::DeviceView, Thing::Device, "operation");
    assert_eq!(of(Situation { ticket: false, ..service.clone() }), Reason::NoTicket);
    assert_eq!(of(Situation { pledged: false, ..service }), Reason::NoPledge);
    let people = Situation::generous("administrator", Action::PeopleManage, Thing::People, "operation");
    assert_eq!(of(Situation { assurance: obhut_access::Assurance::Oidc, ..people }), Reason::Assurance);
}
