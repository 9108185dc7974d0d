//! The register as a whole.

mod emergency;
mod rights;

use super::*;
use crate::people::{Kind, Source};
use obhut_model::{CaseId, PersonId, ServerTime, Subject};
use std::sync::Arc;

pub(crate) fn at(seconds: i64) -> ServerTime {
    ServerTime::from_micros(seconds * 1_000_000)
}

pub(crate) fn person(n: u8) -> PersonId {
    PersonId::from_random([n; 16])
}

pub(crate) fn case(n: u8) -> CaseId {
    CaseId::from_random([n; 16])
}

pub(crate) fn subject(n: u8) -> Subject {
    Subject::from_random([n; 16])
}

pub(crate) fn register() -> (Arc<MemoryLog>, Register) {
    let log = Arc::new(MemoryLog::new());
    let register = Register::open(log.clone()).unwrap();
    (log, register)
}

pub(crate) fn add(register: &Register, who: PersonId, kind: Kind) {
    let name = if matches!(kind, Kind::Patient(_)) { "" } else { "Somebody" }.into();
    register.execute(By::System, at(0), Command::AddPerson { person: who, kind, name }).unwrap();
}

/// Replaying the log gives what is in memory.
pub(crate) fn same_after_replay(log: &Arc<MemoryLog>, register: &Register) {
    let again = Register::open(log.clone()).unwrap();
    register.read(|now| again.read(|then| assert_eq!(now, then)));
}

fn grant(role: &str) -> Command {
    Command::Grant {
        person: person(1),
        role: role.into(),
        wards: Vec::new(),
        until: None,
        source: Source::Hand,
        apart: vec![("administrator".into(), "privacy".into())],
    }
}

#[test]
fn roles_begin_and_end_and_stay_in_the_history() {
    let (log, register) = register();
    add(&register, person(1), Kind::Staff);
    register.execute(By::System, at(1), grant("nurse")).unwrap();
    register.execute(By::System, at(5), Command::Ungrant { person: person(1), role: "nurse".into() }).unwrap();
    register.read(|state| {
        let person = state.person(person(1)).unwrap();
        assert_eq!(person.roles(at(4)).count(), 1);
        assert_eq!(person.roles(at(5)).count(), 0);
        assert_eq!(person.grants.len(), 1);
    });
    let refused = register.execute(By::System, at(6), Command::Ungrant { person: person(1), role: "nurse".into() });
    assert_eq!(refused, Err(Refusal::NoSuchRole));
    same_after_replay(&log, &register);
}

#[test]
fn roles_the_charter_keeps_apart_never_meet() {
    for (first, second) in [("administrator", "privacy"), ("privacy", "administrator")] {
        let (_, register) = register();
        add(&register, person(1), Kind::Staff);
        register.execute(By::System, at(1), grant(first)).unwrap();
        assert!(matches!(register.execute(By::System, at(2), grant(second)), Err(Refusal::RolesApart { .. })));
        register.execute(By::System, at(3), Command::Ungrant { person: person(1), role: first.into() }).unwrap();
        register.execute(By::System, at(4), grant(second)).unwrap();
    }
}

fn invite(n: u8, expires: i64) -> Command {
    let (case, token) = (case(n), Digest([n; 32]));
    Command::Invite { case, person: person(1), token, opens: invitations::Opens::Passkey, expires: at(expires) }
}

fn redeem(n: u8, credential: u8) -> Command {
    let (id, passkey) = (Bytes(vec![credential]), Bytes(vec![1]));
    Command::UseInvitationWithCredential { token: Digest([n; 32]), id, passkey, label: "key".into() }
}

#[test]
fn a_link_is_good_once_in_time_and_only_the_newest() {
    let (log, register) = register();
    add(&register, person(1), Kind::Staff);
    let run = |when, command| register.execute(By::System, at(when), command).map(|_| ());
    run(1, invite(1, 100)).unwrap();
    run(2, invite(2, 100)).unwrap();
    assert_eq!(run(3, redeem(1, 1)), Err(Refusal::InvitationRevoked));
    assert_eq!(run(100, redeem(2, 1)), Err(Refusal::InvitationExpired));
    assert_eq!(run(3, Command::UseInvitation { token: Digest([2; 32]) }), Err(Refusal::NoSuchInvitation));
    run(99, redeem(2, 1)).unwrap();
    assert_eq!(run(99, redeem(2, 2)), Err(Refusal::InvitationUsed));
    run(100, invite(3, 200)).unwrap();
    assert_eq!(run(101, redeem(3, 1)), Err(Refusal::CredentialKnown));
    // What was refused used nothing up.
    run(102, redeem(3, 2)).unwrap();
    register.read(|state| assert_eq!(state.credential(&[1]).unwrap().0.id, person(1)));
    same_after_replay(&log, &register);
}

#[test]
fn who_is_disabled_has_no_role_and_no_link_even_while_the_log_fails() {
    let (log, register) = register();
    add(&register, person(1), Kind::Staff);
    register.execute(By::System, at(1), grant("nurse")).unwrap();
    register.execute(By::System, at(1), invite(1, 100)).unwrap();
    log.fail(true);
    assert_eq!(register.execute(By::System, at(2), grant("physician")), Err(Refusal::Unavailable));
    let done = register.execute(By::System, at(2), Command::Disable { person: person(1) }).unwrap();
    assert_eq!((done.kept, register.waiting()), (Kept::Pending, 2));
    register.read(|state| assert_eq!(state.person(person(1)).unwrap().roles(at(3)).count(), 0));
    assert_eq!(register.settle(), Err(Refusal::Unavailable));
    log.fail(false);
    register.execute(By::System, at(4), Command::Enable { person: person(1) }).unwrap();
    assert_eq!(register.waiting(), 0);
    same_after_replay(&log, &register);
}

#[test]
fn what_a_later_version_wrote_is_named_and_not_skipped() {
    let open = |text: &str| {
        let log = MemoryLog::new();
        log.append(&[Row { at: at(1), about: None, bytes: text.as_bytes().to_vec() }]).unwrap();
        let error = Register::open(Arc::new(log)).unwrap_err();
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    };
    let unknown = open(r#"{"v":1,"by":"system","kind":"consent.tightened","data":{}}"#);
    assert!(unknown.contains("`consent.tightened`, which this program does not know"), "{unknown}");
    assert!(open(r#"{"v":2,"anything":1}"#).contains("form 2, this program reads up to form 1"));
    assert!(open("{").contains("is not a change of the register"));
    let id = person(1);
    let extra =
        open(&format!(r#"{{"v":1,"by":"system","kind":"person.disabled","data":{{"person":"{id}","partly":true}}}}"#));
    assert!(extra.contains("does not hold what it should"), "{extra}");
    let orphan = open(&format!(r#"{{"v":1,"by":"system","kind":"person.disabled","data":{{"person":"{id}"}}}}"#));
    assert!(orphan.contains("never begun"), "{orphan}");
}

#[test]
fn a_forgotten_patient_leaves_no_trace_and_the_rest_replays() {
    let (log, register) = register();
    add(&register, person(1), Kind::Patient(subject(7)));
    add(&register, person(2), Kind::Staff);
    register.execute(By::System, at(1), invite(1, 100)).unwrap();
    register.execute(By::System, at(2), redeem(1, 9)).unwrap();
    assert_eq!(register.forget(subject(7)).unwrap(), 4);
    register.read(|state| {
        assert!(state.person(person(1)).is_none() && state.credential(&[9]).is_none());
        assert!(state.invitation_by_token(Digest([1; 32])).is_none() && state.person(person(2)).is_some());
    });
    same_after_replay(&log, &register);
}

#[test]
fn a_patients_name_is_not_taken() {
    let (_, register) = register();
    let command = Command::AddPerson { person: person(1), kind: Kind::Patient(subject(1)), name: "Erika".into() };
    assert_eq!(register.execute(By::System, at(0), command), Err(Refusal::NameOfPatient));
}

#[test]
fn the_kinds_on_disk_are_known_and_keep_their_words() {
    // A word that changes or vanishes here makes registers unreadable that hospitals keep for decades. New ones are added at their place.
    let all = KINDS.join(" ");
    for word in [
        "person.added",
        "credential.used",
        "invitation.made",
        "care.opened",
        "consent.decided",
        "consent.withdrawn",
        "emergency.opened",
        "emergency.reviewed",
        "request.received",
        "restriction.begun",
        "correction.made",
        "notice.given",
        "hold.proposed",
        "erasure.certified",
        "export.made",
        "ticket.opened",
        "approval.asked",
    ] {
        assert!(all.contains(word), "{word}");
    }
    assert_eq!(KINDS.len(), 55, "{all}");
    let row = br#"{"v":1,"by":{"person":"01010101010101010101010101010101"},"kind":"consent.withdrawn","data":{"case":"02020202020202020202020202020202","channel":"own"}}"#;
    let entry = Entry::read(1, at(1), row).unwrap();
    assert_eq!(entry.row(None).unwrap().bytes, row);
}
