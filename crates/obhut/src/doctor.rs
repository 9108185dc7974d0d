//! `obhut doctor`: what is wrong with an installation, and how to mend it. Reads only; changes nothing.

use crate::charter;
use crate::cli::{Output, Place};
use crate::client::Client;
use crate::config::Config;
use crate::{clock, print};
use anyhow::Result;
use http::Method;
use obhut_pki::ProviderSpec;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Free space below which the doctor warns, and below which it complains, bytes.
const FREE_WARN: u64 = 5 << 30;
const FREE_FAIL: u64 = 512 << 20;
/// Descriptors a server for a few thousand devices needs.
const DESCRIPTORS_WANTED: u64 = 16_384;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Good,
    Warning,
    Wrong,
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

struct Finding {
    grade: Grade,
    what: &'static str,
    found: String,
    mend: &'static str,
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn good(&mut self, what: &'static str, found: impl Into<String>) {
        self.0.push(Finding { grade: Grade::Good, what, found: found.into(), mend: "" });
    }

    fn warning(&mut self, what: &'static str, found: impl Into<String>, mend: &'static str) {
        self.0.push(Finding { grade: Grade::Warning, what, found: found.into(), mend });
    }

    fn wrong(&mut self, what: &'static str, found: impl Into<String>, mend: &'static str) {
        self.0.push(Finding { grade: Grade::Wrong, what, found: found.into(), mend });
    }
}

/// Looks everything over. Exit code 0 if nothing is wrong (warnings allowed), 1 otherwise.
pub async fn run(place: &Place, output: Output) -> Result<ExitCode> {
    let mut report = Report::default();
    match Config::find(place) {
        Ok(config) => {
            let source = config
                .source
                .as_ref()
                .map_or_else(|| "built-in defaults".to_owned(), |path| path.display().to_string());
            report.good("configuration", source);
            examine(&config, &mut report).await;
        }
        Err(error) => {
            report.wrong("configuration", format!("{error:#}"), "mend the file; packaging/obhut.toml shows every key")
        }
    }
    let worst = report.0.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Good);
    let rows: Vec<Value> = report
        .0
        .iter()
        .map(|f| json!({"grade": f.grade.name(), "what": f.what, "found": f.found, "mend": (!f.mend.is_empty()).then_some(f.mend)}))
        .collect();
    print::show(output, &json!({"worst": worst.name(), "findings": rows}), |_| {
        for finding in &report.0 {
            println!("{:<8} {:<20} {}", finding.grade.name(), finding.what, finding.found);
            if !finding.mend.is_empty() {
                println!("{:<29} help: {}", "", finding.mend);
            }
        }
    });
    Ok(if worst == Grade::Wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(config: &Config, report: &mut Report) {
    data(config, report);
    key(config, report);
    match &config.charter {
        Some(path) => charter_file(path, report),
        None if config.data.join(crate::open::LAST_CHARTER).exists() => {
            report.good("charter", "the one that last ruled here")
        }
        None => report.warning(
            "charter",
            "none is named in the configuration",
            "set `charter = …`; the server does not start without one",
        ),
    }
    people(config, report);
    time(report);
    descriptors(report);
    if obhut_http::assets::are_built() {
        report.good("pages", "built into this program");
    } else {
        report.wrong("pages", "not built into this program", "run `make web` and build again");
    }
    server(config, report).await;
}

/// How people come in.
fn people(config: &Config, report: &mut Report) {
    match config.names.first() {
        Some(name) if name.parse::<std::net::IpAddr>().is_err() => report.good("passkeys", format!("for `{name}`")),
        _ => report.wrong(
            "passkeys",
            "the first of `names` is an address; passkeys need a name",
            "put the name that browsers use first in `names`",
        ),
    }
    match config.oidc() {
        Ok(None) => {}
        Ok(Some(oidc)) => report.good("provider", format!("{oidc:?}; not asked, it may be down")),
        Err(error) => report.wrong(
            "provider",
            format!("{error:#}"),
            "mend `[identity.oidc]`; packaging/obhut.toml shows every key",
        ),
    }
}

fn data(config: &Config, report: &mut Report) {
    let shown = config.data.display().to_string();
    let Ok(found) = std::fs::metadata(&config.data) else {
        report.warning("data directory", format!("`{shown}` does not exist yet"), "the first start makes it");
        return;
    };
    if found.mode() & 0o077 == 0 {
        report.good("data directory", shown);
    } else {
        report.wrong("data directory", format!("`{shown}` can be opened by others"), "chmod 700 it");
    }
    match rustix::fs::statvfs(&config.data) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let text = format!("{:.1} GiB free", free as f64 / f64::from(1u32 << 30));
            if free < FREE_FAIL {
                report.wrong(
                    "disk",
                    text,
                    "free space or shorten retention in the charter; when it is full nothing more is stored",
                );
            } else if free < FREE_WARN {
                report.warning("disk", text, "500 beds write about 25 GiB a day; plan for it");
            } else {
                report.good("disk", text);
            }
        }
        Err(error) => report.warning("disk", format!("free space is not known: {error}"), "look with `df`"),
    }
}

fn key(config: &Config, report: &mut Report) {
    match &config.key {
        ProviderSpec::File { path, .. } => match std::fs::metadata(path) {
            Ok(found) if found.mode() & 0o077 != 0 => {
                report.wrong("top key", format!("`{}` can be read by others", path.display()), "chmod 600 it")
            }
            Ok(_) if path.starts_with(&config.data) => report.warning(
                "top key",
                "lies beside the data it protects",
                "move it elsewhere, into a systemd credential, or into an HSM, and say so under [key]",
            ),
            Ok(_) => report.good("top key", format!("file `{}`", path.display())),
            Err(_) if config.data.join("store").is_dir() => report.wrong(
                "top key",
                format!("`{}` is not there; without it nothing can be read", path.display()),
                "restore it from where it is kept apart from the data",
            ),
            Err(_) => {
                report.warning("top key", format!("`{}` is not there", path.display()), "the first start makes it")
            }
        },
        ProviderSpec::SystemdCredential { name } => report.good("top key", format!("systemd credential `{name}`")),
        _ => match obhut_pki::provider::open(&config.key) {
            Ok(provider) => report.good("top key", provider.describe()),
            Err(error) => {
                report.wrong("top key", error.to_string(), "check module, token, key label and PIN file under [key]")
            }
        },
    }
}

fn charter_file(path: &Path, report: &mut Report) {
    match charter::load(path) {
        Ok(loaded) => {
            for warning in loaded.warnings().list() {
                report.warning(
                    "charter",
                    format!("line {}: {}", warning.line, warning.message),
                    "see `obhut charter check`",
                );
            }
            report.good("charter", format!("`{}` is sound", path.display()));
        }
        Err(error) => {
            let first = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            report.wrong("charter", first, "see `obhut charter check`; a running server keeps the old one in force");
        }
    }
}

fn time(report: &mut Report) {
    if clock::machine_now() < 1_700_000_000_000_000 {
        report.wrong("clock", "this machine's clock is years behind", "set it, and let a time service keep it");
    } else if Path::new("/run/systemd/timesync/synchronized").exists() || Path::new("/run/chrony/chronyd.pid").exists()
    {
        report.good("clock", "kept by a time service");
    } else {
        report.warning(
            "clock",
            "no time service was found",
            "run systemd-timesyncd or chrony against the hospital's time source",
        );
    }
}

fn descriptors(report: &mut Report) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if limit < DESCRIPTORS_WANTED {
        report.warning(
            "descriptors",
            format!("at most {limit} open files"),
            "LimitNOFILE=65536 in the unit, or `ulimit -n 65536`",
        );
    } else {
        report.good("descriptors", format!("at most {limit} open files"));
    }
}

async fn server(config: &Config, report: &mut Report) {
    let client = match Client::connect(config).await {
        Ok(client) => client,
        Err(error) => {
            report.wrong(
                "installation",
                format!("{error:#}").lines().next().unwrap_or_default().to_owned(),
                "see the message; restore from backup if files are damaged",
            );
            return;
        }
    };
    if client.is_running() {
        report.good("server", "running");
    } else {
        report.warning("server", "not running; the installation opens", "start it: `obhut serve`");
    }
    match client.ask(Method::GET, "/v1/status", None).await {
        Ok(status) => read_status(&status, report),
        Err(error) => report.wrong("server", format!("does not answer: {error:#}"), "look at its log and restart it"),
    }
    if let Ok(devices) = client.ask(Method::GET, "/v1/devices", None).await {
        read_devices(&devices, report);
    }
}

fn read_status(status: &Value, report: &mut Report) {
    match status.get("store").and_then(Value::as_str) {
        Some("good") => report.good("storage", "taking and keeping readings"),
        Some("disk_full") => report.wrong(
            "storage",
            "the disk is full: live values go on, nothing is stored",
            "free space; it goes on by itself",
        ),
        _ => report.wrong("storage", "failed", "see the log; restart the server to reopen the store"),
    }
    let charter = status.get("charter");
    if charter.and_then(|c| c.get("state")).and_then(Value::as_str) == Some("reload_refused") {
        report.warning(
            "charter in force",
            "the newest file was refused; an older one rules",
            "see `obhut charter check`, then `obhut charter reload`",
        );
    }
    let refused: Vec<String> = status
        .get("refused")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, count)| count.as_u64().is_some_and(|c| c > 0))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if !refused.is_empty() {
        report.warning("refusals", refused.join(", "), "docs/protocol.md says what each means");
    }
}

fn read_devices(answer: &Value, report: &mut Report) {
    let devices: Vec<&Value> = answer.get("devices").and_then(Value::as_array).into_iter().flatten().collect();
    let count = |field: &str, value: &Value| devices.iter().filter(|d| d.get(field) == Some(value)).count();
    let enrolled = count("state", &json!("enrolled"));
    let unplaced = devices
        .iter()
        .filter(|d| d.get("state") == Some(&json!("enrolled")) && d.get("bed").is_some_and(Value::is_null))
        .count();
    report.good("devices", format!("{enrolled} enrolled, {} connected", count("connected", &json!(true))));
    if unplaced > 0 {
        report.warning(
            "devices",
            format!("{unplaced} enrolled stand at no bed; what they send for a patient is refused"),
            "obhut device bind DEVICE --bed BED",
        );
    }
}
