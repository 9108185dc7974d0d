//! A patient with everything, and a source that cuts readings at the range asked for as the store does.

use obhut_interop::*;
use obhut_model::*;
use serde_json::json;

pub(crate) const START: i64 = 1_772_000_000_000_000;

pub(crate) fn at(micros: i64) -> ServerTime {
    ServerTime::from_micros(micros)
}

pub(crate) fn device(micros: i64) -> DeviceTime {
    DeviceTime::from_micros(micros)
}

/// A source in memory.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) readings: Vec<(Code, Vec<Stretch>)>,
    pub(crate) accesses: Vec<Access>,
    /// Most values in one answer so far: what a caller had to hold at once.
    pub(crate) most: usize,
}

impl Source for Store {
    fn codes(&mut self) -> Result<Vec<(Code, DeviceTime, DeviceTime)>, SourceError> {
        let bounds = |stretch: &Stretch| match stretch {
            Stretch::Numerics { values, .. } => (values[0].0, values[values.len() - 1].0),
            Stretch::Waveform { start, rate, samples, .. } => {
                (*start, start.plus_micros(rate.offset_micros(samples.len() as u64 - 1)))
            }
        };
        Ok(self
            .readings
            .iter()
            .filter_map(|(code, all)| {
                Some((*code, all.iter().map(|s| bounds(s).0).min()?, all.iter().map(|s| bounds(s).1).max()?))
            })
            .collect())
    }

    fn readings(&mut self, code: Code, range: TimeRange) -> Result<Vec<Stretch>, SourceError> {
        let all = self.readings.iter().find(|(known, _)| *known == code).map(|(_, all)| all.as_slice()).unwrap_or(&[]);
        let cut: Vec<Stretch> = all.iter().filter_map(|stretch| cut(stretch, range)).collect();
        let size = cut.iter().map(|s| match s {
            Stretch::Numerics { values, .. } => values.len(),
            Stretch::Waveform { samples, .. } => samples.len(),
        });
        self.most = self.most.max(size.sum());
        Ok(cut)
    }

    fn accesses(&mut self, before: Option<u64>) -> Result<Vec<Access>, SourceError> {
        let newest_first = self.accesses.iter().rev();
        Ok(newest_first.filter(|a| before.is_none_or(|before| a.index < before)).take(7).cloned().collect())
    }
}

fn cut(stretch: &Stretch, range: TimeRange) -> Option<Stretch> {
    match stretch {
        Stretch::Numerics { step, values } => {
            let values: Vec<_> = values.iter().filter(|(at, _, _)| range.contains(*at)).copied().collect();
            (!values.is_empty()).then_some(Stretch::Numerics { step: *step, values })
        }
        Stretch::Waveform { start, rate, scale, quality, samples } => {
            let time = |index: usize| start.plus_micros(rate.offset_micros(index as u64));
            let inside: Vec<usize> = (0..samples.len()).filter(|index| range.contains(time(*index))).collect();
            let (first, last) = (*inside.first()?, *inside.last()?);
            Some(Stretch::Waveform {
                start: time(first),
                rate: *rate,
                scale: *scale,
                quality: *quality,
                samples: samples[first..=last].to_vec(),
            })
        }
    }
}

pub(crate) fn step(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Numbers once a second from `START` on.
pub(crate) fn seconds(step_text: &str, values: &[Option<i32>]) -> Stretch {
    Stretch::Numerics {
        step: step(step_text),
        values: values
            .iter()
            .enumerate()
            .map(|(index, value)| (device(START + index as i64 * 1_000_000), *value, Quality::GOOD))
            .collect(),
    }
}

pub(crate) fn wave(hertz: u16, gain: f64, baseline: i32, samples: Vec<i16>) -> Stretch {
    Stretch::Waveform {
        start: device(START + 123_457),
        rate: SampleRate::from_hertz(hertz).unwrap(),
        scale: Scale { gain, baseline },
        quality: Quality::LATE,
        samples,
    }
}

pub(crate) fn access(index: u64) -> Access {
    Access {
        index,
        at: at(START + index as i64 * 60_000_000),
        who: "Pflege, Station 3".to_owned(),
        what: "Verlauf angesehen".to_owned(),
        why: "Behandlung".to_owned(),
        categories: vec!["heart-rate".to_owned()],
        origin: "Bildschirm".to_owned(),
        emergency: index.is_multiple_of(5),
        refused: index.is_multiple_of(7),
        event: json!({
            "resourceType": "AuditEvent",
            "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
            "recorded": obhut_interop::time::utc(START),
            "agent": [{"requestor": true}],
            "source": {"observer": {"display": "Obhut"}},
        }),
    }
}

/// Somebody with everything a copy can hold; `text` stands wherever people can write.
pub(crate) fn dossier(language: Language, text: &str) -> Dossier {
    let case = |n: u8| CaseId::from_random([n; 16]);
    Dossier {
        made_at: at(START + 86_400_000_000),
        language,
        house: House {
            name: "Klinikum Musterstadt gGmbH".to_owned(),
            dpo: "Datenschutz, datenschutz@klinikum.example".to_owned(),
            authority: "Die Landesbeauftragte".to_owned(),
            law: "Art. 15 Abs. 3 DSGVO und § 630g BGB".to_owned(),
        },
        person: Person {
            subject: Subject::from_random([7; 16]),
            family: text.to_owned(),
            given: text.to_owned(),
            birth_date: "1952-02-29".to_owned(),
            record_number: "A-0815".to_owned(),
            sex: Some("female"),
            insurance_number: Some("A123456780".to_owned()),
            pseudonyms: vec![("project/sepsis".to_owned(), "ab12".to_owned())],
        },
        stays: vec![Stay { ward: "Station 3".to_owned(), bed: "3.01-1".to_owned(), from: at(START), to: None }],
        consents: vec![
            Consent {
                case: case(1),
                purpose: text.to_owned(),
                research: true,
                form: "Forschung, Fassung 2".to_owned(),
                form_hash: "ab".repeat(32),
                language: "de".to_owned(),
                signer: text.to_owned(),
                channel: "Papier".to_owned(),
                at: at(START),
                until: Some(at(START + 1_000_000)),
                state: ConsentState::Given,
            },
            Consent {
                case: case(2),
                purpose: "Angehörige".to_owned(),
                research: false,
                form: "Angehörige, Fassung 1".to_owned(),
                form_hash: "cd".repeat(32),
                language: "en".to_owned(),
                signer: "Patient".to_owned(),
                channel: "Bildschirm".to_owned(),
                at: at(START),
                until: None,
                state: ConsentState::Withdrawn(at(START + 5_000_000)),
            },
        ],
        notices: vec![
            Notice { notice: text.to_owned(), acknowledged: Some(at(START)) },
            Notice { notice: "Hinweis, Fassung 3".to_owned(), acknowledged: None },
        ],
        requests: vec![
            Request {
                case: case(3),
                what: "Auskunft, Art. 15".to_owned(),
                at: at(START),
                due: at(START + 2_592_000_000_000),
                extended: Some(text.to_owned()),
                state: RequestState::Open,
            },
            Request {
                case: case(4),
                what: "Löschung, Art. 17".to_owned(),
                at: at(START),
                due: at(START + 2_592_000_000_000),
                extended: None,
                state: RequestState::Refused(at(START + 9_000_000), text.to_owned()),
            },
        ],
        corrections: vec![Correction {
            at: at(START),
            what: "Name".to_owned(),
            original: text.to_owned(),
            corrected: "Müller".to_owned(),
            reason: text.to_owned(),
        }],
        restricted_since: Some(at(START)),
        purposes: vec![Purpose {
            text: "Überwachung der Vitalzeichen".to_owned(),
            grounds: vec!["Art. 6(1)(b)".to_owned(), "Art. 9(2)(h)".to_owned()],
            data: vec![("Herzfrequenz".to_owned(), "30 Tage".to_owned())],
            rights: Rights::of([Ground::Contract]),
        }],
        recipients: vec![Flow { recipient: text.to_owned(), purpose: "Wartung".to_owned(), country: "DE".to_owned() }],
    }
}

pub(crate) fn written(format: Format, dossier: &Dossier, store: &mut Store) -> (Vec<u8>, Summary) {
    let mut out = Vec::new();
    let summary = obhut_interop::write(format, dossier, store, &obhut_interop::time::Utc, [9; 16], &mut out).unwrap();
    (out, summary)
}

/// The files of a zip.
pub(crate) fn files(bytes: &[u8]) -> std::collections::BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let name = file.name().unwrap().into_owned();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut file, &mut text).unwrap();
            (name, text)
        })
        .collect()
}
