//! Bytes as text, digests and random bytes: the little cryptography that erasing needs, all of it from the one library.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;

/// Base64 with padding, as everywhere in our files.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads [`base64()`].
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the parts, one behind the other. For files and certificates; identifiers of people are only ever hashed with a key.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    array(context.finish().as_ref())
}

/// HMAC-SHA256.
#[must_use]
pub fn mac(key: &[u8], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(label);
    context.update(&[0]);
    context.update(bytes);
    array(context.sign().as_ref())
}

/// Random bytes of the operating system.
///
/// # Errors
/// If it has none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(|_| io::Error::other("the operating system gives no random bytes"))?;
    Ok(out)
}

fn array(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (slot, byte) in out.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    out
}
