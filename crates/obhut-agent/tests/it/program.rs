use crate::enrolment::DAY;
use crate::ward::{Authority, Est, Gateway, Mood, wait_for};
use aws_lc_rs::digest;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PROGRAM: &str = env!("CARGO_BIN_EXE_obhut-agent");

/// Sockets of a process as (protocol, state), states as the kernel numbers them: `01` established, `0A` listening.
fn sockets(pid: u32) -> Vec<(&'static str, String)> {
    let inodes: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.contains(fields[9]) {
                found.push((table, fields[3].to_owned()));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_enrols_sends_and_has_no_listening_port() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let gateway = Gateway::start(&authority).await;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let token = dir.path().join("token");
    std::fs::write(&token, "good token\n").unwrap();
    let fingerprint: String =
        digest::digest(&digest::SHA256, &authority.root).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let enrol = |again: bool| {
        let mut command = Command::new(PROGRAM);
        command.args([
            "enrol",
            "--server",
            &format!("https://localhost:{}", est.port),
            "--ca-sha256",
            &fingerprint,
            "--device",
            "mon-01",
        ]);
        command.args(["--serial", "SN-1", "--output", "json", "--token-file"]).arg(&token).arg("--state").arg(&state);
        if again {
            command.arg("--again");
        }
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let out = enrol(false).await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains(r#""device":"mon-01""#));
    let out = enrol(false).await.unwrap();
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("--again"));

    let mut child = Command::new(PROGRAM)
        .args(["run", "--output", "json", "--gateway", &format!("localhost:{}", gateway.port), "--state"])
        .arg(&state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"n\":\"MDC_TEMP\",\"u\":\"Cel\",\"v\":36.7}\n").unwrap();
    stdin
        .write_all(
            b"{\"wave\":\"MDC_ECG_ELEC_POTL_II\",\"rate\":250,\"gain\":200,\"samples\":[0,5,null,-5]}\nnot a reading\n",
        )
        .unwrap();
    wait_for("two frames", || gateway.log.lock().numbers.len() == 2).await;

    let found = sockets(child.id());
    assert!(
        found.iter().any(|(table, state)| table.starts_with("tcp") && state == "01"),
        "the check sees the connection: {found:?}"
    );
    assert!(found.iter().all(|(_, state)| state == "01"), "nothing listens and nothing waits for datagrams: {found:?}");

    drop(stdin);
    let out = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains(r#""acknowledged":2"#) && text.contains(r#""waiting":0"#), "{text}");

    let status = Command::new(PROGRAM).args(["status", "--output", "json", "--state"]).arg(&state).output().unwrap();
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains(r#""running":false"#) && text.contains(r#""buffer_bytes":0"#), "{text}");

    // A used token is a refusal with its own exit code, and leaves the old identity in place.
    std::fs::write(&token, "stale").unwrap();
    let out = enrol(true).await.unwrap();
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(Command::new(PROGRAM).arg("status").arg("--state").arg(&state).output().unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_device_goes_on_where_it_was() {
    let authority = Arc::new(Authority::new(DAY));
    let est = Est::start(Arc::clone(&authority), Mood::Good).await;
    let dir = crate::enrolment::enrolled(&authority, &est).await;
    // No gateway yet: a port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = || {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--gateway", &format!("localhost:{port}"), "--state"]).arg(dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let state = obhut_agent::StateDir::open(dir.path()).unwrap();
    for round in 1u64..=3 {
        let mut child = run();
        let mut stdin = child.stdin.take().unwrap();
        let before = state.buffer_bytes();
        for _ in 0..10 {
            stdin.write_all(b"{\"n\":\"MDC_TEMP\",\"u\":\"Cel\",\"v\":36.7}\n").unwrap();
        }
        // Every frame of this size takes the same room, so the tenth is there when ten have arrived.
        wait_for("ten frames on disk", || state.buffer_bytes() - before >= 10 * 60).await;
        wait_for("no more to come", || {
            let bytes = state.buffer_bytes();
            std::thread::sleep(std::time::Duration::from_millis(100));
            bytes == state.buffer_bytes()
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(state.buffer_bytes() > before, "round {round}");
    }
    let gateway = Gateway::start_on(&authority, port, Arc::default()).await;
    let mut child = run();
    wait_for("thirty frames", || gateway.log.lock().numbers.len() >= 30).await;
    let numbers = gateway.log.lock().numbers.clone();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), distinct.len()), (30, 30), "none lost, none twice, no number used for two");
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "in order: {numbers:?}");
    drop(child.stdin.take());
    assert!(tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap().success());
}
