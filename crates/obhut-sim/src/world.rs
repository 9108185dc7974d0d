//! The world: patients whose signals all follow from one state.
//!
//! A [`Patient`] is a list of heart beats and breaths that a slowly changing state brings about, and every curve is a function of
//! time over these two lists. So an arterial pulse always follows its QRS complex, respiration is seen in all curves, and any device may sample
//! at any rate. It looks right on a monitor; it is *not* a model to learn medicine from, and nothing here may be used to judge an alarm algorithm's
//! clinical worth.
//!
//! What always holds: same seed, same person, same course, same start: same samples, whatever the order or size of the questions asked.
//!
//! Sources: beats as sums of Gaussians after McSharry, Clifford, Tarassenko, Smith, "A dynamical model for generating synthetic
//! electrocardiogram signals", IEEE TBME 50(3), 2003, with each beat placed in time instead of integrated on a limit cycle, so that
//! ectopic beats and pulses can be placed with it; QT after Bazett.

pub mod artefact;
pub mod course;
pub mod patient;
pub mod pump;

mod beat;
mod breath;
mod curve;
mod ecg;
mod noise;
mod vitals;

pub use artefact::Artefact;
pub use course::{Activity, Course};
pub use patient::{Curve, Patient, Person, Rhythm};
pub use vitals::Vitals;

/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;

/// Seconds from `from` to `to`.
pub(crate) fn seconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1e6
}
