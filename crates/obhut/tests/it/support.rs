//! A real server in a directory of its own, the command line beside it, and papers for real clients.
//!
//! Every test starts its own server on free ports and stops it when it drops, also when the test fails. Nothing waits longer than a deadline.

use obhut_agent::est::{self, EstServer, Fingerprint};
use obhut_agent::state::Device;
use obhut_model::DeviceId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to start or stop, and anything to happen that should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The repository's charter for the demonstration: ward of 20 beds, monitors, pumps, bed sensors.
pub(crate) fn demo_charter() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charters/demo.toml")).to_owned()
}

/// Whether `program` is there. Where the tests must be complete (`CI`), one that is missing fails.
pub(crate) fn present(program: &str) -> bool {
    if Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
    println!("SKIPPED: {program} is not installed");
    false
}

/// Waits until `met` gives something.
pub(crate) fn until<T>(what: &str, patience: Duration, mut met: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = met() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs something asynchronous to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

/// The program with these arguments, in English, without anybody's configuration.
pub(crate) fn obhut(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obhut"));
    command.arg("--data").arg(data).args(["--output", "json", "--lang", "en"]);
    command.env_remove("OBHUT_CONFIG").env_remove("OBHUT_DATA_DIR").env_remove("OBHUT_LOG");
    command
}

/// Papers of a device: one PEM file with chain and key, as every client takes it.
#[derive(Debug, Clone)]
pub(crate) struct Papers {
    pub(crate) device: String,
    pub(crate) pem: PathBuf,
}

/// A running `obhut serve`.
pub(crate) struct Server {
    child: Child,
    /// Holds the data directory, `log`, and whatever tests put beside.
    pub(crate) dir: TempDir,
    /// The one-time link it printed.
    pub(crate) link: String,
    pub(crate) https: SocketAddr,
    pub(crate) gateway: SocketAddr,
    /// The root certificate in PEM.
    pub(crate) root: PathBuf,
    /// Its SHA-256.
    pub(crate) fingerprint: String,
}

impl Server {
    /// Starts one under the demonstration's charter in a new directory.
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &demo_charter())
    }

    /// Starts one in a directory that may have been used before.
    pub(crate) fn start_in(dir: TempDir, charter: &Path) -> Self {
        Self::start_saying(dir, charter, "info")
    }

    /// The same, logging as much as `level` says.
    pub(crate) fn start_saying(dir: TempDir, charter: &Path, level: &str) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(dir.path().join("log")).unwrap();
        let mut command = obhut(&dir.path().join("data"));
        command.env("OBHUT_LOG", level);
        // Means nothing to a program without the feature `test-bypass`; every test that is refused something shows it.
        command.env("OBHUT_DANGER_BYPASS", "1");
        command.arg("serve").arg("--charter").arg(charter);
        command.args(["--https", "127.0.0.1:0", "--gateway", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = mpsc::channel();
        // Reads on to the end, so that the server never waits for somebody to read what it prints.
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)))
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (root, fingerprint, link) = (dir.path().join("root.pem"), String::new(), String::new());
        let mut server = Self { child, dir, link, https: nowhere, gateway: nowhere, root, fingerprint };
        let Ok(link) = told.recv_timeout(PATIENCE) else { panic!("the server did not start:\n{}", server.log()) };
        server.link = link;
        let status = server.status();
        server.https = status["https"].as_str().unwrap().parse().unwrap();
        server.gateway = status["gateway"].as_str().unwrap().parse().unwrap();
        let ca = server.ask("/v1/ca");
        std::fs::write(&server.root, ca["root_pem"].as_str().unwrap()).unwrap();
        server.fingerprint = ca["sha256"].as_str().unwrap().to_owned();
        server
    }

    /// Where it keeps everything.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        rustix::process::Pid::from_child(&self.child).as_raw_nonzero().get()
    }

    /// Stops it as an operator would, and gives the directory back.
    pub(crate) fn stop(self) -> TempDir {
        self.stop_by(rustix::process::Signal::TERM)
    }

    /// Stops it by a signal, and gives the directory back.
    pub(crate) fn stop_by(mut self, signal: rustix::process::Signal) -> TempDir {
        let child = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(child, signal).unwrap();
        let ended = until("the server stops", PATIENCE, || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}:\n{}", self.log());
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    /// Runs the command line against it, whatever comes of it.
    pub(crate) fn try_run(&self, arguments: &[&str], typed: &str) -> Output {
        let mut command = obhut(&self.data());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs the command line against it and takes its text.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        self.succeed(arguments, "")
    }

    /// Runs the command line against it and takes its JSON.
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(arguments, "")).unwrap()
    }

    fn succeed(&self, arguments: &[&str], typed: &str) -> String {
        let done = self.try_run(arguments, typed);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Binds an invented patient to a bed; gives the pseudonym.
    pub(crate) fn admit(&self, bed: &str) -> String {
        let identity = format!(r#"{{"name":"Probe {bed}","birth_date":"1950-01-31","record_number":"R-{bed}"}}"#);
        let answer: Value = serde_json::from_str(&self.succeed(&["patient", "bind", "--bed", bed], &identity)).unwrap();
        answer["subject"].as_str().unwrap().to_owned()
    }

    /// Invites a device, at a bed or at none; gives its token.
    pub(crate) fn invite(&self, device: &str, model: &str, bed: Option<&str>) -> String {
        let serial = serial_of(device);
        let mut arguments = vec!["device", "invite", "--model", model, "--serial", &serial, "--id", device];
        arguments.extend(bed.iter().flat_map(|bed| ["--bed", bed]));
        self.run(&arguments)["devices"][0]["token"].as_str().unwrap().to_owned()
    }

    /// Invites a device and enrols it as a device does.
    pub(crate) fn enrol(&self, device: &str, model: &str, bed: Option<&str>) -> Papers {
        let token = self.invite(device, model, bed);
        let server = EstServer { host: "localhost".to_owned(), port: self.https.port() };
        let pin: Fingerprint = self.fingerprint.parse().unwrap();
        let itself = Device {
            id: DeviceId::new(device).unwrap(),
            serial: serial_of(device),
            enrolment_host: server.host.clone(),
            enrolment_port: server.port,
        };
        let enrolled = block_on(est::enrol(&server, pin, &itself, &token)).unwrap();
        self.papers(device, device, &enrolled.identity_pem)
    }

    /// Writes papers where clients find them.
    pub(crate) fn papers(&self, device: &str, name: &str, pem: &str) -> Papers {
        let path = self.dir.path().join(format!("{name}.pem"));
        std::fs::write(&path, pem).unwrap();
        Papers { device: device.to_owned(), pem: path }
    }

    /// Asks on the operator's socket.
    pub(crate) fn admin(&self, path: &str) -> (u16, String) {
        let mut socket = UnixStream::connect(self.data().join("admin.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: obhut\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Changes something on the operator's socket.
    pub(crate) fn change(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut socket = UnixStream::connect(self.data().join("admin.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: obhut\r\nConnection: close\r\nContent-Type: application/json\r\n"
        );
        write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    pub(crate) fn ask(&self, path: &str) -> Value {
        let (status, body) = self.admin(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Token of a new link for a display on the wall: the one way to a session that needs no passkey.
    pub(crate) fn display_token(&self, name: &str) -> String {
        let invited = self.run(&["people", "invite", "--name", name, "--role", "wall"]);
        invited["link"].as_str().unwrap().split_once("#enter=").unwrap().1.to_owned()
    }

    /// `/v1/status` of the operator's socket.
    pub(crate) fn status(&self) -> Value {
        self.ask("/v1/status")
    }

    /// Every refusal counted so far.
    pub(crate) fn refused(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.status()["refused"].clone()).unwrap()
    }

    /// Does something that is to be refused, and checks that exactly `refusals` were counted meanwhile: each once, nothing else.
    pub(crate) fn counts<T>(&self, refusals: &[&str], act: impl FnOnce() -> T) -> T {
        let mut expected = self.refused();
        for name in refusals {
            *expected.entry((*name).to_owned()).or_default() += 1;
        }
        let done = act();
        let deadline = Instant::now() + Duration::from_secs(3);
        while self.refused() != expected {
            assert!(Instant::now() < deadline, "expected {refusals:?} more:\n{expected:?}, not\n{:?}", self.refused());
            std::thread::sleep(Duration::from_millis(10));
        }
        done
    }
}

/// The maker's serial number of a test device.
pub(crate) fn serial_of(device: &str) -> String {
    format!("SN-{device}")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}
