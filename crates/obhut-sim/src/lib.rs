//! A world model of a ward: patients, devices, faults, recordings.
