//! The declaration: parse, check, explain and compile into rules.
pub mod rules;
