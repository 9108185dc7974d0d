//! Who may do what to whose data, and the proof that it was decided and recorded: decision, grant, permit.
//!
//! A pure core on Cedar. The policies are *generated* from the charter ([`rules::policies`]) and checked strictly against a schema before they count:
//! roles × data × purpose × treatment relation × time × consent × training × pledge × ticket, and the way around in an emergency. A shell asks
//! [`AccessRules::decide`], has [`Decision::event`] recorded, completes the [`Grant`] with what came back, and opens [`Sealed`] data with the
//! [`Permit`].
//!
//! It is *not* the place where people, consents or tickets are kept (that is the register), and it reads no clock: time and facts come in as arguments.
//! A handler names action and resource, never a role.
//!
//! What always holds: nothing is granted that the charter does not declare; a policy that fails to evaluate denies; a [`Permit`] is made only from a
//! grant and the durable record of exactly that request; a [`Leave`], which may rest on a spooled one, opens nothing; [`Sealed`] data open only with a permit for the same patient and one of the named actions.
//! Sources: design invariants 1 and 2; SDM building block 51; DSK "Orientierungshilfe KIS" (2014); decisions 0100 to 0103.

pub mod decision;
pub mod limits;
pub mod permit;
pub mod question;
pub mod rules;
pub mod table;

pub use decision::{Decision, Denial, Grant, NotRecorded, Reason};
pub use permit::{Leave, Permit, Sealed, WrongPermit};
pub use question::{
    Assurance, Circumstances, Device, Patient, Person, PersonKind, Question, Resource, RoleGrant, Stay,
};
pub use rules::{AccessError, AccessRules};

/// What someone wants to do: the permissions of the charter, and nothing else.
pub type Action = obhut_charter::schema::Permission;
