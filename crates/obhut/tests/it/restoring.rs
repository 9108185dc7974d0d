//! Killed while a backup is made, killed while one is restored, and a list of erasures that is lost: what is there is whole or is not there, and what was
//! said to be lost is written down.

use crate::faults::verified;
use crate::forgetting::kill;
use crate::house::{House, again};
use crate::support::{Server, demo_charter, obhut};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Directory entries, by name.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn said(command: &mut Command) -> (bool, String) {
    let done = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success(), text)
}

/// A place for backups beside a server's directory, and the key that opens them.
struct Outside {
    dir: tempfile::TempDir,
}

impl Outside {
    fn new(server: &Server) -> Self {
        let outside = Self { dir: tempfile::tempdir().unwrap() };
        server.run(&["backup", "key", "--to", &outside.at("recovery.key")]);
        outside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn restore(&self, into: &str, more: &[&str]) -> Command {
        let mut command = obhut(&self.path(into));
        command.args(["backup", "restore", "--from", &self.at("place"), "--recovery-key", &self.at("recovery.key")]);
        command.args(more);
        command
    }

    /// Every archive there is good, to the last byte.
    fn all_good(&self) {
        let mut command = obhut(&self.path("nothing"));
        command.args(["backup", "verify", &self.at("place"), "--recovery-key", &self.at("recovery.key")]);
        let (good, text) = said(&mut command);
        assert!(good, "{text}");
    }
}

#[test]
fn a_backup_is_whole_or_not_there() {
    let mut server = Server::start();
    let subject = server.admit("bed-03");
    let outside = Outside::new(&server);
    let mut whole = 0;
    for round in 0..6_u64 {
        let before = names(&outside.path("place")).len();
        let mut command = obhut(&server.data());
        command.args(["backup", "create", "--to", &outside.at("place")]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut making = command.spawn().unwrap();
        // Somewhere between the first byte and the last; later each time.
        std::thread::sleep(Duration::from_millis(12 * round + 8));
        let dir = kill(server);
        whole += u64::from(making.wait().unwrap().success());
        server = Server::start_in(dir, &demo_charter());
        if names(&outside.path("place")).len() > before && whole > 0 {
            outside.all_good();
        }
    }
    // The next one is made and read back, and restores to what the server has.
    server.run(&["backup", "create", "--to", &outside.at("place")]);
    outside.all_good();
    let (good, text) = said(&mut outside.restore("restored", &[]));
    assert!(good, "{text}");
    println!("6 kills while a backup was made, {whole} of them after its end; the next was whole");
    drop(server);
    let restored = tempfile::tempdir().unwrap();
    std::fs::rename(outside.path("restored"), restored.path().join("data")).unwrap();
    let server = Server::start_in(restored, &demo_charter());
    let beds = server.run(&["bed", "list"]);
    assert!(beds["beds"].as_array().unwrap().iter().any(|bed| bed["subject"] == subject.as_str()), "{beds}");
    assert_eq!(server.run(&["retention", "show"])["now"]["unknown"], serde_json::json!([]));
}

#[test]
fn a_restore_is_whole_or_not_there() {
    let server = Server::start();
    let subject = server.admit("bed-03");
    let gone = server.admit("bed-04");
    let outside = Outside::new(&server);
    server.run(&["backup", "create", "--to", &outside.at("place")]);
    server.run(&["patient", "unbind", "--bed", "bed-04"]);
    server.run(&["erasure", "run", &gone, "--record-kept-at", "KIS", "--yes"]);
    let key = server.run(&["erasure", "list"])["public_key"].as_str().unwrap().to_owned();
    drop(server);

    let (mut broken, mut done) = (0, 0);
    for round in 0..12_u64 {
        let into = format!("restored-{round}");
        let mut command = outside.restore(&into, &[]);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(25 * round + 5));
        let _ = running.kill();
        let _ = running.wait();
        if outside.path(&into).exists() {
            // It had taken its place: then it is whole, and she is not in it.
            done += 1;
            verified(&outside.path(&into), &key);
            let (good, text) = said(&mut outside.restore(&into, &[]));
            assert!(!good && text.contains("not empty"), "{text}");
        } else {
            broken += 1;
            let (good, text) = said(&mut outside.restore(&into, &[]));
            assert!(good, "round {round}: {text}");
        }
        let left: Vec<String> = names(outside.dir.path()).into_iter().filter(|name| name.starts_with('.')).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
        let restored = tempfile::tempdir().unwrap();
        std::fs::rename(outside.path(&into), restored.path().join("data")).unwrap();
        let server = Server::start_in(restored, &demo_charter());
        let beds = server.run(&["bed", "list"]);
        let lies = |subject: &str| beds["beds"].as_array().unwrap().iter().any(|bed| bed["subject"] == subject);
        assert!(lies(&subject) && !lies(&gone), "round {round}: {beds}");
        verified(&server.stop().path().join("data"), &key);
    }
    println!("12 kills while a backup was restored: {broken} before its end, {done} after it");
    assert!(broken > 0, "never killed in time");
}

#[test]
fn erasures_are_not_forgotten_by_accident() {
    let server = Server::start();
    let mut house = House::with(&server, &["privacy"]);
    let gone = server.admit("bed-04");
    let outside = Outside::new(&server);
    server.run(&["backup", "create", "--to", &outside.at("place")]);
    server.run(&["patient", "unbind", "--bed", "bed-04"]);
    let erased = server.run(&["erasure", "run", &gone, "--record-kept-at", "KIS", "--yes"]);
    let key = erased["public_key"].as_str().unwrap().to_owned();
    let mut privacy = house.people.remove("privacy").unwrap().key.unwrap();
    drop(house);
    let dir = server.stop();

    // The list beside the backup is gone: nothing is restored, and the message names both ways on.
    let lists: Vec<String> =
        names(&outside.path("place")).into_iter().filter(|name| name.contains("erasures")).collect();
    assert_eq!(lists.len(), 1, "{:?}", names(&outside.path("place")));
    std::fs::rename(outside.path("place").join(&lists[0]), outside.path("list-of-the-place")).unwrap();
    let (good, text) = said(&mut outside.restore("refused", &[]));
    assert!(!good && text.contains("--erasures") && text.contains("--erasures-lost"), "{text}");
    assert!(!outside.path("refused").exists());

    // Any other copy of it will do.
    let list = dir.path().join("data/erasures/list.json").display().to_string();
    let (good, text) = said(&mut outside.restore("with-list", &["--erasures", &list]));
    assert!(good && text.contains("\"erasures_lost\":false"), "{text}");
    // Both at once is a contradiction.
    assert!(!said(&mut outside.restore("both", &["--erasures", &list, "--erasures-lost"])).0);

    // Whoever says that it is lost gets the backup, and that was said stands in the ledger.
    let (good, text) = said(&mut outside.restore("lost", &["--erasures-lost"]));
    assert!(good && text.contains("\"erasures_lost\":true"), "{text}");
    let restored = tempfile::tempdir().unwrap();
    std::fs::rename(outside.path("lost"), restored.path().join("data")).unwrap();
    verified(&restored.path().join("data"), &key);
    let server = Server::start_in(restored, &demo_charter());
    let mut reader = again(&server, &mut privacy);
    let entries = reader.done("GET", "/ledger?kind=backup", &Value::Null);
    let restore = entries["entries"].as_array().unwrap().iter().find(|entry| entry["action"] == "restore").unwrap();
    let whole = reader.done("GET", &format!("/ledger/entries/{}", restore["index"]), &Value::Null);
    let note = whole["entry"]["note"].as_str().unwrap();
    assert!(note.contains("the list of erasures was said to be lost"), "{note}");
    // And the server goes on: nothing is without a rule, and its ledger holds.
    assert_eq!(server.run(&["retention", "show"])["now"]["unknown"], serde_json::json!([]));
    verified(&server.stop().path().join("data"), &key);
}

#[test]
fn a_list_of_erasures_that_cannot_be_written_stops_no_start() {
    let server = Server::start();
    let list = server.data().join("erasures/list.json");
    let dir = server.stop();
    let before = std::fs::read(&list).unwrap();
    // What would be written first cannot be, as on a full disk.
    std::fs::create_dir(list.with_file_name("list.json.new")).unwrap();
    let server = Server::start_in(dir, &demo_charter());
    assert!(server.log().contains("the list of erasures could not be brought up to date"), "{}", server.log());
    assert_eq!(std::fs::read(&list).unwrap(), before);
    let dir = server.stop();
    // Without what was on it, nobody could be kept from coming back: that stops a start.
    std::fs::remove_file(&list).unwrap();
    let mut command = obhut(&dir.path().join("data"));
    command.arg("serve").arg("--charter").arg(demo_charter()).args([
        "--https",
        "127.0.0.1:0",
        "--gateway",
        "127.0.0.1:0",
    ]);
    let (good, text) = said(&mut command);
    assert!(!good && text.contains("the list of erasures cannot be opened"), "{text}");
}
