//! What a copy holds beside readings and accesses: person, stays, consents, notices, requests, corrections, purposes and recipients.

use super::words::{category, kind_text, pick};
use crate::api::ApiError;
use crate::state::{AppState, real_now};
use obhut_charter::schema::Regime;
use obhut_interop::{
    Consent, ConsentState, Correction, Dossier, Flow, Ground, House, Language, Notice, Purpose, Request, RequestState,
    Rights, Stay,
};
use obhut_model::{DeviceTime, ServerTime, Subject};
use obhut_register::consents::{Signer, Standing};
use obhut_register::requests;
use obhut_store::{Domain, Identity, IdentityVersion, Pseudonym, Sex};
use std::collections::BTreeSet;

/// The rights for a purpose of the charter.
pub(in crate::api) fn rights_of(purpose: &obhut_charter::schema::Purpose) -> Rights {
    Rights::of(purpose.basis.iter().chain(&purpose.exception).map(|ground| Ground::of(ground.written)))
}

/// Purposes patients' data are processed for: those of the data, and those that can be agreed to.
pub(in crate::api) fn purposes_of(state: &AppState) -> Vec<String> {
    let charter = state.charter.load();
    let data = charter.checked.all_data().iter().map(|data| data.purpose.as_str().to_owned());
    let forms = charter.checked.consent_forms().iter().map(|form| form.purpose.as_str().to_owned());
    data.chain(forms).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Everything of a copy but readings and accesses. The identity was opened with a permit.
pub(in crate::api) fn dossier(
    state: &AppState,
    language: Language,
    subject: Subject,
    versions: &[IdentityVersion],
    names: &[(Domain, Pseudonym)],
) -> Result<Dossier, ApiError> {
    let identity = versions.last().map(|version| &version.identity).cloned().unwrap_or_default();
    let charter = state.charter.load_full();
    let (checked, now) = (&charter.checked, real_now());
    let controller = checked.controller();
    let stays = state.records.stays(subject)?;
    let label = |bed: &obhut_model::BedId| {
        charter.beds.iter().find(|(id, _)| id == bed).map_or_else(|| bed.to_string(), |(_, label)| label.clone())
    };
    let time = |at: DeviceTime| ServerTime::from_micros(at.micros());
    let (consents, notices, requests, mut corrections, restricted_since) = state.desk.register.read(|register| {
        (
            register.consents_of(subject).map(|each| consent(state, language, each, now)).collect::<Vec<_>>(),
            register
                .notices_of(subject)
                .map(|each| Notice {
                    notice: notice_text(state, language, &each.notice, &each.version),
                    acknowledged: each.shown,
                })
                .collect::<Vec<_>>(),
            register
                .requests()
                .into_iter()
                .filter(|each| each.subject == subject)
                .map(|each| request(language, each))
                .collect::<Vec<_>>(),
            register.corrections_of(subject).flat_map(correction).collect::<Vec<_>>(),
            register.restrictions_of(subject).filter(|each| each.lifted.is_none()).map(|each| each.from).min(),
        )
    });
    corrections.extend(versions.windows(2).filter_map(|pair| match pair {
        [before, after] => Some(Correction {
            at: after.at,
            what: language.pick("Angaben zur Person", "personal details").to_owned(),
            original: line(&before.identity),
            corrected: line(&after.identity),
            reason: language.pick("Berichtigung", "correction").to_owned(),
        }),
        _ => None,
    }));
    let purposes = purposes_of(state)
        .iter()
        .filter_map(|id| checked.purpose(id))
        .map(|purpose| Purpose {
            text: pick(language, &purpose.text),
            grounds: purpose
                .basis
                .iter()
                .chain(&purpose.exception)
                .map(|ground| language.pick(ground.cite_de, ground.cite_en).to_owned())
                .collect(),
            data: checked
                .all_data()
                .iter()
                .filter(|data| data.purpose.as_str() == purpose.id.as_str())
                .map(|data| {
                    let name = category(state, language, data.id.as_str());
                    let kept = charter.rules.retention.iter().find(|rule| rule.id == data.retention.as_str());
                    (name, kept.map_or_else(String::new, |rule| duration(language, rule.seconds)))
                })
                .collect(),
            rights: rights_of(purpose),
        })
        .collect();
    let recipients = checked
        .recipients()
        .iter()
        .map(|firm| Flow {
            recipient: (*firm.name).clone(),
            purpose: checked.purpose(firm.purpose.as_str()).map_or_else(String::new, |p| pick(language, &p.text)),
            country: (*firm.country).clone(),
        })
        .collect();
    Ok(Dossier {
        made_at: now,
        language,
        house: House {
            name: (*controller.name).clone(),
            dpo: [Some(controller.dpo.name.clone()), Some(controller.dpo.email.clone()), controller.dpo.phone.clone()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", "),
            authority: controller.authority.as_ref().map_or_else(String::new, |authority| (**authority).clone()),
            law: match *controller.regime {
                Regime::Gdpr => language.pick("Art. 15 Abs. 3 DSGVO und § 630g BGB", "Art. 15(3) GDPR and § 630g BGB"),
                Regime::Kdg => language.pick("§ 17 Abs. 3 KDG und § 630g BGB", "§ 17(3) KDG and § 630g BGB"),
                Regime::DsgEkd => language.pick("§ 19 DSG-EKD und § 630g BGB", "§ 19 DSG-EKD and § 630g BGB"),
            }
            .to_owned(),
        },
        person: obhut_interop::Person {
            subject,
            family: identity.family.clone(),
            given: identity.given.join(" "),
            birth_date: identity.birth_date.clone(),
            record_number: identity.record_number.clone(),
            sex: identity.sex.map(|sex| match sex {
                Sex::Male => "male",
                Sex::Female => "female",
                Sex::Other => "other",
                Sex::Unknown => "unknown",
            }),
            insurance_number: identity.insurance_number.clone(),
            pseudonyms: names.iter().map(|(domain, name)| (domain.to_string(), name.to_string())).collect(),
        },
        stays: stays
            .iter()
            .map(|stay| Stay {
                ward: charter.ward.1.clone(),
                bed: label(&stay.bed),
                from: time(stay.from),
                to: stay.to.map(time),
            })
            .collect(),
        consents,
        notices,
        requests,
        corrections,
        restricted_since,
        purposes,
        recipients,
    })
}

fn line(identity: &Identity) -> String {
    format!("{}, {}, {}, {}", identity.family, identity.given.join(" "), identity.birth_date, identity.record_number)
}

fn duration(language: Language, seconds: u64) -> String {
    match (seconds / 86_400, seconds % 86_400) {
        (0, _) => format!("{} {}", seconds / 3_600, language.pick("Stunden", "hours")),
        (days, 0) if days >= 365 && days % 365 < days / 365 + 1 => {
            format!("{} {}", days / 365, language.pick("Jahre", "years"))
        }
        (days, _) => format!("{days} {}", language.pick("Tage", "days")),
    }
}

/// The words of a notice in the version that was shown, or its name if the charter has another version now.
fn notice_text(state: &AppState, language: Language, id: &str, version: &str) -> String {
    let charter = state.charter.load();
    let same = |notice: &&obhut_charter::schema::Notice| notice.id.as_str() == id && notice.version.as_str() == version;
    charter.checked.notices().iter().find(same).map_or_else(
        || format!("{id}, {version}"),
        |notice| format!("{id}, {version}: {}", pick(language, &notice.text)),
    )
}

fn consent(
    state: &AppState,
    language: Language,
    consent: &obhut_register::consents::Consent,
    now: ServerTime,
) -> Consent {
    let charter = state.charter.load();
    let purpose = charter.checked.purpose(&consent.purpose);
    let research = charter.checked.projects().iter().any(|project| project.purpose.as_str() == &*consent.purpose);
    use obhut_register::consents::Channel as Way;
    Consent {
        case: consent.case,
        purpose: purpose.map_or_else(|| consent.purpose.to_string(), |purpose| pick(language, &purpose.text)),
        research,
        form: format!("{}, {}", consent.form, consent.version),
        form_hash: consent.text.to_string(),
        language: consent.language.to_string(),
        signer: match &consent.signer {
            Signer::Patient => language.pick("Patient", "patient").to_owned(),
            Signer::Representative(name) => {
                format!("{} {}", language.pick("vertreten durch", "represented by"), name.as_str())
            }
        },
        channel: match consent.channel {
            Way::Paper => language.pick("Papier", "paper"),
            Way::Screen => language.pick("Bildschirm auf Station", "screen on the ward"),
            Way::Spoken => language.pick("mündlich", "spoken"),
            Way::Own => language.pick("eigene Seite", "own page"),
        }
        .to_owned(),
        at: consent.signed,
        until: Some(consent.expires),
        state: match (consent.standing(now), consent.withdrawn, consent.replaced) {
            (Standing::InForce | Standing::NotYet, ..) => ConsentState::Given,
            (Standing::Refused, ..) => ConsentState::Declined,
            (Standing::Withdrawn, Some((at, _)), _) | (Standing::Replaced, _, Some((at, _))) => {
                ConsentState::Withdrawn(at)
            }
            _ => ConsentState::Expired,
        },
    }
}

fn request(language: Language, request: &requests::Request) -> Request {
    Request {
        case: request.case,
        what: kind_text(language, request.kind).to_owned(),
        at: request.received,
        due: request.due,
        extended: request.extension.as_ref().map(|extension| extension.reason.as_str().to_owned()),
        state: match &request.outcome {
            None => RequestState::Open,
            Some(requests::Outcome::Fulfilled { at, .. }) => RequestState::Fulfilled(*at),
            Some(requests::Outcome::Refused { at, text, .. }) => RequestState::Refused(*at, text.as_str().to_owned()),
            Some(requests::Outcome::Withdrawn { at }) => RequestState::Withdrawn(*at),
        },
    }
}

/// One line for each version, each with what stood there before.
fn correction(found: &obhut_register::rights::Correction) -> Vec<Correction> {
    let mut before = found.original.as_str().to_owned();
    found
        .versions
        .iter()
        .map(|version| {
            let original = std::mem::replace(&mut before, version.value.as_str().to_owned());
            Correction {
                at: version.at,
                what: found.target.to_string(),
                original,
                corrected: version.value.as_str().to_owned(),
                reason: version.reason.as_str().to_owned(),
            }
        })
        .collect()
}
