//! The copy as others would read it: every value is compared with the store's, in every format, with hostile text and long stays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod exact;
mod golden;
mod hostile;
mod house;
mod long;
