//! Every bound of the shell, and what happens when it is reached.

use std::time::Duration;

/// Events waiting for the commit thread; with more the ledger counts as down.
pub const QUEUE_MAX: usize = 4096;
/// Events of one commit; the rest waits for the next.
pub const BATCH_MAX: usize = 512;
/// How long a caller waits for an entry to become durable; then the ledger counts as down for him.
pub const RECORD_WAIT: Duration = Duration::from_secs(5);
/// How long a bedside or emergency event waits for the ledger before it is spooled.
pub const SPOOL_AFTER: Duration = Duration::from_millis(1000);
/// How long a caller waits for the spool.
pub const SPOOL_WAIT: Duration = Duration::from_secs(3);
/// First pause before a ledger that is down is opened again; doubled up to [`RETRY_MAX`].
pub const RETRY_MIN: Duration = Duration::from_millis(500);
/// Longest pause before a ledger that is down is opened again.
pub const RETRY_MAX: Duration = Duration::from_secs(15);
/// Longest time between entries and their checkpoint, whatever the configuration says (control L04).
pub const CHECKPOINT_MAX: Duration = Duration::from_secs(60);
/// Largest spool file, bytes; then a new one begins.
pub const SPOOL_FILE_BYTES: u64 = 8 << 20;
/// Largest spool as a whole, bytes; beyond it nothing more is taken.
pub const SPOOL_BYTES_MAX: u64 = 1 << 30;
/// Entries given for one query.
pub const FIND_MAX: usize = 1000;
/// Rows removed in one transaction.
pub const REMOVE_ROWS: usize = 5000;
/// Entries between which a tree that is rebuilt is written out.
pub const REBUILD_STEP: u64 = 65_536;
/// How long a witness may take.
pub const WITNESS_WAIT: Duration = Duration::from_secs(10);
/// Largest answer of a witness and largest request to one, bytes.
pub const WITNESS_BYTES_MAX: usize = 128 * 1024;
/// Most connections a witness serves at a time; more wait.
pub const WITNESS_CONNECTIONS: usize = 64;
