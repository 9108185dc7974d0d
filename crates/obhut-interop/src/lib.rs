//! What leaves the house in formats others read: a patient's complete copy as a FHIR R4 bundle, as a set of CSV tables and as a readable,
//! tagged PDF; and which of the patient's rights there are for which purpose.
//!
//! For requests under Art. 15 and 20 GDPR and § 630g BGB. *Not* a judge of who may have a copy (that is an access decision before), *not* a
//! keeper of requests and clocks (`obhut-register`), and not an interface that listens.
//!
//! What always holds:
//! - every value in an export is a value of the store, digit by digit: numerics as the charter's step times a whole number and never through
//!   a float, samples as the stored whole numbers with their scale. What is absent in the store is absent in the export and never a number;
//! - memory is bounded however long the stay: readings and accesses are asked for in pieces ([`limits`]) and written as they come. The PDF
//!   holds summaries of bounded length, made of stored values only;
//! - hostile text (names in any script, formulas, control characters) stays text: see [`text`].
//!
//! Standards: HL7 FHIR R4 (4.0.1); ISO/IEEE 11073-10101, LOINC and UCUM codings as in `obhut_model`; RFC 4180; PDF/UA-1 and PDF/A-2a.

pub mod dossier;
pub mod fhir;
pub mod limits;
pub mod rights;
pub mod source;
pub mod table;
pub mod text;
pub mod time;

mod csv;
mod number;
mod pdf;

pub use dossier::{
    Consent, ConsentState, Correction, Dossier, Flow, House, Language, Notice, Person, Purpose, Request, RequestState,
    Stay,
};
pub use number::exact;
pub use rights::{Ground, Right, Rights};
pub use source::{Access, CopyError, Source, SourceError, Stretch, Summary};
pub use time::{Civil, Local};

use std::io::Write;

/// What a copy is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A FHIR R4 bundle, JSON.
    Fhir,
    /// CSV tables with a note that explains them, in one zip file.
    Csv,
    /// A tagged PDF to read and print.
    Pdf,
}

impl Format {
    /// The format of this word: `fhir`, `csv` or `pdf`.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "fhir" => Some(Self::Fhir),
            "csv" => Some(Self::Csv),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Fhir => "application/fhir+json",
            Self::Csv => "application/zip",
            Self::Pdf => "application/pdf",
        }
    }

    /// How a file of it ends.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Fhir => "fhir.json",
            Self::Csv => "zip",
            Self::Pdf => "pdf",
        }
    }
}

/// Writes the copy of `dossier` and everything `source` gives. `seed` is random; resource identifiers of a FHIR bundle are drawn from it, so that
/// two copies cannot be matched by them.
///
/// # Errors
/// [`CopyError`]; what was written until then is not a copy.
pub fn write(
    format: Format,
    dossier: &Dossier,
    source: &mut dyn Source,
    local: &dyn Local,
    seed: [u8; 16],
    out: &mut dyn Write,
) -> Result<Summary, CopyError> {
    match format {
        Format::Fhir => fhir::bundle(dossier, source, seed, out),
        Format::Csv => csv::set(dossier, source, local, out),
        Format::Pdf => pdf::document(dossier, source, local, out),
    }
}
