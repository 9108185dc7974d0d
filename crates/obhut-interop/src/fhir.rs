//! The copy as one FHIR R4 (4.0.1) bundle of type `collection`, written entry by entry.
//!
//! Patient, Organization, Encounter (stays), Observation, Consent, Communication (notices), Task (requests), Provenance (corrections and the copy
//! itself) and the ledger's AuditEvents. No profile is claimed in `meta`: numerics at one distance are `SampledData`, which the vital-signs
//! profile does not know (decision 0151).
//!
//! Three extensions of ours carry what R4 has no place for: `urn:obhut:fhir:quality` (flags of a value), `urn:obhut:fhir:samples` (the exact
//! gain, baseline and rate of a waveform) and `urn:obhut:fhir:step` (the charter's resolution, with which numerics were stored).

mod observation;
mod resources;

use crate::source::{for_each_access, for_each_stretch};
use crate::{CopyError, Dossier, Source, Summary};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;

/// System of MDC codes.
pub const MDC: &str = "urn:iso:std:iso:11073:10101";
/// System of the codes Obhut adds in the private partition of MDC.
pub const MDC_PRIVATE: &str = "urn:obhut:fhir:private-code";
/// System of the units.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// Extension: flags of a value.
pub const QUALITY: &str = "urn:obhut:fhir:quality";
/// Extension: gain, baseline and rate of a waveform.
pub const SAMPLES: &str = "urn:obhut:fhir:samples";
/// Extension: the step numerics are multiples of.
pub const STEP: &str = "urn:obhut:fhir:step";

/// Draws the identifiers of one bundle's resources: random once, then counted, so that none repeats.
struct Ids {
    seed: [u8; 16],
    next: u64,
}

impl Ids {
    /// The next one, as a UUID of version 8 (RFC 9562).
    fn next(&mut self) -> String {
        let count = self.next.to_be_bytes();
        self.next += 1;
        let mut bytes = self.seed;
        for (slot, byte) in bytes.iter_mut().skip(10).zip(count.iter().skip(2)) {
            *slot = *byte;
        }
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = *version & 0x0f | 0x80;
        *variant = *variant & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
        format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
    }
}

/// Writes entries one after another.
struct Entries<'a> {
    out: &'a mut dyn Write,
    ids: Ids,
    first: bool,
}

#[derive(Serialize)]
struct Entry<'a, T> {
    #[serde(rename = "fullUrl")]
    full_url: &'a str,
    resource: &'a T,
}

impl Entries<'_> {
    /// Writes one resource under the identifier it carries.
    fn push<T: Serialize>(&mut self, id: &str, resource: &T) -> Result<(), CopyError> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",\n").map_err(CopyError::Write)?;
        }
        let full_url = format!("urn:uuid:{id}");
        serde_json::to_writer(&mut *self.out, &Entry { full_url: &full_url, resource })
            .map_err(|error| CopyError::Write(error.into()))
    }

    /// Writes a resource made by hand, giving it its identifier; what has no value is left out, as FHIR wants it.
    fn push_value(&mut self, mut resource: Value) -> Result<String, CopyError> {
        let id = self.ids.next();
        if let Some(map) = resource.as_object_mut() {
            map.insert("id".to_owned(), json!(id));
        }
        prune(&mut resource);
        self.push(&id, &resource)?;
        Ok(id)
    }
}

/// Removes nulls, and the empty objects and lists they leave: FHIR knows neither.
fn prune(value: &mut Value) {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|_, value| !empty(value));
        }
        Value::Array(list) => {
            list.iter_mut().for_each(prune);
            list.retain(|value| !empty(value));
        }
        _ => {}
    }
}

/// Writes the bundle.
pub(crate) fn bundle(
    dossier: &Dossier,
    source: &mut dyn Source,
    seed: [u8; 16],
    out: &mut dyn Write,
) -> Result<Summary, CopyError> {
    let mut summary = Summary::default();
    let mut out = std::io::BufWriter::with_capacity(1 << 16, out);
    let mut ids = Ids { seed, next: 0 };
    let head = json!({
        "resourceType": "Bundle", "id": ids.next(), "type": "collection",
        "timestamp": crate::time::utc(dossier.made_at.micros()),
        "language": dossier.language.tag(),
    });
    let head = head.to_string();
    // The list of entries is open while it is written.
    let open = head.strip_suffix('}').unwrap_or(&head);
    writeln!(out, "{open},\"entry\":[").map_err(CopyError::Write)?;
    let mut entries = Entries { out: &mut out, ids, first: true };

    let house = entries.push_value(resources::organization(dossier))?;
    let patient = entries.push_value(resources::patient(dossier, &house))?;
    for resource in resources::small(dossier, &patient, &house) {
        entries.push_value(resource)?;
    }
    for part in source.codes()? {
        for_each_stretch(source, part, &mut |stretch| {
            summary.count(&stretch);
            observation::write(&mut entries, &patient, part.0, &stretch)
        })?;
    }
    for_each_access(source, &mut |access| {
        if access.event.get("resourceType").and_then(Value::as_str) != Some("AuditEvent") {
            return Err(CopyError::NotAnEvent(access.index));
        }
        summary.accesses += 1;
        entries.push_value(access.event).map(drop)
    })?;
    entries.push_value(resources::made(dossier, &patient, &house))?;
    out.write_all(b"\n]}\n").and_then(|()| out.flush()).map_err(CopyError::Write)?;
    Ok(summary)
}
