//! The curves themselves, looked at beside what devices say of them: `obhut-signal` for every bed, on a thread of its own.
//!
//! The device door hands blocks in without waiting: what does not fit into the queue is dropped and counted, so neither an acknowledgement nor an alarm
//! about a number ever waits for this. What comes out once a second of the device's time is a [`Judged`], which `opinion` turns into findings. *Not* for the
//! backlog of a device: a second opinion is about now.
//!
//! INVARIANT: a dropped block is a gap, a gap is unknown quality, and unknown quality neither contradicts nor ends an alarm.

use obhut_model::{BedId, Code, DeviceId, DeviceTime, Quality, SampleRate, Samples, Scale, Subject, Wave};
use obhut_signal::{Assessment, Bed, Claim, Settings, Sort, Verdict};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

/// Blocks that may wait; one more is dropped.
const BLOCKS_MAX: usize = 8_192;
/// Bytes of samples that may wait; a block beyond is dropped.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// How far a channel's end may lie behind the newest one's and still be waited for.
const WAITED_FOR_MICROS: i64 = 3_000_000;
/// For how long a second device with the same curve stays unheard after the first one's last block.
const OWNED_MICROS: i64 = 5_000_000;
const SECOND: i64 = 1_000_000;

/// The claims a second opinion is kept ready for.
pub(super) const CLAIMS: [Claim; 4] =
    [Claim::Asystole, Claim::VentricularFibrillation, Claim::ExtremeBradycardia, Claim::ExtremeTachycardia];

/// A block on its way, with bytes of its own.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) bed: BedId,
    pub(super) subject: Option<Subject>,
    pub(super) device: DeviceId,
    code: Code,
    start: DeviceTime,
    rate: SampleRate,
    scale: Scale,
    quality: Quality,
    samples: Vec<u8>,
}

impl Block {
    /// A copy of `wave`; `None` if there is nothing to say about such a curve, or if it comes from a device's buffer.
    pub(super) fn of(bed: &BedId, subject: Option<Subject>, device: &DeviceId, wave: &Wave<'_>) -> Option<Self> {
        if Sort::of(wave.code).is_none() || wave.quality.has(Quality::LATE) {
            return None;
        }
        Some(Self {
            bed: bed.clone(),
            subject,
            device: device.clone(),
            code: wave.code,
            start: wave.start,
            rate: wave.rate,
            scale: wave.scale,
            quality: wave.quality,
            samples: wave.samples.as_le_bytes().to_vec(),
        })
    }

    fn wave(&self) -> Option<Wave<'_>> {
        Some(Wave {
            code: self.code,
            start: self.start,
            rate: self.rate,
            scale: self.scale,
            quality: self.quality,
            samples: Samples::from_le_bytes(&self.samples)?,
        })
    }
}

/// How many blocks were looked at, and how many were not.
#[derive(Debug, Default)]
pub struct CurveCounts {
    /// Taken by a detector.
    pub taken: AtomicU64,
    /// Not looked at because too much was waiting.
    pub dropped: AtomicU64,
    /// Not looked at because of what they are: too slow, too many channels, a second device with the same curve.
    pub refused: AtomicU64,
}

/// The end the device door puts blocks into.
#[derive(Debug)]
pub(super) struct Queue {
    sender: SyncSender<Block>,
    waiting: Arc<AtomicUsize>,
    pub(super) counts: Arc<CurveCounts>,
}

/// The end a thread takes them out of.
#[derive(Debug)]
pub(super) struct Waiting {
    receiver: Receiver<Block>,
    waiting: Arc<AtomicUsize>,
}

pub(super) fn queue() -> (Queue, Waiting) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(BLOCKS_MAX);
    let waiting = Arc::<AtomicUsize>::default();
    (Queue { sender, waiting: waiting.clone(), counts: Arc::default() }, Waiting { receiver, waiting })
}

impl Queue {
    /// Never waits.
    pub(super) fn put(&self, block: Block) {
        let bytes = block.samples.len();
        let fits = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= BYTES_MAX;
        let full = match fits.then(|| self.sender.try_send(block)) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => bytes,
        };
        self.waiting.fetch_sub(full, Ordering::Relaxed);
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Waiting {
    /// The next block; `Ok(None)`: none came for a while. `Err`: none will come.
    pub(super) fn next(&self, patience: Duration) -> Result<Option<Block>, ()> {
        match self.receiver.recv_timeout(patience) {
            Ok(block) => {
                self.waiting.fetch_sub(block.samples.len(), Ordering::Relaxed);
                Ok(Some(block))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(()),
        }
    }
}

/// What a bed's curves say at one time.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) bed: BedId,
    pub(super) subject: Option<Subject>,
    pub(super) known: Assessment,
    /// In the order of [`CLAIMS`].
    pub(super) verdicts: [Verdict; CLAIMS.len()],
    /// Which device each channel comes from.
    pub(super) sources: BTreeMap<Code, DeviceId>,
}

/// One bed's curves.
#[derive(Debug)]
struct Watched {
    subject: Option<Subject>,
    curves: Bed,
    /// Who sends each channel, and up to when it has come.
    channels: BTreeMap<Code, (DeviceId, i64)>,
    /// The last second that was judged.
    judged: i64,
}

/// All beds' curves. At most one entry for each bed of the charter.
#[derive(Debug, Default)]
pub(super) struct Beds(HashMap<BedId, Watched>);

/// A block was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotTaken;

impl Beds {
    /// Takes a block in; gives what is known once another second is complete.
    ///
    /// # Errors
    /// [`NotTaken`]: the block was of no use, nothing changed.
    pub(super) fn take(&mut self, block: &Block) -> Result<Option<Judged>, NotTaken> {
        let wave = block.wave().ok_or(NotTaken)?;
        let watched = self.0.entry(block.bed.clone()).or_insert_with(|| Watched::new(block.subject));
        if watched.subject != block.subject {
            // Another patient: nothing of the last one's beats may speak for this one.
            *watched = Watched::new(block.subject);
        }
        let end = wave.end().micros();
        if let Some((owner, until)) = watched.channels.get(&block.code)
            && *owner != block.device
        {
            if end.saturating_sub(*until) < OWNED_MICROS {
                return Err(NotTaken);
            }
            watched.curves.remove(block.code);
        }
        watched.curves.push(&wave).map_err(|_| NotTaken)?;
        watched.channels.insert(block.code, (block.device.clone(), end));
        Ok(watched.judge(&block.bed))
    }
}

impl Watched {
    fn new(subject: Option<Subject>) -> Self {
        Self { subject, curves: Bed::new(Settings::published()), channels: BTreeMap::new(), judged: i64::MIN }
    }

    /// A channel that lags is waited for, one that has stopped is not.
    fn judge(&mut self, bed: &BedId) -> Option<Judged> {
        let ends = || self.channels.values().map(|(_, end)| *end);
        let newest = ends().max()?;
        let at = ends().filter(|end| newest.saturating_sub(*end) <= WAITED_FOR_MICROS).min()?;
        let second = at.div_euclid(SECOND);
        // A clock that was set back begins to count anew.
        let set_back = second < self.judged.saturating_sub(WAITED_FOR_MICROS / SECOND);
        if second <= self.judged && !set_back {
            return None;
        }
        self.judged = second;
        let at = DeviceTime::from_micros(at);
        Some(Judged {
            bed: bed.clone(),
            subject: self.subject,
            known: self.curves.assess(at),
            verdicts: CLAIMS.map(|claim| self.curves.verify(claim, at)),
            sources: self.channels.iter().map(|(code, (device, _))| (*code, device.clone())).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(device: &str, who: u8, code: Code, second: i64, quality: Quality) -> Option<Block> {
        let bytes: Vec<u8> = (0..250_i16).flat_map(i16::to_le_bytes).collect();
        let wave = Wave {
            code,
            start: DeviceTime::from_micros(second * SECOND),
            rate: SampleRate::from_microhertz(250_000_000).unwrap(),
            scale: Scale { gain: 200.0, baseline: 0 },
            quality,
            samples: Samples::from_le_bytes(&bytes).unwrap(),
        };
        let bed = BedId::new("bed-01").unwrap();
        Block::of(&bed, Some(Subject::from_random([who; 16])), &DeviceId::new(device).unwrap(), &wave)
    }

    fn ecg(device: &str, who: u8, second: i64) -> Block {
        block(device, who, Code::ECG_LEAD_II, second, Quality::GOOD).unwrap()
    }

    #[test]
    fn the_backlog_and_unknown_curves_are_not_looked_at() {
        assert!(block("mon-01", 1, Code::ECG_LEAD_II, 0, Quality::LATE).is_none());
        assert!(block("mon-01", 1, Code::PRESS_BLD_VEN_CENT, 0, Quality::GOOD).is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
        let (queue, waiting) = queue();
        for second in 0..BLOCKS_MAX as i64 + 3 {
            queue.put(ecg("mon-01", 1, second));
        }
        assert_eq!(queue.counts.dropped.load(Ordering::Relaxed), 3);
        let mut seen = 0;
        while waiting.next(Duration::ZERO).unwrap().is_some() {
            seen += 1;
        }
        assert_eq!((seen, waiting.waiting.load(Ordering::Relaxed)), (BLOCKS_MAX, 0));
        // Large blocks are bounded by their bytes.
        let mut large = ecg("mon-01", 1, 0);
        large.samples = vec![0; BYTES_MAX / 2 + 2];
        queue.put(large.clone());
        queue.put(large);
        assert_eq!(queue.counts.dropped.load(Ordering::Relaxed), 4);
        drop(queue);
        assert!(waiting.next(Duration::ZERO).unwrap().is_some());
        assert!(waiting.next(Duration::ZERO).is_err());
    }

    #[test]
    fn once_a_second_and_not_before_the_slower_channel() {
        let mut beds = Beds::default();
        assert!(beds.take(&ecg("mon-01", 1, 0)).unwrap().is_some());
        let pleth = |second| block("mon-02", 1, Code::PULS_OXIM_PLETH, second, Quality::GOOD).unwrap();
        assert!(beds.take(&pleth(0)).unwrap().is_none(), "that second was judged");
        assert!(beds.take(&ecg("mon-01", 1, 1)).unwrap().is_none(), "the other channel has not come so far");
        let judged = beds.take(&pleth(1)).unwrap().unwrap();
        assert_eq!(judged.known.at.micros(), 2 * SECOND);
        assert_eq!(judged.sources.len(), 2);
        // A channel that has stopped is not waited for.
        let judged: Vec<_> = (2..8).filter_map(|second| beds.take(&ecg("mon-01", 1, second)).unwrap()).collect();
        assert!(judged.len() >= 3 && judged.last().unwrap().known.at.micros() == 8 * SECOND);
        // Nor does a clock that was set back end the judging.
        assert!((-100..-90).any(|second| beds.take(&ecg("mon-01", 1, second)).unwrap().is_some()));
    }

    #[test]
    fn one_device_for_each_curve_and_nothing_of_the_last_patient() {
        let mut beds = Beds::default();
        beds.take(&ecg("mon-01", 1, 0)).unwrap();
        assert_eq!(beds.take(&ecg("mon-02", 1, 1)).err(), Some(NotTaken), "the first device is there");
        assert!(beds.take(&ecg("mon-02", 1, 9)).is_ok(), "it has gone");
        let pleth = block("mon-02", 1, Code::PULS_OXIM_PLETH, 9, Quality::GOOD).unwrap();
        beds.take(&pleth).unwrap();
        let judged = beds.take(&ecg("mon-01", 2, 20)).unwrap().unwrap();
        assert_eq!((judged.known.channels.len(), judged.subject), (1, Some(Subject::from_random([2; 16]))));
    }
}
