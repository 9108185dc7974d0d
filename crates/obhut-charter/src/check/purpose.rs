//! Purposes: lawful, with an exception for health data, and without contradiction about consent.

use super::Check;
use crate::At;
use crate::law::{LegalGround, Needs};
use crate::problem::ProblemCode::{
    ConsentContradiction, GroundOfOtherKind, GroundWithoutLaw, GroundWithoutSecrecy, PurposeUnused,
    PurposeWithoutBasis, PurposeWithoutException, RegimeUnverified, WardWithoutBeds,
};
use crate::schema::{Purpose, Regime};

pub(super) fn check(check: &mut Check<'_>) {
    if let Some(ward) = check.draft.ward.as_ref().filter(|ward| ward.beds.is_empty()) {
        let hint = "declare `bed = [{ id = \"bed-01\", label = \"1.1\" }]` in `[ward]`";
        check.found(WardWithoutBeds, ward.id.span(), format!("ward `{}` has no beds", *ward.id), "no beds", hint);
    }
    if let Some(controller) = check.draft.controller.as_ref().filter(|controller| *controller.regime != Regime::Gdpr) {
        let message = format!(
            "the articles of `{}` known here have not been compared with the promulgated text",
            controller.regime.as_str()
        );
        let hint = "let the data-protection officer compare every ground of this charter with the law before it comes in force";
        check.found(RegimeUnverified, controller.regime.span(), message, "check the grounds", hint);
    }
    for purpose in &check.entries.purposes {
        grounds(check, purpose);
        needs(check, purpose);
        consent(check, purpose);
        used(check, purpose);
    }
}

fn grounds(check: &mut Check<'_>, purpose: &Purpose) {
    if purpose.basis.is_empty() {
        let message = format!("purpose `{}` has no legal basis", *purpose.id);
        let hint = format!(
            "add `basis = [\"{}\"]` or another ground: without one nothing may be processed",
            example(check.regime(), false)
        );
        check.found(PurposeWithoutBasis, purpose.id.span(), message, "processing without a ground", hint);
    }
    if *purpose.health_data && purpose.exception.is_empty() {
        let message = format!("purpose `{}` processes health data without an exception that allows it", *purpose.id);
        let hint = format!(
            "add `exception = [\"{}\"]` or another one, or `health_data = false` if no values of patients serve it",
            example(check.regime(), true)
        );
        check.found(PurposeWithoutException, purpose.id.span(), message, "health data are forbidden by default", hint);
    }
    let Some(regime) = check.regime() else { return };
    for (ground, exception) in
        purpose.basis.iter().map(|g| (g, false)).chain(purpose.exception.iter().map(|g| (g, true)))
    {
        if ground.regime == regime && ground.exception == exception {
            continue;
        }
        let wants = if exception { "an exception" } else { "a basis" };
        let message = format!("`{}` is not {wants} under `{}`", ground.written, regime.as_str());
        let known: Vec<&str> = LegalGround::of(regime, exception).map(|ground| ground.written).collect();
        check.found(
            GroundOfOtherKind,
            ground.span(),
            message,
            "another law, or the other list",
            format!("possible: {}", known.join(", ")),
        );
    }
}

fn example(regime: Option<Regime>, exception: bool) -> &'static str {
    match (regime.unwrap_or(Regime::Gdpr), exception) {
        (Regime::Gdpr, false) => "Art. 6(1)(e)",
        (Regime::Gdpr, true) => "Art. 9(2)(h)",
        (Regime::Kdg, false) => "§ 6(1)(f)",
        (Regime::Kdg, true) => "§ 11(2)(h)",
        (Regime::DsgEkd, false) => "§ 6 Nr. 4",
        (Regime::DsgEkd, true) => "§ 13(2) Nr. 8",
    }
}

fn all_grounds(purpose: &Purpose) -> impl Iterator<Item = &At<&'static LegalGround>> {
    purpose.basis.iter().chain(&purpose.exception)
}

fn needs(check: &mut Check<'_>, purpose: &Purpose) {
    let needing = |needs| all_grounds(purpose).find(|ground| ground.needs == needs);
    if let Some(ground) = needing(Needs::Law).filter(|_| purpose.law.is_empty()) {
        let message = format!(
            "purpose `{}` leans on {}, which needs a law that lays it down, and names none",
            *purpose.id, ground.cite_en
        );
        let hint = "add `law = [\"§ 630f BGB\"]` with the provisions as a lawyer cites them (Art. 6(3) GDPR)";
        check.found(GroundWithoutLaw, ground.span(), message, "by which law?", hint);
    }
    if let Some(ground) = needing(Needs::Secrecy).filter(|_| purpose.secrecy.is_none()) {
        let message = format!("purpose `{}` leans on {} without a duty of secrecy", *purpose.id, ground.cite_en);
        let hint = "add `secrecy = \"§ 203 StGB\"`: only persons bound to secrecy may process (Art. 9(3) GDPR)";
        check.found(GroundWithoutSecrecy, ground.span(), message, "who keeps the secret?", hint);
    }
}

fn consent(check: &mut Check<'_>, purpose: &Purpose) {
    let by_consent = all_grounds(purpose).find(|ground| ground.needs == Needs::Consent);
    match (by_consent, *purpose.needs_consent) {
        (Some(ground), false) => {
            let message = format!("purpose `{}` rests on consent but does not ask for it", *purpose.id);
            let hint = "add `needs_consent = true`, or choose another ground: treatment does not need consent, and asking for it would be wrong";
            check.found(ConsentContradiction, ground.span(), message, "consent", hint);
        }
        (None, true) => {
            let message = format!("purpose `{}` asks for consent but rests on grounds that need none", *purpose.id);
            let hint =
                "remove `needs_consent`, or rest it on consent: a consent that changes nothing misleads the patient";
            check.found(ConsentContradiction, purpose.needs_consent.span(), message, "consent without effect", hint);
        }
        (Some(_), true) | (None, false) => {}
    }
}

fn used(check: &mut Check<'_>, purpose: &Purpose) {
    let e = check.entries;
    let serves = e.data.iter().any(|x| *x.purpose == *purpose.id)
        || e.flows.iter().any(|x| *x.purpose == *purpose.id)
        || e.recipients.iter().any(|x| *x.purpose == *purpose.id)
        || e.interfaces.iter().any(|x| *x.purpose == *purpose.id)
        || e.projects.iter().any(|x| *x.purpose == *purpose.id)
        || e.roles.iter().any(|x| x.purposes.iter().any(|used| **used == *purpose.id));
    if !serves {
        let message = format!("nothing serves purpose `{}`", *purpose.id);
        check.found(PurposeUnused, purpose.id.span(), message, "unused", "remove it, or declare what serves it");
    }
}
