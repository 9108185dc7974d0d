//! Decoders: what is encoded decodes to itself, anything else is refused and never panics.

use obhut_ledger::event::{Actor, Channel, Event, EventKind, Origin, Outcome, ResourceRef};
use obhut_ledger::export::Line;
use obhut_ledger::{Proof, SignedNote, TilePath, VerifierKey};
use obhut_model::{CaseId, DeviceId, PersonId, RequestId, ServerTime, Subject};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;

fn word() -> impl Strategy<Value = Arc<str>> {
    "[a-zäß][a-z0-9-]{0,20}".prop_map(Arc::from)
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|id| Actor::Person(PersonId::from_random(id))),
        any::<u32>().prop_map(|uid| Actor::Console { uid }),
        "[a-z][a-z0-9-]{0,20}".prop_map(|id| Actor::Device(DeviceId::new(&id).unwrap())),
        Just(Actor::System),
    ]
}

pub(crate) fn events() -> impl Strategy<Value = Event> {
    let who =
        (any::<[u8; 16]>(), any::<i64>(), 0..EventKind::ALL.len(), actor(), option::of(word()), option::of(word()));
    let what =
        (option::of(word()), word(), word(), option::of(word()), option::of(any::<[u8; 16]>()), vec(word(), 0..6));
    let how = (
        option::of(any::<std::net::IpAddr>()),
        0..Channel::ALL.len(),
        option::of(any::<[u8; 8]>()),
        prop_oneof![Just(Outcome::Success), word().prop_map(Outcome::Denied), word().prop_map(Outcome::Failed)],
        vec(word(), 0..4),
        option::of(any::<[u8; 16]>()),
        option::of(".{0,60}"),
    );
    (who, what, how).prop_map(|(who, what, how)| Event {
        request: RequestId::from_random(who.0),
        at: ServerTime::from_micros(who.1),
        kind: EventKind::ALL[who.2],
        actor: who.3,
        role: who.4,
        organisation: who.5,
        purpose: what.0,
        action: what.1,
        resource: ResourceRef { kind: what.2, id: what.3 },
        subject: what.4.map(Subject::from_random),
        categories: what.5,
        origin: Origin { address: how.0, channel: Channel::ALL[how.1], session: how.2 },
        outcome: how.3,
        policies: how.4,
        case: how.5.map(CaseId::from_random),
        note: how.6,
    })
}

proptest! {
    #[test]
    fn an_event_decodes_to_itself(event in events()) {
        let bytes = event.encode().unwrap();
        let back = Event::decode(&bytes).unwrap();
        let mut wanted = event.clone();
        wanted.note = None;
        wanted.categories.sort();
        wanted.categories.dedup();
        prop_assert_eq!(&back, &wanted);
        prop_assert_eq!(back.encode().unwrap(), bytes);
    }

    #[test]
    fn a_changed_event_is_another_event_or_none(event in events(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let bytes = event.encode().unwrap();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= flip;
        if let Ok(other) = Event::decode(&changed) {
            prop_assert_eq!(other.encode().unwrap(), changed);
        }
    }

    #[test]
    fn nothing_panics_on_foreign_bytes(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Event::decode(&bytes);
        let _ = SignedNote::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = text.parse::<Proof>();
        let _ = text.parse::<TilePath>();
        let _ = text.parse::<VerifierKey>();
        let _ = Line::parse(&text);
        let _ = obhut_ledger::tile::entries(&bytes);
        let key = obhut_ledger::EventKey::new(&[0; 32]).unwrap();
        let _ = obhut_ledger::spool::read(&key, &bytes);
        let _ = obhut_ledger::witness::judge(&bytes, |_| None);
    }

    #[test]
    fn a_tile_path_is_written_in_one_way(level in 0u8..8, number in 0u64..1_000_000_000_000, width in 1usize..=256) {
        let layer = if level == 7 { obhut_ledger::tile::Layer::Entries } else { obhut_ledger::tile::Layer::Hashes(level) };
        let path = TilePath { layer, number, width };
        prop_assert_eq!(path.to_string().parse::<TilePath>().unwrap(), path);
    }
}

#[test]
fn tile_paths_are_those_of_the_specification() {
    for good in ["tile/0/x001/x234/067", "tile/entries/000", "tile/1/000.p/17", "tile/entries/x001/000.p/255"] {
        assert_eq!(good.parse::<TilePath>().unwrap().to_string(), good);
    }
    for bad in [
        "tile/0/1234067",
        "tile/0/x01/067",
        "tile/8/000",
        "tile/00/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/../../../etc/passwd",
        "tile/data/000",
        "tile/0/",
        "checkpoint",
        "tile/0/x000/000",
        "/tile/0/000",
    ] {
        assert!(bad.parse::<TilePath>().is_err(), "{bad}");
    }
}

#[test]
fn bounds_are_kept_with_the_field_named() {
    let fine = crate::log::event(1);
    assert!(fine.check().is_ok());
    let long: Arc<str> = "x".repeat(257).into();
    let says = |event: Event| event.check().unwrap_err().to_string();
    assert!(says(Event { role: Some(long.clone()), ..fine.clone() }).contains("role"));
    assert!(says(Event { action: "".into(), ..fine.clone() }).contains("action"));
    assert!(says(Event { policies: vec!["p".into(); 65], ..fine.clone() }).contains("policies"));
    assert!(says(Event { note: Some("n".repeat(4097)), ..fine }).contains("note"));
}

#[test]
fn the_encoding_is_golden() {
    // Recorded once; a change here means that old commitments can no longer be checked.
    let hex = obhut_ledger::export::hex(&crate::log::event(5).encode().unwrap());
    assert_eq!(
        hex,
        "900150010101010101010100000000000000051b00060a24181e53880182015003030303030303030000000000000005656e75727365f6\
         6974726561746d656e746d72656164696e67732d76696577826770617469656e746872656164696e677350020202020202020200000000\
         00000005826a68656172742d726174656473706f328344c0000207014807070707070707078200f680f6",
        "an event's one encoding"
    );
}
