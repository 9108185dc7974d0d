//! Words of the ward: identifiers, codes, readings, quality and time.
//!
//! The vocabulary every other crate speaks. It holds no policy, does no I/O and knows no clock.
//! It is *not* a wire or storage format: crates at the edges convert explicitly, so that a rename here never changes bytes elsewhere.
//!
//! What always holds: an identifier that exists is well-formed; a value that is absent is `None`, never a number; device time and server
//! time are different types; a code always carries its nomenclature, unit and source.

pub mod calendar;
pub mod code;
pub mod decimal;
pub mod id;
pub mod quality;
pub mod reading;
pub mod time;

pub use code::{Code, CodeInfo, Kind};
pub use decimal::Decimal;
pub use id::{BedId, CaseId, DeviceId, IdError, ModelId, PersonId, RequestId, Subject, WardId};
pub use quality::Quality;
pub use reading::{NO_VALUE, Numeric, Samples, Scale, Wave};
pub use time::{DeviceTime, SampleRate, ServerTime, TimeRange};
