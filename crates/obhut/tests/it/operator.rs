//! The command line as an operator meets it: what it teaches, what it refuses and with which exit code, with a server and without, and how a
//! server starts, reloads and ends.

use crate::support::{PATIENCE, Server, demo_charter, obhut, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const REFUSED: i32 = 3;
const NO_SERVER: i32 = 4;
const CHARTER: i32 = 5;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs the command line on a directory with the given standard input.
fn run(data: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut command = obhut(data);
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    child.wait_with_output().unwrap()
}

fn json(data: &Path, arguments: &[&str], typed: &str) -> Value {
    let done = run(data, arguments, typed);
    assert!(done.status.success(), "{arguments:?}: {}", stderr(&done));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Checks a refusal: its exit code, and words of what is said and of what to do next.
fn refused(data: &Path, arguments: &[&str], typed: &str, code: i32, words: &str) {
    let done = run(data, arguments, typed);
    let said = stderr(&done);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {said}{}", stdout(&done));
    let last = said.lines().last().unwrap_or_default();
    let object: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{arguments:?}: {said}"));
    assert!(said.contains(words), "{arguments:?}: {said}");
    assert!(object["hint"].is_string(), "{arguments:?} says what to do next: {said}");
}

fn row<'a>(answer: &'a Value, list: &str, id: &str) -> &'a Value {
    answer[list]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not in {answer}"))
}

/// A charter in a file of its own, so that it can be changed.
fn own_charter(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("charter.toml");
    std::fs::copy(demo_charter(), &path).unwrap();
    path
}

/// Every command, found by asking for help as a person would.
fn commands(prefix: &[String], all: &mut Vec<Vec<String>>) {
    let help = Command::new(env!("CARGO_BIN_EXE_obhut")).args(prefix).arg("--help").output().unwrap();
    assert!(help.status.success(), "{prefix:?}");
    all.push(prefix.to_vec());
    let help = stdout(&help);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Two spaces before a name, more before the rest of a long description.
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let deeper: Vec<String> = prefix.iter().cloned().chain([name.to_owned()]).collect();
        commands(&deeper, all);
    }
}

#[test]
fn every_command_teaches_by_example() {
    let mut all = Vec::new();
    commands(&[], &mut all);
    assert!(all.len() >= 25, "{all:?}");
    for command in &all {
        let help = stdout(&Command::new(env!("CARGO_BIN_EXE_obhut")).args(command).arg("--help").output().unwrap());
        assert!(help.contains("Example") || help.contains("echo '"), "{command:?} shows no example:\n{help}");
        let call = format!("obhut {}", command.join(" "));
        let calls = help.contains(call.trim_end()) || help.contains(&command.join(" "));
        assert!(calls, "{command:?}: the example is not of this command:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 170), "{command:?} is too wide:\n{help}");
    }
    let wrong = Command::new(env!("CARGO_BIN_EXE_obhut")).args(["device", "lst"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("list"), "{}", stderr(&wrong));
}

#[test]
fn a_charter_is_checked_before_it_rules() {
    let dir = tempfile::tempdir().unwrap();
    let charter = own_charter(&dir);
    let name = charter.to_str().unwrap();
    let sound = json(dir.path(), &["charter", "check", name], "");
    assert_eq!(
        (sound["sound"].as_bool(), sound["fingerprint"].as_str().map(str::len)),
        (Some(true), Some(64)),
        "{sound}"
    );

    let broken =
        std::fs::read_to_string(&charter).unwrap().replacen("purpose = \"monitoring\"", "purpose = \"monitorin\"", 1);
    let line = broken.lines().position(|line| line.contains("monitorin\"")).unwrap() + 1;
    std::fs::write(&charter, broken).unwrap();
    let check = run(dir.path(), &["charter", "check", name], "");
    assert_eq!(check.status.code(), Some(CHARTER));
    let found: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((&found["sound"], &found["fingerprint"]), (&Value::Bool(false), &Value::Null));
    let problem = &found["problems"][0];
    assert_eq!((problem["severity"].as_str(), problem["line"].as_u64()), (Some("error"), Some(line as u64)), "{found}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("monitoring")), "{problem}");
    for command in ["explain", "check"] {
        assert_eq!(run(dir.path(), &["charter", command, name], "").status.code(), Some(CHARTER), "{command}");
    }
    // For people there is the line itself with a mark below.
    let text = Command::new(env!("CARGO_BIN_EXE_obhut")).args(["charter", "check", name]).output().unwrap();
    assert!(stdout(&text).contains("monitorin") && stdout(&text).contains('^'), "{}", stdout(&text));
    assert_eq!(text.status.code(), Some(CHARTER));

    let missing = run(dir.path(), &["charter", "check", "nowhere.toml"], "");
    assert_eq!(missing.status.code(), Some(1), "{}", stderr(&missing));
    let demo = demo_charter();
    for lang in ["de", "en"] {
        let said = Command::new(env!("CARGO_BIN_EXE_obhut"))
            .args(["--lang", lang, "charter", "explain"])
            .arg(&demo)
            .output()
            .unwrap();
        let word = if lang == "de" { "Herzfrequenz" } else { "heart rate" };
        assert!(stdout(&said).to_lowercase().contains(&word.to_lowercase()), "{}", stdout(&said));
    }
}

/// Devices, beds and patients; the same with a server and without.
fn an_operators_day(data: &Path) {
    let invited =
        json(data, &["device", "invite", "--model", "monitor-m1", "--serial", "SN-4711", "--bed", "bed-03"], "");
    assert_eq!(invited["devices"][0]["id"], "sn-4711");
    assert!(invited["devices"][0]["token"].as_str().is_some_and(|token| token.len() >= 20), "{invited}");
    refused(data, &["device", "invite", "--model", "monitor-m9", "--serial", "SN-1"], "", REFUSED, "monitor-m9");
    refused(
        data,
        &["device", "invite", "--model", "monitor-m1", "--serial", "SN 1/2"],
        "",
        REFUSED,
        "not a device name",
    );
    let list = json(data, &["device", "list"], "");
    let device = row(&list, "devices", "sn-4711");
    assert_eq!((&device["state"], &device["bed"]), (&"invited".into(), &"bed-03".into()), "{device}");
    let shown = json(data, &["device", "show", "sn-4711"], "");
    assert!(shown["may_send"].as_array().is_some_and(|rows| rows.len() > 10), "{shown}");
    refused(data, &["device", "show", "nobody"], "", REFUSED, "nobody");

    refused(data, &["device", "bind", "sn-4711", "--bed", "bed-04"], "", REFUSED, "stands at bed `bed-03`");
    json(data, &["device", "unbind", "sn-4711"], "");
    assert_eq!(json(data, &["device", "bind", "sn-4711", "--bed", "bed-04"], "")["bed"], "bed-04");
    refused(data, &["device", "bind", "sn-4711", "--bed", "bed-99"], "", REFUSED, "bed-99");
    refused(data, &["device", "bind", "nobody", "--bed", "bed-04"], "", REFUSED, "nobody");
    let beds = json(data, &["bed", "list"], "");
    assert_eq!(row(&beds, "beds", "bed-04")["devices"][0], "sn-4711");
    json(data, &["device", "unbind", "sn-4711"], "");
    refused(data, &["device", "unbind", "sn-4711"], "", REFUSED, "sn-4711");
    assert!(row(&json(data, &["bed", "list"], ""), "beds", "bed-04")["devices"].as_array().unwrap().is_empty());

    let anna = r#"{"name": "Anna Muster", "birth_date": "1950-01-31", "record_number": "M-1"}"#;
    let other_birth = anna.replace("1950", "1951");
    let erika = anna.replace("M-1", "M-2");
    let subject = json(data, &["patient", "bind", "--bed", "bed-03"], anna)["subject"].as_str().unwrap().to_owned();
    assert_eq!(row(&json(data, &["bed", "list"], ""), "beds", "bed-03")["subject"], subject);
    refused(data, &["patient", "bind", "--bed", "bed-05"], &other_birth, REFUSED, "birth");
    refused(data, &["patient", "bind", "--bed", "bed-03"], &erika, REFUSED, "bed-03");
    refused(
        data,
        &["patient", "bind", "--bed", "bed-05"],
        &anna.replace("1950-01-31", "31.1.1950"),
        REFUSED,
        "birth date",
    );
    refused(data, &["patient", "bind", "--bed", "bed-05"], "Anna Muster", REFUSED, "standard input");
    refused(data, &["patient", "bind", "--bed", "bed-05"], r#"{"name": "Anna"}"#, REFUSED, "birth_date");
    refused(data, &["patient", "bind", "--bed", "bed-05"], &anna.replace("\"M-1\"", "17"), REFUSED, "not understood");
    refused(data, &["patient", "bind", "--bed", "bed-99"], anna, REFUSED, "bed-99");
    refused(data, &["readings", "list", "--bed", "bed-05"], "", REFUSED, "bed-05");
    assert!(json(data, &["readings", "list", "--bed", "bed-03"], "")["readings"].as_array().unwrap().is_empty());
    refused(data, &["readings", "list", "--bed", "bed-03", "--code", "MDC_NOTHING"], "", REFUSED, "MDC_NOTHING");
    refused(data, &["patient", "erase", &subject], "", REFUSED, "cannot be taken back");
    refused(data, &["patient", "erase", "anna", "--yes"], "", REFUSED, "pseudonym");
    json(data, &["patient", "unbind", "--bed", "bed-03"], "");
    refused(data, &["patient", "unbind", "--bed", "bed-03"], "", REFUSED, "bed-03");
    // The same person comes again: the same pseudonym.
    assert_eq!(json(data, &["patient", "bind", "--bed", "bed-06"], anna)["subject"], subject);
    // Nobody is erased while being treated, nor before the treatment record is safe.
    refused(data, &["patient", "erase", &subject, "--yes"], "", REFUSED, "bed-06");
    json(data, &["patient", "unbind", "--bed", "bed-06"], "");
    refused(data, &["patient", "erase", &subject, "--yes"], "", REFUSED, "§ 630f(3) BGB");
    json(data, &["patient", "erase", &subject, "--record-kept-at", "KIS", "--yes"], "");
    assert!(row(&json(data, &["bed", "list"], ""), "beds", "bed-06")["subject"].is_null());

    refused(data, &["device", "revoke", "nobody", "--reason", "test"], "", REFUSED, "nobody");
    assert_eq!(json(data, &["device", "revoke", "sn-4711", "--reason", "lost"], "")["state"], "revoked");
    refused(data, &["device", "bind", "sn-4711", "--bed", "bed-04"], "", REFUSED, "revoked");
    refused(data, &["device", "invite", "--model", "monitor-m1", "--serial", "SN-4711"], "", REFUSED, "revoked");
}

#[test]
fn the_tools_do_the_same_with_a_server_and_without() {
    let server = Server::start();
    an_operators_day(&server.data());
    let dir = server.stop();
    let data = dir.path().join("data");
    refused(&data, &["link"], "", NO_SERVER, "running server");
    refused(&dir.path().join("elsewhere"), &["device", "list"], "", NO_SERVER, "no installation");
    let list = json(&data, &["device", "list"], "");
    assert_eq!(row(&list, "devices", "sn-4711")["state"], "revoked");

    // A fresh installation, this time with the tools alone.
    let server = Server::start();
    let dir = server.stop();
    an_operators_day(&dir.path().join("data"));
}

#[test]
fn a_bad_charter_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let charter = own_charter(&dir);
    let server = Server::start_in(dir, &charter);
    let charter = server.dir.path().join("charter.toml");
    let in_force = server.status()["charter"]["fingerprint"].clone();
    let good = std::fs::read_to_string(&charter).unwrap();
    let pid = Pid::from_raw(server.pid()).unwrap();
    let state = || server.status()["charter"].clone();

    std::fs::write(&charter, "schema = 1\nnmae = \"x\"\n").unwrap();
    refused(&server.data(), &["charter", "reload"], "", REFUSED, "nmae");
    assert_eq!((&state()["fingerprint"], &state()["state"]), (&in_force, &"reload_refused".into()));
    let doctor = server.try_run(&["doctor"], "");
    assert!(stdout(&doctor).contains("newest file was refused"), "{}", stdout(&doctor));

    // By signal the same: first mended, then broken again.
    let changed = good.replacen("name = \"Station 3\"", "name = \"Station 4\"", 1);
    assert_ne!(changed, good);
    std::fs::write(&charter, &changed).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    until("the mended charter rules", PATIENCE, || (state()["state"] == "in_force").then_some(()));
    let new = state()["fingerprint"].clone();
    assert_ne!(new, in_force);
    std::fs::write(&charter, "schema = 1\nnmae = \"x\"\n").unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    until("the broken one is refused", PATIENCE, || (state()["state"] == "reload_refused").then_some(()));
    assert_eq!(state()["fingerprint"], new);

    // A restart with the broken file goes on under the charter that ruled last, and says so.
    let dir = server.stop();
    let server = Server::start_in(dir, &charter);
    let status = server.status();
    assert_eq!((&status["charter"]["fingerprint"], &status["charter"]["state"]), (&new, &"reload_refused".into()));
    assert!(server.log().contains("the one in force before stays"), "{}", server.log());
    drop(server);

    // Without one that ever ruled, nothing starts and nothing is made.
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "schema = 1\n").unwrap();
    let data = dir.path().join("data");
    let started = run(
        &data,
        &["serve", "--https", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--charter", bad.to_str().unwrap()],
        "",
    );
    assert_eq!(started.status.code(), Some(CHARTER), "{}", stderr(&started));
    assert!(!data.join("store").exists());
}

#[test]
fn a_server_ends_cleanly_and_goes_on_where_it_was() {
    let server = Server::start();
    server.enrol("mon-01", "monitor-m1", Some("bed-01"));
    let subject = server.admit("bed-01");
    let root = std::fs::read(&server.root).unwrap();
    let dir = server.stop_by(Signal::INT);
    assert!(!dir.path().join("data/admin.sock").exists(), "the socket is removed");

    let server = Server::start_in(dir, &demo_charter());
    assert_eq!(std::fs::read(&server.root).unwrap(), root);
    assert_eq!(row(&server.run(&["device", "list"]), "devices", "mon-01")["state"], "enrolled");
    let beds = server.run(&["bed", "list"]);
    let bed = row(&beds, "beds", "bed-01");
    assert_eq!((&bed["subject"], &bed["devices"][0]), (&subject.into(), &"mon-01".into()));
}

#[test]
fn a_demonstration_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let play = || {
        let arguments = [
            "demo",
            "--headless",
            "--beds",
            "2",
            "--port",
            "0",
            "--gateway-port",
            "0",
            "--speed",
            "10",
            "--duration",
            "4s",
        ];
        let done = run(&data, &arguments, "");
        assert!(done.status.success(), "{}", stderr(&done));
    };
    let papers = |device: &str| json(&data, &["device", "show", device], "")["certificate"].clone();
    let times = || {
        let list = json(&data, &["readings", "list", "--bed", "bed-01"], "");
        let rows = list["readings"].as_array().unwrap();
        let row =
            rows.iter().find(|row| row["reference_id"] == "MDC_ECG_ELEC_POTL_II").unwrap_or_else(|| panic!("{list}"));
        (list["subject"].clone(), row["first"].as_i64().unwrap(), row["last"].as_i64().unwrap())
    };
    play();
    let (subject, first, last) = times();
    let before = (papers("mon-01"), papers("pump-02"));
    play();
    let again = times();
    assert_eq!((&again.0, again.1), (&subject, first), "the same patient, and what was stored before is still there");
    assert!(again.2 > last + 5_000_000, "{} {last}", again.2);
    assert_eq!((papers("mon-01"), papers("pump-02")), before, "nobody enrolled again");
    assert!(!data.join("admin.sock").exists());
}

#[test]
fn what_is_taken_is_refused_clearly() {
    let server = Server::start();
    let charter = demo_charter();
    let charter = charter.to_str().unwrap();
    let kept = std::fs::read(server.data().join("charter-in-force.toml")).unwrap();

    // Two servers on one directory: the first goes on, its socket and its charter untouched.
    let minimal = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charters/minimal.toml");
    let free = ["--https", "127.0.0.1:0", "--gateway", "127.0.0.1:0"];
    let second = run(&server.data(), &[&["serve", "--charter", minimal][..], &free].concat(), "");
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    assert!(stderr(&second).contains("in use by another server"), "{}", stderr(&second));
    assert_eq!(server.status()["ready"], true);
    assert_eq!(std::fs::read(server.data().join("charter-in-force.toml")).unwrap(), kept);

    // Taken ports, named with what to look for.
    let elsewhere = tempfile::tempdir().unwrap();
    let (https, gateway) = (server.https.to_string(), server.gateway.to_string());
    for (ports, taken) in [([https.as_str(), "127.0.0.1:0"], &https), (["127.0.0.1:0", gateway.as_str()], &gateway)] {
        let data = elsewhere.path().join("data");
        let third = run(&data, &["serve", "--charter", charter, "--https", ports[0], "--gateway", ports[1]], "");
        assert_eq!(third.status.code(), Some(1), "{}", stderr(&third));
        assert!(stderr(&third).contains(taken) && stderr(&third).contains("another server"), "{}", stderr(&third));
        assert!(!data.join("admin.sock").exists(), "nothing is left behind");
    }
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let server = Server::start();
    let find = |doctor: &Output, what: &str| {
        let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {report}"))
    };
    let doctor = server.try_run(&["doctor"], "");
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
    assert_eq!(
        (find(&doctor, "server")["grade"].as_str(), find(&doctor, "storage")["grade"].as_str()),
        (Some("good"), Some("good"))
    );
    assert_eq!(find(&doctor, "top key")["grade"], "warning");
    let dir = server.stop();
    let data = dir.path().join("data");
    let doctor = run(&data, &["doctor"], "");
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
    assert!(find(&doctor, "server")["found"].as_str().unwrap().contains("not running"));

    let open = |mode| std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    open(0o755);
    let doctor = run(&data, &["doctor"], "");
    assert_eq!(doctor.status.code(), Some(1), "{}", stdout(&doctor));
    assert_eq!(find(&doctor, "data directory")["grade"], "wrong");
    open(0o700);
    std::fs::write(data.join("obhut.toml"), "charte = \"x\"\n").unwrap();
    let doctor = run(&data, &["doctor"], "");
    assert_eq!((doctor.status.code(), find(&doctor, "configuration")["grade"].as_str()), (Some(1), Some("wrong")));
    std::fs::write(data.join("obhut.toml"), "").unwrap();
    std::fs::remove_file(data.join("top.key")).unwrap();
    let doctor = run(&data, &["doctor"], "");
    assert_eq!(doctor.status.code(), Some(1), "{}", stdout(&doctor));
    assert_eq!(find(&doctor, "top key")["grade"], "wrong");
    let arguments = ["serve", "--https", "127.0.0.1:0", "--gateway", "127.0.0.1:0"];
    let started = run(&data, &arguments, "");
    assert_eq!(started.status.code(), Some(1), "no server starts with another key: {}", stderr(&started));
    assert!(!data.join("top.key").exists(), "a doctor makes nothing");
}

#[test]
fn output_that_nobody_reads_on_is_no_trouble() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obhut"));
    command.args(["charter", "explain"]).arg(demo_charter());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(141), ""));
}
