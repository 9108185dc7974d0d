//! Run and sequence number of frames. Numbers are reserved ahead on disk, so that none is used twice, whatever happens to the power.

use crate::disk::Disk;
use crate::limits::NUMBERS_AHEAD;
use std::io;

const FILE: &str = "sequence";
const MAGIC: &[u8; 8] = b"obhutsq1";

/// Hands out numbers below the durable reservation.
#[derive(Debug)]
pub struct Sequence {
    run: u32,
    next: u64,
    reserved: u64,
}

impl Sequence {
    /// Goes on after the last reservation, or begins the run `fresh_run` above `above` if there is none that can be read.
    ///
    /// # Errors
    /// Whatever the disk says; then no number may be used.
    pub fn open(disk: &mut impl Disk, fresh_run: u32, above: u64) -> io::Result<Self> {
        let stored = match disk.read(FILE) {
            Ok(bytes) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (run, used) = stored.unwrap_or((fresh_run, above));
        let used = used.max(above);
        let mut sequence = Self { run, next: used.saturating_add(1), reserved: used };
        sequence.reserve(disk)?;
        Ok(sequence)
    }

    /// The run all numbers belong to.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// The next number; `None` when the reservation is used up and must be renewed first. Not used until [`Sequence::advance`].
    #[must_use]
    pub fn peek(&self) -> Option<u64> {
        (self.next <= self.reserved).then_some(self.next)
    }

    /// Uses the number [`Sequence::peek`] showed.
    pub const fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether less than half of a reservation is left.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        self.reserved.saturating_sub(self.next) < NUMBERS_AHEAD / 2
    }

    /// Reserves [`NUMBERS_AHEAD`] numbers from the next one on.
    ///
    /// # Errors
    /// Whatever the disk says; the old reservation stands.
    pub fn reserve(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        let reservation = self.plan();
        reservation.store(disk)?;
        self.grant(&reservation);
        Ok(())
    }

    /// The next reservation, to be stored without holding up who takes numbers meanwhile.
    #[must_use]
    pub const fn plan(&self) -> Reservation {
        Reservation { run: self.run, up_to: self.next.saturating_add(NUMBERS_AHEAD - 1) }
    }

    /// Uses a reservation that has been stored.
    pub fn grant(&mut self, stored: &Reservation) {
        self.reserved = self.reserved.max(stored.up_to);
    }

    /// Gives back what is unused, at an orderly end. No number may be taken afterwards.
    ///
    /// # Errors
    /// Whatever the disk says; the gap then stays, which does no harm.
    pub fn close(&mut self, disk: &mut impl Disk) -> io::Result<()> {
        self.reserved = self.next - 1;
        disk.replace(FILE, &bytes(self.run, self.reserved))
    }
}

/// Numbers to be used once they are reserved on disk.
#[derive(Debug)]
pub struct Reservation {
    run: u32,
    up_to: u64,
}

impl Reservation {
    /// Makes it durable.
    ///
    /// # Errors
    /// Whatever the disk says; then it must not be granted.
    pub fn store(&self, disk: &mut impl Disk) -> io::Result<()> {
        disk.replace(FILE, &bytes(self.run, self.up_to))
    }
}

fn bytes(run: u32, reserved: u64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&run.to_le_bytes());
    out.extend_from_slice(&reserved.to_le_bytes());
    // A guard against a file cut or filled with zeros by the file system; not against malice, which could do worse.
    let sum =
        out.iter().fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn parse(stored: &[u8]) -> Option<(u32, u64)> {
    let rest = stored.strip_prefix(MAGIC)?;
    let (run, rest) = rest.split_first_chunk::<4>()?;
    let (reserved, _) = rest.split_first_chunk::<8>()?;
    let (run, reserved) = (u32::from_le_bytes(*run), u64::from_le_bytes(*reserved));
    (bytes(run, reserved) == stored).then_some((run, reserved))
}
