//! A client nobody here wrote: `mosquitto_pub` with real certificates, as a hospital's integrator would try it.

use crate::rig::{Papers, Rig, authority, papers, past, real_now, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use obhut_gateway::Refusal;
use std::path::Path;
use std::process::{Command, Output};

fn present() -> bool {
    if Command::new("mosquitto_pub").arg("--help").output().is_ok() {
        return true;
    }
    println!("SKIPPED: mosquitto_pub is not installed (Debian package mosquitto-clients)");
    false
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn write_papers(dir: &Path, papers: &Papers) -> Vec<String> {
    let chain: String = std::iter::once(&papers.issued.leaf_der)
        .chain(&papers.issued.chain)
        .map(|der| pem("CERTIFICATE", der))
        .collect();
    let (cert, key) = (dir.join("device.pem"), dir.join("device.key"));
    std::fs::write(&cert, chain).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", &papers.key.serialize_der())).unwrap();
    vec!["--cert".into(), cert.display().to_string(), "--key".into(), key.display().to_string()]
}

fn publish(rig: &Rig, version: &str, id: &str, topic: &str, papers: Option<&Papers>) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, rig.authority.root_pem()).unwrap();
    let mut command = Command::new("mosquitto_pub");
    command.args([
        "-V",
        version,
        "-h",
        "localhost",
        "-p",
        &rig.address().port().to_string(),
        "-q",
        "1",
        "-i",
        id,
        "-t",
        topic,
    ]);
    command.arg("--cafile").arg(&ca).args(["--tls-version", "tlsv1.3"]);
    command.args(["-m", r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#]);
    if let Some(papers) = papers {
        command.args(write_papers(dir.path(), papers));
    }
    // A client that is refused in the handshake tries again for ever.
    Command::new("timeout").arg("5").arg(command.get_program()).args(command.get_args()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_pub_is_served_or_refused_with_the_right_reason() {
    if !present() {
        return;
    }
    let rig = Rig::new();
    let own = "obhut/mon-01/senml";
    for (version, expected) in [("mqttv5", 1), ("mqttv311", 2)] {
        let papers = rig.papers("mon-01");
        let done = tokio::task::block_in_place(|| publish(&rig, version, "mon-01", own, Some(&papers)));
        assert!(done.status.success(), "{version}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(rig.readings.steps().len(), expected);
    }
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
        let done = tokio::task::block_in_place(|| publish(&rig, "mqttv5", "mon-01", own, shown));
        assert!(!done.status.success(), "{why:?}");
        until(|| rig.refused(why) > 0).await;
    }
    let papers = rig.papers("mon-01");
    let said = |done: &Output| {
        String::from_utf8_lossy(&done.stderr).to_lowercase() + &String::from_utf8_lossy(&done.stdout).to_lowercase()
    };
    let other = tokio::task::block_in_place(|| publish(&rig, "mqttv5", "mon-01", "obhut/mon-02/senml", Some(&papers)));
    assert!(said(&other).contains("not authorized"), "{}", said(&other));
    assert_eq!(rig.refused(Refusal::Topic), 1);
    let name = tokio::task::block_in_place(|| publish(&rig, "mqttv5", "mon-02", own, Some(&papers)));
    assert!(!name.status.success() && said(&name).contains("client identifier not valid"), "{}", said(&name));
    assert_eq!(rig.refused(Refusal::ClientId), 1);
    assert_eq!(rig.readings.steps().len(), 2, "nothing refused was kept");
}
