//! The session core: what is accepted, every refusal with its code in both versions, and the order of acknowledgements.

use crate::packets::{V, connect, connect_with, publish, publish_with, split, subscribe, subscribe_with, unsubscribe};
use crate::support::{Told, device};
use obhut_gateway::session::{Closed, CommandError, Session, Taken};
use obhut_gateway::{Limits, Refusal};
use obhut_store::Position;
use obhut_wire::Topic;
use proptest::prelude::*;
use std::sync::Arc;

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBACK: u8 = 9;
const UNSUBACK: u8 = 11;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;

fn fresh() -> Session {
    Session::new(device("mon-01"), Arc::new(Limits::default()), 64 * 1024, None)
}

fn connected(v: V) -> Session {
    let (mut session, mut out) = (fresh(), Vec::new());
    session.step(&connect(v, "mon-01"), &mut Told::default(), &mut out).unwrap();
    assert!(session.is_connected());
    session
}

struct Run {
    result: Result<usize, Closed>,
    packets: Vec<(u8, Vec<u8>)>,
    intake: Told,
}

fn run(session: &mut Session, intake: Told, input: &[u8]) -> Run {
    let (mut intake, mut out) = (intake, Vec::new());
    let mut result = session.step(input, &mut intake, &mut out);
    if result.is_ok()
        && let Err(closed) = session.settle(Position::default(), &mut out)
    {
        result = Err(closed);
    }
    Run { result, packets: split(&out), intake }
}

#[track_caller]
fn check_connect(v: V, packet: &[u8], refused: Option<Refusal>, code: u8) {
    let run = run(&mut fresh(), Told::default(), packet);
    assert_eq!(run.result.err(), refused.map(Closed::Refused), "{v:?}");
    assert_eq!(run.packets.len(), 1);
    let (kind, body) = &run.packets[0];
    assert_eq!((*kind, body[0], body[1]), (CONNACK, 0, code), "session present is never set");
}

#[test]
fn who_may_connect() {
    let password = b"\0\x01u\0\x01p";
    let will = b"\0\x01t\0\x01w";
    let will5 = b"\0\0\x01t\0\x01w";
    check_connect(V::Five, &connect(V::Five, "mon-01"), None, 0);
    check_connect(V::Five, &connect(V::Five, ""), None, 0);
    check_connect(V::Five, &connect(V::Five, "mon-02"), Some(Refusal::ClientId), 0x85);
    check_connect(V::Five, &connect_with(V::Five, "mon-01", 0xc2, 60, &[], password), Some(Refusal::Password), 0x86);
    check_connect(V::Five, &connect_with(V::Five, "mon-01", 0x06, 60, &[], will5), Some(Refusal::Will), 0x87);
    check_connect(V::Five, &connect_with(V::Five, "mon-01", 0x26, 60, &[], will5), Some(Refusal::Retain), 0x9a);
    check_connect(
        V::Five,
        &connect_with(V::Five, "mon-01", 2, 60, b"\x15\0\x01x", &[]),
        Some(Refusal::Authentication),
        0x8c,
    );
    check_connect(V::Five, &connect_with(V::Five, "mon-01", 0, 60, &[], &[]), None, 0);
    // Topic Alias Maximum 0 is legal and makes the library panic if it sees it.
    check_connect(V::Five, &connect_with(V::Five, "mon-01", 2, 60, &[0x22, 0, 0], &[]), None, 0);
    check_connect(V::Four, &connect(V::Four, "mon-01"), None, 0);
    check_connect(V::Four, &connect(V::Four, ""), Some(Refusal::ClientId), 2);
    check_connect(V::Four, &connect(V::Four, "mon-02"), Some(Refusal::ClientId), 2);
    check_connect(V::Four, &connect_with(V::Four, "mon-01", 0xc2, 60, &[], password), Some(Refusal::Password), 4);
    check_connect(V::Four, &connect_with(V::Four, "mon-01", 0x06, 60, &[], will), Some(Refusal::Will), 5);
    check_connect(V::Four, &connect_with(V::Four, "mon-01", 0, 60, &[], &[]), None, 0);
}

#[test]
fn the_unwelcome_are_told_in_mqtt() {
    for (v, code) in [(V::Five, 0x87), (V::Four, 5)] {
        let mut session = Session::new(device("mon-01"), Arc::default(), 1024, Some(Refusal::Revoked));
        let run = run(&mut session, Told::default(), &connect(v, "mon-01"));
        assert_eq!(run.result, Err(Closed::Refused(Refusal::Revoked)));
        assert_eq!(run.packets[0].1[1], code);
    }
}

#[test]
fn other_versions_are_refused_in_their_own_words() {
    let mut old = connect(V::Four, "mon-01");
    old[8] = 3;
    check_connect(V::Four, &old, Some(Refusal::Version), 1);
    let mut newer = connect(V::Five, "mon-01");
    newer[8] = 6;
    check_connect(V::Five, &newer, Some(Refusal::Version), 0x84);
    let mqisdp = b"\x10\x0e\0\x06MQIsdp\x03\x02\0\x3c\0\0";
    check_connect(V::Four, mqisdp, Some(Refusal::Version), 1);
}

#[test]
fn what_the_door_cannot_do_is_announced() {
    let run = run(&mut fresh(), Told::default(), &connect_with(V::Five, "", 2, 0, &[0x11, 0, 0, 0, 9], &[]));
    let body = &run.packets[0].1;
    let has = |property: &[u8]| body.windows(property.len()).any(|window| window == property);
    assert!(has(&[0x21, 0, 100]), "receive maximum");
    assert!(has(&[0x24, 1]), "maximum QoS 1");
    assert!(has(&[0x25, 0]), "no retain");
    assert!(has(&[0x28, 0]) && has(&[0x29, 0]) && has(&[0x2a, 0]), "no wildcard, identifier, shared subscription");
    assert!(has(&[0x27, 0, 1, 0, 0]), "packet size 65536");
    assert!(has(b"\x12\0\x06mon-01"), "assigned identifier");
    assert!(has(&[0x13, 1, 44]), "keep-alive 300");
    assert!(has(&[0x11, 0, 0, 0, 0]), "no stored session");
    assert!(!has(&[0x22, 0]), "no topic alias");
}

/// `five` is the reason code of the DISCONNECT; 3.1.1 closes without a word.
#[track_caller]
fn check_closes(packet: impl Fn(V) -> Vec<u8>, refusal: Refusal) {
    for v in [V::Four, V::Five] {
        let run = run(&mut connected(v), Told::default(), &packet(v));
        assert_eq!(run.result, Err(Closed::Refused(refusal)), "{v:?}");
        match v {
            V::Four => assert!(run.packets.is_empty()),
            V::Five => assert_eq!(run.packets, [(DISCONNECT, vec![refusal.reason()])].to_vec(), "{refusal:?}"),
        }
    }
}

#[test]
fn what_ends_a_session() {
    let own = "obhut/mon-01/frame";
    check_closes(|v| publish_with(v, 0x34, own, Some(1), &[], b"x"), Refusal::Qos2);
    check_closes(|v| publish_with(v, 0x34, own, Some(0), &[], b"x"), Refusal::Qos2);
    check_closes(|_| vec![0x62, 2, 0, 1], Refusal::Qos2);
    check_closes(|v| publish_with(v, 0x33, own, Some(1), &[], b"x"), Refusal::Retain);
    check_closes(|v| publish(v, own, Some(0), b"x"), Refusal::Malformed);
    check_closes(|v| publish_with(v, 0x36, own, Some(1), &[], b"x"), Refusal::Malformed);
    check_closes(|v| publish(v, own, Some(1), &vec![0; 64 * 1024]), Refusal::PacketSize);
    check_closes(|_| vec![0x30, 0xff, 0xff, 0xff, 0x7f], Refusal::PacketSize);
    check_closes(|_| vec![0x30, 0xff, 0xff, 0xff, 0xff], Refusal::Malformed);
    check_closes(|v| publish(v, &"a".repeat(129), Some(1), b"x"), Refusal::TopicName);
    check_closes(|v| publish(v, "a/b/c/d/e/f/g/h/i/j", Some(1), b"x"), Refusal::TopicName);
    check_closes(|v| publish(v, "obhut/mon-02/frame", None, b"x"), Refusal::Topic);
    check_closes(|v| publish(v, "obhut/mon-01/command", None, b"x"), Refusal::Topic);
    check_closes(|v| publish(v, "other", None, b"x"), Refusal::TopicName);
    check_closes(|v| connect(v, "mon-01"), Refusal::Protocol);
    check_closes(|_| vec![0x20, 2, 0, 0], Refusal::Protocol);
    check_closes(|_| vec![0x00, 0], Refusal::Protocol);
    check_closes(|_| vec![0xf0, 0], Refusal::Protocol);
    check_closes(|v| subscribe(v, 0, &["a"]), Refusal::Malformed);
    check_closes(|v| subscribe(v, 1, &["a".repeat(1024).as_str()]), Refusal::PacketSize);
}

#[test]
fn what_ends_an_mqtt_5_session_only() {
    for (packet, refusal) in [
        (publish_with(V::Five, 0x32, "", Some(1), &[0x23, 0, 1], b"x"), Refusal::TopicAlias),
        (publish_with(V::Five, 0x32, "obhut/mon-01/frame", Some(1), &[0x23, 0, 1], b"x"), Refusal::TopicAlias),
        (publish_with(V::Five, 0x32, "obhut/mon-01/frame", Some(1), &[0x26; 300], b"x"), Refusal::PacketSize),
        (subscribe_with(V::Five, 1, &[0x0b, 1], &["obhut/mon-01/command"]), Refusal::SubscriptionId),
    ] {
        let run = run(&mut connected(V::Five), Told::default(), &packet);
        assert_eq!(run.result, Err(Closed::Refused(refusal)));
        assert_eq!(run.packets, [(DISCONNECT, vec![refusal.reason()])]);
    }
    let flood: Vec<u8> = (1..=101).flat_map(|id| publish(V::Five, "obhut/mon-01/frame", Some(id), b"x")).collect();
    let run = run(&mut connected(V::Five), Told::default(), &flood);
    assert_eq!(run.result, Err(Closed::Refused(Refusal::ReceiveMaximum)));
}

#[test]
fn nothing_but_connect_comes_first() {
    for packet in [publish(V::Four, "obhut/mon-01/frame", None, b"x"), vec![0xc0, 0], subscribe(V::Five, 1, &["x"])] {
        let run = run(&mut fresh(), Told::default(), &packet);
        assert_eq!(run.result, Err(Closed::Refused(Refusal::Protocol)));
        assert!(run.packets.is_empty());
    }
}

#[test]
fn a_wrong_topic_at_qos_1_is_answered_in_mqtt_5_and_closes_3_1_1() {
    for (topic, refusal) in [
        ("obhut/mon-02/frame", Refusal::Topic),
        ("obhut/mon-01/command", Refusal::Topic),
        ("obhut/mon-01/x", Refusal::TopicName),
    ] {
        let five = run(&mut connected(V::Five), Told::default(), &publish(V::Five, topic, Some(7), b"x"));
        assert_eq!((five.result.is_ok(), five.intake.refused), (true, vec![refusal]));
        assert_eq!(five.packets, [(PUBACK, vec![0, 7, refusal.reason()])]);
        assert!(five.intake.published.is_empty());
        let four = run(&mut connected(V::Four), Told::default(), &publish(V::Four, topic, Some(7), b"x"));
        assert_eq!(four.result, Err(Closed::Refused(refusal)));
    }
}

#[test]
fn publishes_reach_the_intake_and_are_answered() {
    for (taken, five, four) in [
        (Taken::Live, vec![0, 1, 0x10], Some(vec![0, 1])),
        (Taken::Refused(Refusal::UndeclaredCode), vec![0, 1, 0x87], Some(vec![0, 1])),
        (Taken::Refused(Refusal::Payload), vec![0, 1, 0x99], Some(vec![0, 1])),
        (Taken::Refused(Refusal::RateMessages), vec![0, 1, 0x97], Some(vec![0, 1])),
        (Taken::Refused(Refusal::DiskFull), vec![0, 1, 0x97], None),
        (Taken::Refused(Refusal::StoreFailed), vec![0, 1, 0x83], None),
        (Taken::At(Position(0)), vec![0, 1], Some(vec![0, 1])),
    ] {
        let told = || Told { answer: Some(taken), ..Told::default() };
        let run5 = run(&mut connected(V::Five), told(), &publish(V::Five, "obhut/mon-01/senml", Some(1), b"x"));
        assert_eq!(run5.packets, [(PUBACK, five)], "{taken:?}");
        assert_eq!(run5.intake.published, [(Topic::Senml, b"x".to_vec())]);
        let run4 = run(&mut connected(V::Four), told(), &publish(V::Four, "obhut/mon-01/frame", Some(1), b"x"));
        assert_eq!(run4.packets, four.into_iter().map(|body| (PUBACK, body)).collect::<Vec<_>>(), "{taken:?}");
    }
    let silent = run(&mut connected(V::Five), Told::default(), &publish(V::Five, "obhut/mon-01/frame", None, b"x"));
    assert!(silent.packets.is_empty() && silent.intake.published.len() == 1);
}

#[test]
fn a_3_1_1_device_the_store_cannot_serve_is_closed_before_it_grows() {
    let mut session = connected(V::Four);
    let flood: Vec<u8> = (1..=10).flat_map(|id| publish(V::Four, "obhut/mon-01/frame", Some(id), b"x")).collect();
    let over = run(&mut session, Told { answer: Some(Taken::Refused(Refusal::DiskFull)), ..Told::default() }, &flood);
    assert_eq!((over.result, over.packets), (Err(Closed::Refused(Refusal::DiskFull)), vec![]));
}

#[test]
fn a_3_1_1_device_sends_again_once_the_store_is_well() {
    let mut session = connected(V::Four);
    let full = Told { answer: Some(Taken::Refused(Refusal::DiskFull)), ..Told::default() };
    assert!(run(&mut session, full, &publish(V::Four, "obhut/mon-01/frame", Some(1), b"x")).result.is_ok());
    run(&mut session, Told::default(), &publish(V::Four, "obhut/mon-01/frame", Some(2), b"x"));
    let mut out = Vec::new();
    assert_eq!(session.settle(Position(1), &mut out), Err(Closed::Refused(Refusal::DiskFull)));
    assert_eq!(split(&out), [(PUBACK, vec![0, 2])]);
}

#[test]
fn a_full_3_1_1_session_stops_reading_and_goes_on() {
    let (mut session, mut intake, mut out) = (connected(V::Four), Told::default(), Vec::new());
    let flood: Vec<u8> = (1..=150).flat_map(|id| publish(V::Four, "obhut/mon-01/frame", Some(id), b"x")).collect();
    let used = session.step(&flood, &mut intake, &mut out).unwrap();
    assert!(session.is_full() && intake.published.len() == 100);
    assert_eq!(session.settle(Position(60), &mut out), Ok(60));
    session.step(&flood[used..], &mut intake, &mut out).unwrap();
    assert_eq!(intake.published.len(), 150);
    assert_eq!(session.settle(Position(150), &mut out), Ok(90));
    let ids: Vec<u16> = split(&out).iter().map(|(_, body)| u16::from_be_bytes([body[0], body[1]])).collect();
    assert_eq!(ids, (1..=150).collect::<Vec<_>>());
}

#[test]
fn a_store_that_fails_is_told_to_those_who_wait() {
    let mut out = Vec::new();
    let mut five = connected(V::Five);
    run(&mut five, Told::default(), &publish(V::Five, "obhut/mon-01/frame", Some(3), b"x"));
    five.fail_waiting(Refusal::StoreFailed, &mut out).unwrap();
    assert_eq!(split(&out), [(PUBACK, vec![0, 3, 0x83])]);
    let mut four = connected(V::Four);
    run(&mut four, Told::default(), &publish(V::Four, "obhut/mon-01/frame", Some(3), b"x"));
    assert_eq!(four.fail_waiting(Refusal::StoreFailed, &mut Vec::new()), Err(Closed::Refused(Refusal::StoreFailed)));
}

#[test]
fn only_ones_own_commands_can_be_subscribed_to() {
    let filters = [
        "obhut/mon-01/command",
        "obhut/mon-02/command",
        "obhut/mon-01/frame",
        "obhut/+/command",
        "#",
        "$share/g/obhut/mon-01/command",
    ];
    let five = run(&mut connected(V::Five), Told::default(), &subscribe(V::Five, 5, &filters));
    assert_eq!(five.packets, [(SUBACK, vec![0, 5, 0, 1, 0x87, 0x87, 0xa2, 0xa2, 0x9e])]);
    let expected =
        [Refusal::Subscription, Refusal::Subscription, Refusal::Wildcard, Refusal::Wildcard, Refusal::Shared];
    assert_eq!(five.intake.refused, expected);
    let four = run(&mut connected(V::Four), Told::default(), &subscribe(V::Four, 5, &filters));
    assert_eq!(four.packets, [(SUBACK, vec![0, 5, 1, 0x80, 0x80, 0x80, 0x80, 0x80])]);
}

#[test]
fn commands_go_to_who_listens_and_are_bounded() {
    for v in [V::Four, V::Five] {
        let (mut session, mut out) = (connected(v), Vec::new());
        assert_eq!(session.command(b"x", &mut out), Err(CommandError::NotListening));
        run(&mut session, Told::default(), &subscribe(v, 1, &["obhut/mon-01/command"]));
        for _ in 0..8 {
            session.command(b"renew", &mut out).unwrap();
        }
        assert_eq!(session.command(b"x", &mut out), Err(CommandError::Busy));
        let sent = split(&out);
        assert!(sent.len() == 8 && sent.iter().all(|(kind, body)| *kind == PUBLISH && body.ends_with(b"renew")));
        run(&mut session, Told::default(), &[0x40, 2, 0, 1]);
        session.command(b"x", &mut out).unwrap();
        let gone = run(&mut session, Told::default(), &unsubscribe(v, 9, "obhut/mon-01/command"));
        assert_eq!(gone.packets, [(UNSUBACK, if v == V::Five { vec![0, 9, 0, 0] } else { vec![0, 9] })]);
        assert_eq!(session.command(b"x", &mut out), Err(CommandError::NotListening));
    }
}

#[test]
fn pings_are_answered_and_floods_end_the_session() {
    for v in [V::Four, V::Five] {
        let mut session = connected(v);
        assert_eq!(run(&mut session, Told::default(), &[0xc0, 0]).packets, [(PINGRESP, vec![])]);
        let flood = Told { control: Some(Refusal::RateMessages), ..Told::default() };
        assert_eq!(run(&mut session, flood, &[0xc0, 0]).result, Err(Closed::Refused(Refusal::RateMessages)));
    }
}

#[test]
fn goodbye_ends_it_and_nothing_is_taken_after() {
    for v in [V::Four, V::Five] {
        let mut session = connected(v);
        let mut bytes = vec![0xe0, 0];
        bytes.extend(publish(v, "obhut/mon-01/frame", Some(1), b"x"));
        let over = run(&mut session, Told::default(), &bytes);
        assert_eq!(over.result, Err(Closed::ByDevice));
        assert!(over.intake.published.is_empty());
        assert!(run(&mut session, Told::default(), &[0xc0, 0]).result.is_err());
    }
}

#[test]
fn a_publish_sent_again_while_it_waits_is_answered_once() {
    let mut session = connected(V::Five);
    let first = publish(V::Five, "obhut/mon-01/frame", Some(1), b"x");
    let again = publish_with(V::Five, 0x3a, "obhut/mon-01/frame", Some(1), &[], b"x");
    let run = run(&mut session, Told::default(), &[first, again].concat());
    assert_eq!(run.intake.published.len(), 1);
    let mut out = Vec::new();
    assert_eq!(session.settle(Position(9), &mut out), Ok(1));
    assert_eq!(split(&out).len(), 1);
}

/// What a device and the disk do, in any order.
#[derive(Debug, Clone)]
enum Act {
    Publish(Taken),
    Durable(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Publish(Taken::At(Position(0)))),
        1 => Just(Act::Publish(Taken::Live)),
        1 => Just(Act::Publish(Taken::Refused(Refusal::UndeclaredCode))),
        1 => Just(Act::Publish(Taken::Refused(Refusal::DiskFull))),
        3 => (0u64..8).prop_map(Act::Durable),
    ]
}

proptest! {
    /// The model: a queue of answers; success only once durable, all in the order received, in both versions, however the bytes are cut.
    #[test]
    fn acknowledgements_come_in_order_and_never_early(acts in prop::collection::vec(act(), 1..60), five in any::<bool>(), cut in 1usize..40) {
        let v = if five { V::Five } else { V::Four };
        let (mut session, mut out) = (connected(v), Vec::new());
        let (mut queue, mut done, mut expected) = (std::collections::VecDeque::new(), 0u64, Vec::new());
        let (mut position, mut packet) = (0, 0u16);
        for act in acts {
            match act {
                // 3.1.1 ends the session when the store refuses and recovers; that has its own test.
                Act::Publish(Taken::Refused(why)) if why.is_for_now() && !five => {}
                Act::Publish(taken) => {
                    packet += 1;
                    let taken = match taken { Taken::At(_) => { position += 1; Taken::At(Position(position)) } other => other };
                    match taken {
                        Taken::At(at) => queue.push_back((packet, Some(at.0), 0)),
                        Taken::Live => queue.push_back((packet, None, 0x10)),
                        Taken::Refused(why) => queue.push_back((packet, None, why.reason())),
                    }
                    let mut intake = Told { answer: Some(taken), ..Told::default() };
                    let bytes = publish(v, "obhut/mon-01/frame", Some(packet), b"payload");
                    let (mut held, mut calls) = (Vec::new(), 0);
                    for piece in bytes.chunks(cut) {
                        held.extend_from_slice(piece);
                        let used = session.step(&held, &mut intake, &mut out).unwrap();
                        held.drain(..used);
                        calls += used;
                    }
                    prop_assert_eq!(calls, bytes.len());
                }
                Act::Durable(more) => {
                    done = (done + more).min(position);
                    session.settle(Position(done), &mut out).unwrap();
                    while let Some((packet, at, code)) = queue.front().copied() {
                        if at.is_some_and(|at| at > done) { break; }
                        queue.pop_front();
                        let mut body = packet.to_be_bytes().to_vec();
                        if five && code != 0 { body.push(code); }
                        expected.push((PUBACK, body));
                    }
                    prop_assert_eq!(&split(&out), &expected);
                }
            }
        }
        prop_assert_eq!(session.is_waiting(), !queue.is_empty());
    }

    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), five in any::<bool>()) {
        let mut session = connected(if five { V::Five } else { V::Four });
        let mut out = Vec::new();
        let _ = session.step(&bytes, &mut Told::default(), &mut out);
        let _ = fresh().step(&bytes, &mut Told::default(), &mut out);
        prop_assert!(out.len() < 4096);
    }
}
