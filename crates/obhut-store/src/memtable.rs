//! Durable readings of the last minute or so, in memory until they are cut into chunks. One generation per journal file.
//!
//! INVARIANT: holds only what is durable in a journal; a reading that could still vanish is never shown.

use crate::chunk::{Block, StreamData, Value};
use crate::hash::BySubject;
use crate::message::{ClassNumber, Message, NO_NUMBER};
use crate::ranges::Seen;
use obhut_model::{Code, Numeric, Subject, Wave};
use std::sync::Arc;

/// What one device sent for one subject under one code, class and scale.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) code: Code,
    pub(crate) class: ClassNumber,
    pub(crate) device: Arc<str>,
    pub(crate) data: StreamData,
}

/// One generation.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    subjects: BySubject<Vec<Stream>>,
    pub(crate) seen: Seen,
    pub(crate) messages: u64,
}

impl Memtable {
    /// Takes in a message's plaintext. `None` if it is not one.
    pub(crate) fn apply(&mut self, subject: Subject, plain: &[u8]) -> Option<()> {
        let message = Message::decode(plain)?;
        let device = message.device;
        if let Some(sequence) = message.sequence {
            self.seen.insert(device, subject, sequence);
        }
        self.messages += 1;
        let streams = std::cell::RefCell::new(self.subjects.entry(subject).or_default());
        message.parts(
            |numeric, class| push_numeric(&mut streams.borrow_mut(), device, numeric, class),
            |wave, class| push_wave(&mut streams.borrow_mut(), device, wave, class),
        )
    }

    pub(crate) fn streams(&self, subject: Subject) -> &[Stream] {
        self.subjects.get(&subject).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Subject, &Stream)> {
        self.subjects.iter().flat_map(|(subject, streams)| streams.iter().map(|stream| (*subject, stream)))
    }

    pub(crate) fn forget(&mut self, subject: Subject) {
        self.subjects.remove(&subject);
        self.seen.forget(subject);
    }
}

fn push_numeric(streams: &mut Vec<Stream>, device: &str, numeric: &Numeric, class: ClassNumber) {
    let value = Value {
        at: numeric.taken_at.micros(),
        steps: numeric.steps.unwrap_or(0),
        flags: numeric.quality.bits() | if numeric.steps.is_none() { NO_NUMBER } else { 0 },
    };
    for stream in streams.iter_mut().filter(|stream| stream.code == numeric.code && stream.class == class) {
        if let StreamData::Numerics { step, values } = &mut stream.data
            && *step == numeric.step
            && *stream.device == *device
        {
            values.push(value);
            return;
        }
    }
    let data = StreamData::Numerics { step: numeric.step, values: vec![value] };
    streams.push(Stream { code: numeric.code, class, device: Arc::from(device), data });
}

fn push_wave(streams: &mut Vec<Stream>, device: &str, wave: &Wave<'_>, class: ClassNumber) {
    for stream in streams.iter_mut().filter(|stream| stream.code == wave.code && stream.class == class) {
        if let StreamData::Waveform { rate, scale, blocks, samples } = &mut stream.data
            && *rate == wave.rate
            && *scale == wave.scale
            && *stream.device == *device
        {
            push_block(blocks, samples, wave);
            return;
        }
    }
    let (mut blocks, mut samples) = (Vec::new(), Vec::new());
    push_block(&mut blocks, &mut samples, wave);
    let data = StreamData::Waveform { rate: wave.rate, scale: wave.scale, blocks, samples };
    streams.push(Stream { code: wave.code, class, device: Arc::from(device), data });
}

fn push_block(blocks: &mut Vec<Block>, samples: &mut Vec<i16>, wave: &Wave<'_>) {
    if !wave.samples.is_empty() {
        let block = Block {
            start: wave.start.micros(),
            at: samples.len(),
            count: wave.samples.len(),
            quality: wave.quality.bits(),
        };
        blocks.push(block);
        samples.extend(wave.samples.iter());
    }
}
