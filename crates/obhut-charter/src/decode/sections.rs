//! The keys of every section. A key that is not asked for here does not exist.
//!
//! Every key is read before the first `?`, so that all mistakes of an entry are found together.

use super::convert::{
    boolean, code, country, date, decimal, email, ground, id, label, line, model_id, number, period, rate, some_period,
    text, word,
};
use super::fields::{Fields, Refusal, Value};
use crate::At;
use crate::limits::{MESSAGES_PER_SECOND_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MIN};
use crate::problem::ProblemCode;
use crate::schema::{
    Assessment, Bed, Contact, Contract, Controller, Data, DeviceModel, Firmware, Flow, Gate, Interface, Kpi, Pledge,
    Protocol, Purpose, Recipient, Relation, Retention, Role, Scope, Send, Training, Ward, Zone,
};
use toml::de::DeValue;

pub(super) fn controller(f: &mut Fields<'_, '_>) -> Option<Controller> {
    let name = f.required("name", line);
    let regime = f.required("regime", word);
    let authority = f.optional("authority", line);
    let dpo = contact_at(f, "dpo");
    let security_officer = contact_at(f, "security_officer");
    let device_safety_officer = contact_at(f, "device_safety_officer");
    Some(Controller {
        name: name?,
        regime: regime?,
        authority: authority?,
        dpo: dpo?,
        security_officer: security_officer?,
        device_safety_officer: device_safety_officer?,
    })
}

fn contact_at(f: &mut Fields<'_, '_>, key: &'static str) -> Option<At<Contact>> {
    let hint = format!("add `{key} = {{ name = \"…\", email = \"…\" }}`");
    f.table_as(key, ProblemCode::MissingKey, &hint, |f| {
        let name = f.required("name", line);
        let email = f.required("email", email);
        let phone = f.optional("phone", line);
        Some(Contact { name: name?.into_inner(), email: email?.into_inner(), phone: phone?.map(At::into_inner) })
    })
}

pub(super) fn ward(f: &mut Fields<'_, '_>) -> Option<Ward> {
    let id = f.required("id", model_id);
    let name = f.required("name", line);
    let beds = f.tables("bed", not_a_table, |f| {
        let id = f.required("id", model_id);
        let label = f.required("label", label);
        Some(Bed { id: id?, label: label? })
    });
    Some(Ward { id: id?, name: name?, beds: beds? })
}

fn not_a_table(_: Value<'_>) -> Result<Bed, Refusal> {
    Err(Refusal::new(ProblemCode::WrongType, "must hold tables", "write { id = \"bed-01\", label = \"1.1\" }"))
}

pub(super) fn purpose(f: &mut Fields<'_, '_>) -> Option<Purpose> {
    let id = f.required("id", id);
    let text = f.required("text", text);
    let basis = f.list("basis", ground);
    let exception = f.list("exception", ground);
    let law = f.list("law", line);
    let secrecy = f.optional("secrecy", line);
    let health_data = f.or("health_data", true, boolean);
    let needs_consent = f.or("needs_consent", false, boolean);
    let raw_max = f.optional("raw_max", some_period);
    Some(Purpose {
        id: id?,
        text: text?,
        basis: basis?,
        exception: exception?,
        law: law?,
        secrecy: secrecy?,
        health_data: health_data?,
        needs_consent: needs_consent?,
        raw_max: raw_max?,
    })
}

pub(super) fn data(f: &mut Fields<'_, '_>) -> Option<Data> {
    let id_ = f.required("id", id);
    let code = f.required("code", code);
    let purpose = f.required("purpose", id);
    let why = "add `necessity = { de = \"…\", en = \"…\" }`: why the purpose cannot do without it (Art. 5(1)(c) GDPR)";
    let necessity = f.required_as("necessity", ProblemCode::DataWithoutNecessity, why, text);
    let rate_max = f.required("rate_max", rate);
    let period = f.optional("period", some_period);
    let resolution = f.required("resolution", decimal);
    let class =
        "add `retention = \"…\"` with the id of a `[[retention]]`; every kind of data has exactly one (DIN 66398)";
    let retention = f.required_as("retention", ProblemCode::DataWithoutRetention, class, id);
    let needs_patient = f.or("needs_patient", true, boolean);
    Some(Data {
        id: id_?,
        code: code?,
        purpose: purpose?,
        necessity: necessity?,
        rate_max: rate_max?,
        period: period?,
        resolution: resolution?,
        retention: retention?,
        needs_patient: needs_patient?,
    })
}

pub(super) fn device_model(f: &mut Fields<'_, '_>) -> Option<DeviceModel> {
    let id_ = f.required("id", model_id);
    let maker = f.required("maker", line);
    let name = f.required("name", line);
    let kind = f.required("kind", word);
    let plain = |value: Value<'_>| {
        id(value).map(|data| Send { data: At::new(data, value.span()), rate_max: None, period: None })
    };
    let sends = f.tables("sends", plain, |f| {
        let data = f.required("data", id);
        let rate_max = f.optional("rate_max", rate);
        let period = f.optional("period", some_period);
        Some(Send { data: data?, rate_max: rate_max?, period: period? })
    });
    let messages_per_second_max = f.required("messages_per_second_max", number(1..=MESSAGES_PER_SECOND_MAX));
    let payload_bytes_max = f.required("payload_bytes_max", number(PAYLOAD_BYTES_MIN..=PAYLOAD_BYTES_MAX));
    let firmware = f.optional_table("firmware", |f| {
        let update = f.required("update", word);
        let minimum = f.optional("minimum", line);
        let while_in_use = f.or("while_in_use", false, boolean);
        Some(Firmware { update: *update?, minimum: minimum?.map(At::into_inner), while_in_use: *while_in_use? })
    });
    let attestation = f.optional("attestation", word);
    let life_supporting = f.required("life_supporting", boolean);
    Some(DeviceModel {
        id: id_?,
        maker: maker?,
        name: name?,
        kind: kind?,
        sends: sends?,
        messages_per_second_max: messages_per_second_max?,
        payload_bytes_max: payload_bytes_max?,
        firmware: firmware?,
        attestation: attestation?,
        life_supporting: life_supporting?,
    })
}

pub(super) fn zone(f: &mut Fields<'_, '_>) -> Option<Zone> {
    let id = f.required("id", id);
    let text = f.required("text", text);
    let vlan = f.required("vlan", number(1..=4094));
    Some(Zone { id: id?, text: text?, vlan: vlan? })
}

pub(super) fn flow(f: &mut Fields<'_, '_>) -> Option<Flow> {
    let id_ = f.required("id", id);
    let from = f.required("from", id);
    let to = f.required("to", id);
    let port = f.required("port", number(1..=65_535));
    let protocol = f.or("protocol", Protocol::Tcp, word);
    let purpose = f.required("purpose", id);
    let who = "add `owner = \"…\"`: the function that answers for this opening";
    let owner = f.required_as("owner", ProblemCode::FlowWithoutOwner, who, line);
    let until = "add `expiry = 2027-06-30`: an opening without an end is never looked at again";
    let expiry = f.required_as("expiry", ProblemCode::FlowWithoutExpiry, until, date);
    Some(Flow {
        id: id_?,
        from: from?,
        to: to?,
        port: port?,
        protocol: protocol?,
        purpose: purpose?,
        owner: owner?,
        expiry: expiry?,
    })
}

/// `"all"` or a list of data ids; absent means none.
pub(super) fn scope(f: &mut Fields<'_, '_>) -> Option<At<Scope>> {
    f.or("data", Scope::Only(Vec::new()), |value| match value.get_ref() {
        DeValue::String(text) if text == "all" => Ok(Scope::All),
        DeValue::Array(items) => {
            if items.len() > crate::limits::ENTRIES_MAX {
                return Err(Refusal::new(
                    ProblemCode::TooMany,
                    "has too many items",
                    "declare fewer, or write \"all\"",
                ));
            }
            let item = |item: Value<'_>| {
                id(item)
                    .map(|id| At::new(id, item.span()))
                    .map_err(|refusal| Refusal { span: Some(item.span()), ..refusal })
            };
            items.iter().map(item).collect::<Result<_, _>>().map(Scope::Only)
        }
        _ => Err(Refusal::new(
            ProblemCode::WrongType,
            "must be a list of data, or \"all\"",
            "write [\"heart-rate\"] or \"all\"",
        )),
    })
}

pub(super) fn role(f: &mut Fields<'_, '_>) -> Option<Role> {
    let id_ = f.required("id", id);
    let text_ = f.required("text", text);
    let permissions = f.list("permissions", word);
    let relation = f.or("relation", Relation::None, word);
    let purposes = f.list("purposes", id);
    let data = scope(f);
    let training = f.optional_table("training", |f| {
        let text = f.required("text", text);
        let months = f.required("months", number(1..=120));
        Some(Training { text: text?.into_inner(), months: *months? })
    });
    let recipient = f.optional("recipient", id);
    Some(Role {
        id: id_?,
        text: text_?,
        permissions: permissions?,
        relation: relation?,
        purposes: purposes?,
        data: data?,
        training: training?,
        recipient: recipient?,
    })
}

pub(super) fn retention(f: &mut Fields<'_, '_>) -> Option<Retention> {
    let id = f.required("id", id);
    let start = f.required("start", word);
    let period = f.required("period", period);
    let basis = f.required("basis", text);
    let covers = f.list("covers", word);
    Some(Retention { id: id?, start: start?, period: period?, basis: basis?, covers: covers? })
}

pub(super) fn recipient(f: &mut Fields<'_, '_>) -> Option<Recipient> {
    let id_ = f.required("id", id);
    let name = f.required("name", line);
    let country = f.required("country", country);
    let purpose = f.required("purpose", id);
    let data = scope(f);
    let paper = "add `contract = { kind = \"processor\", reference = \"…\", expiry = 2027-12-31 }`";
    let contract = f.table_as("contract", ProblemCode::MissingKey, paper, |f| {
        let kind = f.required("kind", word);
        let reference = f.required("reference", line);
        let expiry = f.required("expiry", date);
        Some(Contract { kind: *kind?, reference: reference?.into_inner(), expiry: *expiry? })
    });
    let secrecy_pledge = f.optional_table("secrecy_pledge", |f| {
        let reference = f.required("reference", line);
        let expiry = f.required("expiry", date);
        Some(Pledge { reference: reference?.into_inner(), expiry: *expiry? })
    });
    let guarantee = f.optional("guarantee", line);
    Some(Recipient {
        id: id_?,
        name: name?,
        country: country?,
        purpose: purpose?,
        data: data?,
        contract: contract?,
        secrecy_pledge: secrecy_pledge?,
        guarantee: guarantee?,
    })
}

pub(super) fn interface(f: &mut Fields<'_, '_>) -> Option<Interface> {
    let id_ = f.required("id", id);
    let kind = f.required("kind", word);
    let text = f.required("text", text);
    let direction = f.required("direction", word);
    let purpose = f.required("purpose", id);
    let data = scope(f);
    let recipient = f.optional("recipient", id);
    let paper =
        "add `assessment = { reference = \"…\", signed_by = \"…\", signed_on = 2026-05-04, expiry = 2028-05-03 }`";
    let assessment = f.table_as("assessment", ProblemCode::InterfaceUnsigned, paper, |f| {
        let reference = f.required("reference", line);
        let signed_by =
            f.required_as("signed_by", ProblemCode::InterfaceUnsigned, "name who signed the assessment", line);
        let signed_on = f.required_as("signed_on", ProblemCode::InterfaceUnsigned, "say when it was signed", date);
        let expiry = f.required("expiry", date);
        Some(Assessment {
            reference: reference?.into_inner(),
            signed_by: signed_by?.into_inner(),
            signed_on: *signed_on?,
            expiry: *expiry?,
        })
    });
    Some(Interface {
        id: id_?,
        kind: kind?,
        text: text?,
        direction: direction?,
        purpose: purpose?,
        data: data?,
        recipient: recipient?,
        assessment: assessment?,
    })
}

pub(super) fn gate(f: &mut Fields<'_, '_>) -> Option<Gate> {
    let id_ = f.required("id", id);
    let text = f.required("text", text);
    let stage = f.required("stage", word);
    let kpis = f.list("kpis", id);
    let evidence = f.list("evidence", line);
    let approvers = f.list("approvers", word);
    Some(Gate { id: id_?, text: text?, stage: stage?, kpis: kpis?, evidence: evidence?, approvers: approvers? })
}

pub(super) fn kpi(f: &mut Fields<'_, '_>) -> Option<Kpi> {
    let id = f.required("id", id);
    let text = f.required("text", text);
    let unit = f.required("unit", line);
    let at_least = f.optional("at_least", decimal);
    let at_most = f.optional("at_most", decimal);
    let over = f.required("over", some_period);
    Some(Kpi { id: id?, text: text?, unit: unit?, at_least: at_least?, at_most: at_most?, over: over? })
}
