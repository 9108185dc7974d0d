//! Consents, requests, holds, tickets, approvals: what is allowed and above all what is not.

use super::{add, at, case, person, register, same_after_replay, subject};
use crate::calendar::tests::Utc;
use crate::consents::{self, Channel, Decided, Decision, Signer, Standing};
use crate::keeping::{self, HoldProposed, Scope};
use crate::outside::{self, Answer, Question, TicketOpened};
use crate::people::Kind;
use crate::requests::{self, Ground, Requester};
use crate::rights;
use crate::*;
use obhut_model::{CaseId, DeviceId, Subject};
use std::sync::Arc;
use std::time::Instant;

fn decided(
    which: CaseId,
    whose: Subject,
    purpose: &str,
    decision: Decision,
    signed: i64,
    expires: i64,
) -> consents::Command {
    consents::Command::Decide(Decided {
        case: which,
        subject: whose,
        purpose: purpose.into(),
        form: "form".into(),
        version: "1".into(),
        text: Digest([7; 32]),
        language: "de".into(),
        signer: Signer::Patient,
        channel: Channel::Paper,
        decision,
        signed: at(signed),
        expires: at(expires),
    })
}

#[test]
fn a_consent_counts_only_if_it_is_given_signed_in_time_and_neither_withdrawn_nor_replaced() {
    // decision, withdrawn, replaced by a refusal, looked at when, by whom and for what: counts?
    let rows = [
        (Decision::Given, false, false, 50, "research", true),
        (Decision::Given, false, false, 99, "research", true),
        (Decision::Given, false, false, 100, "research", false),
        (Decision::Given, false, false, 4, "research", false),
        (Decision::Given, false, false, 50, "export", false),
        (Decision::Given, true, false, 50, "research", false),
        (Decision::Given, false, true, 50, "research", false),
        (Decision::Refused, false, false, 50, "research", false),
    ];
    for (decision, withdrawn, replaced, when, purpose, counts) in rows {
        let (log, register) = register();
        register.execute(By::System, at(5), decided(case(1), subject(1), "research", decision, 5, 100)).unwrap();
        if withdrawn {
            let command = consents::Command::Withdraw { case: case(1), channel: Channel::Own };
            register.execute(By::System, at(6), command).unwrap();
        }
        if replaced {
            let command = decided(case(2), subject(1), "research", Decision::Refused, 7, 100);
            register.execute(By::System, at(7), command).unwrap();
        }
        let row = (decision, withdrawn, replaced, when, purpose);
        register.read(|state| {
            assert_eq!(state.consent(subject(1), purpose, at(when)), counts, "{row:?}");
            assert!(!state.consent(subject(2), purpose, at(when)), "nobody asked");
        });
        same_after_replay(&log, &register);
    }
}

#[test]
fn an_old_sheet_does_not_take_the_place_of_a_later_word() {
    let (_, register) = register();
    register.execute(By::System, at(5), decided(case(1), subject(1), "research", Decision::Given, 5, 100)).unwrap();
    let withdraw = consents::Command::Withdraw { case: case(1), channel: Channel::Spoken };
    register.execute(By::System, at(10), withdraw.clone()).unwrap();
    assert_eq!(register.execute(By::System, at(11), withdraw), Err(Refusal::AlreadyWithdrawn));
    let late = decided(case(2), subject(1), "research", Decision::Given, 8, 100);
    assert_eq!(register.execute(By::System, at(12), late), Err(Refusal::NewerDecision));
    let future = decided(case(2), subject(1), "research", Decision::Given, 13, 100);
    assert_eq!(register.execute(By::System, at(12), future), Err(Refusal::InFuture));
    register.execute(By::System, at(12), decided(case(2), subject(1), "research", Decision::Given, 12, 100)).unwrap();
    register.read(|state| {
        assert!(state.consent(subject(1), "research", at(12)));
        assert_eq!(state.consent_case(case(1)).unwrap().standing(at(12)), Standing::Withdrawn);
    });
}

#[test]
fn a_thousand_withdrawals_count_at_once_even_while_the_log_fails_and_touch_nothing_else() {
    let (log, register) = register();
    let id = |n: u16, kind: u8| {
        let mut bytes = [kind; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    let (whose, which) = (|n| Subject::from_random(id(n, 0)), |n| CaseId::from_random(id(n, 1)));
    for n in 0..1_000 {
        for (kind, purpose) in [(1, "research"), (2, "export")] {
            let command = decided(CaseId::from_random(id(n, kind)), whose(n), purpose, Decision::Given, 5, 1_000);
            register.execute(By::System, at(5), command).unwrap();
        }
    }
    let mut slowest = std::time::Duration::ZERO;
    for n in 0..1_000 {
        log.fail(n % 2 == 0);
        let begun = Instant::now();
        let withdraw = consents::Command::Withdraw { case: which(n), channel: Channel::Own };
        let done = register.execute(By::System, at(10), withdraw).unwrap();
        register.read(|state| {
            assert!(!state.consent(whose(n), "research", at(10)), "withdrawn, and so no");
            assert!(state.consent(whose(n), "export", at(10)), "another purpose is another word");
        });
        slowest = slowest.max(begun.elapsed());
        assert_eq!(done.kept == Kept::Durable, n % 2 == 1);
    }
    println!("slowest of 1,000 withdrawals until it counted: {slowest:?}");
    log.fail(false);
    register.settle().unwrap();
    assert_eq!(register.read(|state| state.consenting("research", at(10)).count()), 0);
    same_after_replay(&log, &register);
}

fn days(day: i64) -> i64 {
    day * 86_400
}

fn receive(n: u8, kind: requests::Kind, received: i64) -> requests::Command {
    requests::Command::Receive {
        case: case(n),
        subject: subject(1),
        kind,
        channel: requests::Channel::Letter,
        requester: Requester::Patient,
        text: "everything".into(),
        received: at(received),
        months: 1,
        alert_days: vec![20, 27],
        calendar: Arc::new(Utc::default()),
    }
}

#[test]
fn a_request_runs_against_its_clock() {
    let (log, register) = register();
    // Thursday, 1 January 1970: the period ends with the last hour of Sunday, 1 February, and so of Monday, the 2nd.
    register.execute(By::System, at(10), receive(1, requests::Kind::Access, 5)).unwrap();
    let due = at(days(33));
    register.read(|state| assert_eq!(state.request(case(1)).unwrap().due, due));
    let alert = || requests::Command::Alert { case: case(1) };
    assert_eq!(register.execute(By::System, at(days(20)), alert()), Err(Refusal::NotDue));
    register.execute(By::System, at(days(20) + 5), alert()).unwrap();
    assert_eq!(register.execute(By::System, at(days(26)), alert()), Err(Refusal::NotDue));
    register.execute(By::System, at(days(27) + 5), alert()).unwrap();

    let extend = |reason: &str| requests::Command::Extend {
        case: case(1),
        reason: reason.into(),
        months: 3,
        calendar: Arc::new(Utc::default()),
    };
    assert_eq!(register.execute(By::System, at(days(30)), extend(" ")), Err(Refusal::Empty("a reason")));
    assert_eq!(register.execute(By::System, due, extend("many")), Err(Refusal::PastDue));
    register.execute(By::System, at(days(30)), extend("many records")).unwrap();
    assert_eq!(register.execute(By::System, at(days(31)), extend("again")), Err(Refusal::AlreadyExtended));
    // 1 April 1970, a Wednesday.
    register.read(|state| assert_eq!(state.request(case(1)).unwrap().due, at(days(91))));

    let fulfil = || requests::Command::Fulfil { case: case(1), text: "copy handed over".into() };
    assert_eq!(register.execute(By::System, at(days(40)), fulfil()), Err(Refusal::NotIdentified));
    let identify = requests::Command::Identify { case: case(1), how: "identity card seen".into() };
    register.execute(By::System, at(days(40)), identify).unwrap();
    register.execute(By::System, at(days(41)), fulfil()).unwrap();
    assert_eq!(register.execute(By::System, at(days(42)), fulfil()), Err(Refusal::AlreadyClosed));
    register.read(|state| assert!(!state.request(case(1)).unwrap().overdue(at(days(400)))));
    same_after_replay(&log, &register);
}

#[test]
fn a_refusal_names_a_ground_of_that_article_and_says_why() {
    let (_, register) = register();
    register.execute(By::System, at(10), receive(1, requests::Kind::Access, 5)).unwrap();
    let refuse = |ground, text: &str| requests::Command::Refuse { case: case(1), ground, text: text.into() };
    let run = |command| register.execute(By::System, at(20), command).map(|_| ());
    assert_eq!(run(refuse(Ground::Unfounded, "")), Err(Refusal::Empty("a reason")));
    assert_eq!(run(refuse(Ground::RetentionDuty, "because")), Err(Refusal::GroundDoesNotFit));
    assert_eq!(run(refuse(Ground::Therapeutic, "because")), Err(Refusal::GroundDoesNotFit));
    run(refuse(Ground::ThirdParty, "names of visitors")).unwrap();
}

#[test]
fn a_correction_is_a_version_and_the_original_stays() {
    let (log, register) = register();
    let correct = |n, from: &str, to: &str| rights::Command::Correct {
        case: case(n),
        subject: subject(1),
        target: "numeric/149514/5".into(),
        original: from.into(),
        value: to.into(),
        reason: "misread".into(),
        request: None,
    };
    register.execute(By::System, at(1), correct(1, "80", "88")).unwrap();
    assert_eq!(register.execute(By::System, at(2), correct(2, "80", "90")), Err(Refusal::NotTheLatest));
    register.execute(By::System, at(3), correct(2, "88", "89")).unwrap();
    register.read(|state| {
        let correction = state.correction(subject(1), "numeric/149514/5").unwrap();
        assert_eq!((correction.original.as_str(), correction.versions.len()), ("80", 2));
        assert_eq!((correction.versions[0].value.as_str(), correction.latest().as_str()), ("88", "89"));
    });
    same_after_replay(&log, &register);
}

#[test]
fn a_hold_needs_two_people_and_stops_erasure_from_the_first_moment() {
    let (log, register) = register();
    let hold = |n, whose| {
        keeping::Command::ProposeHold(HoldProposed {
            case: case(n),
            scope: Scope::Subject(whose),
            reason: "lawsuit".into(),
            number: "3 O 12/26".into(),
            requester: "regional court".into(),
            approve_by: at(100),
            review: at(1_000),
        })
    };
    let erase = |n| keeping::Command::DecideErasure {
        case: case(n),
        subject: subject(1),
        reason: "request".into(),
        request: None,
    };
    register.execute(By::Person(person(1)), at(1), hold(1, subject(1))).unwrap();
    assert_eq!(register.execute(By::System, at(2), erase(9)), Err(Refusal::Held));
    let approve = || keeping::Command::ApproveHold { case: case(1) };
    assert_eq!(register.execute(By::Person(person(1)), at(3), approve()), Err(Refusal::SecondPerson));
    assert_eq!(register.execute(By::Console(0), at(3), approve()), Err(Refusal::NeedsPerson));
    assert_eq!(register.execute(By::Person(person(2)), at(100), approve()), Err(Refusal::AlreadyClosed));
    register.read(|state| assert!(!state.held(subject(1), at(100)), "nobody approved it in time"));
    register.execute(By::Person(person(2)), at(3), approve()).unwrap();
    register.read(|state| {
        assert!(state.held(subject(1), at(100)) && state.holds_to_review(at(1_000)).count() == 1);
    });
    let release = keeping::Command::ReleaseHold { case: case(1), reason: "settled".into() };
    register.execute(By::Person(person(1)), at(200), release).unwrap();
    register.execute(By::System, at(201), erase(9)).unwrap();
    // The certificate outlives the patient.
    register.forget(subject(1)).unwrap();
    register
        .execute(By::System, at(202), keeping::Command::CertifyErasure { case: case(9), certificate: "{}".into() })
        .unwrap();
    register.read(|state| assert_eq!((state.holds().count(), state.erasures().count()), (0, 1)));
    same_after_replay(&log, &register);
}

#[test]
fn a_ticket_needs_a_pledge_and_ends() {
    let (log, register) = register();
    add(&register, person(1), Kind::External("pump-maker".into()));
    add(&register, person(2), Kind::Staff);
    let device = DeviceId::new("pump-1").unwrap();
    let ticket = |n, who| {
        outside::Command::OpenTicket(TicketOpened {
            case: case(n),
            person: person(who),
            device: DeviceId::new("pump-1").unwrap(),
            reason: "battery".into(),
            until: at(100),
        })
    };
    let by = By::Person(person(2));
    assert_eq!(register.execute(by, at(1), ticket(1, 2)), Err(Refusal::NotExternal));
    assert_eq!(register.execute(by, at(1), ticket(1, 1)), Err(Refusal::NoPledge));
    register.execute(by, at(1), Command::Pledge { person: person(1), until: at(50) }).unwrap();
    register.execute(by, at(1), ticket(1, 1)).unwrap();
    assert_eq!(register.execute(by, at(2), ticket(2, 1)), Err(Refusal::AlreadyOpen));
    register.read(|state| {
        assert!(state.ticket(person(1), &device, at(49)).is_some());
        assert!(state.ticket(person(1), &device, at(50)).is_none(), "the pledge is over");
        assert!(state.ticket(person(1), &DeviceId::new("pump-2").unwrap(), at(49)).is_none());
    });
    register.execute(by, at(10), outside::Command::CloseTicket { case: case(1) }).unwrap();
    register.read(|state| assert!(state.ticket(person(1), &device, at(11)).is_none()));
    same_after_replay(&log, &register);
}

#[test]
fn an_approval_is_anothers_and_good_once() {
    let (log, register) = register();
    let (one, other) = (By::Person(person(1)), By::Person(person(2)));
    let ask = outside::Command::Ask {
        case: case(1),
        question: Question::Crosswalk,
        purpose: "recall".into(),
        details: "{}".into(),
        until: at(100),
    };
    register.execute(one, at(1), ask).unwrap();
    let answer = || outside::Command::Answer { case: case(1), answer: Answer::Approved };
    let uses = || outside::Command::Use { case: case(1) };
    assert_eq!(register.execute(one, at(2), uses()), Err(Refusal::NotApproved));
    assert_eq!(register.execute(one, at(2), answer()), Err(Refusal::SecondPerson));
    register.execute(other, at(3), answer()).unwrap();
    assert_eq!(register.execute(other, at(4), uses()), Err(Refusal::NotYours));
    assert_eq!(register.execute(one, at(100), uses()), Err(Refusal::AlreadyOver));
    register.execute(one, at(5), uses()).unwrap();
    assert_eq!(register.execute(one, at(6), uses()), Err(Refusal::AlreadyUsed));
    same_after_replay(&log, &register);
}
