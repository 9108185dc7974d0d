//! Names, birth dates, record numbers and a pattern of samples are planted; nothing the server writes or says gives them away, and after an erasure
//! the readings are gone.

use crate::door::live;
use crate::support::{PATIENCE, Server, block_on, demo_charter, obhut, serial_of, until};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures_util::StreamExt as _;
use obhut_agent::agent::{Agent, Endpoints};
use obhut_agent::est::{self, EstServer};
use obhut_agent::state::{Device, StateDir};
use obhut_agent::time::SystemClock;
use obhut_model::{Code, Decimal, DeviceId, DeviceTime, Quality, SampleRate, Samples, Scale};
use obhut_wire::{RawNumeric, RawWave};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NAME: &str = "Zyxandra Querflöth-Planthagen";
const FAMILY: &str = "Querflöth-Planthagen";
const BIRTH_DATE: &str = "1913-07-29";
const BIRTH_DATE_GERMAN: &str = "29.07.1913";
const RECORD_NUMBER: &str = "PLNT-7731942-XQ";
const DIGITS: &str = "7731942";
const BED: &str = "bed-05";

/// Ten seconds of samples that nobody else would write: all bits of a scrambled counter, so that no compression leaves a run of them as it was.
fn pattern() -> Vec<i16> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i16::from_le_bytes([(state >> 16) as u8, (state >> 24) as u8]).max(-32_000)
    };
    std::iter::repeat_with(next).take(2_500).collect()
}

/// A needle and what it is called when it is found.
pub(crate) type Needle = (String, Vec<u8>);

/// A text as it might have been written.
pub(crate) fn written(text: &str) -> Vec<Needle> {
    let utf8 = text.as_bytes();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let hex = |upper: bool| {
        let digits: String = utf8.iter().map(|byte| format!("{byte:02x}")).collect();
        if upper { digits.to_uppercase() } else { digits }
    };
    let mut needles = vec![
        (format!("{text} in UTF-8"), utf8.to_vec()),
        (format!("{text} in Latin-1"), text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()),
        (format!("{text} in UTF-16LE"), utf16(u16::to_le_bytes)),
        (format!("{text} in UTF-16BE"), utf16(u16::to_be_bytes)),
        (format!("{text} in hexadecimal"), hex(false).into_bytes()),
        (format!("{text} in HEXADECIMAL"), hex(true).into_bytes()),
    ];
    // Base64 of a text inside another looks one of three ways; the ends depend on the neighbours.
    for shift in 0..3 {
        let padded: Vec<u8> = std::iter::repeat_n(b' ', shift).chain(utf8.iter().copied()).collect();
        let encoded = STANDARD_NO_PAD.encode(&padded);
        let middle = &encoded[[0, 2, 3][shift]..encoded.len() - 1];
        needles.push((format!("{text} in base64 + {shift}"), middle.as_bytes().to_vec()));
    }
    needles
}

pub(crate) fn identity() -> Vec<Needle> {
    [NAME, FAMILY, BIRTH_DATE, BIRTH_DATE_GERMAN, RECORD_NUMBER, DIGITS].into_iter().flat_map(written).collect()
}

/// Any eight samples in a row of every hundred.
pub(crate) fn samples() -> Vec<Needle> {
    let mut needles = Vec::new();
    for (at, eight) in pattern().windows(8).enumerate().step_by(100) {
        let le: Vec<u8> = eight.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let be: Vec<u8> = eight.iter().flat_map(|sample| sample.to_be_bytes()).collect();
        needles.push((format!("samples from {at}, base64"), STANDARD.encode(&le).as_bytes()[..20].to_vec()));
        needles.push((
            format!("samples from {at}, hexadecimal"),
            le.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes(),
        ));
        needles.push((
            format!("samples from {at}, decimal"),
            eight.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").into_bytes(),
        ));
        needles.push((format!("samples from {at}, little-endian"), le));
        needles.push((format!("samples from {at}, big-endian"), be));
    }
    needles
}

/// Everything that is found in `bytes`.
pub(crate) fn found(place: &str, bytes: &[u8], needles: &[Needle]) -> Vec<String> {
    // Hardly any two bytes begin a needle: look closer only where one could begin.
    let two = |bytes: &[u8]| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let mut begins = vec![false; 1 << 16];
    needles.iter().for_each(|(_, needle)| begins[two(needle)] = true);
    let mut hits = Vec::new();
    for (at, pair) in bytes.windows(2).enumerate() {
        if begins[two(pair)] {
            let here = needles.iter().filter(|(_, needle)| bytes[at..].starts_with(needle));
            hits.extend(here.map(|(what, _)| format!("{place}: {what}")));
        }
    }
    hits
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(files(&entry.path()));
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    all
}

fn found_below(folder: &Path, needles: &[Needle]) -> Vec<String> {
    let looked_at = files(folder);
    assert!(looked_at.len() >= 5, "{looked_at:?}");
    let in_names =
        looked_at.iter().flat_map(|path| found("a file's name", path.as_os_str().as_encoded_bytes(), needles));
    // A file may go away meanwhile: the store rotates its journals.
    let in_bytes = looked_at
        .iter()
        .filter_map(|path| Some(found(&path.display().to_string(), &std::fs::read(path).ok()?, needles)));
    in_names.chain(in_bytes.flatten()).collect()
}

fn none(hits: Vec<String>) {
    assert!(hits.is_empty(), "{hits:#?}");
}

pub(crate) fn now() -> DeviceTime {
    DeviceTime::from_micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

/// A device with an agent, as it would stand at a bed. Its state lies outside the server's data directory.
pub(crate) async fn device(server: &Server, name: &str, token: &str) -> Agent {
    let at = EstServer { host: "localhost".to_owned(), port: server.https.port() };
    let itself = Device {
        id: DeviceId::new(name).unwrap(),
        serial: serial_of(name),
        enrolment_host: at.host.clone(),
        enrolment_port: at.port,
    };
    let enrolled = est::enrol(&at, server.fingerprint.parse().unwrap(), &itself, token).await.unwrap();
    let state = server.dir.path().join(name);
    StateDir::open(&state).unwrap().enrol(&itself, &enrolled.root, enrolled.identity_pem.as_bytes()).unwrap();
    let endpoints =
        Endpoints { gateway_host: "localhost".to_owned(), gateway_port: server.gateway.port(), enrolment: Some(at) };
    Agent::builder(state, endpoints, Arc::new(SystemClock::default())).start().unwrap()
}

/// Offers ten seconds of the pattern and a heart rate, measured just now.
pub(crate) fn offer(agent: &Agent) {
    let (values, start) = (pattern(), now().plus_micros(-10_000_000));
    let rate = SampleRate::from_hertz(250).unwrap();
    for (index, block) in values.chunks(250).enumerate() {
        let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let start = start.plus_micros(1_000_000 * index as i64);
        let wave = RawWave {
            code: Code::ECG_LEAD_II,
            start,
            rate,
            scale: Scale { gain: 1000.0, baseline: 0 },
            quality: Quality::GOOD,
            samples: Samples::from_le_bytes(&bytes).unwrap(),
        };
        let beats = RawNumeric {
            code: Code::ECG_HEART_RATE,
            taken_at: start,
            value: Some(Decimal::new(71, 0).unwrap()),
            quality: Quality::GOOD,
        };
        agent.offer(&[beats], &[wave]).unwrap();
    }
}

pub(crate) async fn settled(agent: &Agent) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while agent.stats().pending > 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", agent.stats());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn typed() -> String {
    json!({"name": NAME, "birth_date": BIRTH_DATE, "record_number": RECORD_NUMBER}).to_string()
}

#[test]
fn what_is_planted_is_found_nowhere() {
    let server = Server::start_saying(tempfile::tempdir().unwrap(), &demo_charter(), "trace");
    let (identity, samples) = (identity(), samples());
    let everything: Vec<Needle> = identity.iter().chain(&samples).cloned().collect();

    // The search finds what is there.
    let canary = server.dir.path().join("canary");
    std::fs::create_dir(&canary).unwrap();
    for n in 0..5 {
        let bytes: Vec<u8> = pattern().iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(
            canary.join(format!("{n}")),
            [NAME.as_bytes(), b" ", STANDARD.encode(typed()).as_bytes(), &bytes].concat(),
        )
        .unwrap();
    }
    let hits = found_below(&canary, &everything).join("\n");
    for expected in ["in UTF-8", "in base64", "little-endian"] {
        assert!(hits.contains(expected), "{expected} is not found");
    }
    std::fs::remove_dir_all(&canary).unwrap();

    let bound = server.try_run(&["patient", "bind", "--bed", BED, "--from=-1m"], &typed());
    assert!(bound.status.success(), "{}", String::from_utf8_lossy(&bound.stderr));
    let bound: serde_json::Value = serde_json::from_slice(&bound.stdout).unwrap();
    let subject = bound["subject"].as_str().unwrap().to_owned();
    let token = server.invite("mon-05", "monitor-m1", None);
    server.run(&["device", "bind", "mon-05", "--bed", BED, "--from=-1m"]);
    let page = block_on(async {
        let (mut page, _) = live(&server).await;
        let agent = device(&server, "mon-05", &token).await;
        offer(&agent);
        settled(&agent).await;
        let mut seen = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            while let Some(Ok(message)) = page.next().await {
                seen.extend_from_slice(&message.into_data());
            }
        })
        .await;
        agent.shutdown().await;
        seen
    });
    assert!(page.len() > 1_000, "{}", page.len());
    none(found("the live stream", &page, &identity));

    // Kept, whole, and readable by who may.
    let csv = server.text(&["readings", "export", "--bed", BED, "--code", "MDC_ECG_ELEC_POTL_II", "--format", "csv"]);
    let values: Vec<f64> = csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse().unwrap()).collect();
    let expected: Vec<f64> = pattern().iter().map(|sample| f64::from(*sample) / 1000.0).collect();
    assert_eq!(values, expected);

    none(found_below(&server.data(), &everything));
    let metrics = server.admin("/metrics").1;
    assert!(metrics.contains("obhut_"), "{metrics}");
    none(found("the metrics", metrics.as_bytes(), &everything));
    assert!(!metrics.contains(&subject), "a pseudonym is personal data too");
    for said in [
        &["bed", "list"][..],
        &["device", "list"],
        &["device", "show", "mon-05"],
        &["readings", "list", "--bed", BED],
        &["doctor"],
    ] {
        let said = server.try_run(said, "");
        none(found("the command line", &[said.stdout, said.stderr].concat(), &everything));
    }
    for path in ["/v1/status", "/v1/charter", "/v1/beds", "/v1/devices"] {
        none(found(path, server.admin(path).1.as_bytes(), &everything));
    }

    // Refusals repeat nothing of what was typed.
    let other_date = json!({"name": NAME, "birth_date": "1914-01-01", "record_number": RECORD_NUMBER}).to_string();
    let broken = format!("{{\"name\": \"{NAME}\", \"birthdate\": \"{BIRTH_DATE}\"}}");
    for (bed, typed) in [(BED, &other_date), ("bed-06", &other_date), ("bed-06", &broken), ("bed-77", &other_date)] {
        let refused = server.try_run(&["patient", "bind", "--bed", bed], typed);
        assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
        none(found("a refusal", &[refused.stdout, refused.stderr].concat(), &everything));
    }

    // Something only the finest log speaks of: the log does say everything it can.
    std::io::Write::write_all(&mut std::net::TcpStream::connect(server.gateway).unwrap(), b"no TLS at all").unwrap();
    until("the log says everything it can", PATIENCE, || server.log().contains("DEBUG").then_some(()));
    none(found("the log", server.log().as_bytes(), &everything));
    // Libraries would write out what passes through them, frames of the live stream among it.
    let fine = |line: &&str| line.contains(" DEBUG ") || line.contains(" TRACE ");
    let others = server.log().lines().filter(fine).find(|line| !line.contains(" obhut")).map(str::to_owned);
    assert_eq!(others, None);
    let dir = server.stop();
    none(found_below(&dir.path().join("data"), &everything));
    none(found("the log", &std::fs::read(dir.path().join("log")).unwrap(), &everything));

    // Tools without a server see the same readings, and write no more than the server did.
    let offline = obhut(&dir.path().join("data")).args(["readings", "list", "--bed", BED]).output().unwrap();
    assert!(offline.status.success(), "{}", String::from_utf8_lossy(&offline.stderr));
    none(found_below(&dir.path().join("data"), &everything));
}

#[test]
fn an_erased_patient_is_gone() {
    let server = Server::start();
    let bound = server.try_run(&["patient", "bind", "--bed", BED, "--from=-1m"], &typed());
    assert!(bound.status.success(), "{}", String::from_utf8_lossy(&bound.stderr));
    let bound: serde_json::Value = serde_json::from_slice(&bound.stdout).unwrap();
    let subject = bound["subject"].as_str().unwrap();
    let neighbour = server.admit("bed-06");
    let token = server.invite("mon-05", "monitor-m1", None);
    server.run(&["device", "bind", "mon-05", "--bed", BED, "--from=-1m"]);
    block_on(async {
        let agent = device(&server, "mon-05", &token).await;
        offer(&agent);
        settled(&agent).await;
        assert_eq!(server.run(&["readings", "list", "--subject", subject])["readings"].as_array().unwrap().len(), 2);

        let refused = server.try_run(&["patient", "erase", subject], "");
        assert_eq!(refused.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--yes"));
        assert_eq!(server.run(&["readings", "list", "--subject", subject])["readings"].as_array().unwrap().len(), 2);

        server.run(&["patient", "unbind", "--bed", BED]);
        let erased = server.run(&["patient", "erase", subject, "--record-kept-at", "KIS", "--yes"]);
        assert_eq!(erased["subject"], subject);
        let beds = server.run(&["bed", "list"]);
        let bed = |id: &str| beds["beds"].as_array().unwrap().iter().find(|bed| bed["id"] == id).unwrap().clone();
        assert!(bed(BED)["subject"].is_null(), "{}", bed(BED));
        assert_eq!(bed("bed-06")["subject"], neighbour, "the neighbour stays");
        let list = server.try_run(&["readings", "list", "--subject", subject], "");
        let nothing =
            list.status.code() == Some(3) || String::from_utf8_lossy(&list.stdout).contains("\"readings\":[]");
        assert!(nothing, "{}", String::from_utf8_lossy(&list.stdout));
        let export = server.try_run(&["readings", "export", "--subject", subject, "--format", "csv"], "");
        assert!(export.status.code() == Some(3) || String::from_utf8_lossy(&export.stdout).lines().count() <= 1);

        // What the device still has of that stay is nobody's now.
        let refused_before: u64 = server.refused().values().sum();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let beats = RawNumeric {
            code: Code::ECG_HEART_RATE,
            taken_at: now(),
            value: Some(Decimal::new(72, 0).unwrap()),
            quality: Quality::GOOD,
        };
        agent.offer(&[beats], &[]).unwrap();
        until("what comes later is refused", PATIENCE, || {
            (server.refused().values().sum::<u64>() > refused_before).then_some(())
        });
        agent.shutdown().await;
    });
    let dir = server.stop();
    none(found_below(&dir.path().join("data"), &identity()));
}
