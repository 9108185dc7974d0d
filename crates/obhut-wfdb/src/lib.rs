//! WFDB records: reading and writing recorded signals.
