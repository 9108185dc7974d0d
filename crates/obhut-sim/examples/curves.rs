//! Prints half a minute of every curve of a patient as CSV, to be looked at with a plotting tool.
//!
//! `cargo run -p obhut-sim --example curves -- sepsis > curves.csv`; awake, asleep, exertion, sepsis, early, fibrillation or artefacts.

use obhut_model::DeviceTime;
use obhut_sim::rng::Rng;
use obhut_sim::world::patient::{Curve, Lead};
use obhut_sim::world::{Activity, Artefact, Course, Patient, Person, Rhythm};

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let mut person = Person::draw(&mut Rng::new(5));
    let mut course = Course::Steady(Activity::Awake);
    match what.as_str() {
        "asleep" => course = Course::Steady(Activity::Asleep),
        "exertion" => course = Course::Steady(Activity::Exertion),
        "sepsis" => course = Course::Steady(Activity::Deteriorating(1.0)),
        "early" => person.rhythm = Rhythm::Ectopic { ventricular: 0.12, atrial: 0.08 },
        "fibrillation" => person.rhythm = Rhythm::AtrialFibrillation,
        _ => {}
    }
    let at = |micros: i64| DeviceTime::from_micros(1_764_000_000_000_000 + micros);
    let mut patient = Patient::new(5, person, course, at(0));
    if what == "artefacts" {
        patient.disturb(Artefact::Motion, at(3_000_000), 5.0);
        patient.disturb(Artefact::ElectrodeOff, at(11_000_000), 4.0);
        patient.disturb(Artefact::ProbeOff, at(16_000_000), 4.0);
        patient.disturb(Artefact::LineFlush, at(22_000_000), 3.0);
    }
    let curves = [
        Curve::Ecg(Lead::I),
        Curve::Ecg(Lead::II),
        Curve::Ecg(Lead::V1),
        Curve::Ecg(Lead::V5),
        Curve::Pleth,
        Curve::Respiration,
        Curve::ArterialPressure,
    ];
    println!("t,I,II,V1,V5,pleth,resp,abp");
    for step in 0..7500 {
        let now = at(step * 4000);
        patient.advance(now);
        let values: Vec<String> = curves
            .iter()
            .map(|&curve| patient.sample(curve, now).map_or(String::new(), |value| format!("{value:.4}")))
            .collect();
        println!("{:.3},{}", step as f64 / 250.0, values.join(","));
        if step % 1250 == 0 {
            eprintln!("{:?}", patient.measured(now));
        }
    }
}
