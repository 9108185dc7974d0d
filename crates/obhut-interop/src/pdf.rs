//! The copy to read and print: tagged (PDF/UA-1), for the archive (PDF/A-2a), fonts embedded, German or English.
//!
//! It says everything but readings and old accesses in full. Readings are summed up by periods, and each figure of a summary is a stored value
//! (lowest, highest, last), never a mean; single values and samples are in the other two formats, and the text says so.
//!
//! The font is DejaVu Sans, which has every letter used in Europe's languages, Greek and Cyrillic included; what it lacks is named by its number
//! (decision 0152).

mod layout;
mod readings;
mod words;

use crate::dossier::{ConsentState, Dossier, Language, RequestState};
use crate::rights::Right;
use crate::source::for_each_access;
use crate::time::Shown;
use crate::{Access, CopyError, Local, Source, Summary, limits};
use layout::Sheet;
use obhut_model::ServerTime;
use std::io::Write;
use words::Words;

/// What all parts need.
struct Press<'a> {
    dossier: &'a Dossier,
    words: &'static Words,
    local: &'a dyn Local,
    sheet: Sheet,
}

impl Press<'_> {
    fn moment(&self, micros: i64) -> String {
        Shown(self.local.civil(micros), self.dossier.language).to_string()
    }

    fn at(&self, at: ServerTime) -> String {
        self.moment(at.micros())
    }

    fn maybe(&self, at: Option<ServerTime>, without: &str) -> String {
        at.map_or_else(|| without.to_owned(), |at| self.at(at))
    }

    /// A heading and a table below it, or a sentence if there are no rows.
    fn table(
        &mut self,
        heading: &str,
        none: &str,
        columns: &[(&str, f32)],
        rows: &[Vec<String>],
    ) -> Result<(), CopyError> {
        self.sheet.heading(2, heading)?;
        if rows.is_empty() { self.sheet.paragraph(none) } else { self.sheet.table(columns, rows) }
    }
}

/// Writes the document.
pub(crate) fn document(
    dossier: &Dossier,
    source: &mut dyn Source,
    local: &dyn Local,
    out: &mut dyn Write,
) -> Result<Summary, CopyError> {
    let words = Words::of(dossier.language);
    let sheet = Sheet::new(dossier.language, words.title, words.page)?;
    let mut press = Press { dossier, words, local, sheet };
    let mut summary = Summary::default();

    opening(&mut press)?;
    stays(&mut press)?;
    readings::write(&mut press, source, &mut summary)?;
    accesses(&mut press, source, &mut summary)?;
    consents(&mut press)?;
    notices(&mut press)?;
    requests(&mut press)?;
    corrections(&mut press)?;
    purposes(&mut press)?;
    recipients(&mut press)?;
    closing(&mut press)?;

    let made = local.civil(dossier.made_at.micros());
    let bytes = press.sheet.finish(&made, &dossier.house.name)?;
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(CopyError::Write)?;
    Ok(summary)
}

fn opening(press: &mut Press<'_>) -> Result<(), CopyError> {
    let (dossier, words) = (press.dossier, press.words);
    press.sheet.heading(1, words.title)?;
    press.sheet.paragraph(&format!("{} {}. {}", words.made_under, dossier.house.law, words.how_to_read))?;
    let mut rows = vec![
        (words.family, dossier.person.family.clone()),
        (words.given, dossier.person.given.clone()),
        (words.birth_date, dossier.person.birth_date.clone()),
        (words.record_number, dossier.person.record_number.clone()),
        (words.pseudonym, dossier.person.subject.to_string()),
        (words.controller, dossier.house.name.clone()),
        (words.made_at, press.at(dossier.made_at)),
    ];
    if let Some(number) = &dossier.person.insurance_number {
        rows.push((words.insurance_number, number.clone()));
    }
    for (domain, pseudonym) in &dossier.person.pseudonyms {
        rows.push((words.other_name, format!("{pseudonym} ({domain})")));
    }
    if let Some(since) = dossier.restricted_since {
        rows.push((words.restricted_since, press.at(since)));
    }
    press.sheet.facts(&rows)
}

fn stays(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .stays
        .iter()
        .map(|s| vec![s.ward.clone(), s.bed.clone(), press.at(s.from), press.maybe(s.to, words.lasting)])
        .collect();
    let columns = [(words.ward, 0.3), (words.bed, 0.2), (words.from, 0.25), (words.to, 0.25)];
    press.table(words.stays, words.no_stays, &columns, &rows)
}

fn accesses(press: &mut Press<'_>, source: &mut dyn Source, summary: &mut Summary) -> Result<(), CopyError> {
    let words = press.words;
    let mut newest: Vec<Access> = Vec::new();
    for_each_access(source, &mut |access| {
        summary.accesses += 1;
        if newest.len() < limits::PDF_ACCESSES_MAX {
            newest.push(access);
        }
        Ok(())
    })?;
    let rows: Vec<_> = newest
        .iter()
        .map(|access| {
            let mut what = access.what.clone();
            if !access.categories.is_empty() {
                what = format!("{what} ({})", access.categories.join(", "));
            }
            for (flag, word) in [(access.emergency, words.emergency), (access.refused, words.refused)] {
                if flag {
                    what = format!("{what}. {word}");
                }
            }
            vec![press.at(access.at), access.who.clone(), what, access.why.clone()]
        })
        .collect();
    let columns = [(words.when, 0.2), (words.who, 0.26), (words.what, 0.3), (words.why, 0.24)];
    press.table(words.accesses, words.no_accesses, &columns, &rows)?;
    let older = summary.accesses - newest.len() as u64;
    if older > 0 {
        press.sheet.paragraph(&format!("{older} {}", words.older_accesses))?;
    }
    Ok(())
}

fn consents(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .consents
        .iter()
        .map(|consent| {
            let state = match consent.state {
                ConsentState::Given => match consent.until {
                    Some(until) => format!("{}, {} {}", words.consented, words.until, press.at(until)),
                    None => words.consented.to_owned(),
                },
                ConsentState::Declined => words.declined.to_owned(),
                ConsentState::Withdrawn(at) => format!("{} {}", words.withdrawn, press.at(at)),
                ConsentState::Expired => words.expired.to_owned(),
            };
            let form = format!("{}; {} ({})", consent.form, consent.signer, consent.channel);
            vec![consent.purpose.clone(), form, press.at(consent.at), state]
        })
        .collect();
    let columns = [(words.purpose, 0.3), (words.form, 0.3), (words.when, 0.2), (words.state, 0.2)];
    press.table(words.consents, words.no_consents, &columns, &rows)
}

fn notices(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .notices
        .iter()
        .map(|notice| vec![notice.notice.clone(), press.maybe(notice.acknowledged, words.not_yet)])
        .collect();
    press.table(words.notices, words.no_notices, &[(words.notice, 0.7), (words.acknowledged, 0.3)], &rows)
}

fn requests(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .requests
        .iter()
        .map(|request| {
            let state = match &request.state {
                RequestState::Open => words.open.to_owned(),
                RequestState::Fulfilled(at) => format!("{} {}", words.fulfilled, press.at(*at)),
                RequestState::Refused(at, why) => format!("{} {}: {why}", words.was_refused, press.at(*at)),
                RequestState::Withdrawn(at) => format!("{} {}", words.withdrawn, press.at(*at)),
            };
            let due = match &request.extended {
                Some(why) => format!("{}; {} {why}", press.at(request.due), words.extended),
                None => press.at(request.due),
            };
            vec![request.what.clone(), press.at(request.at), due, state]
        })
        .collect();
    let columns = [(words.request, 0.3), (words.received, 0.2), (words.due, 0.25), (words.state, 0.25)];
    press.table(words.requests, words.no_requests, &columns, &rows)
}

fn corrections(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .corrections
        .iter()
        .map(|c| vec![press.at(c.at), c.what.clone(), c.original.clone(), c.corrected.clone(), c.reason.clone()])
        .collect();
    let columns =
        [(words.when, 0.18), (words.what, 0.18), (words.original, 0.22), (words.corrected, 0.22), (words.reason, 0.2)];
    press.table(words.corrections, words.no_corrections, &columns, &rows)
}

fn purposes(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    press.sheet.heading(2, words.purposes)?;
    for purpose in &press.dossier.purposes {
        press.sheet.heading(3, &purpose.text)?;
        let offered: Vec<&str> = Right::ALL
            .into_iter()
            .filter(|right| purpose.rights.offers(*right))
            .map(|right| words.right(right))
            .collect();
        press.sheet.paragraph(&format!(
            "{}: {}. {}: {}.",
            words.grounds,
            purpose.grounds.join("; "),
            words.your_rights,
            offered.join("; ")
        ))?;
        let rows: Vec<_> = purpose.data.iter().map(|(data, kept)| vec![data.clone(), kept.clone()]).collect();
        if !rows.is_empty() {
            press.sheet.table(&[(words.data, 0.5), (words.kept, 0.5)], &rows)?;
        }
    }
    Ok(())
}

fn recipients(press: &mut Press<'_>) -> Result<(), CopyError> {
    let words = press.words;
    let rows: Vec<_> = press
        .dossier
        .recipients
        .iter()
        .map(|flow| vec![flow.recipient.clone(), flow.purpose.clone(), flow.country.clone()])
        .collect();
    let columns = [(words.recipient, 0.4), (words.purpose, 0.4), (words.country, 0.2)];
    press.table(words.recipients, words.no_recipients, &columns, &rows)
}

fn closing(press: &mut Press<'_>) -> Result<(), CopyError> {
    let (dossier, words) = (press.dossier, press.words);
    press.sheet.heading(2, words.further)?;
    press.sheet.paragraph(words.rights_text)?;
    press.sheet.facts(&[(words.dpo, dossier.house.dpo.clone()), (words.authority, dossier.house.authority.clone())])?;
    press.sheet.paragraph(words.disclaimer)
}

impl Language {
    /// The tag screen readers choose a voice by.
    const fn pdf_tag(self) -> &'static str {
        match self {
            Self::De => "de-DE",
            Self::En => "en-GB",
        }
    }
}
