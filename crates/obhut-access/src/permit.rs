//! What opens data: a permit, and the seal it opens.
//!
//! SECURITY: neither has a public constructor that goes around a decision, neither is `Clone`, `Default` or can be read from bytes. What is sealed here
//! is already decrypted; the seal keeps it from being used by code that was given no permit for it.
//!
//! A permit cannot be made by hand:
//! ```compile_fail
//! let permit = obhut_access::Permit { action: obhut_access::Action::HistoryView };
//! ```
//! ```compile_fail
//! let permit: obhut_access::Permit = Default::default();
//! ```
//! nor copied:
//! ```compile_fail
//! fn twice(permit: obhut_access::Permit) -> (obhut_access::Permit, obhut_access::Permit) { (permit.clone(), permit) }
//! ```
//! and what is sealed cannot be read without one:
//! ```compile_fail
//! fn peek(sealed: obhut_access::Sealed<u8>) -> u8 { sealed.value }
//! ```
//! ```compile_fail
//! fn peek(sealed: obhut_access::Sealed<u8>) -> u8 { *sealed }
//! ```
//! ```compile_fail
//! // The way around exists only with the feature `test-bypass`, which a release does not have.
//! # #[cfg(feature = "test-bypass")] compile_error!("built with the bypass");
//! fn peek(sealed: obhut_access::Sealed<u8>) -> u8 { sealed.open_unchecked() }
//! ```
//! A grant is not a permit before it is recorded, and a record cannot be invented:
//! ```compile_fail
//! fn hurry(sealed: obhut_access::Sealed<u8>, grant: &obhut_access::Grant, now: obhut_model::ServerTime) -> u8 {
//!     sealed.open(grant, now).unwrap()
//! }
//! ```
//! ```compile_fail
//! let recorded = obhut_ledger::Recorded { request: obhut_model::RequestId::from_random([0; 16]), place: obhut_ledger::Place::Spool };
//! ```
//! nor can one record complete two grants:
//! ```compile_fail
//! fn twice(a: obhut_access::Grant, b: obhut_access::Grant, recorded: obhut_ledger::Recorded) {
//!     let _ = (a.complete(recorded), b.complete(recorded));
//! }
//! ```
//! The leave to take something away opens nothing:
//! ```compile_fail
//! fn read(sealed: obhut_access::Sealed<u8>, leave: &obhut_access::Leave, now: obhut_model::ServerTime) -> u8 {
//!     sealed.open(leave, now).unwrap()
//! }
//! ```
//! With a permit it opens:
//! ```
//! fn read(sealed: obhut_access::Sealed<u8>, permit: &obhut_access::Permit, now: obhut_model::ServerTime) -> Result<u8, obhut_access::WrongPermit> {
//!     sealed.open(permit, now)
//! }
//! ```

use crate::Action;
use crate::decision::Asked;
use obhut_model::{PersonId, ServerTime, Subject};
use std::fmt;
use std::sync::Arc;

/// A decision that was recorded. Opens data of one patient for one action, for a short while.
pub struct Permit {
    asked: Asked,
    role: Arc<str>,
    until: ServerTime,
    emergency: bool,
}

impl Permit {
    pub(crate) const fn new(asked: Asked, role: Arc<str>, until: ServerTime, emergency: bool) -> Self {
        Self { asked, role, until, emergency }
    }

    /// What for it was given.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.asked.action
    }

    /// About whom, if about someone.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.asked.subject
    }

    /// For which purpose.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.asked.purpose
    }

    /// Until when it opens anything.
    #[must_use]
    pub const fn until(&self) -> ServerTime {
        self.until
    }

    /// To whom it was given.
    #[must_use]
    pub const fn person(&self) -> PersonId {
        self.asked.person
    }

    /// Through which role.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// For which data: ids of the charter and words.
    #[must_use]
    pub fn categories(&self) -> &[Arc<str>] {
        &self.asked.categories
    }

    /// Whether it rests on an emergency access.
    #[must_use]
    pub const fn is_emergency(&self) -> bool {
        self.emergency
    }
}

/// The way around, to measure what decisions and records cost. SECURITY: a release is built without it.
#[cfg(feature = "test-bypass")]
impl Permit {
    /// A permit that nobody decided on and nothing records.
    #[must_use]
    pub fn unchecked(
        action: Action,
        subject: Option<Subject>,
        categories: Vec<Arc<str>>,
        purpose: Arc<str>,
        until: ServerTime,
    ) -> Self {
        let resource = obhut_ledger::ResourceRef { kind: Arc::from("unchecked"), id: None };
        let (person, kind) = (PersonId::from_random([0; 16]), crate::PersonKind::Console);
        let asked = Asked { person, kind, action, resource, subject, purpose, categories, case: None };
        Self::new(asked, Arc::from("unchecked"), until, false)
    }
}

/// A decision to let somebody take something away: a consent, a right, a device's way in. It may rest on a record that waits in the spool, and so it
/// opens nothing.
#[derive(Debug)]
#[must_use = "nothing may be taken away without it"]
pub struct Leave {
    action: Action,
    subject: Option<Subject>,
}

impl Leave {
    pub(crate) const fn new(action: Action, subject: Option<Subject>) -> Self {
        Self { action, subject }
    }

    /// What for it was given.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// About whom, if about someone.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.subject
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("action", &self.asked.action).field("until", &self.until).finish_non_exhaustive()
    }
}

/// Data that open only with a permit.
pub struct Sealed<T> {
    subject: Option<Subject>,
    needs: &'static [Action],
    category: Option<Arc<str>>,
    value: T,
}

impl<T> Sealed<T> {
    /// Seals `value`, which is about `subject`; a permit for any one of `needs` opens it.
    #[must_use]
    pub const fn about(subject: Option<Subject>, needs: &'static [Action], value: T) -> Self {
        Self { subject, needs, category: None, value }
    }

    /// Says which data these are, so that only a permit that names them opens it.
    #[must_use]
    pub fn containing(self, category: &str) -> Self {
        Self { category: Some(Arc::from(category)), ..self }
    }

    /// About whom it is.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.subject
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`WrongPermit`] if the permit is for another patient, another action or other data, or too old. What was sealed is dropped then.
    pub fn open(self, permit: &Permit, now: ServerTime) -> Result<T, WrongPermit> {
        if now > permit.until {
            return Err(WrongPermit::Ended);
        }
        if !self.needs.contains(&permit.action()) {
            return Err(WrongPermit::Action);
        }
        if self.subject.is_some() && self.subject != permit.subject() {
            return Err(WrongPermit::Subject);
        }
        if self.category.as_ref().is_some_and(|category| !permit.categories().contains(category)) {
            return Err(WrongPermit::Category);
        }
        Ok(self.value)
    }

    /// Opens what is about one of many with a permit for the project they belong to, if `agreed` says of this very patient that the consent for the
    /// permit's purpose is in force and processing is not restricted.
    ///
    /// # Errors
    /// As [`Sealed::open`], and [`WrongPermit::NoConsent`].
    pub fn open_of_member(
        self,
        permit: &Permit,
        now: ServerTime,
        agreed: impl FnOnce(Subject, &str) -> bool,
    ) -> Result<T, WrongPermit> {
        if permit.action() != Action::ResearchExport {
            return Err(WrongPermit::Action);
        }
        let Some(subject) = self.subject else { return Err(WrongPermit::Subject) };
        if !agreed(subject, permit.purpose()) {
            return Err(WrongPermit::NoConsent);
        }
        Self { subject: None, ..self }.open(permit, now)
    }

    /// Opens it without a permit. Only to measure what permits cost.
    #[cfg(feature = "test-bypass")]
    #[must_use]
    pub fn open_unchecked(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sealed>")
    }
}

/// Why a permit did not open something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongPermit {
    /// Too old; ask again.
    #[error("the permit has ended")]
    Ended,
    /// For something else.
    #[error("the permit is for another action")]
    Action,
    /// For someone else.
    #[error("the permit is for another patient")]
    Subject,
    /// For other data.
    #[error("the permit is for other data")]
    Category,
    /// The patient has not agreed.
    #[error("the patient has not agreed, or processing is restricted")]
    NoConsent,
}
