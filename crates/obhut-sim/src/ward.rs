//! A ward: beds, who lies in them, what stands beside them. What the demonstration shows and what load tests multiply.
//!
//! Names, birth dates and record numbers are invented here; recordings are of real people, whose records carry no names and get none.

use crate::device::{Device, Monitor, MovementSensor, Nameplate, PumpDevice, Repeat, Replay, Setup};
use crate::recordings::Recording;
use crate::rng::Rng;
use crate::world::{Activity, Course, Patient, Person, Rhythm};
use obhut_model::{BedId, DeviceId, DeviceTime, IdError, ModelId};
use std::sync::Arc;

/// Model identifiers as the charter has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    /// Of bedside monitors.
    pub monitor: ModelId,
    /// Of infusion pumps.
    pub pump: ModelId,
    /// Of bed movement sensors.
    pub movement: ModelId,
}

/// How to set a ward up.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many beds.
    pub beds: u16,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// When the world begins. Devices say nothing about earlier times.
    pub start: DeviceTime,
    /// Models of the devices.
    pub models: Models,
    /// If there are any, the monitors play these, bed after bed, again from the first when there are more beds.
    pub recordings: Vec<Arc<Recording>>,
    /// Samples a second of a simulated ECG: 250 or 500.
    pub ecg_hertz: u16,
    /// Whether recordings begin again when they end.
    pub repeat: Repeat,
}

/// What a device is, for those who show or count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bedside monitor, simulated.
    Monitor,
    /// Bedside monitor that plays a recording.
    Recording,
    /// Infusion pump.
    Pump,
    /// Bed movement sensor.
    Movement,
}

/// A bed with what belongs to it.
pub struct Bed {
    /// Its key.
    pub id: BedId,
    /// Who lies there.
    pub identity: Invented,
    /// What happens to them, in a few words, English; for the console of the demonstration.
    pub story: String,
    /// Devices, the monitor first.
    pub devices: Vec<(Kind, Box<dyn Device>)>,
}

/// A patient who does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invented {
    /// Full name.
    pub name: String,
    /// Birth date, ISO 8601.
    pub birth_date: String,
    /// Record number.
    pub record_number: String,
}

const GIVEN: [&str; 16] = [
    "Anna", "Karl", "Erika", "Jonas", "Fatma", "Heinz", "Ludmila", "Paul", "Greta", "Mehmet", "Rosa", "Wilhelm",
    "Ines", "Tadeusz", "Marlene", "Bruno",
];
const FAMILY: [&str; 16] = [
    "Muster",
    "Beispiel",
    "Probe",
    "Versuch",
    "Entwurf",
    "Modell",
    "Schema",
    "Skizze",
    "Vorlage",
    "Testmann",
    "Exempel",
    "Platzhalter",
    "Attrappe",
    "Muster-Probe",
    "Demo",
    "Kulisse",
];

/// Sets the ward up: every bed has a monitor, every second a pump, every third a movement sensor.
///
/// # Errors
/// [`IdError`] cannot occur with fewer than 65,536 beds; it is returned rather than hidden.
pub fn build(options: &Options) -> Result<Vec<Bed>, IdError> {
    (0..options.beds).map(|index| bed(options, index)).collect()
}

fn bed(options: &Options, index: u16) -> Result<Bed, IdError> {
    let number = index + 1;
    let mut rng = Rng::new(options.seed).fork(&format!("bed {number}"));
    let nameplate = |kind: &str, model: &ModelId| {
        let id = DeviceId::new(&format!("{kind}-{number:02}"))?;
        Ok(Nameplate { id, model: model.clone(), serial: format!("SIM-{}-{number:05}", kind.to_uppercase()) })
    };
    let (person, course, story) = somebody(index, &mut rng);
    let patient = Patient::new(rng.bits(), person, course, options.start);
    let monitor = nameplate("mon", &options.models.monitor)?;
    let recording = options.recordings.get(usize::from(index) % options.recordings.len().max(1));
    let mut devices: Vec<(Kind, Box<dyn Device>)> = Vec::new();
    let story = match recording {
        Some(recording) => {
            devices.push((
                Kind::Recording,
                Box::new(Replay::new(monitor, recording.clone(), options.start, options.repeat)),
            ));
            format!("recording {}", recording.name)
        }
        None => {
            let setup = Setup { ecg_hertz: options.ecg_hertz, arterial_line: index % 4 != 3, ..Setup::default() };
            devices.push((Kind::Monitor, Box::new(Monitor::new(monitor, patient.clone(), setup, options.start))));
            story.to_owned()
        }
    };
    if index % 2 == 1 {
        let pump = PumpDevice::new(nameplate("pump", &options.models.pump)?, rng.bits(), options.start);
        devices.push((Kind::Pump, Box::new(pump)));
    }
    // The mattress under somebody who is a recording knows nothing of the recording.
    if index % 3 == 2 {
        let sensor = MovementSensor::new(nameplate("move", &options.models.movement)?, patient, options.start);
        devices.push((Kind::Movement, Box::new(sensor)));
    }
    Ok(Bed { id: BedId::new(&format!("bed-{number:02}"))?, identity: invent(index, &mut rng), story, devices })
}

/// Different neighbours, so that a ward does not look like one patient eight times.
fn somebody(index: u16, rng: &mut Rng) -> (Person, Course, &'static str) {
    let person = Person::draw(rng);
    match index % 8 {
        0 => (person, Course::Everyday, "everyday"),
        1 => (
            Person { rhythm: Rhythm::Ectopic { ventricular: 0.035, atrial: 0.02 }, ..person },
            Course::BreathStops { every: 300, length: 75 },
            "asleep, early beats, breath stops every five minutes",
        ),
        2 => (person, Course::Sepsis { onset: 180, rise: 900 }, "getting worse from the third minute on"),
        3 => (
            Person { rhythm: Rhythm::AtrialFibrillation, heart_rate: person.heart_rate + 14.0, ..person },
            Course::Everyday,
            "atrial fibrillation",
        ),
        4 => (person, Course::Steady(Activity::Asleep), "asleep"),
        5 => (
            Person { systolic: person.systolic + 28.0, diastolic: person.diastolic + 14.0, ..person },
            Course::Everyday,
            "high pressure",
        ),
        6 => (Person { heart_rate: 51.0, ..person }, Course::Everyday, "slow heart"),
        _ => (person, Course::Everyday, "everyday"),
    }
}

fn invent(index: u16, rng: &mut Rng) -> Invented {
    // Walks through all 256 pairs before one comes again; the record number differs always.
    let (low, high) = (usize::from(index % 16), usize::from(index / 16 % 16));
    let given = GIVEN.get(low).copied().unwrap_or("Anna");
    let family = FAMILY.get((low + high) % 16).copied().unwrap_or("Muster");
    let (year, month, day) = (rng.whole(1931, 1998), rng.whole(1, 12), rng.whole(1, 28));
    Invented {
        name: format!("{given} {family}"),
        birth_date: format!("{year:04}-{month:02}-{day:02}"),
        record_number: format!("DEMO-{:06}", 100_000 + u32::from(index)),
    }
}
