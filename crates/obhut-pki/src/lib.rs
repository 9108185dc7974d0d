//! Device CA, enrolment over EST, revocation.
