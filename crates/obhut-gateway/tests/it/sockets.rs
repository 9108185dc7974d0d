//! The door over real sockets: who gets in, what is answered when, and how sessions end.

use crate::packets::{V, connect, publish, subscribe};
use crate::rig::{Rig, authority, devices, papers, papers_of, past, real_now, rules, until, within};
use crate::support::model_rules;
use obhut_gateway::{CommandError, Refusal, SessionEvent};
use obhut_model::DeviceId;
use obhut_store::{AppendError, DeviceState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PUBACK: u8 = 4;
const DISCONNECT: u8 = 14;
const OWN: &str = "obhut/mon-01/senml";

fn beat(rate: u32) -> Vec<u8> {
    format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{rate}}}]"#).into_bytes()
}

fn beat_at(rate: u32, seconds_ago: u64) -> Vec<u8> {
    format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","t":{},"v":{rate}}}]"#, real_now() - seconds_ago).into_bytes()
}

#[tokio::test]
async fn a_reading_is_shown_at_once_and_acknowledged_when_durable() {
    let rig = Rig::new();
    rig.readings.hold();
    let mut client = rig.open(V::Five, "mon-01").await;
    client.send(&publish(V::Five, OWN, Some(1), &beat(72))).await;
    until(|| !rig.screens.values.lock().is_empty()).await;
    assert_eq!(rig.screens.values.lock()[0], (Some("bed-01".to_owned()), vec![Some(72)]));
    // Nothing but the answer to a ping comes while the disk is held.
    client.send(&[0xc0, 0]).await;
    assert_eq!(client.packet().await, Some((13, vec![])));
    rig.readings.release();
    assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1])));
    assert_eq!(rig.readings.steps(), [Some(72)]);
    assert_eq!(rig.screens.events.lock().as_slice(), [("mon-01".to_owned(), SessionEvent::Online)]);
    drop(client);
    until(|| rig.screens.events.lock().len() == 2).await;
    assert_eq!(rig.screens.events.lock()[1].1, SessionEvent::Offline);
}

#[tokio::test]
async fn acknowledgements_of_a_long_burst_come_in_order() {
    for v in [V::Four, V::Five] {
        let rig = Rig::new();
        let mut client = rig.open(v, "mon-01").await;
        // 90 messages of 1 KiB, more than one read and many TLS records, cut anywhere.
        let burst: Vec<u8> = (1..=90)
            .flat_map(|id| {
                let mut payload = beat_at(60, 200 - u64::from(id));
                payload.resize(1024, b' ');
                publish(v, OWN, Some(id), &payload)
            })
            .collect();
        for piece in burst.chunks(7_001) {
            client.send(piece).await;
        }
        for id in 1..=90u16 {
            assert_eq!(client.packet().await, Some((PUBACK, id.to_be_bytes().to_vec())), "{v:?}");
        }
        assert_eq!(rig.readings.steps().len(), 90);
    }
}

#[tokio::test]
async fn who_is_not_one_of_ours_is_refused_before_any_mqtt() {
    let rig = Rig::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let (from, to) = past();
    let revoked = rig.papers("mon-02");
    rig.revocations.revoke(revoked.issued.serial);
    let stranger = papers(&authority(elsewhere.path()), "mon-01", real_now() - 60, real_now() + 3_600);
    let expired = papers(&rig.authority, "mon-01", from, to);
    for (shown, why) in [
        (None, Refusal::NoCertificate),
        (Some(&stranger), Refusal::WrongCa),
        (Some(&expired), Refusal::Expired),
        (Some(&revoked), Refusal::Revoked),
    ] {
        // In TLS 1.3 the client learns of it with its first read.
        if let Ok(mut tls) = rig.tls(shown).await {
            let _ = tls.write_all(&connect(V::Five, "mon-01")).await;
            let mut answer = Vec::new();
            let read = within(tls.read_to_end(&mut answer)).await;
            assert!(read.is_err() && answer.is_empty(), "{why:?}: {answer:02x?}");
        }
        until(|| rig.refused(why) == 1).await;
    }
    assert!(rig.screens.events.lock().is_empty());
}

#[tokio::test]
async fn something_that_is_not_tls_is_refused_and_counted() {
    let rig = Rig::new();
    let mut tcp = tokio::net::TcpStream::connect(rig.address()).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = within(tcp.read_to_end(&mut Vec::new())).await;
    until(|| rig.refused(Refusal::Handshake) == 1).await;
}

#[tokio::test]
async fn the_record_decides_whether_a_device_is_welcome() {
    let rig = Rig::new();
    let pump = papers_of(&rig.authority, "mon-01", "pump-p1", real_now() - 60, real_now() + 3_600);
    for (papers, id, why) in [
        (rig.papers("mon-09"), "mon-09", Refusal::UnknownDevice),
        (rig.papers("mon-03"), "mon-03", Refusal::UnknownDevice),
        (pump, "mon-01", Refusal::Certificate),
        (rig.papers("mon-01"), "mon-02", Refusal::ClientId),
    ] {
        let before = rig.refused(why);
        let mut tls = rig.tls(Some(&papers)).await.unwrap();
        tls.write_all(&connect(V::Five, id)).await.unwrap();
        let mut answer = Vec::new();
        within(tls.read_to_end(&mut answer)).await.unwrap();
        assert_eq!((answer[0], answer[3]), (0x20, why.reason()), "{why:?}");
        until(|| rig.refused(why) == before + 1).await;
    }
}

#[tokio::test]
async fn a_newer_connection_takes_over() {
    let rig = Rig::new();
    let mut old = rig.open(V::Five, "mon-01").await;
    let mut new = rig.open(V::Five, "mon-01").await;
    assert_eq!(old.packet().await, Some((DISCONNECT, vec![0x8e])));
    assert_eq!(old.packet().await, None);
    new.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
    assert_eq!(new.packet().await, Some((PUBACK, vec![0, 1])));
    until(|| rig.door.connections() == 1).await;
    assert_eq!((rig.refused(Refusal::TakenOver), rig.screens.events.lock().len()), (1, 1), "it never was offline");
}

#[tokio::test]
async fn revocation_cuts_the_session_within_two_seconds() {
    let rig = Rig::new();
    let id = DeviceId::new("mon-01").unwrap();
    for cut in 0..3 {
        let papers = rig.papers("mon-01");
        let mut client = rig.open_with(&papers, &connect(V::Five, "mon-01")).await;
        let begin = Instant::now();
        match cut {
            0 => assert!(rig.door.sessions().cut(&id, Refusal::Revoked)),
            1 => assert!(rig.door.sessions().cut_by_certificate(papers.issued.serial)),
            _ => rig.context.devices.store(Arc::new(devices(DeviceState::Revoked))),
        }
        assert_eq!(client.packet().await, Some((DISCONNECT, vec![0x87])));
        assert_eq!(client.packet().await, None);
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        until(|| rig.door.sessions().is_empty()).await;
    }
    assert!(!rig.door.sessions().cut(&id, Refusal::Revoked));
    assert_eq!(rig.refused(Refusal::Revoked), 3);
}

#[tokio::test]
async fn a_charter_reload_reaches_live_sessions() {
    let rig = Rig::new();
    let mut client = rig.open(V::Five, "mon-01").await;
    let mut fewer = Arc::into_inner(model_rules()).unwrap();
    fewer.streams.clear();
    rig.context.rules.store(Arc::new(rules(Some(Arc::new(fewer)))));
    client.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
    assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1, 0x87])));
    rig.context.rules.store(Arc::new(rules(None)));
    client.send(&publish(V::Five, OWN, Some(2), &beat(60))).await;
    assert_eq!(client.packet().await, Some((DISCONNECT, vec![0x98])));
}

#[tokio::test]
async fn a_change_of_patient_reaches_live_sessions() {
    let rig = Rig::new();
    let mut client = rig.open(V::Five, "mon-01").await;
    rig.context.bindings.store(Arc::default());
    client.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
    assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1, 0x87])));
    assert_eq!(rig.refused(Refusal::Unbound), 1);
}

#[tokio::test]
async fn without_a_store_the_screens_go_on_and_nothing_is_acknowledged() {
    for (error, code, why) in [
        (AppendError::DiskFull, 0x97, Refusal::DiskFull),
        (AppendError::DiskFailed, 0x83, Refusal::StoreFailed),
        (AppendError::Behind, 0x97, Refusal::StoreBehind),
        (AppendError::NoKey, 0x83, Refusal::NoKey),
    ] {
        let rig = Rig::new();
        rig.readings.answer_with(Some(error));
        let mut client = rig.open(V::Five, "mon-01").await;
        client.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
        assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1, code])));
        assert_eq!((rig.refused(why), rig.screens.values.lock().len()), (1, 1));
        rig.readings.answer_with(None);
        client.send(&publish(V::Five, OWN, Some(1), &beat_at(60, 5))).await;
        assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1])));
    }
}

#[tokio::test]
async fn a_store_that_fails_later_is_told_to_who_waits() {
    let rig = Rig::new();
    rig.readings.hold();
    let mut five = rig.open(V::Five, "mon-01").await;
    let mut four = rig.open(V::Four, "mon-02").await;
    five.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
    four.send(&publish(V::Four, "obhut/mon-02/senml", Some(1), &beat(60))).await;
    until(|| rig.screens.values.lock().len() == 2).await;
    rig.readings.fail();
    assert_eq!(five.packet().await, Some((PUBACK, vec![0, 1, 0x83])));
    assert_eq!(four.packet().await, None);
}

#[tokio::test]
async fn stopping_acknowledges_first_and_says_goodbye() {
    let rig = Rig::new();
    rig.readings.hold();
    let mut client = rig.open(V::Five, "mon-01").await;
    client.send(&publish(V::Five, OWN, Some(1), &beat(60))).await;
    until(|| rig.screens.values.lock().len() == 1).await;
    let (readings, address) = (rig.readings.clone(), rig.address());
    let stopped = tokio::spawn(rig.door.stop(Duration::from_secs(10)));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    readings.release();
    assert_eq!(client.packet().await, Some((PUBACK, vec![0, 1])));
    assert_eq!(client.packet().await, Some((DISCONNECT, vec![0x8b])));
    assert_eq!(client.packet().await, None);
    drop(client);
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn who_dawdles_is_closed() {
    let short = Duration::from_millis(200);
    let rig = Rig::with(|limits| {
        limits.handshake_time_max = short;
        limits.connect_time_max = short;
    });
    let mut silent = tokio::net::TcpStream::connect(rig.address()).await.unwrap();
    let _ = within(silent.read(&mut [0; 16])).await;
    until(|| rig.refused(Refusal::Slow) == 1).await;
    let mut tls = rig.tls(Some(&rig.papers("mon-01"))).await.unwrap();
    tls.write_all(&[0x10]).await.unwrap();
    let _ = within(tls.read_to_end(&mut Vec::new())).await;
    until(|| rig.refused(Refusal::Slow) == 2).await;
}

#[tokio::test]
async fn silence_beyond_the_keep_alive_ends_the_session() {
    let rig = Rig::new();
    let packet = crate::packets::connect_with(V::Five, "mon-01", 2, 1, &[], &[]);
    let mut client = rig.open_with(&rig.papers("mon-01"), &packet).await;
    assert_eq!(client.packet().await, Some((DISCONNECT, vec![0x8d])));
    assert_eq!(rig.refused(Refusal::KeepAlive), 1);
}

#[tokio::test]
async fn a_certificate_that_ends_ends_its_session() {
    let rig = Rig::new();
    let papers = papers(&rig.authority, "mon-01", real_now() - 60, real_now() + 2);
    let mut client = rig.open_with(&papers, &connect(V::Five, "mon-01")).await;
    assert_eq!(client.packet().await, Some((DISCONNECT, vec![0xa0])));
    assert_eq!(rig.refused(Refusal::Expired), 1);
}

#[tokio::test]
async fn one_address_cannot_take_every_connection() {
    let rig = Rig::with(|limits| limits.connections_per_address_max = 2);
    let first = rig.open(V::Five, "mon-01").await;
    let _second = rig.open(V::Five, "mon-02").await;
    assert!(rig.tls(Some(&rig.papers("mon-01"))).await.is_err());
    until(|| rig.refused(Refusal::TooManyConnections) == 1).await;
    drop(first);
    until(|| rig.door.connections() == 1).await;
    rig.open(V::Five, "mon-01").await;
}

#[tokio::test]
async fn commands_reach_the_device_that_listens() {
    let rig = Rig::new();
    let id = DeviceId::new("mon-01").unwrap();
    assert_eq!(rig.door.sessions().send_command(&id, b"x"), Err(CommandError::Offline));
    let mut client = rig.open(V::Five, "mon-01").await;
    assert_eq!(rig.door.sessions().send_command(&id, b"x"), Err(CommandError::NotListening));
    client.send(&subscribe(V::Five, 1, &["obhut/mon-01/command"])).await;
    assert_eq!(client.packet().await, Some((9, vec![0, 1, 0, 1])));
    rig.door.sessions().send_command(&id, b"renew").unwrap();
    let (kind, body) = client.packet().await.unwrap();
    assert!(kind == 3 && body.ends_with(b"renew") && body[2..].starts_with(b"obhut/mon-01/command"));
}

#[tokio::test]
async fn too_many_messages_are_refused_for_now() {
    let rig = Rig::new();
    let mut client = rig.open(V::Five, "mon-01").await;
    let mut codes = Vec::new();
    for id in 1..=1_100u32 {
        client.send(&publish(V::Five, OWN, Some(1), &beat_at(60, 100_000 - u64::from(id)))).await;
        codes.push(client.packet().await.unwrap().1.get(2).copied().unwrap_or(0));
    }
    assert!(codes[..1_000].iter().all(|code| *code == 0));
    assert!(codes[1_000..].contains(&0x97));
    assert!(rig.refused(Refusal::RateMessages) > 0);
}

#[tokio::test]
async fn a_dropped_door_stops() {
    let rig = Rig::new();
    let mut client = rig.open(V::Five, "mon-01").await;
    drop(rig.door);
    assert_eq!(client.packet().await, Some((DISCONNECT, vec![0x8b])));
}
