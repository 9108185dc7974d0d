//! Keeping and letting go, with the real program: every file and table has a rule; one patient is erased and proved; a backup comes back without him;
//! a killed erasure is ended by the next start.

use crate::support::{PATIENCE, Server, demo_charter, obhut, until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const ERIKA: &str = r#"{"name":"Musterfrau, Erika","birth_date":"1964-08-12","record_number":"KIS-4711-X"}"#;

/// Every file below `dir` that holds one of `needles`.
fn hits(dir: &Path, needles: &[&[u8]]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(hits(&path, needles));
        } else if let Ok(bytes) = std::fs::read(&path)
            && needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == *needle))
        {
            out.push(path);
        }
    }
    out
}

fn bytes_of(subject: &str) -> Vec<u8> {
    (0..32).step_by(2).map(|at| u8::from_str_radix(&subject[at..at + 2], 16).unwrap()).collect()
}

fn bind(server: &Server, bed: &str, identity: &str) -> String {
    let done = server.try_run(&["patient", "bind", "--bed", bed, "--from=-1m"], identity);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    answer["subject"].as_str().unwrap().to_owned()
}

fn said(command: &mut Command) -> (bool, String) {
    let done = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success(), text)
}

/// Ends a server as a power cut would, and gives the directory back.
pub(crate) fn kill(mut server: Server) -> tempfile::TempDir {
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    drop(server);
    dir
}

#[test]
fn one_patient_goes_and_does_not_come_back_with_a_backup() {
    let server = Server::start();
    let (outside, data) = (tempfile::tempdir().unwrap(), server.data());
    let at = |name: &str| outside.path().join(name).display().to_string();
    let erika = bind(&server, "bed-03", ERIKA);
    let other = server.admit("bed-04");

    // The concept knows everything that lies there, and nothing is overdue.
    let concept = server.run(&["retention", "show"])["now"].clone();
    assert_eq!(concept["unknown"], serde_json::json!([]), "something is stored without a rule");
    assert_eq!(concept["overdue"], 0);
    assert!(concept["lines"].as_array().unwrap().iter().any(|line| line["kind"] == "identities" && line["kept"] == 2));

    // No backup without a key that lies elsewhere; then one, checked by an outsider's eye.
    let refused = server.try_run(&["backup", "create", "--to", &at("place")], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("recovery key"));
    server.run(&["backup", "key", "--to", &at("recovery.key")]);
    server.run(&["backup", "create", "--to", &at("place")]);
    let verify = ["backup", "verify", &at("place"), "--recovery-key", &at("recovery.key")].map(str::to_owned);
    assert!(said(obhut(&data).args(&verify)).0);

    // A hold stands in the way, then the ten years; then nothing does.
    let erase = ["erasure", "run", &erika, "--record-kept-at", "KIS", "--yes"];
    let in_bed = server.try_run(&erase, "");
    assert!(String::from_utf8_lossy(&in_bed.stderr).contains("bed-03"));
    server.run(&["patient", "unbind", "--bed", "bed-03"]);
    let hold = [
        "--reason",
        "expert opinion",
        "--number",
        "4 O 1/26",
        "--requester",
        "court",
        "--review",
        "2099-01-01T00:00:00Z",
    ];
    let held = server.run(&[["retention", "holds", "add", "--subject", &erika].as_slice(), &hold].concat());
    let refused = server.try_run(&erase, "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("legal hold"));
    let case = held["case"].as_str().unwrap();
    assert!(server.try_run(&["retention", "holds", "release", case, "--reason", "settled"], "").status.success());
    let refused = server.try_run(&["erasure", "run", &erika, "--yes"], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("§ 630f(3) BGB"));
    let done = server.run(&erase);
    assert!(done["key_destroyed_in"].as_u64().unwrap() < 1_000_000, "{done}");
    assert_eq!(done["copies"], serde_json::json!([{"reached": true, "until": done["copies"][0]["until"]}]));

    // The certificate holds offline, and no changed byte of it does.
    let case = done["case"].as_str().unwrap();
    let certificate = server.text(&["erasure", "certificate", case]);
    let file = PathBuf::from(at("erasure.json"));
    std::fs::write(&file, &certificate).unwrap();
    let key = done["public_key"].as_str().unwrap();
    let check = |file: &Path, subject: &str| {
        said(obhut(outside.path()).args(["erasure", "verify"]).arg(file).args(["--key", key, "--subject", subject]))
    };
    assert!(check(&file, &erika).0, "{}", check(&file, &erika).1);
    assert!(!check(&file, &other).0, "about another patient");
    for needle in [erika.as_str(), "Musterfrau", "KIS-4711"] {
        assert!(!certificate.contains(needle));
    }
    let mut state = 1_u64;
    for _ in 0..10_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bad = certificate.clone().into_bytes();
        let place = (state >> 33) as usize % bad.len();
        bad[place] ^= 1 << (state >> 29 & 7);
        let bad = String::from_utf8_lossy(&bad).into_owned();
        let good = obhut_retention::certificate::verify(&bad, key);
        assert!(good.is_err(), "byte {place}: {}", &bad[place.saturating_sub(20)..(place + 20).min(bad.len())]);
    }

    // Nothing of her is left, while the server runs and after; the ledger still holds.
    let raw = bytes_of(&erika);
    let needles: [&[u8]; 4] = [erika.as_bytes(), &raw, b"Musterfrau", b"KIS-4711-X"];
    assert_eq!(hits(&data.join("store"), &needles), Vec::<PathBuf>::new());
    let dir = server.stop();
    assert_eq!(hits(&dir.path().join("data"), &needles), Vec::<PathBuf>::new());
    let (good, text) = said(obhut(&dir.path().join("data")).args(["ledger", "verify", "--key", key]));
    assert!(good, "{text}");

    // The older backup comes back without her.
    let restored = outside.path().join("restored");
    let arguments =
        ["backup", "restore", "--from", &at("place"), "--recovery-key", &at("recovery.key")].map(str::to_owned);
    let (good, text) = said(obhut(&restored).args(&arguments));
    assert!(good, "{text}");
    assert_eq!(hits(&restored, &needles), Vec::<PathBuf>::new());
    let (good, text) = said(obhut(&restored).args(["ledger", "verify", "--key", key]));
    assert!(good, "{text}");
    let (good, text) = said(obhut(&restored).args(&arguments));
    assert!(!good && text.contains("not empty"), "{text}");
    std::fs::rename(&restored, outside.path().join("data")).unwrap();
    let server = Server::start_in(outside, &demo_charter());
    let beds = server.run(&["bed", "list"]);
    assert!(beds["beds"].as_array().unwrap().iter().any(|bed| bed["subject"] == other.as_str()));
    assert!(beds["beds"].as_array().unwrap().iter().all(|bed| bed["subject"] != erika.as_str()));
    assert_eq!(server.run(&["retention", "show"])["now"]["unknown"], serde_json::json!([]));
}

#[test]
fn a_killed_erasure_is_ended_by_the_next_start() {
    for round in 0..4_u64 {
        let server = Server::start();
        let erika = bind(&server, "bed-03", ERIKA);
        server.run(&["patient", "unbind", "--bed", "bed-03"]);
        let mut command = obhut(&server.data());
        command.args(["erasure", "run", &erika, "--record-kept-at", "KIS", "--yes"]);
        let mut running =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        // The decision is on record before anything is destroyed; from then on every instant is as good as any other.
        std::thread::sleep(std::time::Duration::from_millis(15 * round + 5));
        let dir = kill(server);
        let _ = running.wait();
        let server = Server::start_in(dir, &demo_charter());
        let list = server.run(&["erasure", "list"]);
        match list["erasures"].as_array().unwrap().as_slice() {
            // Killed before it was decided: she is there, whole.
            [] => assert!(server.try_run(&["readings", "list", "--subject", &erika], "").status.success()),
            [erasure] => {
                let case = erasure["case"].as_str().unwrap();
                until("the erasure is proved", PATIENCE, || {
                    server.try_run(&["erasure", "certificate", case], "").status.success().then_some(())
                });
                let raw = bytes_of(&erika);
                let data = server.data();
                assert_eq!(hits(&data.join("store"), &[erika.as_bytes(), &raw, b"Musterfrau"]), Vec::<PathBuf>::new());
            }
            more => panic!("{more:?}"),
        }
    }
}
