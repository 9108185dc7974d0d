//! One archive: a head in clear that says what it is, a sealed tar stream, and a signature over everything before it.
//!
//! `OBHUTBK1` · length of the head (u32, big endian) · head (JSON) · stream (see `stream`), bound to the SHA-256 of everything before it · Ed25519
//! signature over the SHA-256 of everything before it. Whoever has the public half sees without any key whether a byte was changed; whoever has the
//! recovery key reads everything back. Not for deciding what goes in: that is `snapshot`'s.

use crate::error::BackupError;
use crate::recovery::{RecoveryKey, RecoveryPublic, SealedKey};
use crate::stream::{Opener, Sealer, StreamKey};
use aws_lc_rs::digest;
use obhut_retention::text::{from_base64, sha256};
use obhut_retention::{Installation, is_signed};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"OBHUTBK1";
const LABEL: &str = "obhut backup archive 1";
const HEAD_BYTES_MAX: u32 = 64 * 1024;
const SIGNATURE_BYTES: u64 = 64;
const BUFFER_BYTES: usize = 256 * 1024;

/// What is in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Everything that is sealed: readings, records, identities, ledger.
    Data,
    /// The wrapped keys of patients; with a shorter life of its own.
    Keys,
    /// What those are wrapped under: the epoch in force, and the top key where it is a file. One copy at a place, overwritten.
    Root,
}

impl Kind {
    /// As it stands in file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Keys => "keys",
            Self::Root => "root",
        }
    }
}

/// What an archive says of itself, without a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The backup both archives belong to.
    pub backup: String,
    /// Which of the two this is.
    pub kind: Kind,
    /// Of which installation.
    pub installation: String,
    /// When it was begun, microseconds since 1970.
    pub made_at: i64,
    /// Until when it may be kept and restored.
    pub expires_at: i64,
    /// How many erasures the installation's list held then.
    pub erasures: u64,
    /// Entries of the ledger it holds.
    pub ledger_size: u64,
    /// Which program wrote it.
    pub program: String,
    /// Which recovery key opens it.
    pub recovery: String,
    pub(crate) key: SealedKey,
}

impl Head {
    fn bound(backup: &str, kind: Kind) -> Vec<u8> {
        [backup.as_bytes(), &[0], kind.as_str().as_bytes()].concat()
    }
}

/// What an archive shall say of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The backup's name.
    pub backup: String,
    /// Of which installation.
    pub installation: String,
    /// When it was begun.
    pub made_at: i64,
    /// Until when each of the two may be kept.
    pub expires_at: i64,
    /// Erasures in the list.
    pub erasures: u64,
    /// Entries of the ledger.
    pub ledger_size: u64,
}

/// A file, or the first bytes of one, to be archived under `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Path inside, with `/`.
    pub name: String,
    /// Where it lies now.
    pub from: PathBuf,
    /// How many bytes of it; all if `None`.
    pub length: Option<u64>,
}

/// Hears how far long work is, and says whether to go on.
pub trait Watch {
    /// `done` of `total` bytes.
    ///
    /// # Errors
    /// [`BackupError::Stopped`] to end it.
    fn step(&self, done: u64, total: u64) -> Result<(), BackupError>;
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn step(&self, _: u64, _: u64) -> Result<(), BackupError> {
        Ok(())
    }
}

/// Counts and digests what passes.
struct Digesting<W> {
    out: W,
    context: digest::Context,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(data)?;
        self.context.update(data.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads on behalf of the tar builder, watched.
struct Watched<'a, R> {
    from: R,
    done: &'a mut u64,
    total: u64,
    watch: &'a dyn Watch,
    stopped: &'a mut Option<BackupError>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(out)?;
        *self.done += got as u64;
        if let Err(error) = self.watch.step(*self.done, self.total) {
            *self.stopped = Some(error);
            return Err(io::Error::other("stopped"));
        }
        Ok(got)
    }
}

/// Writes `parts` as an archive to the new file `path`, synced. On an error the file is removed again.
pub(crate) fn write(
    path: &Path,
    about: &About,
    kind: Kind,
    parts: &[Part],
    (installation, recovery): (&Installation, &RecoveryPublic),
    watch: &dyn Watch,
) -> Result<(Head, StreamKey), BackupError> {
    let written = write_new(path, about, kind, parts, (installation, recovery), watch);
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_new(
    path: &Path,
    about: &About,
    kind: Kind,
    parts: &[Part],
    (installation, recovery): (&Installation, &RecoveryPublic),
    watch: &dyn Watch,
) -> Result<(Head, StreamKey), BackupError> {
    let fail = |error| BackupError::io("write", path, error);
    let key = StreamKey::generate().map_err(fail)?;
    let head = Head {
        backup: about.backup.clone(),
        kind,
        installation: about.installation.clone(),
        made_at: about.made_at,
        expires_at: about.expires_at,
        erasures: about.erasures,
        ledger_size: about.ledger_size,
        program: format!("obhut {}", env!("CARGO_PKG_VERSION")),
        recovery: recovery.short(),
        key: recovery.seal(&key, &Head::bound(&about.backup, kind))?,
    };
    let json = serde_json::to_vec(&head).map_err(|_| BackupError::Changed("head"))?;
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes();
    let front = [MAGIC.as_slice(), &length, &json].concat();

    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    let out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let mut out = Digesting { out, context: digest::Context::new(&digest::SHA256) };
    out.write_all(&front).map_err(fail)?;
    let sealer = Sealer::new(out, &key, &sha256(&[&front])).map_err(fail)?;
    let sealer = write_tar(sealer, parts, path, watch)?;
    let mut out = sealer.finish().map_err(fail)?;
    let digest = out.context.clone().finish();
    let signature = from_base64(&installation.sign(LABEL, digest.as_ref())).unwrap_or_default();
    out.out.write_all(&signature).map_err(fail)?;
    let file = out.out.into_inner().map_err(|error| fail(error.into_error()))?;
    file.sync_all().map_err(fail)?;
    Ok((head, key))
}

fn write_tar<W: Write>(
    sealer: Sealer<W>,
    parts: &[Part],
    path: &Path,
    watch: &dyn Watch,
) -> Result<Sealer<W>, BackupError> {
    let fail = |error| BackupError::io("write", path, error);
    let mut total = 0;
    for part in parts {
        total += match part.length {
            Some(length) => length,
            None => std::fs::metadata(&part.from).map_err(|error| BackupError::io("read", &part.from, error))?.len(),
        };
    }
    let (mut done, mut stopped) = (0, None);
    let mut tar: tar::Builder<Sealer<W>> = tar::Builder::new(sealer);
    for part in parts {
        let read = |error| BackupError::io("read", &part.from, error);
        let file = File::open(&part.from).map_err(read)?;
        let length = match part.length {
            Some(length) => length,
            None => file.metadata().map_err(read)?.len(),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(length);
        let from = Watched { from: file.take(length), done: &mut done, total, watch, stopped: &mut stopped };
        let exact = Exact { from, left: length };
        if let Err(error) = tar.append_data(&mut header, &part.name, exact) {
            return Err(stopped.unwrap_or_else(|| fail(error)));
        }
    }
    tar.into_inner().map_err(fail)
}

/// Gives exactly as many bytes as the header says, or fails: a file that became shorter meanwhile must not pass for whole.
struct Exact<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(out)?;
        self.left -= got as u64;
        if got == 0 && self.left > 0 && !out.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was read"));
        }
        Ok(got)
    }
}

/// An archive's head with its own bytes, as read.
pub(crate) struct Front {
    pub(crate) head: Head,
    bytes: Vec<u8>,
}

/// Reads the head. What it says is not to be believed before [`check`].
pub(crate) fn front(path: &Path) -> Result<Front, BackupError> {
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::NotAnArchive(path.to_owned()),
        _ => BackupError::io("read", path, error),
    };
    let mut file = File::open(path).map_err(fail)?;
    let mut start = [0; 12];
    file.read_exact(&mut start).map_err(fail)?;
    let (magic, length) = start.split_at(8);
    let length = u32::from_be_bytes(length.try_into().unwrap_or_default());
    if magic != MAGIC || length > HEAD_BYTES_MAX {
        return Err(BackupError::NotAnArchive(path.to_owned()));
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(fail)?;
    let head = serde_json::from_slice(&json).map_err(|_| BackupError::NotAnArchive(path.to_owned()))?;
    Ok(Front { head, bytes: [start.as_slice(), &json].concat() })
}

/// Reads all of the file and checks the signature: any changed, missing or added byte is found, without a key.
pub(crate) fn check(path: &Path, signer: &str, watch: &dyn Watch) -> Result<Head, BackupError> {
    let front = front(path)?;
    let fail = |error| BackupError::io("read", path, error);
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let covered = length.checked_sub(SIGNATURE_BYTES).ok_or(BackupError::Changed("length"))?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut context = digest::Context::new(&digest::SHA256);
    let (mut done, mut buffer) = (0, vec![0; BUFFER_BYTES]);
    while done < covered {
        let wanted = usize::try_from(covered - done).unwrap_or(usize::MAX).min(buffer.len());
        let slice = buffer.get_mut(..wanted).unwrap_or_default();
        reader.read_exact(slice).map_err(fail)?;
        context.update(slice);
        done += wanted as u64;
        watch.step(done, covered)?;
    }
    let mut signature = Vec::new();
    reader.read_to_end(&mut signature).map_err(fail)?;
    let signature = obhut_retention::text::base64(&signature);
    if !is_signed(signer, LABEL, context.finish().as_ref(), &signature) {
        return Err(BackupError::Changed("signature"));
    }
    Ok(front.head)
}

/// What to open an archive with.
pub(crate) enum With<'a> {
    Recovery(&'a RecoveryKey),
    Own(&'a StreamKey),
}

/// Reads every entry back, in order. The caller has checked the signature.
pub(crate) fn read(
    path: &Path,
    with: &With<'_>,
    watch: &dyn Watch,
    mut each: impl FnMut(&Path, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<Head, BackupError> {
    let front = front(path)?;
    let fail = |error| BackupError::io("read", path, error);
    let opened;
    let key = match with {
        With::Own(key) => key,
        With::Recovery(recovery) => {
            opened = recovery.open(&front.head.key, &Head::bound(&front.head.backup, front.head.kind))?;
            &opened
        }
    };
    let mut file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let begin = front.bytes.len() as u64;
    file.seek(SeekFrom::Start(begin)).map_err(fail)?;
    let sealed = length.checked_sub(begin + SIGNATURE_BYTES).ok_or(BackupError::Changed("length"))?;
    let reader = BufReader::with_capacity(BUFFER_BYTES, file).take(sealed);
    let opener = Opener::new(reader, key, &sha256(&[&front.bytes])).map_err(|_| BackupError::Changed("seal"))?;
    let mut tar = tar::Archive::new(opener);
    let mut done = 0;
    for entry in tar.entries().map_err(unsealed)? {
        let mut entry = entry.map_err(unsealed)?;
        let name = entry.path().map_err(unsealed)?.into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular || !is_inside(&name) {
            return Err(BackupError::Changed("list of files"));
        }
        let mut stopped = None;
        let watched = &mut Watched { from: &mut entry, done: &mut done, total: sealed, watch, stopped: &mut stopped };
        let result = each(&name, watched);
        if let Some(stopped) = stopped {
            return Err(stopped);
        }
        result?;
    }
    // To the very end, so that the last segment is known to be the last.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(unsealed)?;
    Ok(front.head)
}

fn unsealed(_: io::Error) -> BackupError {
    BackupError::Changed("seal")
}

/// A relative path without a way out.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, std::path::Component::Normal(_))) && path.as_os_str().len() < 4096
}
