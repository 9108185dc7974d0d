//! Every bound and period of the device side. `docs/protocol.md` says the same in words.

use std::time::Duration;

/// Frames offered but not yet looked at by the agent's task; more are refused.
pub const INBOX_FRAMES_MAX: usize = 1_024;
/// Bytes of frames waiting in memory while the link is up; more go to the buffer on disk.
pub const LIVE_BYTES_MAX: usize = 1 << 20;
/// Frames in flight, whatever the server allows.
pub const IN_FLIGHT_MAX: u16 = 32;
/// Bytes handed to the socket but not yet taken by it; no frame is published above it.
pub const OUTGOING_BYTES_MAX: usize = 256 * 1024;
/// Longest packet taken from the server.
pub const PACKET_BYTES_MAX: u32 = 4_096;

/// How long a frame may stay unacknowledged before it is sealed on disk.
pub const SPILL_AFTER: Duration = Duration::from_secs(2);
/// How often the buffer is flushed to the disk while it changes.
pub const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Without any acknowledgement for this long a connection is given up.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(20);
/// TCP, TLS and CONNECT together.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// Keep-alive told to the server, in seconds.
pub const KEEP_ALIVE_SECONDS: u16 = 2;
/// How long a ping may stay unanswered; shorter than the keep-alive, or the next ping would begin the wait anew.
pub const PING_TIMEOUT: Duration = Duration::from_millis(1_900);
/// How long frames in flight may delay a reconnect with a renewed certificate, or a shutdown.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// First upper bound of the random reconnect delay; doubles with each attempt.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(250);
/// Last upper bound of the random reconnect delay.
pub const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// Least reconnect delay.
pub const RECONNECT_MIN: Duration = Duration::from_millis(50);
/// Least delay when only a person can mend what is wrong; as much again is added at random.
pub const REFUSED_DELAY: Duration = Duration::from_secs(60);
/// A connection this old resets the count of attempts.
pub const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// First pause of the backlog after the server asked for later; doubles up to [`LATER_MAX`].
pub const LATER_FIRST: Duration = Duration::from_secs(1);
/// Longest pause of the backlog.
pub const LATER_MAX: Duration = Duration::from_secs(30);

/// Sequence numbers reserved on disk at a time.
pub const NUMBERS_AHEAD: u64 = 1_024;
/// Bytes of the buffer on disk unless set otherwise.
pub const BUFFER_BYTES_DEFAULT: u64 = 64 << 20;
/// Least size of the buffer: what is smaller could not hold a few of the longest frames.
pub const BUFFER_BYTES_MIN: u64 = 256 * 1024;

/// Longest answer of the enrolment server.
pub const EST_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// One enrolment request, connection included.
pub const EST_TIMEOUT: Duration = Duration::from_secs(20);
/// First delay after a failed renewal; doubles up to [`RENEW_RETRY_MAX`].
pub const RENEW_RETRY_FIRST: Duration = Duration::from_secs(5);
/// Longest delay between attempts to renew.
pub const RENEW_RETRY_MAX: Duration = Duration::from_secs(600);

/// How far the wall clock may depart from the monotonic clock before it counts as a jump, in microseconds.
pub const CLOCK_JUMP_MICROS: i64 = 500_000;
