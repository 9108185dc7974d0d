//! The declaration: parse, check, explain and compile into rules.
//!
//! A charter is one TOML file in which a hospital says what may happen to whose data and why. This crate reads it ([`Charter::parse`]),
//! finds everything that is wrong with it ([`Problems`]), says in plain German or English what it allows ([`explain`]) and what another
//! version would change ([`diff()`]), and compiles it into the tables the running system enforces ([`rules::Rules`]).
//!
//! It is *not* the place where a decision about a reading or a person is taken, and it reads no file and no clock: the text and today's date
//! come in as arguments.
//!
//! What always holds: a [`Checked`] charter has no error of any kind known here; what a charter does not declare does not exist; nothing has a
//! default that allows. The schema is described in `docs/charter.md`; the sections follow the design's charter chapter.

mod at;
pub mod check;
mod compile;
mod date;
mod decode;
pub mod diff;
pub mod duties;
mod explain;
pub mod law;
pub mod limits;
pub mod problem;
mod quantity;
pub mod rules;
pub mod schema;
mod speech;

pub use at::At;
pub use check::Checked;
pub use date::{Date, DateError};
pub use diff::{Diff, diff};
pub use explain::explain;
pub use problem::{Problem, ProblemCode, Problems, Severity};
pub use quantity::{Period, PeriodUnit, QuantityError, Rate, RateUnit};
pub use schema::Charter;
pub use speech::{Lang, permissions_said};
