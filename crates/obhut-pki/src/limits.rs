//! Every bound and period of this crate. Not deadlines of law, but properties of the protocol; decision 0051 says why each is what it is.

/// How long the root lives: ten years.
pub const ROOT_LIFE_SECS: u64 = 3650 * DAY_SECS;
/// How long an issuing CA lives: three years.
pub const ISSUING_LIFE_SECS: u64 = 1095 * DAY_SECS;
/// With less than this left, a new issuing CA is made at start: one year.
pub const ISSUING_RENEW_SECS: u64 = 365 * DAY_SECS;
/// How long a server certificate lives; renewed at half of it.
pub const SERVER_LIFE_SECS: u64 = 90 * DAY_SECS;
/// After a failed renewal of the server certificate the next try comes this much later.
pub const SERVER_RENEW_RETRY_SECS: u64 = 600;
/// How long a device certificate lives; the device renews at half of it.
pub const DEVICE_LIFE_SECS: u64 = DAY_SECS;
/// A device certificate that lives longer than this is refused whoever signed it.
pub const DEVICE_LIFE_SECS_MAX: u64 = 8 * DAY_SECS;
/// Certificates begin this much before they are issued, for devices whose clock is behind.
pub const BACKDATE_SECS: u64 = 300;
/// Longest certificate request in DER. One with a P-256 key and a few names has about 400 bytes.
pub const CSR_BYTES_MAX: usize = 4096;
/// Longest body of an enrolment request: a request of full length in base64, with line breaks.
pub const CSR_BODY_BYTES_MAX: usize = CSR_BYTES_MAX / 3 * 4 + 512;
/// Longest `Authorization` header looked at.
pub const AUTHORIZATION_BYTES_MAX: usize = 512;
/// Longest serial number of a maker, in bytes.
pub const MAKER_SERIAL_BYTES_MAX: usize = 128;
/// Checked device certificates remembered; about 100 bytes each. Every device of a large hospital, before and after renewal.
pub const KNOWN_CERTIFICATES_MAX: usize = 65_536;
/// How long an invitation holds: fifteen minutes.
pub const TOKEN_LIFE_SECS: u64 = 900;
/// Failed enrolments are counted in windows of this length.
pub const ATTEMPT_WINDOW_SECS: u64 = 60;
/// Failed enrolments for one serial number in a window; then it is refused unseen until the window ends.
pub const ATTEMPTS_PER_SERIAL_MAX: u32 = 10;
/// Failed enrolments in all in a window; then every enrolment is refused until the window ends.
pub const ATTEMPTS_MAX: u32 = 300;
/// Enrolments remembered so that a device whose answer got lost may ask again with the same token and the same key.
pub const REPEATS_MAX: usize = 1024;
/// Longest file this crate reads.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;

const DAY_SECS: u64 = 86_400;
