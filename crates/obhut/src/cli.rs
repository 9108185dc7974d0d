//! The command line: what can be said, and what `--help` teaches.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Run a ward whose rules are declared once, enforced and proved.
///
/// `obhut` is one program: the server (`serve`), a complete ward with simulated devices (`demo`), and the operator's tools. The tools talk to a
/// running server over a socket in its data directory, or open the data directory themselves when no server runs.
///
/// This is a distributed information system. Do not rely on it as primary alarm.
#[derive(Debug, Parser)]
#[command(name = "obhut", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  obhut demo                                   a ward of 8 beds in the browser\n  \
    obhut charter check charters/demo.toml       is the charter sound?\n  \
    obhut --data demo-data device list           devices of the demo\n  \
    obhut --data demo-data doctor                what is wrong, and how to mend it\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused or not found, 4 no server, 5 the charter has errors.")]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,

    /// How to print: for people, or JSON for scripts.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Language of explanations; by default that of the environment (`LC_ALL`, `LANG`).
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Language>,

    #[command(subcommand)]
    pub command: Command,
}

/// Where the installation is.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// Server configuration; by default `obhut.toml` in the data directory, then `/etc/obhut/obhut.toml`.
    #[arg(long, global = true, value_name = "FILE", env = "OBHUT_CONFIG")]
    pub config: Option<PathBuf>,

    /// Data directory; by default the configuration's, then `demo-data`.
    #[arg(long, global = true, value_name = "DIR", env = "OBHUT_DATA_DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    De,
    En,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server until it is told to stop (Ctrl-C, SIGTERM). SIGHUP reloads the charter.
    Serve(Serve),
    /// Run a whole ward: server, simulated patients and devices, in the browser.
    Demo(Demo),
    /// Check, explain and compare charters.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut charter check charters/demo.toml\n\nEach of these has examples of its own: add --help to it."
    )]
    Charter(Charter),
    /// Invite, list, show, revoke, and put devices at beds.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut device list\n\nEach of these has examples of its own: add --help to it."
    )]
    Device(Device),
    /// List beds, with who is where as pseudonyms.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut bed list\n\nEach of these has examples of its own: add --help to it."
    )]
    Bed(Bed),
    /// Bind patients to beds, end that, or erase them.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut patient unbind --bed bed-03\n\nEach of these has examples of its own: add --help to it."
    )]
    Patient(Patient),
    /// Verify the ledger, prove an entry, export events.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut ledger key\n\nEach of these has examples of its own: add --help to it."
    )]
    Ledger(crate::ledger::Ledger),
    /// Cosign the ledgers of other sites.
    Witness(crate::witness::Witness),
    /// Say how keys stand, and turn them over while the server runs.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut keys status\n\nEach of these has examples of its own: add --help to it."
    )]
    Keys(crate::keys::Keys),
    /// Say who may come in, make one-time links, and close accounts.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut people list\n\nEach of these has examples of its own: add --help to it."
    )]
    People(crate::people::People),
    /// Answer requests of patients: access, correction, erasure, restriction, portability, objection.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut request list\n\nEach of these has examples of its own: add --help to it."
    )]
    Request(crate::request::Request),
    /// Show the deletion concept, run the deletion job, look after legal holds.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut retention show\n\nEach of these has examples of its own: add --help to it."
    )]
    Retention(crate::retention::Command),
    /// Erase patients, and prove it.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut erasure list\n\nEach of these has examples of its own: add --help to it."
    )]
    Erasure(crate::erasure::Erasure),
    /// Make, check and restore backups.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut backup list\n\nEach of these has examples of its own: add --help to it."
    )]
    Backup(crate::backup::Backup),
    /// List and export stored readings.
    #[command(
        subcommand,
        after_help = "Example:\n  obhut readings list --bed bed-01\n\nEach of these has examples of its own: add --help to it."
    )]
    Readings(Readings),
    /// Print a one-time link for the first administrator, while nobody looks after people; later see `obhut people`.
    #[command(after_help = "Example:\n  obhut --data demo-data link")]
    Link,
    /// Say what is wrong with an installation and how to mend it.
    #[command(
        after_help = "Example:\n  obhut --data demo-data doctor\n\nExit code 1 if something is wrong, 0 if there are warnings at most."
    )]
    Doctor,
}

#[derive(Debug, Args, Default)]
#[command(
    after_help = "Example:\n  obhut serve --config /etc/obhut/obhut.toml\n  obhut serve --data ./data --charter charters/minimal.toml\n\n\
    A sample configuration with every key explained: packaging/obhut.toml"
)]
pub struct Serve {
    /// Charter in force; by default the configuration's.
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// Address for pages, enrolment and streams.
    #[arg(long, value_name = "ADDR:PORT")]
    pub https: Option<SocketAddr>,
    /// Address for devices.
    #[arg(long, value_name = "ADDR:PORT")]
    pub gateway: Option<SocketAddr>,
    /// Name or IP address the server is reached by, for its certificate; may be repeated.
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Log lines as JSON.
    #[arg(long)]
    pub log_json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  obhut demo\n  obhut demo --beds 16 --speed 4\n  obhut demo --recordings recordings/ --data ward --headless --duration 60s\n\n\
    Started again with the same --data it goes on where it was. Next: open the printed link, then try\n  obhut --data demo-data device list"
)]
pub struct Demo {
    /// How many beds have a patient and devices (1 to 32).
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub beds: u16,
    /// Directory with WFDB records; the monitors replay them instead of simulated patients.
    #[arg(long, value_name = "DIR")]
    pub recordings: Option<PathBuf>,
    /// Charter to run under; by default the built-in demo charter.
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// Port for the browser; 0 takes a free one.
    #[arg(long, default_value_t = 8443)]
    pub port: u16,
    /// Port for devices; 0 takes a free one.
    #[arg(long, default_value_t = 8883)]
    pub gateway_port: u16,
    /// Seconds of ward time that pass in one real second (0.1 to 100). Above 20 take few beds: devices need real time to connect and to send.
    #[arg(long, default_value_t = 1.0, value_name = "X", value_parser = speed)]
    pub speed: f64,
    /// Stop after this much real time, for example `90s`, `10m`; by default never.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<std::time::Duration>,
    /// Print plain progress lines and nothing that needs a terminal; do not offer to open a browser.
    #[arg(long)]
    pub headless: bool,
    /// Seed of the simulated patients; the same seed gives the same ward.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Play each recording once instead of again and again; the demo stops when the last has been played and stored.
    #[arg(long, requires = "recordings")]
    pub once: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=100.0).contains(&speed) { Ok(speed) } else { Err("between 0.1 and 100".to_owned()) }
}

/// `90`, `90s`, `10m`, `2h`.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| "write it like `90s`, `10m` or `2h`".to_owned())?;
    let seconds = match unit {
        "" | "s" => Some(number),
        "m" | "min" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    seconds.map(std::time::Duration::from_secs).ok_or_else(|| "write it like `90s`, `10m` or `2h`".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum Charter {
    /// Check a charter: every error with line, column, why, and how to mend it.
    #[command(
        after_help = "Example:\n  obhut charter check charters/demo.toml\nNext: obhut charter explain charters/demo.toml"
    )]
    Check {
        /// The charter.
        file: PathBuf,
    },
    /// Say in plain words what a charter allows: whose data, what for, how long, who sees it.
    #[command(after_help = "Example:\n  obhut charter explain charters/demo.toml --lang de")]
    Explain {
        /// The charter.
        file: PathBuf,
    },
    /// Say what changes for whom between two charters.
    #[command(after_help = "Example:\n  obhut charter diff charters/demo.toml proposed.toml")]
    Diff {
        /// The one in force.
        old: PathBuf,
        /// The one proposed.
        new: PathBuf,
    },
    /// Tell the running server to load its charter file again; a bad one is refused and the old one stays in force.
    #[command(after_help = "Example:\n  obhut charter check /etc/obhut/charter.toml && obhut charter reload")]
    Reload,
}

#[derive(Debug, Subcommand)]
pub enum Device {
    /// Invite a device: prints a one-time token, valid for 15 minutes, for one serial number and model.
    #[command(
        after_help = "Example:\n  obhut device invite --model monitor-m1 --serial SN-4711 --bed bed-03\nNext, on the device:\n  \
        obhut-agent enrol --server https://HOST:8443 --ca-sha256 … --device … --serial … --token-file …"
    )]
    Invite {
        /// Model of the charter.
        #[arg(long)]
        model: String,
        /// The maker's serial number.
        #[arg(long)]
        serial: String,
        /// Name for the device; by default the serial number in lower case.
        #[arg(long)]
        id: Option<String>,
        /// Put it at this bed at once.
        #[arg(long)]
        bed: Option<String>,
    },
    /// List devices with model, state, bed and connection.
    #[command(after_help = "Examples:\n  obhut device list\n  obhut --output json device list")]
    List,
    /// Show one device and what it may send.
    #[command(after_help = "Example:\n  obhut device show sn-4711")]
    Show {
        /// Its name.
        id: String,
    },
    /// Revoke a device for good: its session is cut within two seconds and it is refused from then on.
    #[command(after_help = "Example:\n  obhut device revoke sn-4711 --reason \"stolen from the ward\"")]
    Revoke {
        /// Its name.
        id: String,
        /// Why; kept with the record.
        #[arg(long)]
        reason: String,
    },
    /// Put a device at a bed.
    #[command(
        after_help = "Examples:\n  obhut device bind sn-4711 --bed bed-03\n  obhut device bind sn-4711 --bed bed-03 --from=-10m"
    )]
    Bind {
        /// Its name.
        id: String,
        /// The bed.
        #[arg(long)]
        bed: String,
        /// From when (RFC 3339); by default now.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
    },
    /// Take a device away from its bed.
    #[command(after_help = "Example:\n  obhut device unbind sn-4711")]
    Unbind {
        /// Its name.
        id: String,
        /// Until when (RFC 3339); by default now.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Bed {
    /// List beds with devices and pseudonyms.
    #[command(after_help = "Example:\n  obhut bed list")]
    List,
}

#[derive(Debug, Subcommand)]
pub enum Patient {
    /// Bind a patient to a bed, named by two identifiers: record number and birth date.
    #[command(
        after_help = "The identity is read from standard input as JSON, so that no name ends up in the shell's history or the process list:\n  \
        echo '{\"name\": \"…\", \"birth_date\": \"1950-01-31\", \"record_number\": \"…\"}' | obhut patient bind --bed bed-03"
    )]
    Bind {
        /// The bed.
        #[arg(long)]
        bed: String,
        /// From when (RFC 3339); by default now.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
    },
    /// End the stay of whoever is bound to a bed.
    #[command(after_help = "Example:\n  obhut patient unbind --bed bed-03")]
    Unbind {
        /// The bed.
        #[arg(long)]
        bed: String,
        /// Until when (RFC 3339); by default now.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
    /// Erase a patient: destroy the key, then the bytes, and prove it. There is no way back. The same as `obhut erasure run`.
    #[command(after_help = "Example:\n  obhut patient erase 3f… --yes")]
    Erase {
        /// Pseudonym, see `obhut bed list`.
        subject: String,
        /// Where the hospital keeps the treatment record instead (§ 630f(3) BGB).
        #[arg(long, value_name = "WHERE")]
        record_kept_at: Option<String>,
        /// Say that it is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// Which readings.
#[derive(Debug, Args, Clone)]
pub struct Which {
    /// Pseudonym of the patient.
    #[arg(long, value_name = "PSEUDONYM")]
    pub subject: Option<String>,
    /// Bed, for whoever is bound to it now.
    #[arg(long, conflicts_with = "subject", required_unless_present = "subject")]
    pub bed: Option<String>,
    /// Code: reference identifier or number; by default all.
    #[arg(long)]
    pub code: Option<String>,
    /// From when (RFC 3339, or `-10m` for ten minutes ago).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Until when (RFC 3339, or `-10m`).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Readings {
    /// List which codes are stored, with first and last time.
    #[command(
        after_help = "Examples:\n  obhut readings list --bed bed-01\n  obhut readings list --subject 3f… --from=-1h"
    )]
    List(Which),
    /// Export readings.
    #[command(
        after_help = "Examples:\n  obhut readings export --bed bed-01 --format csv --to-file out.csv --from=-10m\n  \
        obhut readings export --subject 3f… --format wfdb --to-file record1      writes record1.hea and record1.dat, and so on\n\n\
        A WFDB record holds signals of one rate; each rate becomes a record of its own, with the rate in its name."
    )]
    Export {
        #[command(flatten)]
        which: Which,
        /// Format.
        #[arg(long, value_enum)]
        format: Format,
        /// File (CSV) or record name (WFDB); CSV goes to standard output without it.
        #[arg(long, value_name = "PATH")]
        to_file: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line per value.
    Csv,
    /// PhysioNet waveform database.
    Wfdb,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("10m").unwrap().as_secs(), 600);
        assert!(duration("10 parsecs").is_err() && duration("m").is_err());
    }
}
