//! Checks a ledger with nothing but its tiles and its public key. For auditors, at their own machine: no server, no network, no keys.
//!
//! Not for reading events: those are sealed, and what is checked here are commitments. With an export it also checks that the events are the ones
//! committed to. Small on purpose: arguments by hand, files, the verification of `obhut-ledger`.

use obhut_ledger::verify::{Events, Report, Wanted, verify};
use obhut_ledger::{Checkpoint, Files, Proof, VerifierKey};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Check a ledger with nothing but its tiles and its public key.

Usage: obhut-verify DIR --key KEY [OPTIONS]
       obhut-verify --proof FILE --event FILE --key KEY

Names every entry and file that was changed, removed, moved or cut off.

  DIR                the log: `checkpoint` and `tile/`, as in DATA/ledger or fetched from a server
  --key KEY          the log's public key, `name+id+key`, from `obhut ledger key`; kept apart from the log
  --witness KEY      key of a witness whose cosignature must be there; may be repeated
  --checkpoint FILE  an older checkpoint that was kept: the log must have grown out of it
  --events FILE      events exported with `obhut ledger export`: they must be those the entries commit to
  --strict           a signature whose key was not given is a fault
  --proof FILE       check one proof, made with `obhut ledger prove`, instead of a whole log
  --event FILE       the event the proof is about: one line of an export
  -h, --help         this text

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage or a file cannot be read.
";

/// Longest line of an export.
const LINE_BYTES_MAX: u64 = obhut_ledger::export::LINE_BYTES_MAX as u64;

#[derive(Default)]
struct Arguments {
    dir: Option<PathBuf>,
    key: Option<String>,
    witnesses: Vec<String>,
    checkpoint: Option<PathBuf>,
    events: Option<PathBuf>,
    proof: Option<PathBuf>,
    event: Option<PathBuf>,
    strict: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() || words.iter().any(|word| word == "-h" || word == "--help") {
        print!("{HELP}");
        return if words.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    match arguments(&words).and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            eprintln!("obhut-verify: {why}");
            ExitCode::from(2)
        }
    }
}

fn arguments(words: &[String]) -> Result<Arguments, String> {
    let mut out = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or_else(|| format!("`{word}` needs a value; see --help"));
        match word.as_str() {
            "--key" => out.key = Some(value()?),
            "--witness" => out.witnesses.push(value()?),
            "--checkpoint" => out.checkpoint = Some(value()?.into()),
            "--events" => out.events = Some(value()?.into()),
            "--proof" => out.proof = Some(value()?.into()),
            "--event" => out.event = Some(value()?.into()),
            "--strict" => out.strict = true,
            other if other.starts_with('-') => return Err(format!("`{other}` is not an option; see --help")),
            dir if out.dir.is_none() => out.dir = Some(dir.into()),
            other => return Err(format!("`{other}` is one argument too many; see --help")),
        }
    }
    Ok(out)
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let key = arguments.key.as_deref().ok_or("the log's public key is needed: `--key name+id+key`")?;
    let key: VerifierKey = key.parse().map_err(|error| format!("the key: {error}"))?;
    match (&arguments.proof, &arguments.dir) {
        (Some(proof), None) => check_proof(proof, arguments.event.as_deref(), &key),
        (None, Some(dir)) => check_log(dir, arguments, &key),
        _ => Err("name either a log or a proof; see --help".to_owned()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
}

fn check_proof(proof: &Path, event: Option<&Path>, key: &VerifierKey) -> Result<bool, String> {
    let text = String::from_utf8(read(proof)?).map_err(|_| "the proof is no text")?;
    let event = event.ok_or("the event the proof is about is needed: `--event FILE`")?;
    let line = String::from_utf8(read(event)?).map_err(|_| "the event is no text")?;
    let line = obhut_ledger::export::Line::parse(line.trim()).map_err(|error| error.to_string())?;
    let leaf = line.leaf().ok_or("the event was removed; nothing can be compared")?;
    let checked = text.parse::<Proof>().and_then(|proof| {
        let checkpoint = proof.check(key, &leaf)?;
        Ok((proof, checkpoint))
    });
    match checked {
        Ok((proof, _)) if proof.index != line.index() => {
            println!("the proof is about entry {}, the event is number {}", proof.index, line.index());
            Ok(false)
        }
        Ok((proof, Checkpoint { origin, size, .. })) => {
            println!(
                "good: this event is entry {} of `{origin}`, which had {size} entries when it was signed",
                proof.index
            );
            Ok(true)
        }
        Err(error) => {
            println!("{error}");
            Ok(false)
        }
    }
}

fn check_log(dir: &Path, arguments: &Arguments, key: &VerifierKey) -> Result<bool, String> {
    if !dir.is_dir() {
        return Err(format!("`{}` is no directory", dir.display()));
    }
    let parse = |text: &String| text.parse::<VerifierKey>().map_err(|error| format!("the key of a witness: {error}"));
    let witnesses = arguments.witnesses.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let older = arguments.checkpoint.as_deref().map(read).transpose()?;
    let files = Dir(dir.to_owned());
    let wanted = Wanted { witnesses: &witnesses, older: older.as_deref(), strict: arguments.strict };
    let mut report = verify(&files, key, &wanted);
    if let Some(events) = &arguments.events {
        check_events(&files, events, &mut report)?;
    }
    print(&report, key, arguments);
    Ok(report.is_good())
}

fn check_events(files: &Dir, path: &Path, report: &mut Report) -> Result<(), String> {
    let file = File::open(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut events = Events::new(files, report.size);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))? {
            0 => break,
            _ => events.line(String::from_utf8_lossy(&line).trim_end(), report),
        }
    }
    events.end(report);
    Ok(())
}

fn print(report: &Report, key: &VerifierKey, arguments: &Arguments) {
    for finding in &report.findings {
        println!("{finding}");
    }
    if report.more > 0 {
        println!("… and {} more", report.more);
    }
    if report.is_good() {
        println!("good: {} entries of `{}`, root {}", report.size, key.name(), report.root);
    } else {
        println!("{} fault(s) in `{}`", report.findings.len() as u64 + report.more, key.name());
    }
    for (name, time) in &report.cosigned {
        println!("cosigned by `{name}` at {time} (seconds since 1970)");
    }
    for name in &report.unknown {
        println!("note: signed by `{name}` too; give its key with --witness to check that");
    }
    if arguments.events.is_some() {
        println!("{} events compared, {} removed by their retention rule", report.events, report.removed);
    }
}

/// A log in a directory.
struct Dir(PathBuf);

impl Files for Dir {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.0.join(path);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => std::fs::read(&path).map(Some).map_err(|error| error.to_string()),
            _ => Ok(None),
        }
    }

    fn list(&self) -> Result<Vec<String>, String> {
        let mut out = Vec::new();
        let mut open = vec!["tile".to_owned()];
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(self.0.join(&dir)) else { continue };
            for entry in entries {
                let entry = entry.map_err(|error| error.to_string())?;
                let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() { open.push(path) } else { out.push(path) }
            }
        }
        Ok(out)
    }
}
