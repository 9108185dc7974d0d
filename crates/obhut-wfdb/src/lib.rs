//! WFDB records: recorded signals as PhysioNet keeps them, read and written.
//!
//! For replaying recordings through simulated devices, for handing readings out in a format that other tools read, and for scoring detectors
//! against annotations. *Not* for opening files: the caller gives contents through a [`Source`] and takes [`File`]s back.
//!
//! What always holds: sample values are never converted to physical units on the way; "no value" is [`ABSENT`] whatever number a storage
//! format uses for it; what is read agrees with the checksums its header states; hostile bytes end in an error within the bounds of
//! [`limits`], never in a panic.
//!
//! Standard: WFDB Applications Guide, `header(5)`, `signal(5)` and `annot(5)`; FLAC as in RFC 9639.

pub mod annotation;
pub mod error;
pub mod header;
pub mod limits;
pub mod record;
pub mod write;

mod decode;
mod flac;
mod instant;
mod parse;

pub use annotation::{Annotation, Annotations, annotations};
pub use error::{ReadError, WriteError};
pub use header::{Body, Format, Header, Segment, Signal};
pub use instant::Start;
pub use record::{ABSENT, Channel, Piece, Record, Source, SourceError, read};
pub use write::{Export, ExportChannel, ExportRun, File, write};
