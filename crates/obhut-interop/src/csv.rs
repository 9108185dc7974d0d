//! The set of CSV tables in one zip file, written as it goes: nothing in it is ever held whole.

use crate::dossier::{ConsentState, Dossier, Language, RequestState};
use crate::source::{for_each_access, for_each_stretch};
use crate::time::utc;
use crate::{Access, CopyError, Local, Source, Stretch, Summary, rights, table};
use obhut_model::{Code, ServerTime};
use std::io::{BufWriter, Write};
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

type Zip<'a> = ZipWriter<StreamWriter<&'a mut dyn Write>>;

/// Writes the set.
pub(crate) fn set(
    dossier: &Dossier,
    source: &mut dyn Source,
    local: &dyn Local,
    out: &mut dyn Write,
) -> Result<Summary, CopyError> {
    let mut zip = ZipWriter::new_stream(out);
    let mut summary = Summary::default();
    let at = local.civil(dossier.made_at.micros());
    let time = zip::DateTime::from_date_and_time(
        u16::try_from(at.year).unwrap_or(1980),
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
    )
    .unwrap_or_default();
    // Large: a stay may hold more than four gigabytes of samples, and a stream cannot go back to say so.
    let options = SimpleFileOptions::default().last_modified_time(time).large_file(true);
    let file = |zip: &mut Zip<'_>, name: &str| zip.start_file(name, options).map_err(CopyError::Zip);

    file(&mut zip, dossier.language.pick("LIES-MICH.txt", "README.txt"))?;
    zip.write_all(note(dossier).as_bytes()).map_err(CopyError::Write)?;
    for table in TABLES {
        file(&mut zip, table.file)?;
        (table.write)(dossier, &mut zip).map_err(CopyError::Write)?;
    }
    file(&mut zip, "numerics.csv")?;
    readings(source, &mut zip, &mut summary, false)?;
    file(&mut zip, "waveforms.csv")?;
    readings(source, &mut zip, &mut summary, true)?;
    file(&mut zip, "accesses.csv")?;
    accesses(source, &mut zip, &mut summary)?;
    let stream = zip.finish().map_err(CopyError::Zip)?;
    stream.into_inner().flush().map_err(CopyError::Write)?;
    Ok(summary)
}

fn readings(
    source: &mut dyn Source,
    zip: &mut Zip<'_>,
    summary: &mut Summary,
    waveforms: bool,
) -> Result<(), CopyError> {
    let mut out = BufWriter::with_capacity(1 << 16, zip);
    let columns: &[&str] = if waveforms {
        &["time", "code", "reading", "unit", "sample", "gain", "baseline", "value", "quality"]
    } else {
        &["time", "code", "reading", "unit", "value", "quality"]
    };
    table::header(&mut out, columns).map_err(CopyError::Write)?;
    for part in source.codes()? {
        for_each_stretch(source, part, &mut |stretch| {
            if matches!(stretch, Stretch::Waveform { .. }) == waveforms {
                summary.count(&stretch);
                write_stretch(&mut out, part.0, &stretch).map_err(CopyError::Write)?;
            }
            Ok(())
        })?;
    }
    out.flush().map_err(CopyError::Write)
}

/// Numbers are ours, made of digits: they need no quotes and cannot be formulas.
fn write_stretch(out: &mut dyn Write, code: Code, stretch: &Stretch) -> std::io::Result<()> {
    let unit = code.info().map_or("", |info| info.ucum);
    match stretch {
        Stretch::Numerics { step, values } => {
            for (at, steps, quality) in values {
                let value = steps.map_or_else(String::new, |steps| crate::exact(*step, steps));
                let (at, number, quality) = (utc(at.micros()), code.number(), quality.bits());
                write!(out, "{at},{number},{code},{unit},{value},{quality}\r\n")?;
            }
        }
        Stretch::Waveform { start, rate, scale, quality, samples } => {
            for (index, sample) in samples.iter().enumerate() {
                let at = utc(start.plus_micros(rate.offset_micros(index as u64)).micros());
                let (number, gain, baseline, quality) = (code.number(), scale.gain, scale.baseline, quality.bits());
                match scale.value(*sample) {
                    Some(value) => {
                        write!(out, "{at},{number},{code},{unit},{sample},{gain},{baseline},{value},{quality}\r\n")?;
                    }
                    None => write!(out, "{at},{number},{code},{unit},,{gain},{baseline},,{quality}\r\n")?,
                }
            }
        }
    }
    Ok(())
}

fn accesses(source: &mut dyn Source, out: &mut dyn Write, summary: &mut Summary) -> Result<(), CopyError> {
    table::header(out, &["time", "who", "what", "why", "data", "from", "emergency", "refused", "ledger_entry"])
        .map_err(CopyError::Write)?;
    for_each_access(source, &mut |access| {
        summary.accesses += 1;
        let Access { index, at, who, what, why, categories, origin, emergency, refused, .. } = access;
        let (at, index, data) = (utc(at.micros()), index.to_string(), categories.join(", "));
        let word = |flag: bool| if flag { "yes" } else { "no" };
        let fields = [&at, &who, &what, &why, &data, &origin, word(emergency), word(refused), &index];
        table::row(out, &fields).map_err(CopyError::Write)
    })
}

struct Table {
    file: &'static str,
    write: fn(&Dossier, &mut dyn Write) -> std::io::Result<()>,
}

const TABLES: &[Table] = &[
    Table { file: "person.csv", write: person },
    Table { file: "pseudonyms.csv", write: pseudonyms },
    Table { file: "stays.csv", write: stays },
    Table { file: "consents.csv", write: consents },
    Table { file: "notices.csv", write: notices },
    Table { file: "requests.csv", write: requests },
    Table { file: "corrections.csv", write: corrections },
    Table { file: "purposes.csv", write: purposes },
    Table { file: "recipients.csv", write: recipients },
];

fn time(at: Option<ServerTime>) -> String {
    at.map(|at| utc(at.micros())).unwrap_or_default()
}

fn person(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    let person = &dossier.person;
    table::header(
        out,
        &["family", "given", "birth_date", "record_number", "sex", "insurance_number", "pseudonym", "restricted_since"],
    )?;
    table::row(
        out,
        &[
            &person.family,
            &person.given,
            &person.birth_date,
            &person.record_number,
            person.sex.unwrap_or_default(),
            person.insurance_number.as_deref().unwrap_or_default(),
            &person.subject.to_string(),
            &time(dossier.restricted_since),
        ],
    )
}

fn pseudonyms(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["domain", "pseudonym"])?;
    dossier.person.pseudonyms.iter().try_for_each(|(domain, pseudonym)| table::row(out, &[domain, pseudonym]))
}

fn stays(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["ward", "bed", "from", "to"])?;
    dossier
        .stays
        .iter()
        .try_for_each(|stay| table::row(out, &[&stay.ward, &stay.bed, &time(Some(stay.from)), &time(stay.to)]))
}

fn consents(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(
        out,
        &[
            "consent",
            "purpose",
            "form",
            "form_sha256",
            "language",
            "signer",
            "channel",
            "time",
            "until",
            "state",
            "withdrawn",
        ],
    )?;
    dossier.consents.iter().try_for_each(|consent| {
        let (state, withdrawn) = match consent.state {
            ConsentState::Given => ("given", None),
            ConsentState::Declined => ("declined", None),
            ConsentState::Withdrawn(at) => ("withdrawn", Some(at)),
            ConsentState::Expired => ("expired", None),
        };
        table::row(
            out,
            &[
                &consent.case.to_string(),
                &consent.purpose,
                &consent.form,
                &consent.form_hash,
                &consent.language,
                &consent.signer,
                &consent.channel,
                &time(Some(consent.at)),
                &time(consent.until),
                state,
                &time(withdrawn),
            ],
        )
    })
}

fn notices(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["notice", "acknowledged"])?;
    dossier.notices.iter().try_for_each(|notice| table::row(out, &[&notice.notice, &time(notice.acknowledged)]))
}

fn requests(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["request", "what", "time", "due", "extended_because", "state", "closed", "reason"])?;
    dossier.requests.iter().try_for_each(|request| {
        let (state, closed, reason) = match &request.state {
            RequestState::Open => ("open", None, ""),
            RequestState::Fulfilled(at) => ("fulfilled", Some(*at), ""),
            RequestState::Refused(at, why) => ("refused", Some(*at), why.as_str()),
            RequestState::Withdrawn(at) => ("withdrawn", Some(*at), ""),
        };
        table::row(
            out,
            &[
                &request.case.to_string(),
                &request.what,
                &time(Some(request.at)),
                &time(Some(request.due)),
                request.extended.as_deref().unwrap_or_default(),
                state,
                &time(closed),
                reason,
            ],
        )
    })
}

fn corrections(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["time", "what", "original", "corrected", "reason"])?;
    dossier
        .corrections
        .iter()
        .try_for_each(|c| table::row(out, &[&time(Some(c.at)), &c.what, &c.original, &c.corrected, &c.reason]))
}

fn purposes(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["purpose", "grounds", "data", "kept", "portability", "objection"])?;
    let word = |flag: bool| if flag { "yes" } else { "no" };
    for purpose in &dossier.purposes {
        let nothing = [(String::new(), String::new())];
        let data: &[(String, String)] = if purpose.data.is_empty() { &nothing } else { &purpose.data };
        for (data, kept) in data {
            table::row(
                out,
                &[
                    &purpose.text,
                    &purpose.grounds.join("; "),
                    data,
                    kept,
                    word(purpose.rights.offers(rights::Right::Portability)),
                    word(purpose.rights.offers(rights::Right::Objection)),
                ],
            )?;
        }
    }
    Ok(())
}

fn recipients(dossier: &Dossier, out: &mut dyn Write) -> std::io::Result<()> {
    table::header(out, &["recipient", "purpose", "country"])?;
    dossier.recipients.iter().try_for_each(|flow| table::row(out, &[&flow.recipient, &flow.purpose, &flow.country]))
}

/// The note beside the tables.
fn note(dossier: &Dossier) -> String {
    let text = match dossier.language {
        Language::De => include_str!("../text/note.de.txt"),
        Language::En => include_str!("../text/note.en.txt"),
    };
    text.replace("{house}", &crate::text::shown(&dossier.house.name, 500, |_| true))
        .replace("{dpo}", &crate::text::shown(&dossier.house.dpo, 500, |_| true))
        .replace("{authority}", &crate::text::shown(&dossier.house.authority, 500, |_| true))
        .replace("{made}", &utc(dossier.made_at.micros()))
        .replace('\n', "\r\n")
}
