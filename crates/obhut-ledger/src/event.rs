//! What an entry says: who did what, to whose data, why, when, from where, and with what result.
//!
//! Not for storage: the bytes that are committed to come from [`encode`](crate::encode). No name, no value and no free text but
//! [`Event::note`], which is sealed with the event and never part of what is committed to directly.
//!
//! Source of the fields: EHDS (EU) 2025/327 Annex II 3.2 (provider, person, categories, time, origin); IHE BALP; SDM module 43.

use core::net::IpAddr;
use obhut_model::{CaseId, DeviceId, PersonId, RequestId, ServerTime, Subject};
use std::sync::Arc;

/// One decision or act, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The request it answers; the same one goes back to the caller.
    pub request: RequestId,
    /// When, by the server's real clock.
    pub at: ServerTime,
    /// What sort of event.
    pub kind: EventKind,
    /// Who.
    pub actor: Actor,
    /// Role the actor acted in, as the charter names it.
    pub role: Option<Arc<str>>,
    /// Organisation the actor belongs to (EHDS: provider); the controller's own if `None`.
    pub organisation: Option<Arc<str>>,
    /// Purpose, as the charter names it; `btg` for an emergency access.
    pub purpose: Option<Arc<str>>,
    /// Permission word of the charter, or a word like `sign-in`.
    pub action: Arc<str>,
    /// What it was done to.
    pub resource: ResourceRef,
    /// Whose data, if someone's.
    pub subject: Option<Subject>,
    /// Data ids of the charter, or `identity`, `consent`, `access-log` and the like. Sorted and without doubles once encoded.
    pub categories: Vec<Arc<str>>,
    /// From where.
    pub origin: Origin,
    /// With what result.
    pub outcome: Outcome,
    /// Policies that decided.
    pub policies: Vec<Arc<str>>,
    /// The case it belongs to: an emergency, a request, a consent, a ticket.
    pub case: Option<CaseId>,
    /// Free text, for example the reason of an emergency access. Sealed; can be removed on its own without breaking the proof of the rest.
    pub note: Option<String>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word in queries and JSON.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The one with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }

            /// Its number in encodings. Never changes.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Self::$variant => $number),* }
            }

            /// The one with this number.
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.number() == number)
            }
        }
    };
}

words! {
    /// What sort of event.
    EventKind {
        /// Stored or naming data was opened, or a device or register was acted on.
        Access = 1 "access",
        /// Something was refused.
        Denial = 2 "denial",
        /// Someone signed in.
        SignIn = 3 "sign-in",
        /// Someone signed out, or was.
        SignOut = 4 "sign-out",
        /// An emergency access began.
        BreakGlassStart = 5 "break-glass-start",
        /// An emergency access ended.
        BreakGlassStop = 6 "break-glass-stop",
        /// Someone else judged an emergency access.
        BreakGlassReview = 7 "break-glass-review",
        /// A consent was given, refused or withdrawn.
        Consent = 8 "consent",
        /// A patient's request came in or moved on.
        Request = 9 "request",
        /// A patient's data were erased.
        Erasure = 10 "erasure",
        /// Data went by their rule, or were held back.
        Retention = 11 "retention",
        /// A backup was made, checked or restored.
        Backup = 12 "backup",
        /// People, roles or trainings changed.
        People = 13 "people",
        /// The charter changed.
        Charter = 14 "charter",
        /// A device was enrolled, bound, revoked or changed.
        Device = 15 "device",
        /// A key was made, changed or destroyed.
        Key = 16 "key",
        /// Data left the system.
        Export = 17 "export",
        /// The ledger itself was searched.
        Search = 18 "search",
        /// The system did something by itself.
        System = 19 "system",
    }
}

words! {
    /// By which way a request came.
    Channel {
        /// A browser.
        Web = 1 "web",
        /// The operator's tools on the machine itself.
        Console = 2 "console",
        /// A device.
        Device = 3 "device",
        /// The system itself.
        Internal = 4 "internal",
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Someone who signed in.
    Person(PersonId),
    /// The operator at the machine's own socket.
    Console {
        /// User number the kernel gave for the other end.
        uid: u32,
    },
    /// A device.
    Device(DeviceId),
    /// The system itself.
    System,
}

impl Actor {
    /// The person, if it is one.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person(person) => Some(*person),
            _ => None,
        }
    }
}

/// What something was done to: a kind, and which one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef {
    /// A word: `patient`, `device`, `ledger`, …
    pub kind: Arc<str>,
    /// Which one; never a name or number of a person.
    pub id: Option<Arc<str>>,
}

impl ResourceRef {
    /// One resource, or all of a kind.
    #[must_use]
    pub fn new(kind: &str, id: Option<&str>) -> Self {
        Self { kind: kind.into(), id: id.map(Into::into) }
    }
}

/// From where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Network address, if it came over a network.
    pub address: Option<IpAddr>,
    /// By which way.
    pub channel: Channel,
    /// First bytes of the hashed session, to tell sessions of one person apart.
    pub session: Option<[u8; 8]>,
}

impl Origin {
    /// The system itself.
    pub const INTERNAL: Self = Self { address: None, channel: Channel::Internal, session: None };
}

/// With what result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was granted or done.
    Success,
    /// It was refused; a word says why.
    Denied(Arc<str>),
    /// It was allowed and did not succeed; a word says why.
    Failed(Arc<str>),
}

impl Event {
    /// An event with what every one has; the rest is empty and set by name.
    #[must_use]
    pub fn new(request: RequestId, at: ServerTime, kind: EventKind, actor: Actor, action: &str) -> Self {
        Self {
            request,
            at,
            kind,
            actor,
            role: None,
            organisation: None,
            purpose: None,
            action: action.into(),
            resource: ResourceRef::new("system", None),
            subject: None,
            categories: Vec::new(),
            origin: Origin::INTERNAL,
            outcome: Outcome::Success,
            policies: Vec::new(),
            case: None,
            note: None,
        }
    }
}
