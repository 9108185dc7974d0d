//! Whole ways through the simulated ward.
