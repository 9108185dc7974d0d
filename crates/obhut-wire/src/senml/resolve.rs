//! Names: base name and name put together, the optional device prefix taken off, the rest looked up as a code.

use super::RecordError;
use crate::limits::SENML_NAME_BYTES_MAX;
use obhut_model::code::TABLE;
use obhut_model::{Code, CodeInfo, DeviceId, Kind};

const PREFIX: &str = "urn:obhut:device:";

/// Resolves the record's full name to a numeric code of this device.
pub(super) fn code(base: &str, name: &str, device: &DeviceId) -> Result<&'static CodeInfo, RecordError> {
    if base.len() > SENML_NAME_BYTES_MAX || name.len() > SENML_NAME_BYTES_MAX {
        return Err(RecordError::Name);
    }
    if base.is_empty() {
        return full(name, device);
    }
    let mut joined = [0u8; 2 * SENML_NAME_BYTES_MAX];
    let (head, tail) = joined.split_at_mut(base.len());
    head.copy_from_slice(base.as_bytes());
    let Some(slot) = tail.get_mut(..name.len()) else { return Err(RecordError::Name) };
    slot.copy_from_slice(name.as_bytes());
    let whole = joined.get(..base.len() + name.len()).and_then(|bytes| std::str::from_utf8(bytes).ok());
    full(whole.ok_or(RecordError::Name)?, device)
}

fn full(name: &str, device: &DeviceId) -> Result<&'static CodeInfo, RecordError> {
    let local = match name.strip_prefix(PREFIX) {
        None => name,
        Some(rest) => {
            let (owner, local) = rest.split_once(':').ok_or(RecordError::Name)?;
            if owner != device.as_str() {
                return Err(RecordError::OtherDevice);
            }
            local
        }
    };
    let info = by_text(local).ok_or(if well_formed(name) { RecordError::UnknownCode } else { RecordError::Name })?;
    if info.kind == Kind::Numeric { Ok(info) } else { Err(RecordError::NotNumeric) }
}

fn by_text(text: &str) -> Option<&'static CodeInfo> {
    match text.as_bytes() {
        [b'1'..=b'9', ..] => text.parse().ok().and_then(|number| Code::new(number).info()),
        _ => TABLE.iter().find(|row| row.reference_id == text),
    }
}

/// RFC 8428, section 4.5.1: the characters of a name and how it begins.
fn well_formed(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'/' | b'_');
    name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && name.bytes().all(allowed)
}
