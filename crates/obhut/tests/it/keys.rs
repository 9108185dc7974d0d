//! Keys turned over while the server runs, from the command line, and what opens afterwards.

use crate::support::{Server, demo_charter, obhut};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

fn run(data: &Path, arguments: &[&str]) -> Output {
    obhut(data).args(arguments).output().unwrap()
}

fn json(data: &Path, arguments: &[&str]) -> Value {
    let done = run(data, arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The demonstration's charter with a console that keeps keys, and therefore none of what does not go with keys.
fn charter_of_a_key_keeper(dir: &Path) -> PathBuf {
    let text = std::fs::read_to_string(demo_charter()).unwrap();
    let console = text.find("id = \"console\"").unwrap();
    let (before, role) = text.split_at(console);
    let line = role.lines().find(|line| line.starts_with("permissions = ")).unwrap();
    let role =
        role.replacen(line, "permissions = [\"device-view\", \"device-manage\", \"system-view\", \"key-manage\"]", 1);
    let path = dir.join("keys.toml");
    std::fs::write(&path, format!("{before}{role}")).unwrap();
    path
}

#[test]
fn a_console_without_that_right_turns_nothing_over() {
    let server = Server::start();
    for arguments in [&["keys", "status"][..], &["keys", "rotate"], &["keys", "rotate", "--top"]] {
        let refused = run(&server.data(), arguments);
        assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
    }
}

#[test]
fn epoch_and_top_key_are_turned_over_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let charter = charter_of_a_key_keeper(dir.path());
    let server = Server::start_in(dir, &charter);
    let data = server.data();
    let status = json(&data, &["keys", "status"]);
    assert_eq!((status["epoch"].as_u64(), status["rotation_due"].as_bool()), (Some(1), Some(false)));
    assert!(status["top"].as_str().unwrap().contains("top.key"));
    assert_eq!(json(&data, &["keys", "rotate"])["epoch"], 2);

    let old = std::fs::read(data.join("top.key")).unwrap();
    let replaced = json(&data, &["keys", "rotate", "--top"]);
    let anew = replaced["wrapped_anew"].as_array().unwrap();
    assert!(
        ["ledger", "installation"].iter().all(|name| anew.iter().any(|what| what == name)) && anew.len() == 6,
        "{replaced}"
    );
    assert!(!data.join("top.key.next").exists());
    let new = std::fs::read(data.join("top.key")).unwrap();
    assert_ne!(old, new);
    // It goes on, and a second time.
    assert_eq!(json(&data, &["keys", "rotate"])["epoch"], 3);
    json(&data, &["keys", "rotate", "--top"]);
    assert_eq!(server.ask("/v1/ca")["sha256"], server.fingerprint.as_str());

    // The next start opens everything; with a key from before nothing starts.
    let fingerprint = server.fingerprint.clone();
    let dir = server.stop();
    let newest = std::fs::read(data.join("top.key")).unwrap();
    for outdated in [&old, &new] {
        std::fs::write(data.join("top.key"), outdated).unwrap();
        let refused = run(&data, &["keys", "status"]);
        assert!(!refused.status.success());
    }
    // A replacement that was interrupted before anything was wrapped anew is ended by the next start.
    std::fs::write(data.join("top.key"), &newest).unwrap();
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut next =
            std::fs::File::options().write(true).create_new(true).mode(0o600).open(data.join("top.key.next")).unwrap();
        std::io::Write::write_all(&mut next, &[0x5a; 32]).unwrap();
    }
    let server = Server::start_in(dir, &charter);
    assert_eq!(server.fingerprint, fingerprint);
    assert!(!data.join("top.key.next").exists());
    assert_eq!(std::fs::read(data.join("top.key")).unwrap(), [0x5a; 32]);
    assert_eq!(json(&data, &["keys", "status"])["epoch"], 3);
}
