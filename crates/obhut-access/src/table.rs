//! The table of who may do what, as a clinician can read it.
