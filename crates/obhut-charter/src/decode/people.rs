//! The keys of the sections about people: how long access lasts, what patients are asked, what projects get, what patients are told.
//!
//! Every key is read before the first `?`, so that all mistakes of an entry are found together.

use super::convert::{date, id, line, number, some_period, text};
use super::fields::{Fields, Refusal, Value};
use super::sections::scope;
use crate::At;
use crate::limits::{K_MAX, K_MIN};
use crate::problem::ProblemCode;
use crate::schema::{Access, Apart, ConsentForm, Notice, Project, Reason};
use toml::de::DeValue;

pub(super) fn access(f: &mut Fields<'_, '_>) -> Option<Access> {
    let after_discharge = f.required("after_discharge", some_period);
    let session_max = f.required("session_max", some_period);
    let idle_lock = f.required("idle_lock", some_period);
    let break_glass_max = f.required("break_glass_max", some_period);
    let review_within = f.required("review_within", some_period);
    let break_glass_reasons = f.tables("break_glass_reason", not_a_reason, |f| {
        let id = f.required("id", id);
        let text = f.required("text", text);
        Some(Reason { id: id?, text: text? })
    });
    let apart = f.list("apart", apart);
    let console = f.optional("console", id);
    Some(Access {
        after_discharge: after_discharge?,
        session_max: session_max?,
        idle_lock: idle_lock?,
        break_glass_max: break_glass_max?,
        review_within: review_within?,
        break_glass_reasons: break_glass_reasons?,
        apart: apart?,
        console: console?,
    })
}

fn not_a_reason(_: Value<'_>) -> Result<Reason, Refusal> {
    let hint = "write { id = \"unconscious\", text = { de = \"…\", en = \"…\" } }";
    Err(Refusal::new(ProblemCode::WrongType, "must hold tables", hint))
}

/// `["one-role", "another"]`
fn apart(value: Value<'_>) -> Result<Apart, Refusal> {
    let wrong =
        || Refusal::new(ProblemCode::WrongType, "must hold pairs of roles", "write [[\"administrator\", \"privacy\"]]");
    let DeValue::Array(pair) = value.get_ref() else { return Err(wrong()) };
    let (Some(one), Some(other), 2) = (pair.first(), pair.get(1), pair.len()) else { return Err(wrong()) };
    let role = |value: Value<'_>| id(value).map_err(|refusal| Refusal { span: Some(value.span()), ..refusal });
    Ok(Apart { one: role(one)?, other: role(other)? })
}

pub(super) fn consent_form(f: &mut Fields<'_, '_>) -> Option<ConsentForm> {
    let id_ = f.required("id", id);
    let purpose = f.required("purpose", id);
    let version = f.required("version", line);
    let text = f.required("text", text);
    let valid = f.required("valid", some_period);
    Some(ConsentForm { id: id_?, purpose: purpose?, version: version?, text: text?, valid: valid? })
}

pub(super) fn project(f: &mut Fields<'_, '_>) -> Option<Project> {
    let id_ = f.required("id", id);
    let text = f.required("text", text);
    let purpose = f.required("purpose", id);
    let recipient = f.optional("recipient", id);
    let data = scope(f);
    let k_min = f.required("k_min", number(K_MIN..=K_MAX));
    let expiry = f.required("expiry", date);
    let (id, recipient): (Option<At<_>>, _) = (id_, recipient?);
    Some(Project { id: id?, text: text?, purpose: purpose?, recipient, data: data?, k_min: k_min?, expiry: expiry? })
}

pub(super) fn notice(f: &mut Fields<'_, '_>) -> Option<Notice> {
    let id = f.required("id", id);
    let version = f.required("version", line);
    let text = f.required("text", text);
    Some(Notice { id: id?, version: version?, text: text? })
}
