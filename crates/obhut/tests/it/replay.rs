//! Recordings go in through simulated devices, real sockets, gateway and sealed store, and come out of `readings export`: sample for sample what the
//! record holds. Gaps stay gaps, "no value" stays "no value".
//!
//! A hundred ward seconds pass in a real one here; `OBHUT_LONG=1` adds the whole at 20 times and a minute at real speed,
//! `OBHUT_LONG=whole` the whole at real speed: half an hour.

use crate::support::{obhut, until};
use obhut_model::{Code, DeviceTime};
use obhut_sim::recordings::{Folder, Recording, Track, TrackKind};
use obhut_wfdb::{ABSENT, Body, Channel};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The folder of recordings; `None`, with a line saying so, if this machine has none. In CI they must be there.
pub(crate) fn recordings() -> Option<PathBuf> {
    let root = std::env::var_os("OBHUT_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let folder = root.join("wfdb");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no recordings in {}; set OBHUT_DATA", folder.display());
    println!("SKIPPED: no recordings in {}; set OBHUT_DATA", folder.display());
    None
}

fn wanted_long() -> bool {
    let wanted = std::env::var_os("OBHUT_LONG").is_some_and(|value| value == "1");
    if !wanted {
        println!("SKIPPED: takes minutes; set OBHUT_LONG=1");
    }
    wanted
}

/// A demonstration that plays recordings, one bed each, in a directory of its own.
struct Ward {
    dir: TempDir,
    child: Child,
    /// By bed, in the order the demonstration gives them beds.
    playing: Vec<(String, Recording)>,
}

impl Ward {
    /// Plays the records `names` of `folder`, which are in alphabetical order of their paths.
    fn play(folder: &Path, names: &[&str], arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("recordings");
        std::fs::create_dir(&source).unwrap();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let file = entry.file_name().into_string().unwrap();
            let belongs = |name: &&str| file.strip_prefix(*name).is_some_and(|rest| rest.starts_with(['.', '_']));
            // A folder of segments belongs together as a whole.
            if names.iter().any(belongs) || folder.ends_with("s25047") {
                std::os::unix::fs::symlink(std::fs::canonicalize(entry.path()).unwrap(), source.join(file)).unwrap();
            }
        }
        let load =
            |(index, name): (usize, &&str)| (format!("bed-{:02}", index + 1), Recording::load(&source, name).unwrap());
        let playing: Vec<_> = names.iter().enumerate().map(load).collect();
        let log = |name| std::fs::File::create(dir.path().join(name)).unwrap();
        let mut command = obhut(&dir.path().join("data"));
        command
            .args(["demo", "--headless", "--port", "0", "--gateway-port", "0", "--once", "--recordings"])
            .arg(&source);
        command.arg("--beds").arg(names.len().to_string()).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(log("out")).stderr(log("log")).spawn().unwrap();
        Self { dir, child, playing }
    }

    /// Waits until it ends by itself.
    fn until_over(&mut self, patience: Duration) {
        let ended =
            until("the demonstration ends when everything is played", patience, || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}: {}", self.log());
        let warned: Vec<String> = self.log().lines().filter(|line| !line.contains('✓')).map(str::to_owned).collect();
        assert!(warned.is_empty(), "nothing was to be warned of: {warned:?}");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn tool(&self, arguments: &[&str]) -> Vec<u8> {
        let done = obhut(&self.dir.path().join("data")).args(arguments).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Exports a bed as WFDB and reads it back: channels by label, with the time of their first index.
    fn exported(&self, bed: &str) -> BTreeMap<String, (DeviceTime, Channel)> {
        let target = self.dir.path().join(format!("out-{bed}"));
        std::fs::create_dir_all(&target).unwrap();
        let record = target.join("out").display().to_string();
        let said = self.tool(&["readings", "export", "--bed", bed, "--format", "wfdb", "--to-file", &record]);
        let said: Value = serde_json::from_slice(&said).unwrap();
        let files = said["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap());
        let names: BTreeSet<&str> = files.filter_map(|file| file.strip_suffix(".hea")).collect();
        let header = |name: &str| {
            obhut_wfdb::Header::parse(&std::fs::read(target.join(format!("{name}.hea"))).unwrap()).unwrap()
        };
        let segments: BTreeSet<String> = names.iter().flat_map(|name| segments(&header(name).body)).collect();
        let whole = names.iter().filter(|name| !segments.contains(**name));
        whole
            .flat_map(|name| {
                let record = obhut_wfdb::read(&Folder(target.clone()), name).unwrap();
                let start = DeviceTime::from_micros(record.header.start.unwrap().micros().unwrap());
                record.channels.into_iter().map(move |channel| (channel.name.clone(), (start, channel)))
            })
            .collect()
    }

    /// First and last time stored for `code`.
    fn times(&self, bed: &str, code: Code) -> (i64, i64) {
        let list: Value = serde_json::from_slice(&self.tool(&["readings", "list", "--bed", bed])).unwrap();
        let rows = list["readings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["code"] == code.number()).unwrap();
        (row["first"].as_i64().unwrap(), row["last"].as_i64().unwrap())
    }

    /// Lines of a CSV export: microseconds and value.
    fn csv(&self, bed: &str, code: Code, from: i64, to: i64) -> Vec<(i64, Option<f64>)> {
        let time = |micros| format!("{:.6}", jiff::Timestamp::from_microsecond(micros).unwrap());
        let (from, to, code) = (time(from), time(to), code.number().to_string());
        let arguments =
            ["readings", "export", "--bed", bed, "--format", "csv", "--code", &code, "--from", &from, "--to", &to];
        let text = String::from_utf8(self.tool(&arguments)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("time,code,reading,value,unit,quality"));
        lines
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                assert_eq!(fields[1], code);
                let at: jiff::Timestamp = fields[0].parse().unwrap();
                (at.as_microsecond(), (!fields[3].is_empty()).then(|| fields[3].parse().unwrap()))
            })
            .collect()
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the demonstration's log\n{}", self.log());
        }
    }
}

fn segments(body: &Body) -> Vec<String> {
    match body {
        Body::Segments(segments) => segments.iter().filter_map(|segment| segment.name.clone()).collect(),
        Body::Signals(_) => Vec::new(),
    }
}

/// A sample with what it means.
type Sample = (i32, f64, i32);

/// Every sample of a channel that has a value, by index.
fn known(channel: &Channel) -> BTreeMap<u64, Sample> {
    let each = channel.pieces.iter().flat_map(|piece| {
        let indexed = (piece.start..).zip(&piece.samples);
        indexed
            .filter(|(_, sample)| **sample != ABSENT)
            .map(|(index, sample)| (index, (*sample, piece.gain, piece.baseline)))
    });
    each.collect()
}

/// Compares a curve as recorded with the same as exported, up to the index `until` of the recording. Returns how many samples were compared.
fn same_curve(track: &Track, exported: &Channel, ahead: u64, until: u64) -> usize {
    let name = &exported.name;
    assert_eq!(exported.rate, track.rate, "{name}");
    let recorded: BTreeMap<u64, Sample> =
        known(track.channel()).into_iter().filter(|(index, _)| *index < until).collect();
    let read: BTreeMap<u64, Sample> =
        known(exported).into_iter().map(|(index, sample)| (index + ahead, sample)).collect();
    let read: BTreeMap<u64, Sample> = read.into_iter().filter(|(index, _)| *index < until).collect();
    let first_wrong = recorded.iter().find(|(index, sample)| read.get(index) != Some(sample));
    let first_wrong = first_wrong.map(|(index, sample)| (*index, *sample, read.get(index).copied()));
    assert_eq!(
        first_wrong,
        None,
        "{name}: a sample is missing or another; {} of {} are there",
        read.len(),
        recorded.len()
    );
    let surplus = read.keys().find(|index| !recorded.contains_key(index));
    assert_eq!(surplus, None, "{name}: a sample nobody recorded");
    recorded.len()
}

/// Curves of a recording that the demonstration's charter lets through.
fn curves(recording: &Recording) -> impl Iterator<Item = &Track> {
    recording.tracks().iter().filter(|track| track.kind == TrackKind::Waveform)
}

fn label(code: Code) -> &'static str {
    code.info().unwrap().label
}

/// Every curve of `recording`, whole.
fn same_recording(ward: &Ward, bed: &str, recording: &Recording) {
    let exported = ward.exported(bed);
    for track in curves(recording) {
        let (start, channel) =
            exported.get(label(track.code)).unwrap_or_else(|| panic!("{} is not in the export", track.code));
        let (first, last) = ward.times(bed, track.code);
        let ahead = ahead_of(track, *start, first);
        let compared = same_curve(track, channel, ahead, u64::MAX);
        let recorded = track.channel();
        let expected = known(recorded).len();
        assert_eq!(compared, expected);
        let (begin, end) = (recorded.pieces.first().unwrap().start, recorded.pieces.last().unwrap().end());
        let lasts = track.rate.offset_micros(end - 1) - track.rate.offset_micros(begin);
        assert!((last - first - lasts).abs() <= 1, "{}: {} instead of {lasts} µs", track.code, last - first);
        println!(
            "{} {}: {compared} samples are the same, {} had none",
            recording.name,
            track.code,
            (end - begin) - compared as u64
        );
    }
}

/// By how many indices the recording is ahead of the export, which begins with its first sample.
fn ahead_of(track: &Track, export_begins: DeviceTime, first: i64) -> u64 {
    let first_index = track.channel().pieces.first().unwrap().start;
    let inside = track.rate.index_at(DeviceTime::from_micros(first).since(export_begins));
    first_index - inside
}

/// The first minute of a code as CSV is the first minute as recorded.
fn same_csv(ward: &Ward, bed: &str, track: &Track) {
    let (first, _) = ward.times(bed, track.code);
    let lines = ward.csv(bed, track.code, first, first + 60_000_000);
    let piece = track.channel().pieces.first().unwrap();
    let expected: Vec<(i64, Option<f64>)> = (0..)
        .map(|index| first + track.rate.offset_micros(index))
        .take_while(|at| *at < first + 60_000_000)
        .zip(&piece.samples)
        .map(|(at, sample)| {
            (at, (*sample != ABSENT).then(|| (f64::from(*sample) - f64::from(piece.baseline)) / piece.gain))
        })
        .collect();
    assert_eq!(lines.len(), expected.len(), "{}", track.code);
    for (line, expected) in lines.iter().zip(&expected) {
        assert!((line.0 - expected.0).abs() <= 1, "{line:?} {expected:?}");
        assert_eq!(line.1, expected.1, "{line:?}");
    }
}

#[test]
fn recordings_come_back_sample_for_sample() {
    let Some(folder) = recordings() else { return };
    let mut ward = Ward::play(&folder, &["03700181", "100", "a103l", "mixedsignals"], &["--speed", "100"]);
    ward.until_over(Duration::from_secs(120));
    for (bed, recording) in &ward.playing {
        same_recording(&ward, bed, recording);
        curves(recording).for_each(|track| same_csv(&ward, bed, track));
    }
}

#[test]
fn gaps_stay_gaps_and_a_running_server_exports_the_same() {
    let Some(folder) = recordings() else { return };
    let name = "s25047-2704-05-04-10-44";
    let mut ward = Ward::play(&folder.join("s25047"), &[name], &["--speed", "100", "--duration", "14s"]);
    let socket = ward.dir.path().join("data/admin.sock");
    until("the server listens", Duration::from_secs(20), || std::os::unix::net::UnixStream::connect(&socket).ok());
    let (bed, recording) = ward.playing.pop().unwrap();
    let ecg =
        || curves(&recording).filter(|track| track.code == Code::ECG_LEAD_II || track.code == Code::ECG_LEAD_UNKNOWN);
    // Past the silence at its beginning and the first changes of scale.
    until("ten minutes are stored", Duration::from_secs(20), || {
        let list = obhut(&ward.dir.path().join("data")).args(["readings", "list", "--bed", &bed]).output().unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).ok()?;
        let row = list["readings"].as_array()?.iter().find(|row| row["code"] == Code::ECG_LEAD_II.number())?.clone();
        (row["last"].as_i64()? - row["first"].as_i64()? > 600_000_000).then_some(())
    });
    let compare = |ward: &Ward, least: Duration| {
        let exported = ward.exported(&bed);
        for track in ecg() {
            let (start, channel) = &exported[label(track.code)];
            let ahead = ahead_of(track, *start, ward.times(&bed, track.code).0);
            let end = channel.pieces.last().unwrap().end() + ahead;
            assert!(track.rate.offset_micros(end) >= i64::try_from(least.as_micros()).unwrap(), "{end}");
            // What was in flight when the export was made may be missing at the end, nothing before.
            let compared = same_curve(track, channel, ahead, end - 1);
            println!("{} {}: {compared} samples are the same", recording.name, track.code);
        }
    };
    compare(&ward, Duration::from_secs(800));
    ward.until_over(Duration::from_secs(60));
    compare(&ward, Duration::from_secs(1000));
    numbers_come_back(&ward, &bed, &recording);
}

/// Numbers in whole steps of the charter; a zero of this recorder means that nothing was measured.
fn numbers_come_back(ward: &Ward, bed: &str, recording: &Recording) {
    for track in recording.tracks().iter().filter(|track| track.kind != TrackKind::Waveform) {
        let (first, last) = ward.times(bed, track.code);
        let lines = ward.csv(bed, track.code, first, last + 1);
        assert!(lines.len() >= 15, "{}: {}", track.code, lines.len());
        let piece = track.channel().pieces.first().unwrap();
        for (index, ((at, value), recorded)) in lines.iter().zip(&piece.samples).enumerate() {
            assert_eq!(*at, first + 60_000_000 * index as i64, "{}", track.code);
            let recorded = (*recorded != ABSENT && *recorded != 0)
                .then(|| (f64::from(*recorded) - f64::from(piece.baseline)) / piece.gain);
            match (value, recorded) {
                (Some(value), Some(recorded)) => {
                    assert!((value - recorded).abs() <= 0.5, "{} {index}: {value} {recorded}", track.code)
                }
                (value, recorded) => assert_eq!(*value, recorded, "{} {index}", track.code),
            }
        }
        println!("{} {}: {} numbers are the same", recording.name, track.code, lines.len());
    }
}

#[test]
fn recordings_come_back_at_twenty_times() {
    let Some(folder) = recordings().filter(|_| wanted_long()) else { return };
    let mut ward = Ward::play(&folder, &["03700181", "100"], &["--speed", "20"]);
    ward.until_over(Duration::from_secs(150));
    ward.playing.iter().for_each(|(bed, recording)| same_recording(&ward, bed, recording));
}

#[test]
fn recordings_come_back_at_real_speed() {
    let wanted = std::env::var_os("OBHUT_LONG").is_some_and(|value| value == "whole");
    let Some(folder) = recordings().filter(|_| wanted) else {
        println!("SKIPPED: takes half an hour; set OBHUT_LONG=whole");
        return;
    };
    let mut ward = Ward::play(&folder, &["03700181", "100"], &["--speed", "1"]);
    ward.until_over(Duration::from_secs(45 * 60));
    ward.playing.iter().for_each(|(bed, recording)| same_recording(&ward, bed, recording));
}

#[test]
fn a_minute_comes_back_at_real_speed() {
    let Some(folder) = recordings().filter(|_| wanted_long()) else { return };
    let mut ward = Ward::play(&folder, &["03700181", "100"], &["--speed", "1", "--duration", "65s"]);
    ward.until_over(Duration::from_secs(90));
    for (bed, recording) in &ward.playing {
        let exported = ward.exported(bed);
        for track in curves(recording) {
            let (start, channel) = &exported[label(track.code)];
            let ahead = ahead_of(track, *start, ward.times(bed, track.code).0);
            let minute = track.rate.index_at(60_000_000);
            assert!(channel.pieces.last().unwrap().end() + ahead >= minute, "{}", track.code);
            same_curve(track, channel, ahead, minute);
        }
    }
}
