//! Link and core against a scripted server under virtual time: it answers late, out of order, never, with every code, and hangs up at will.

use super::*;
use crate::buffer::BufferKey;
use crate::disk::Directory;
use crate::limits::{RECONNECT_MAX, REFUSED_DELAY};
use crate::link::Lost;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Event, role};
use mqtt_protocol_core::mqtt::packet::v5_0::{Connack, Disconnect, Puback, Publish};
use mqtt_protocol_core::mqtt::packet::{Packet, Qos, ReceiveMaximum};
use mqtt_protocol_core::mqtt::prelude::*;
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, DisconnectReasonCode, PubackReasonCode};
use mqtt_protocol_core::mqtt::{Connection, Version};
use obhut_model::{Code, Decimal, DeviceId, DeviceTime};
use obhut_wire::{Clock, Header, RawNumeric};
use proptest::prelude::*;
use std::collections::BTreeSet;

struct Ward {
    now: Monotonic,
    core: Core<Directory>,
    next: u64,
    server: Option<Connection<role::Server>>,
    opening: bool,
    unacked: Vec<(u16, u64, bool)>,
    /// Numbers in the order the server saw them, with the late flag.
    seen: Vec<(u64, bool)>,
    durable: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    opened_at: Vec<Duration>,
    stopped: bool,
    receive_maximum: u16,
    _dir: tempfile::TempDir,
}

fn frame(number: u64) -> Vec<u8> {
    let base = DeviceTime::from_micros(1_764_000_000_000_000);
    let header = Header { run: 1, number, base, clock: Clock::Synchronised };
    let numeric =
        RawNumeric { code: Code::TEMP, taken_at: base, value: Decimal::new(367, -1).ok(), quality: Quality::GOOD };
    let mut out = Vec::new();
    encode(&header, &[numeric], &[], &mut out).unwrap();
    out
}

impl Ward {
    fn new(seed: u64) -> Self {
        Self::with(seed, false)
    }

    fn with(seed: u64, write_all: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let buffer =
            Buffer::open(Directory::open(dir.path()).unwrap(), BufferKey::new(&[1; 32]).unwrap(), 1 << 20).unwrap();
        let link = Link::new(DeviceId::new("mon-01").unwrap(), seed);
        let mut ward = Self {
            now: Monotonic::default(),
            core: Core::new(link, buffer, write_all),
            next: 1,
            server: None,
            opening: false,
            unacked: Vec::new(),
            seen: Vec::new(),
            durable: BTreeSet::new(),
            refused: BTreeSet::new(),
            opened_at: Vec::new(),
            stopped: false,
            receive_maximum: 8,
            _dir: dir,
        };
        ward.input(Input::Tick);
        ward
    }

    fn offer(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        let mut out = Vec::new();
        self.core.offer(self.now, number, frame(number), &mut out);
        self.perform(out);
        number
    }

    fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.core.step(self.now, input, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Open => {
                    assert!(self.server.is_none() && !self.opening, "a second connection");
                    self.opening = true;
                    self.opened_at.push(self.now.0);
                }
                Effect::Write(bytes) => self.serve(&bytes),
                Effect::Close => {
                    self.server = None;
                    self.opening = false;
                    self.unacked.clear();
                }
                Effect::Stopped => self.stopped = true,
                other => panic!("not for the shell: {other:?}"),
            }
        }
    }

    fn serve(&mut self, bytes: &[u8]) {
        let mut cursor = Cursor::new(bytes);
        let mut replies = Vec::new();
        while let Some(server) = &mut self.server
            && cursor.position() < bytes.len() as u64
        {
            for event in server.recv(&mut cursor) {
                match event {
                    Event::NotifyPacketReceived(Packet::V5_0Connect(connect)) => {
                        assert_eq!((connect.client_id(), connect.clean_start()), ("mon-01", true));
                        let props = vec![ReceiveMaximum::new(self.receive_maximum).unwrap().into()];
                        replies.push(
                            Connack::builder()
                                .session_present(false)
                                .reason_code(ConnectReasonCode::Success)
                                .props(props)
                                .build()
                                .unwrap()
                                .into(),
                        );
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Publish(publish)) => {
                        assert_eq!((publish.topic_name(), publish.qos()), ("obhut/mon-01/frame", Qos::AtLeastOnce));
                        let read = Frame::decode(publish.payload().as_slice()).unwrap();
                        let late = read.numerics().all(|n| n.quality.has(Quality::LATE));
                        self.seen.push((read.header().number, late));
                        self.unacked.push((publish.packet_id().unwrap(), read.header().number, late));
                        assert!(self.unacked.len() <= usize::from(self.receive_maximum), "more in flight than allowed");
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Pingreq(_)) => {
                        replies
                            .push(mqtt_protocol_core::mqtt::packet::v5_0::Pingresp::builder().build().unwrap().into());
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Disconnect(_))
                    | Event::RequestTimerReset { .. }
                    | Event::RequestTimerCancel(_) => {}
                    Event::NotifyPacketReceived(other) => panic!("unexpected {other:?}"),
                    Event::NotifyError(error) => panic!("the client broke the protocol: {error:?}"),
                    Event::RequestSendPacket { .. } | Event::NotifyPacketIdReleased(_) | Event::RequestClose => {}
                }
            }
        }
        replies.into_iter().for_each(|packet: Packet| self.send(packet));
    }

    fn send(&mut self, packet: Packet) {
        let Some(server) = &mut self.server else { return };
        let bytes: Vec<u8> = server
            .send(packet)
            .into_iter()
            .filter_map(|event| match event {
                Event::RequestSendPacket { packet, .. } => Some(packet.to_continuous_buffer()),
                _ => None,
            })
            .flatten()
            .collect();
        self.input(Input::Received(&bytes));
    }

    /// The server accepts the connection being opened.
    fn accept(&mut self) {
        if std::mem::take(&mut self.opening) {
            self.server = Some(Connection::new(Version::V5_0));
            self.input(Input::Opened);
        }
    }

    fn cut(&mut self, lost: Lost) {
        self.server = None;
        self.opening = false;
        self.unacked.clear();
        self.input(Input::Lost(lost));
    }

    fn answer(&mut self, at: usize, code: PubackReasonCode) {
        if self.unacked.is_empty() {
            return;
        }
        let (id, number, _) = self.unacked.remove(at % self.unacked.len());
        match answer(code as u8) {
            Answer::Taken => drop(self.durable.insert(number)),
            Answer::Refused => drop(self.refused.insert(number)),
            Answer::Later => {}
        }
        self.send(Puback::builder().packet_id(id).reason_code(code).build().unwrap().into());
    }

    /// Lets time pass, stopping at every deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        let mut steps = 0;
        while let Some(due) = self.core.deadline(self.now).filter(|due| *due <= end) {
            steps += 1;
            assert!(steps < 10_000, "the deadline does not move on");
            self.now = self.now.max(due);
            if let Some(syncer) = self.core.flush(self.now) {
                syncer().unwrap();
            }
            self.input(Input::Tick);
        }
        self.now = end;
        self.input(Input::Tick);
    }

    fn online(&mut self) {
        for _ in 0..200 {
            if self.core.is_up() {
                return;
            }
            self.pass(Duration::from_secs(1));
            self.accept();
        }
        panic!("never online");
    }
}

#[test]
fn frames_flow_in_order_and_nothing_touches_the_disk_while_the_link_is_good() {
    let mut ward = Ward::new(1);
    ward.online();
    for _ in 0..100 {
        ward.offer();
        ward.pass(Duration::from_millis(250));
        ward.answer(0, PubackReasonCode::Success);
    }
    assert_eq!(ward.seen, (1..=100).map(|n| (n, false)).collect::<Vec<_>>());
    assert_eq!((ward.core.buffer().bytes(), ward.core.pending()), (0, 0));
    assert_eq!(ward.core.counters().acknowledged, 100);
    assert_eq!(ward.opened_at.len(), 1);
}

#[test]
fn after_an_outage_live_values_go_first_and_the_backlog_follows_in_order() {
    let mut ward = Ward::new(2);
    for _ in 0..20 {
        ward.offer();
    }
    assert!(ward.core.buffer().frames() == 20 && ward.seen.is_empty());
    ward.online();
    assert_eq!(ward.seen, [(1, true)], "the backlog starts with one probe");
    let live: Vec<u64> = (0..3).map(|_| ward.offer()).collect();
    assert_eq!(ward.seen[1..], [(21, false), (22, false), (23, false)]);
    while !ward.unacked.is_empty() {
        ward.answer(0, PubackReasonCode::Success);
    }
    let backlog: Vec<u64> = ward.seen.iter().filter(|(_, late)| *late).map(|(n, _)| *n).collect();
    assert_eq!(backlog, (1..=20).collect::<Vec<_>>());
    assert_eq!((live, ward.core.pending(), ward.core.buffer().frames()), (vec![21, 22, 23], 0, 0));
}

#[test]
fn a_device_that_writes_all_sends_each_frame_once() {
    let mut ward = Ward::with(12, true);
    ward.offer();
    ward.online();
    ward.answer(0, PubackReasonCode::Success);
    for _ in 0..20 {
        ward.offer();
        assert!(ward.core.buffer().frames() > 0, "on disk before it is acknowledged");
        ward.pass(Duration::from_millis(300));
        if ward.unacked.len() > 5 {
            ward.answer(0, PubackReasonCode::Success);
        }
    }
    while !ward.unacked.is_empty() {
        ward.answer(0, PubackReasonCode::Success);
    }
    assert_eq!(ward.seen.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>());
    assert_eq!((ward.core.buffer().frames(), ward.core.pending()), (0, 0));
}

#[test]
fn unacknowledged_frames_reach_the_disk_within_two_seconds() {
    let mut ward = Ward::new(3);
    ward.online();
    for _ in 0..12 {
        ward.offer();
    }
    ward.pass(Duration::from_millis(1_900));
    assert_eq!(ward.core.buffer().frames(), 0);
    ward.pass(Duration::from_millis(200));
    assert_eq!(ward.core.buffer().frames(), 12);
    ward.pass(Duration::from_secs(25));
    assert!(!ward.core.is_up() || ward.opened_at.len() > 1, "a server that acknowledges nothing is left");
}

#[test]
fn every_answer_has_its_consequence() {
    let mut ward = Ward::new(4);
    ward.online();
    for code in [
        PubackReasonCode::NotAuthorized,
        PubackReasonCode::PayloadFormatInvalid,
        PubackReasonCode::TopicNameInvalid,
        PubackReasonCode::NoMatchingSubscribers,
        PubackReasonCode::Success,
    ] {
        ward.offer();
        ward.answer(0, code);
    }
    let counters = ward.core.counters();
    assert_eq!((counters.acknowledged, counters.refused, ward.core.pending()), (2, 3, 0));

    // Later: kept, and sent again after a delay that doubles; live frames go on being tried.
    for code in [PubackReasonCode::QuotaExceeded, PubackReasonCode::ImplementationSpecificError] {
        let number = ward.offer();
        let before = ward.seen.len();
        ward.answer(0, code);
        assert_eq!((ward.core.buffer().frames(), ward.seen.len()), (1, before));
        ward.offer();
        ward.answer(0, PubackReasonCode::Success);
        ward.pass(Duration::from_secs(2));
        assert_eq!(ward.seen.last(), Some(&(number, true)));
        ward.answer(0, PubackReasonCode::Success);
        assert_eq!(ward.core.pending(), 0);
    }
    let number = ward.offer();
    let mut tries = Vec::new();
    ward.answer(0, PubackReasonCode::QuotaExceeded);
    while tries.len() < 7 {
        ward.pass(Duration::from_millis(100));
        if ward.unacked.iter().any(|(_, n, _)| *n == number) {
            tries.push(ward.now.0.as_secs());
            ward.answer(0, PubackReasonCode::QuotaExceeded);
        }
    }
    let gaps: Vec<u64> = tries.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [2, 4, 8, 16, 30, 30]);
}

#[test]
fn delays_are_random_bounded_and_the_same_for_a_seed() {
    let delays = |seed| {
        let mut ward = Ward::new(seed);
        for _ in 0..40 {
            ward.cut(Lost::Network);
            while !ward.opening {
                ward.pass(Duration::from_millis(10));
            }
        }
        ward.opened_at.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>()
    };
    let one = delays(7);
    assert_eq!(one, delays(7));
    assert_ne!(one, delays(8));
    assert!(one.iter().all(|d| *d <= RECONNECT_MAX + Duration::from_millis(20)));
    assert!(one[0] <= Duration::from_millis(270) && one[1] <= Duration::from_millis(520));
    assert!(one[10..].iter().max() > Some(&Duration::from_secs(15)), "they grow");
    // A thousand devices that lost the same server do not come back at the same moment.
    let mut second: Vec<_> = (0..1_000)
        .map(|seed| {
            let mut ward = Ward::new(seed * 7919);
            for _ in 0..8 {
                ward.cut(Lost::Network);
                let due = ward.core.deadline(ward.now).unwrap();
                ward.now = due;
                ward.input(Input::Tick);
            }
            ward.opened_at[8] - ward.opened_at[7]
        })
        .collect();
    second.sort_unstable();
    assert!(second[500] - second[250] > Duration::from_secs(4) && second[750] - second[500] > Duration::from_secs(4));
}

#[test]
fn who_is_refused_does_not_come_back_at_once() {
    for code in [
        DisconnectReasonCode::NotAuthorized,
        DisconnectReasonCode::SessionTakenOver,
        DisconnectReasonCode::AdministrativeAction,
    ] {
        let mut ward = Ward::new(5);
        ward.online();
        ward.send(Disconnect::builder().reason_code(code).build().unwrap().into());
        assert_eq!(ward.core.last_down(), Some(Down::Server(code as u8)));
        let opened = ward.opened_at.len();
        ward.pass(REFUSED_DELAY - Duration::from_millis(1));
        assert_eq!(ward.opened_at.len(), opened);
        ward.pass(REFUSED_DELAY);
        assert!(ward.opened_at.len() > opened);
    }
    let mut ward = Ward::new(5);
    ward.cut(Lost::Refused);
    ward.pass(REFUSED_DELAY - Duration::from_millis(1));
    assert_eq!(ward.opened_at.len(), 1);
    let mut ward = Ward::new(5);
    ward.online();
    ward.send(Disconnect::builder().reason_code(DisconnectReasonCode::ServerShuttingDown).build().unwrap().into());
    let opened = ward.opened_at.len();
    ward.pass(Duration::from_secs(1));
    assert_eq!(ward.opened_at.len(), opened + 1);
}

#[test]
fn a_server_that_publishes_or_talks_nonsense_is_left() {
    let mut ward = Ward::new(6);
    ward.online();
    ward.send(Publish::builder().topic_name("x").unwrap().qos(Qos::AtMostOnce).payload("x").build().unwrap().into());
    assert_eq!((ward.core.is_up(), ward.core.last_down()), (false, Some(Down::Protocol)));
    // A QoS 2 packet with identifier 0, twice: panics in the library if it gets that far.
    let mut ward = Ward::new(6);
    ward.online();
    let hostile = [0x34, 6, 0, 1, b'a', 0, 0, 0, 0x34, 6, 0, 1, b'a', 0, 0, 0];
    ward.input(Input::Received(&hostile));
    assert!(!ward.core.is_up());
    for bytes in [&[0xff; 64][..], &[0x40, 2, 0, 99], &[0x30, 0xff, 0xff, 0xff, 0x7f]] {
        let mut ward = Ward::new(6);
        ward.online();
        ward.input(Input::Received(bytes));
        assert!(!ward.core.is_up(), "{bytes:02x?}");
    }
}

#[test]
fn silence_is_noticed_and_a_renewed_certificate_loses_nothing() {
    let mut ward = Ward::new(9);
    ward.online();
    ward.pass(Duration::from_secs(60));
    assert_eq!(ward.opened_at.len(), 1, "pings keep an idle link up");
    let number = ward.offer();
    ward.input(Input::Renewed);
    ward.offer();
    assert_eq!(ward.seen.len(), 1, "nothing new while draining");
    ward.answer(0, PubackReasonCode::Success);
    assert!(!ward.core.is_up());
    ward.online();
    ward.answer(0, PubackReasonCode::Success);
    assert_eq!(
        (ward.seen.iter().map(|(n, _)| *n).collect::<Vec<_>>(), ward.core.pending()),
        (vec![number, number + 1], 0)
    );

    // A server that vanished without a word: the ping stays unanswered.
    let server = ward.server.take();
    assert!(server.is_some());
    ward.pass(Duration::from_secs(11));
    assert!(!ward.core.is_up());
}

#[test]
fn stopping_waits_for_answers_and_keeps_the_rest() {
    let mut ward = Ward::new(10);
    ward.online();
    ward.offer();
    ward.offer();
    ward.input(Input::Stop);
    assert!(!ward.stopped);
    ward.answer(0, PubackReasonCode::Success);
    ward.pass(Duration::from_secs(3));
    assert!(ward.stopped);
    ward.core.close().unwrap();
    assert_eq!((ward.core.buffer().frames(), ward.core.buffer().next_after(0)), (1, Some(2)));
    let mut ward = Ward::new(10);
    ward.input(Input::Stop);
    assert!(ward.stopped);
}

#[derive(Debug, Clone)]
enum Step {
    Offer(usize),
    Accept,
    Cut,
    Refuse,
    Hangup(DisconnectReasonCode),
    Answer(usize, PubackReasonCode),
    Pass(u64),
    Renew,
}

fn any_step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![
        8 => Just(PubackReasonCode::Success),
        1 => Just(PubackReasonCode::NoMatchingSubscribers),
        1 => Just(PubackReasonCode::QuotaExceeded),
        1 => Just(PubackReasonCode::ImplementationSpecificError),
        1 => Just(PubackReasonCode::NotAuthorized),
        1 => Just(PubackReasonCode::PayloadFormatInvalid),
    ];
    let hangup = prop_oneof![
        Just(DisconnectReasonCode::ServerShuttingDown),
        Just(DisconnectReasonCode::SessionTakenOver),
        Just(DisconnectReasonCode::KeepAliveTimeout),
    ];
    prop_oneof![
        6 => (1usize..12).prop_map(Step::Offer),
        4 => Just(Step::Accept),
        1 => Just(Step::Cut),
        1 => Just(Step::Refuse),
        1 => hangup.prop_map(Step::Hangup),
        12 => (any::<usize>(), code).prop_map(|(at, code)| Step::Answer(at, code)),
        6 => (1u64..4_000).prop_map(Step::Pass),
        1 => Just(Step::Renew),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// However the server behaves: every frame ends up acknowledged or refused exactly as it answered, none is lost, live frames arrive in order,
    /// and so does the backlog within each connection.
    #[test]
    fn no_frame_is_lost_whatever_the_server_does(steps in proptest::collection::vec(any_step(), 1..150), seed: u64) {
        let mut ward = Ward::new(seed);
        for step in steps {
            match step {
                Step::Offer(n) => (0..n).for_each(|_| {
                    ward.offer();
                }),
                Step::Accept => ward.accept(),
                Step::Cut => ward.cut(Lost::Network),
                Step::Refuse => ward.cut(Lost::Refused),
                Step::Hangup(code) => if ward.core.is_up() {
                    ward.send(Disconnect::builder().reason_code(code).build().unwrap().into());
                },
                Step::Answer(at, code) => ward.answer(at, code),
                Step::Pass(ms) => ward.pass(Duration::from_millis(ms)),
                Step::Renew => ward.input(Input::Renewed),
            }
        }
        // From here on the server is well; everything has to arrive.
        for _ in 0..3_000 {
            if ward.core.pending() == 0 && ward.core.flying.is_empty() {
                break;
            }
            ward.online();
            ward.answer(0, PubackReasonCode::Success);
            if ward.unacked.is_empty() {
                ward.pass(Duration::from_secs(1));
            }
        }
        let ended: BTreeSet<u64> = ward.durable.union(&ward.refused).copied().collect();
        prop_assert_eq!(ended, (1..ward.next).collect::<BTreeSet<_>>());
        prop_assert_eq!(ward.core.counters().lost, 0);
        prop_assert_eq!(ward.core.buffer().losses(), crate::buffer::Losses::default());
        let live: Vec<u64> = ward.seen.iter().filter(|(_, late)| !late).map(|(n, _)| *n).collect();
        prop_assert!(live.windows(2).all(|w| w[0] < w[1]), "live frames out of order: {:?}", live);
    }
}
