//! A second site cosigns our checkpoints: keys exchanged, configured, over TLS, checked by a third program.

use crate::support::{PATIENCE, Server, demo_charter, obhut, present, until};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running `obhut witness`, ended with the test.
struct Site {
    child: Child,
    key: String,
    listen: String,
}

impl Site {
    fn start(dir: &Path, log: &str) -> Self {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=witness", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out"])
            .arg("cert.pem")
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = obhut(&dir.join("unused"));
        command.arg("witness").arg("--state").arg(dir.join("witness")).args(["--name", "witness.example/w1"]);
        command.args(["--listen", "127.0.0.1:0", "--log", log]);
        command.arg("--cert").arg(dir.join("cert.pem")).arg("--cert-key").arg(dir.join("key.pem"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut word = |name: &str| {
            let line = said.find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()));
            line.unwrap_or_else(|| panic!("the witness does not say its {name}"))
        };
        let (key, listen) = (word("key"), word("listen"));
        Self { child, key, listen }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_second_site_cosigns_what_the_configuration_says_it_shall() {
    if !present("openssl") {
        return;
    }
    let server = Server::start();
    let log = server.run(&["ledger", "key"])["key"].as_str().unwrap().to_owned();
    let dir = server.stop();
    let site = Site::start(dir.path(), &log);
    let ca = dir.path().join("cert.pem");
    let config = format!(
        "[[witness]]\nurl = \"https://{}\"\nkey = \"{}\"\nca_file = \"{}\"\n",
        site.listen,
        site.key,
        ca.display()
    );
    std::fs::write(dir.path().join("data/obhut.toml"), config).unwrap();

    let server = Server::start_in(dir, &demo_charter());
    server.run(&["bed", "list"]);
    until("the checkpoint is cosigned", PATIENCE, || {
        let checkpoint = std::fs::read_to_string(server.data().join("ledger/checkpoint")).ok()?;
        checkpoint.contains("\u{2014} witness.example/w1 ").then_some(())
    });
    let dir = server.stop();

    // As an auditor: the cosignature must be there, and one of a witness who never saw the log is not.
    let check = |witness: &str| {
        let mut command = obhut(&dir.path().join("data"));
        command.args(["ledger", "verify", "--key", &log, "--witness", witness]).output().unwrap()
    };
    let good = check(&site.key);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let stranger = Site::start(tempfile::tempdir().unwrap().path(), &log).key.clone();
    assert!(!check(&stranger).status.success());
}
