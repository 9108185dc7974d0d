//! Every bound of the ledger, and what happens when it is reached.

/// Longest word or identifier in an event, bytes; a longer one makes the event unencodable.
pub const WORD_BYTES_MAX: usize = 256;
/// Most categories or policies of one event; more make it unencodable.
pub const WORDS_MAX: usize = 64;
/// Longest free text of an event, bytes; more makes it unencodable.
pub const NOTE_BYTES_MAX: usize = 4096;
/// Longest encoded event, bytes, note not counted.
pub const EVENT_BYTES_MAX: usize = 48 * 1024;
/// Largest tree. Far above what a hospital makes in a century, and far below where the arithmetic of tiles could overflow.
pub const ENTRIES_MAX: u64 = 1 << 40;
/// Most bytes of a signed note; a longer one is malformed.
pub const NOTE_MAX: usize = 64 * 1024;
/// Most signatures on a note; more make it malformed.
pub const SIGNATURES_MAX: usize = 32;
/// Most hashes in a proof that is read; 63 is the most the largest tree can need.
pub const PROOF_HASHES_MAX: usize = 63;
/// Entries in a full bundle and hashes in a full tile (C2SP tlog-tiles).
pub const TILE_WIDTH: usize = 256;
/// Findings kept by a verification; the rest is counted.
pub const FINDINGS_MAX: usize = 1000;
