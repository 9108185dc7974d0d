//! What sealed bytes are bound to: the associated data, in one fixed layout.
//!
//! INVARIANT: the layout and the kind numbers are part of the storage format and never change; a new meaning gets a new kind.

use obhut_model::{Code, DeviceTime, ServerTime, Subject};

/// Length of the encoded context.
pub const CONTEXT_BYTES: usize = 48;

const SUBJECT_KEY: u8 = 1;
const JOURNAL: u8 = 2;
const NUMERICS: u8 = 3;
const WAVEFORM: u8 = 4;
const IDENTITY: u8 = 5;
const REGISTER: u8 = 6;
const PERSONAL_KEY: u8 = 7;
const IDENTITY_VERSION: u8 = 8;
const PSEUDONYM: u8 = 9;
const ALARMS: u8 = 10;

/// Version of what is inside the seal, by kind. Read by the decoder, bound by the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(pub u8);

/// The associated data of one sealed piece, already encoded: kind, format, class, key ordinal, code, subject, first and last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext([u8; CONTEXT_BYTES]);

/// What a chunk is bound to.
#[derive(Debug, Clone, Copy)]
pub struct ChunkContext {
    /// Whose values.
    pub subject: Subject,
    /// Number of the key in the key store.
    pub key: u32,
    /// What was measured.
    pub code: Code,
    /// Stored number of the retention class.
    pub class: u16,
    /// Time of the first value.
    pub first: DeviceTime,
    /// Time of the last value.
    pub last: DeviceTime,
}

impl SealContext {
    /// A subject's key, wrapped by the store's.
    #[must_use]
    pub fn subject_key(subject: Subject) -> Self {
        Self::encode(SUBJECT_KEY, Format(1), 0, 0, 0, subject, 0, 0)
    }

    /// One message in the journal.
    #[must_use]
    pub fn journal(format: Format, subject: Subject, key: u32, received: ServerTime) -> Self {
        Self::encode(JOURNAL, format, 0, key, 0, subject, received.micros(), 0)
    }

    /// A chunk of numerics.
    #[must_use]
    pub fn numerics(format: Format, chunk: &ChunkContext) -> Self {
        Self::chunk(NUMERICS, format, chunk)
    }

    /// A chunk of a waveform.
    #[must_use]
    pub fn waveform(format: Format, chunk: &ChunkContext) -> Self {
        Self::chunk(WAVEFORM, format, chunk)
    }

    /// An identity in the identity vault.
    #[must_use]
    pub fn identity(subject: Subject) -> Self {
        Self::encode(IDENTITY, Format(1), 0, 0, 0, subject, 0, 0)
    }

    /// A row of the register: bound to its number, time and patient, so that no row can take another's place. `key` is zero under the register's key.
    #[must_use]
    pub fn register(about: Option<Subject>, key: u32, at: ServerTime, number: i64) -> Self {
        let nobody = Subject::from_random([0; 16]);
        Self::encode(REGISTER, Format(1), 0, key, 0, about.unwrap_or(nobody), at.micros(), number)
    }

    /// What the alarms of a ward remember: bound to its number, time and patient. `key` is zero under the alarms' own key.
    #[must_use]
    pub fn alarms(about: Option<Subject>, key: u32, at: ServerTime, number: i64) -> Self {
        let nobody = Subject::from_random([0; 16]);
        Self::encode(ALARMS, Format(1), 0, key, 0, about.unwrap_or(nobody), at.micros(), number)
    }

    /// The key of a patient's identity and pseudonyms, wrapped by the store's.
    #[must_use]
    pub fn personal_key(subject: Subject) -> Self {
        Self::encode(PERSONAL_KEY, Format(1), 0, 0, 0, subject, 0, 0)
    }

    /// One version of an identity under the patient's own key.
    #[must_use]
    pub fn identity_version(subject: Subject, version: u32, at: ServerTime) -> Self {
        Self::encode(IDENTITY_VERSION, Format(1), 0, version, 0, subject, at.micros(), 0)
    }

    /// What a patient is called in another domain, under the patient's own key.
    #[must_use]
    pub fn pseudonym(subject: Subject) -> Self {
        Self::encode(PSEUDONYM, Format(1), 0, 0, 0, subject, 0, 0)
    }

    fn chunk(kind: u8, format: Format, c: &ChunkContext) -> Self {
        Self::encode(kind, format, c.class, c.key, c.code.number(), c.subject, c.first.micros(), c.last.micros())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place that lays the fields out; everyone else uses a named constructor"
    )]
    fn encode(
        kind: u8,
        format: Format,
        class: u16,
        key: u32,
        code: u32,
        subject: Subject,
        first: i64,
        last: i64,
    ) -> Self {
        let mut out = [0; CONTEXT_BYTES];
        let fields: [&[u8]; 9] = [
            b"Obht",
            &[kind, format.0],
            &class.to_le_bytes(),
            &key.to_le_bytes(),
            &code.to_le_bytes(),
            subject.as_bytes(),
            &first.to_le_bytes(),
            &last.to_le_bytes(),
            &[],
        ];
        for (slot, byte) in out.iter_mut().zip(fields.iter().flat_map(|field| field.iter())) {
            *slot = *byte;
        }
        Self(out)
    }
}

impl AsRef<[u8]> for SealContext {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_fixed() {
        let chunk = ChunkContext {
            subject: Subject::from_random([0xaa; 16]),
            key: 0x0102_0304,
            code: Code::new(0x0506_0708),
            class: 0x090a,
            first: DeviceTime::from_micros(1),
            last: DeviceTime::from_micros(-1),
        };
        let mut want = b"Obht".to_vec();
        want.extend_from_slice(&[4, 1, 0x0a, 0x09, 4, 3, 2, 1, 8, 7, 6, 5]);
        want.extend_from_slice(&[0xaa; 16]);
        want.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(SealContext::waveform(Format(1), &chunk).as_ref(), want);
        assert_ne!(SealContext::numerics(Format(1), &chunk), SealContext::waveform(Format(1), &chunk));
    }
}
