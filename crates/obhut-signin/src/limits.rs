//! Bounds, and what happens when one is reached.

use std::time::Duration;

/// How long a passkey ceremony may take; then it begins anew. Long enough to find the security key, short for who finds an open page.
pub const CEREMONY_LIFE: Duration = Duration::from_secs(5 * 60);
/// Ceremonies under way at once; the oldest goes when one more begins.
pub const CEREMONIES_MAX: usize = 4_096;
/// Size of a credential as the browser sends it, bytes of JSON; more is refused unread.
pub const CREDENTIAL_BYTES_MAX: usize = 12 * 1024;
/// Size of a credential identifier, bytes (Web Authentication allows 1,023).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1_023;

/// How long somebody may take at the provider's page.
pub const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);
/// Sign-ins at the provider under way at once; the oldest goes when one more begins.
pub const FLOWS_MAX: usize = 4_096;
/// How long one request to the provider may take, connection included.
pub const PROVIDER_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer of the provider, bytes.
pub const PROVIDER_BYTES_MAX: usize = 1024 * 1024;
/// How long the provider's description and keys are used before they are fetched again.
pub const PROVIDER_FRESH: Duration = Duration::from_secs(60 * 60);
/// Groups read from a provider's answer; the rest is not looked at.
pub const GROUPS_MAX: usize = 1_024;

/// Sessions at once; the one idle longest ends when one more begins.
pub const SESSIONS_MAX: usize = 4_096;
/// Sessions of one person at once; her oldest ends when one more begins.
pub const SESSIONS_OF_PERSON_MAX: usize = 12;
/// How old a cookie's value may grow before the browser is given the next one.
pub const COOKIE_FRESH: Duration = Duration::from_secs(5 * 60);
/// How long the value before counts after the browser has shown the next one: requests already under way, nothing more.
pub const COOKIE_GRACE: Duration = Duration::from_secs(30);
/// Longest session whatever a charter says (BSI KH-IT: elevated rights are time-boxed).
pub const SESSION_MAX: Duration = Duration::from_secs(8 * 60 * 60);
