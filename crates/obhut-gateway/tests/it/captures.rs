//! Recorded MQTT traffic, normal and hostile, fed into the session core: no panic, bounded output, and the right end.

use crate::packets::{V, connect, first};
use crate::support::{Told, device};
use obhut_gateway::session::{Closed, Session};
use obhut_gateway::{Limits, Refusal};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("OBHUT_DATA").map(PathBuf::from);
    let root = root.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into());
    let captures = root.join("ids/suricata-mqtt/pcap");
    if captures.is_dir() {
        return Some(captures);
    }
    assert!(std::env::var_os("CI").is_none(), "the captures are missing; set OBHUT_DATA");
    println!("SKIPPED: no captures at {}; set OBHUT_DATA", captures.display());
    None
}

/// The TCP payload of each direction of each connection, in the order captured. Classic pcap, Ethernet, loopback or raw IP; IPv4 and IPv6.
fn streams(file: &[u8]) -> Vec<Vec<u8>> {
    let little = file[..4] == [0xd4, 0xc3, 0xb2, 0xa1] || file[..4] == [0x4d, 0x3c, 0xb2, 0xa1];
    let word = |at: usize| {
        let bytes = [file[at], file[at + 1], file[at + 2], file[at + 3]];
        if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    let link = word(20);
    let (mut at, mut found) = (24, BTreeMap::<Vec<u8>, Vec<u8>>::new());
    while at + 16 <= file.len() {
        let length = usize::try_from(word(at + 8)).unwrap();
        let packet = &file[at + 16..(at + 16 + length).min(file.len())];
        at += 16 + length;
        let ip = match link {
            1 if packet.len() > 18 && packet[12..14] == [0x81, 0] => &packet[18..],
            1 => &packet[14.min(packet.len())..],
            0 => &packet[4.min(packet.len())..],
            113 => &packet[16.min(packet.len())..],
            _ => packet,
        };
        let Some(version) = ip.first().map(|byte| byte >> 4) else { continue };
        let (addresses, tcp) = match version {
            4 if ip.len() >= 20 && ip[9] == 6 => {
                let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
                (&ip[12..20], &ip[usize::from(ip[0] & 15) * 4..total.clamp(20, ip.len())])
            }
            6 if ip.len() >= 40 && ip[6] == 6 => (&ip[8..40], &ip[40..]),
            _ => continue,
        };
        if tcp.len() < 20 {
            continue;
        }
        let header = usize::from(tcp[12] >> 4) * 4;
        let key = [addresses, &tcp[..4]].concat();
        found.entry(key).or_default().extend_from_slice(tcp.get(header..).unwrap_or_default());
    }
    found.into_values().filter(|stream| !stream.is_empty()).collect()
}

/// Feeds `bytes` in pieces as a socket would, answering durable at once. Output and what is kept stay bounded.
fn feed(bytes: &[u8], session: &mut Session) -> Option<Closed> {
    let (mut held, mut intake) = (Vec::new(), Told::default());
    for piece in bytes.chunks(97) {
        let mut out = Vec::new();
        held.extend_from_slice(piece);
        match session.step(&held, &mut intake, &mut out) {
            Ok(used) => drop(held.drain(..used)),
            Err(closed) => return Some(closed),
        }
        let _ = session.settle(obhut_store::Position(u64::MAX), &mut out);
        assert!(out.len() < 8 * 1024 && held.len() <= 256 * 1024 + 97);
    }
    None
}

/// The client's packets without its CONNECT, and the version that one spoke.
fn without_connect(stream: &[u8]) -> Option<(V, &[u8])> {
    let (1, body, rest) = first(stream)? else { return None };
    match body.get(6)? {
        5 => Some((V::Five, rest)),
        4 => Some((V::Four, rest)),
        _ => None,
    }
}

fn fresh() -> Session {
    Session::new(device("mon-01"), Arc::new(Limits::default()), 256 * 1024, None)
}

fn ends(name: &str) -> Vec<Option<Closed>> {
    let Some(captures) = data() else { return Vec::new() };
    let file = std::fs::read(captures.join(name)).unwrap();
    let streams = streams(&file);
    streams.iter().map(|stream| feed(stream, &mut fresh())).collect()
}

#[test]
fn every_capture_ends_without_a_panic_and_within_bounds() {
    let Some(captures) = data() else { return };
    let (mut files, mut flows) = (0, 0);
    for entry in std::fs::read_dir(captures).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for stream in streams(&file) {
            flows += 1;
            // As it is: no recorded client carries this device's name, so each is refused in its first packet or waits for its rest.
            let end = feed(&stream, &mut fresh());
            assert!(end.is_none_or(|end| matches!(end, Closed::Refused(_))));
            // And as if the device itself had sent it, so that what follows CONNECT is looked at too.
            let (v, rest) = without_connect(&stream).unwrap_or((V::Five, &stream));
            for v in [v, V::Four, V::Five] {
                let mut session = fresh();
                assert_eq!(feed(&connect(v, "mon-01"), &mut session), None);
                let _ = feed(rest, &mut session);
            }
        }
    }
    assert!(files >= 39 && flows >= 39, "{files} captures with {flows} flows");
}

/// What the capture's malformed packet does once the session is up.
fn ends_after_connect(name: &str) -> Vec<Refusal> {
    let Some(captures) = data() else { return Vec::new() };
    let file = std::fs::read(captures.join(name)).unwrap();
    let mut ends = Vec::new();
    for stream in streams(&file) {
        let Some((v, rest)) = without_connect(&stream) else { continue };
        let mut session = fresh();
        assert_eq!(feed(&connect(v, "mon-01"), &mut session), None);
        if let Some(Closed::Refused(why)) = feed(rest, &mut session) {
            ends.push(why);
        }
    }
    ends
}

#[test]
fn the_listed_anomalies_end_with_their_code() {
    if data().is_none() {
        return;
    }
    assert!(ends_after_connect("mqtt-events-invalid-qos.pcap").contains(&Refusal::Malformed), "QoS 3");
    assert!(ends("mqtt-events-missing-connect.pcap").contains(&Some(Closed::Refused(Refusal::Protocol))), "no CONNECT");
    let unassigned = ends_after_connect("mqtt-events-unassigned-msgtype.pcap");
    assert!(unassigned.contains(&Refusal::Protocol), "{unassigned:?}");
    let unintroduced = ends("mqtt-events-unintroduced.pcap");
    assert!(unintroduced.iter().any(|end| matches!(end, Some(Closed::Refused(_)))), "{unintroduced:?}");
    let excessive = [
        ends("mqtt5-excessiveproplen.pcap"),
        ends_after_connect("mqtt5-excessiveproplen.pcap").into_iter().map(|why| Some(Closed::Refused(why))).collect(),
    ]
    .concat();
    let refused = |why| excessive.contains(&Some(Closed::Refused(why)));
    assert!(refused(Refusal::Malformed) || refused(Refusal::PacketSize), "{excessive:?}");
}

/// A repeatable stream of numbers (xorshift64*); enough to break packets in different places.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides.max(1)
    }
}

#[test]
fn broken_packets_end_without_a_panic() {
    use crate::packets::{connect_with, publish_with, subscribe_with, unsubscribe};
    let mut dice = Dice(0x0b17_0b17_0b17_0b17);
    let rounds = std::env::var("OBHUT_BREAKS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    for _ in 0..rounds {
        let v = if dice.roll(2) == 0 { V::Four } else { V::Five };
        let properties: [&[u8]; 6] =
            [&[], &[0x22, 0, 0], &[0x21, 0, 1], &[0x23, 0, 1], &[0x0b, 1], &[0x26, 0, 1, b'a', 0, 1, b'b']];
        let chosen = properties[dice.roll(6)];
        let id = u16::try_from(dice.roll(3)).unwrap();
        let mut bytes =
            if dice.roll(3) > 0 { connect(v, "mon-01") } else { connect_with(v, "mon-01", 2, 60, chosen, &[]) };
        for _ in 0..dice.roll(5) {
            bytes.extend(match dice.roll(6) {
                0 => publish_with(v, 0x32, "obhut/mon-01/frame", Some(id), chosen, b"payload"),
                1 => publish_with(v, 0x34, "obhut/mon-01/frame", Some(id), chosen, b"payload"),
                2 => subscribe_with(v, id, chosen, &["obhut/mon-01/command"]),
                3 => unsubscribe(v, id, "obhut/mon-01/command"),
                4 => vec![0x40, 2, 0, 1],
                _ => vec![0xc0, 0],
            });
        }
        for _ in 0..dice.roll(4) {
            let at = dice.roll(bytes.len());
            match dice.roll(3) {
                0 => bytes[at] ^= 1 << dice.roll(8),
                1 => drop(bytes.drain(at..(at + dice.roll(4)).min(bytes.len()))),
                _ => bytes.insert(at, u8::try_from(dice.roll(256)).unwrap()),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let mut session = fresh();
        let _ = feed(&bytes, &mut session);
        let _ = session.command(b"renew", &mut Vec::new());
        session.stop(&mut Vec::new());
    }
}
