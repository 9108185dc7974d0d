//! The one encoding of an event: deterministic CBOR (RFC 8949 §4.2), an array of fixed length whose first item is the version.
//!
//! INVARIANT: two events are equal exactly if their bytes are, and bytes that do not encode again to themselves are refused. The note is not in
//! them: see [`leaf`](crate::leaf). Field order and numbers are part of the format and never change; a new field makes a new version.

use crate::event::{Actor, Channel, Event, EventKind, Origin, Outcome, ResourceRef};
use crate::limits::{EVENT_BYTES_MAX, NOTE_BYTES_MAX, WORD_BYTES_MAX, WORDS_MAX};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use obhut_model::{CaseId, DeviceId, PersonId, RequestId, ServerTime, Subject};
use std::sync::Arc;

const VERSION: u8 = 1;
const FIELDS: u64 = 16;

/// Why an event has no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A word or identifier is empty or too long.
    #[error("`{field}` is empty or longer than {WORD_BYTES_MAX} bytes")]
    Word {
        /// Which field.
        field: &'static str,
    },
    /// Too many words in a list.
    #[error("`{field}` holds more than {WORDS_MAX} words")]
    Words {
        /// Which field.
        field: &'static str,
    },
    /// The note is too long.
    #[error("the note is longer than {NOTE_BYTES_MAX} bytes")]
    Note,
    /// The whole is too long.
    #[error("the event is longer than {EVENT_BYTES_MAX} bytes")]
    Long,
}

/// Bytes that are no event in its one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no event in its one encoding")]
pub struct DecodeError;

impl Event {
    /// Whether the event can be recorded: its bounds are kept.
    ///
    /// # Errors
    /// [`EncodeError`] naming the field.
    pub fn check(&self) -> Result<(), EncodeError> {
        self.encode().map(drop)
    }

    /// The bytes that are committed to. Categories are sorted and without doubles; the note is left out.
    ///
    /// # Errors
    /// [`EncodeError`] naming the field that breaks a bound.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.note.as_ref().is_some_and(|note| note.len() > NOTE_BYTES_MAX) {
            return Err(EncodeError::Note);
        }
        let mut categories = self.categories.clone();
        categories.sort();
        categories.dedup();
        let mut e = Writer(Encoder::new(Vec::with_capacity(256)));
        e.array(FIELDS);
        e.number(VERSION.into());
        e.bytes(self.request.as_bytes());
        e.signed(self.at.micros());
        e.number(self.kind.number().into());
        e.actor(&self.actor);
        e.word("role", self.role.as_deref())?;
        e.word("organisation", self.organisation.as_deref())?;
        e.word("purpose", self.purpose.as_deref())?;
        e.word("action", Some(&self.action))?;
        e.array(2);
        e.word("resource.kind", Some(&self.resource.kind))?;
        e.word("resource.id", self.resource.id.as_deref())?;
        e.maybe_bytes(self.subject.as_ref().map(|s| s.as_bytes().as_slice()));
        e.words("categories", &categories)?;
        e.origin(&self.origin);
        e.outcome(&self.outcome)?;
        e.words("policies", &self.policies)?;
        e.maybe_bytes(self.case.as_ref().map(|c| c.as_bytes().as_slice()));
        let bytes = e.0.into_writer();
        if bytes.len() > EVENT_BYTES_MAX { Err(EncodeError::Long) } else { Ok(bytes) }
    }

    /// Reads what [`Event::encode`] made. The note is not in it.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else, also for another encoding of the same event.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(DecodeError);
        }
        let event = read(&mut Decoder::new(bytes)).ok_or(DecodeError)?;
        if event.encode().is_ok_and(|again| again == bytes) { Ok(event) } else { Err(DecodeError) }
    }
}

/// Writing into memory cannot fail, so that results need no looking at.
struct Writer(Encoder<Vec<u8>>);

impl Writer {
    fn array(&mut self, length: u64) {
        let _infallible = self.0.array(length);
    }

    fn number(&mut self, number: u64) {
        let _infallible = self.0.u64(number);
    }

    fn signed(&mut self, number: i64) {
        let _infallible = self.0.i64(number);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let _infallible = self.0.bytes(bytes);
    }

    fn maybe_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.null(),
        }
    }

    fn null(&mut self) {
        let _infallible = self.0.null();
    }

    fn text(&mut self, field: &'static str, text: &str) -> Result<(), EncodeError> {
        if text.is_empty() || text.len() > WORD_BYTES_MAX {
            return Err(EncodeError::Word { field });
        }
        let _infallible = self.0.str(text);
        Ok(())
    }

    fn word(&mut self, field: &'static str, word: Option<&str>) -> Result<(), EncodeError> {
        match word {
            Some(word) => self.text(field, word),
            None => {
                self.null();
                Ok(())
            }
        }
    }

    fn words(&mut self, field: &'static str, words: &[Arc<str>]) -> Result<(), EncodeError> {
        if words.len() > WORDS_MAX {
            return Err(EncodeError::Words { field });
        }
        self.array(words.len() as u64);
        words.iter().try_for_each(|word| self.text(field, word))
    }

    fn actor(&mut self, actor: &Actor) {
        self.array(2);
        match actor {
            Actor::Person(person) => {
                self.number(1);
                self.bytes(person.as_bytes());
            }
            Actor::Console { uid } => {
                self.number(2);
                self.number(u64::from(*uid));
            }
            Actor::Device(device) => {
                self.number(3);
                let _infallible = self.0.str(device.as_str());
            }
            Actor::System => {
                self.number(4);
                self.null();
            }
        }
    }

    fn origin(&mut self, origin: &Origin) {
        self.array(3);
        match origin.address {
            Some(IpAddr::V4(address)) => self.bytes(&address.octets()),
            Some(IpAddr::V6(address)) => self.bytes(&address.octets()),
            None => self.null(),
        }
        self.number(origin.channel.number().into());
        self.maybe_bytes(origin.session.as_ref().map(<[u8; 8]>::as_slice));
    }

    fn outcome(&mut self, outcome: &Outcome) -> Result<(), EncodeError> {
        self.array(2);
        match outcome {
            Outcome::Success => {
                self.number(0);
                self.null();
                Ok(())
            }
            Outcome::Denied(why) => {
                self.number(1);
                self.text("outcome", why)
            }
            Outcome::Failed(why) => {
                self.number(2);
                self.text("outcome", why)
            }
        }
    }
}

fn read(d: &mut Decoder<'_>) -> Option<Event> {
    (array(d, FIELDS)? && d.u8().ok()? == VERSION).then_some(())?;
    let event = Event {
        request: RequestId::from_random(fixed(d)?),
        at: ServerTime::from_micros(d.i64().ok()?),
        kind: EventKind::from_number(d.u8().ok()?)?,
        actor: actor(d)?,
        role: maybe(d, word)?,
        organisation: maybe(d, word)?,
        purpose: maybe(d, word)?,
        action: word(d)?,
        resource: resource(d)?,
        subject: maybe(d, fixed)?.map(Subject::from_random),
        categories: words(d)?,
        origin: origin(d)?,
        outcome: outcome(d)?,
        policies: words(d)?,
        case: maybe(d, fixed)?.map(CaseId::from_random),
        note: None,
    };
    (d.position() == d.input().len()).then_some(event)
}

fn array(d: &mut Decoder<'_>, length: u64) -> Option<bool> {
    Some(d.array().ok()? == Some(length))
}

fn fixed<const N: usize>(d: &mut Decoder<'_>) -> Option<[u8; N]> {
    d.bytes().ok()?.try_into().ok()
}

fn word(d: &mut Decoder<'_>) -> Option<Arc<str>> {
    d.str().ok().filter(|text| text.len() <= WORD_BYTES_MAX).map(Arc::from)
}

fn words(d: &mut Decoder<'_>) -> Option<Vec<Arc<str>>> {
    let count = d.array().ok()?.filter(|count| *count <= WORDS_MAX as u64)?;
    (0..count).map(|_| word(d)).collect()
}

fn maybe<'a, T>(d: &mut Decoder<'a>, read: impl FnOnce(&mut Decoder<'a>) -> Option<T>) -> Option<Option<T>> {
    if d.datatype().ok()? == Type::Null {
        d.null().ok()?;
        Some(None)
    } else {
        read(d).map(Some)
    }
}

fn actor(d: &mut Decoder<'_>) -> Option<Actor> {
    array(d, 2)?.then_some(())?;
    Some(match d.u8().ok()? {
        1 => Actor::Person(PersonId::from_random(fixed(d)?)),
        2 => Actor::Console { uid: d.u32().ok()? },
        3 => Actor::Device(DeviceId::new(d.str().ok()?).ok()?),
        4 => {
            d.null().ok()?;
            Actor::System
        }
        _ => return None,
    })
}

fn resource(d: &mut Decoder<'_>) -> Option<ResourceRef> {
    array(d, 2)?.then_some(())?;
    Some(ResourceRef { kind: word(d)?, id: maybe(d, word)? })
}

fn origin(d: &mut Decoder<'_>) -> Option<Origin> {
    array(d, 3)?.then_some(())?;
    let address = match maybe(d, |d| d.bytes().ok())? {
        None => None,
        Some(bytes) => Some(match bytes.len() {
            4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        }),
    };
    Some(Origin { address, channel: Channel::from_number(d.u8().ok()?)?, session: maybe(d, fixed)? })
}

fn outcome(d: &mut Decoder<'_>) -> Option<Outcome> {
    array(d, 2)?.then_some(())?;
    Some(match d.u8().ok()? {
        0 => {
            d.null().ok()?;
            Outcome::Success
        }
        1 => Outcome::Denied(word(d)?),
        2 => Outcome::Failed(word(d)?),
        _ => return None,
    })
}
