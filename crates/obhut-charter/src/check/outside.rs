//! Recipients and interfaces: a valid contract, a pledge of secrecy, a guarantee for third countries, a signed assessment.

use super::Check;
use crate::law::EEA;
use crate::problem::ProblemCode::{
    AssessmentNotValid, ContractExpired, PledgeExpired, RecipientWithoutPledge, ThirdCountryWithoutGuarantee,
};
use crate::schema::{ContractKind, Recipient};

pub(super) fn check(check: &mut Check<'_>) {
    for recipient in &check.entries.recipients {
        papers(check, recipient);
        if !EEA.contains(&recipient.country.as_str()) && recipient.guarantee.is_none() {
            let message = format!(
                "recipient `{}` is in the third country {}, without a guarantee",
                *recipient.id, *recipient.country
            );
            let hint = "add `guarantee = \"…\"` with the adequacy decision or the clauses as a lawyer cites them (Art. 45, 46 GDPR), or remove it";
            check.found(ThirdCountryWithoutGuarantee, recipient.country.span(), message, "outside the EEA", hint);
        }
    }
    for interface in &check.entries.interfaces {
        let what = format!("the assessment of interface `{}`", *interface.id);
        check.expiry(AssessmentNotValid, interface.assessment.span(), &what, interface.assessment.expiry);
        if interface.assessment.signed_on > check.today {
            let message = format!("{what} is signed on {}, which is still to come", interface.assessment.signed_on);
            check.found(
                AssessmentNotValid,
                interface.assessment.span(),
                message,
                "not signed yet",
                "write the day it was signed",
            );
        }
    }
}

fn papers(check: &mut Check<'_>, recipient: &Recipient) {
    let what = format!("the contract with recipient `{}`", *recipient.id);
    check.expiry(ContractExpired, recipient.contract.span(), &what, recipient.contract.expiry);
    match &recipient.secrecy_pledge {
        Some(pledge) => {
            let what = format!("the pledge of secrecy of recipient `{}`", *recipient.id);
            check.expiry(PledgeExpired, pledge.span(), &what, pledge.expiry);
        }
        // A controller of its own, such as another hospital, answers for its own secrecy.
        None if recipient.contract.kind == ContractKind::Controller => {}
        None => {
            let message = format!("recipient `{}` has not been pledged to secrecy", *recipient.id);
            let hint = "add `secrecy_pledge = { reference = \"…\", expiry = 2027-12-31 }`: the controller is liable without it (§ 203(4) StGB)";
            check.found(RecipientWithoutPledge, recipient.id.span(), message, "no pledge", hint);
        }
    }
}
