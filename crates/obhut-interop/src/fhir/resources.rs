//! Everything but readings: small resources, each made once.

use crate::dossier::{ConsentState, Dossier, RequestState};
use crate::text::fhir as clean;
use crate::time::utc;
use obhut_model::ServerTime;
use serde_json::{Value, json};

fn at(time: ServerTime) -> String {
    utc(time.micros())
}

fn reference(id: &str) -> Value {
    json!({"reference": format!("urn:uuid:{id}")})
}

pub(super) fn organization(dossier: &Dossier) -> Value {
    json!({"resourceType": "Organization", "name": clean(&dossier.house.name).unwrap_or_else(|| "-".to_owned())})
}

pub(super) fn patient(dossier: &Dossier, house: &str) -> Value {
    let person = &dossier.person;
    let mut identifiers = vec![
        json!(clean(&person.record_number).map(|number| json!({
            "use": "usual",
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
            "value": number,
            "assigner": reference(house),
        }))),
        json!({"use": "secondary", "system": "urn:obhut:fhir:pseudonym", "value": person.subject.to_string()}),
        json!(person.insurance_number.as_deref().and_then(clean).map(|number| json!({
            "use": "official", "system": "http://fhir.de/sid/gkv/kvid-10", "value": number,
        }))),
    ];
    identifiers.extend(person.pseudonyms.iter().map(|(domain, pseudonym)| {
        json!({"use": "secondary", "system": format!("urn:obhut:fhir:pseudonym:{domain}"), "value": pseudonym})
    }));
    json!({
        "resourceType": "Patient",
        "identifier": identifiers,
        "gender": person.sex,
        "name": [{"use": "official", "family": clean(&person.family), "given": [clean(&person.given)]}],
        "birthDate": Some(&person.birth_date).filter(|date| is_date(date)),
        "managingOrganization": reference(house),
    })
}

/// Whether this is a full date as FHIR writes it; another text stays out of `birthDate`, where it would make the bundle invalid.
fn is_date(text: &str) -> bool {
    let digits = |part: Option<&str>, len: usize| {
        part.is_some_and(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u16>().ok()).unwrap_or(0);
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    digits(year, 4)
        && digits(month, 2)
        && digits(day, 2)
        && parts.next().is_none()
        && number(year) > 0
        && (1..=12).contains(&number(month))
        && (1..=31).contains(&number(day))
}

pub(super) fn small(dossier: &Dossier, patient: &str, house: &str) -> Vec<Value> {
    let subject = reference(patient);
    let mut all = Vec::new();
    all.extend(dossier.stays.iter().map(|stay| {
        json!({
            "resourceType": "Encounter",
            "status": if stay.to.is_some() { "finished" } else { "in-progress" },
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": subject,
            "period": {"start": at(stay.from), "end": stay.to.map(at)},
            "location": [{"location": {"display": clean(&format!("{} {}", stay.ward, stay.bed))}}],
            "serviceProvider": reference(house),
        })
    }));
    all.extend(dossier.consents.iter().map(|consent| self::consent(consent, &subject, house)));
    all.extend(dossier.notices.iter().map(|notice| {
        json!({
            "resourceType": "Communication",
            "status": if notice.acknowledged.is_some() { "completed" } else { "preparation" },
            "subject": subject,
            "received": notice.acknowledged.map(at),
            "topic": {"text": "Art. 13, 14 GDPR"},
            "payload": [clean(&notice.notice).map(|text| json!({"contentString": text}))],
        })
    }));
    all.extend(dossier.requests.iter().map(|request| self::request(request, &subject, house)));
    all.extend(dossier.corrections.iter().map(|correction| {
        json!({
            "resourceType": "Provenance",
            "target": [subject],
            "recorded": at(correction.at),
            "activity": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE",
            }], "text": clean(&correction.what)},
            "reason": [{"text": clean(&correction.reason)}],
            "agent": [{"who": reference(house)}],
            "entity": [{
                "role": "revision",
                "what": {"display": clean(&correction.original).unwrap_or_else(|| "-".to_owned())},
            }],
            "extension": [{
                "url": "urn:obhut:fhir:corrected",
                "valueString": clean(&correction.corrected).unwrap_or_else(|| "-".to_owned()),
            }],
        })
    }));
    all
}

/// Default deny, and what is permitted nested in it.
fn consent(consent: &crate::Consent, subject: &Value, house: &str) -> Value {
    let (status, given) = match consent.state {
        ConsentState::Given => ("active", true),
        ConsentState::Declined => ("rejected", false),
        ConsentState::Withdrawn(_) | ConsentState::Expired => ("inactive", false),
    };
    let withdrawn = match consent.state {
        ConsentState::Withdrawn(when) => Some(when),
        _ => None,
    };
    let end = withdrawn.or(consent.until).map(at);
    json!({
        "resourceType": "Consent",
        "identifier": [{"system": "urn:obhut:fhir:case", "value": consent.case.to_string()}],
        "status": status,
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": if consent.research { "research" } else { "patient-privacy" },
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "language": clean(&consent.language),
        "patient": subject,
        "dateTime": at(consent.at),
        "organization": [reference(house)],
        "policyRule": {
            "coding": [{"system": "urn:obhut:fhir:consent-form-sha256", "code": clean(&consent.form_hash)}],
            "text": clean(&consent.form),
        },
        "verification": [{
            "verified": true,
            "verifiedWith": {"display": clean(&format!("{} ({})", consent.signer, consent.channel))},
            "verificationDate": at(consent.at),
        }],
        "provision": {
            "type": "deny",
            "provision": (given || withdrawn.is_some()).then(|| json!([{
                "type": "permit",
                "period": {"start": at(consent.at), "end": end},
                "purpose": [{"system": "urn:obhut:fhir:purpose", "code": "purpose", "display": clean(&consent.purpose)}],
            }])),
        },
    })
}

fn request(request: &crate::Request, subject: &Value, house: &str) -> Value {
    let (status, closed, why) = match &request.state {
        RequestState::Open => ("in-progress", None, None),
        RequestState::Fulfilled(when) => ("completed", Some(*when), None),
        RequestState::Refused(when, why) => ("rejected", Some(*when), Some(why.as_str())),
        RequestState::Withdrawn(when) => ("cancelled", Some(*when), None),
    };
    json!({
        "resourceType": "Task",
        "identifier": [{"system": "urn:obhut:fhir:case", "value": request.case.to_string()}],
        "status": status,
        "statusReason": why.and_then(clean).map(|why| json!({"text": why})),
        "intent": "order",
        "code": {"text": clean(&request.what)},
        "for": subject,
        "requester": subject,
        "owner": reference(house),
        "authoredOn": at(request.at),
        "executionPeriod": closed.map(|closed| json!({"start": at(request.at), "end": at(closed)})),
        "restriction": {"period": {"end": at(request.due)}},
        "note": [request.extended.as_deref().and_then(clean).map(|why| json!({"text": why}))],
    })
}

/// Who made the copy, and when.
pub(super) fn made(dossier: &Dossier, patient: &str, house: &str) -> Value {
    json!({
        "resourceType": "Provenance",
        "target": [reference(patient)],
        "recorded": at(dossier.made_at),
        "activity": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "extract",
        }], "text": "copy under Art. 15(3) GDPR"},
        "agent": [{"who": reference(house)}],
    })
}
