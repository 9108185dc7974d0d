//! What is checked before a byte reaches the MQTT library: packet boundaries, sizes, and what this door never takes.
//!
//! The library (mqtt-protocol-core 0.7.9) copies a whole packet before it looks inside, ignores reserved header flags, and panics twice: on
//! a QoS 2 PUBLISH with packet identifier 0 sent twice, and on a CONNECT with the (legal) Topic Alias Maximum 0. So: sizes are judged from
//! the fixed header, QoS 2 and identifier 0 never get in, and that maximum is patched to 1, which changes nothing: no alias is ever sent.
//! *Not* a parser: strings, properties and order of packets are the library's.

use crate::limits::Limits;
use crate::refusal::Refusal;

/// What the session has agreed on so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Only CONNECT may come.
    Connecting,
    /// MQTT 3.1.1.
    V4,
    /// MQTT 5.
    V5,
}

/// MQTT control packet types a client may send here (section 2.1.2).
pub(crate) const CONNECT: u8 = 1;
pub(crate) const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

/// One whole packet at the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole<'a> {
    /// Packet type.
    pub(crate) kind: u8,
    /// Whether the DUP flag is set.
    pub(crate) dup: bool,
    /// All of it, fixed header included.
    pub(crate) bytes: &'a [u8],
}

/// Looks at the start of `input`. `Ok(None)`: more bytes are needed, at most the size limit.
pub(crate) fn next<'a>(
    input: &'a [u8],
    phase: Phase,
    limits: &Limits,
    publish_bytes_max: u32,
) -> Result<Option<Whole<'a>>, Refusal> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let (kind, flags) = (first >> 4, first & 0x0f);
    check_header(kind, flags, phase)?;
    let Some((length, header_bytes)) = remaining_length(rest)? else { return Ok(None) };
    let total = 1 + header_bytes + length;
    let max = if kind == PUBLISH { publish_bytes_max } else { limits.control_bytes_max };
    if total > usize::try_from(max).unwrap_or(usize::MAX) {
        return Err(Refusal::PacketSize);
    }
    let Some(bytes) = input.get(..total) else { return Ok(None) };
    let body = bytes.get(1 + header_bytes..).unwrap_or_default();
    match kind {
        PUBLISH => check_publish(body, flags >> 1 & 3, phase, limits)?,
        PUBACK | SUBSCRIBE | UNSUBSCRIBE => check_identifier(body)?,
        _ => {}
    }
    Ok(Some(Whole { kind, dup: kind == PUBLISH && flags & 8 != 0, bytes }))
}

fn check_header(kind: u8, flags: u8, phase: Phase) -> Result<(), Refusal> {
    if (kind == CONNECT) != (phase == Phase::Connecting) {
        return Err(Refusal::Protocol);
    }
    match kind {
        PUBLISH => check_publish_flags(flags),
        // SECURITY: PUBREC, PUBREL and PUBCOMP belong to QoS 2, which the library must never see.
        5..=7 => Err(Refusal::Qos2),
        SUBSCRIBE | UNSUBSCRIBE if flags != 2 => Err(Refusal::Malformed),
        SUBSCRIBE | UNSUBSCRIBE => Ok(()),
        CONNECT | PUBACK | PINGREQ | DISCONNECT if flags != 0 => Err(Refusal::Malformed),
        CONNECT | PUBACK | PINGREQ | DISCONNECT => Ok(()),
        _ => Err(Refusal::Protocol),
    }
}

fn check_publish_flags(flags: u8) -> Result<(), Refusal> {
    match (flags >> 1 & 3, flags & 8 != 0, flags & 1 != 0) {
        (3, _, _) | (0, true, _) => Err(Refusal::Malformed),
        (2, _, _) => Err(Refusal::Qos2),
        (_, _, true) => Err(Refusal::Retain),
        _ => Ok(()),
    }
}

/// The remaining length and how many bytes it takes (section 1.5.5); `None` if it is not all there.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Refusal> {
    let mut length = 0usize;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
    }
    if bytes.len() >= 4 { Err(Refusal::Malformed) } else { Ok(None) }
}

fn check_identifier(body: &[u8]) -> Result<(), Refusal> {
    match body {
        [0, 0, ..] | [] | [_] => Err(Refusal::Malformed),
        _ => Ok(()),
    }
}

fn check_publish(body: &[u8], qos: u8, phase: Phase, limits: &Limits) -> Result<(), Refusal> {
    let [high, low, rest @ ..] = body else { return Err(Refusal::Malformed) };
    let topic_bytes = u16::from_be_bytes([*high, *low]);
    if topic_bytes > limits.topic_bytes_max {
        return Err(Refusal::TopicName);
    }
    let Some((topic, mut rest)) = rest.split_at_checked(usize::from(topic_bytes)) else {
        return Err(Refusal::Malformed);
    };
    if topic.iter().filter(|byte| **byte == b'/').count() >= usize::from(limits.topic_levels_max) {
        return Err(Refusal::TopicName);
    }
    if qos > 0 {
        // SECURITY: the library builds an answer to identifier 0 with `unwrap`.
        check_identifier(rest)?;
        rest = rest.get(2..).unwrap_or_default();
    }
    if phase == Phase::V5 {
        let Some((properties, _)) = remaining_length(rest)? else { return Err(Refusal::Malformed) };
        if properties > usize::try_from(limits.property_bytes_max).unwrap_or(usize::MAX) {
            return Err(Refusal::PacketSize);
        }
    }
    Ok(())
}

/// Where in a whole CONNECT packet a Topic Alias Maximum of 0 stands (its low byte), if there is one. `None` also for anything malformed:
/// that is the library's to refuse, and it parses all properties before it looks at one.
pub(crate) fn zero_alias_maximum(packet: &[u8]) -> Option<usize> {
    const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    /// Protocol name, level, flags and keep-alive (section 3.1.2).
    const HEADER_BYTES: usize = 10;
    let (_, header) = remaining_length(packet.get(1..)?).ok()??;
    let start = 1 + header + HEADER_BYTES;
    let (length, width) = remaining_length(packet.get(start..)?).ok()??;
    let mut at = start + width;
    let end = at + length;
    while at < end {
        let id = *packet.get(at)?;
        let value = at + 1;
        let text =
            |from: usize| Some(2 + usize::from(u16::from_be_bytes([*packet.get(from)?, *packet.get(from + 1)?])));
        let bytes = match id {
            TOPIC_ALIAS_MAXIMUM if packet.get(value..value + 2)? == [0, 0] => return Some(value + 1),
            0x11 | 0x27 => 4,
            0x21 | TOPIC_ALIAS_MAXIMUM => 2,
            0x17 | 0x19 => 1,
            0x15 | 0x16 => text(value)?,
            0x26 => {
                let key = text(value)?;
                key + text(value + key)?
            }
            _ => return None,
        };
        at = value + bytes;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phase: Phase, input: &[u8], expected: Result<Option<usize>, Refusal>) {
        let got = next(input, phase, &Limits::default(), 4096).map(|whole| whole.map(|whole| whole.bytes.len()));
        assert_eq!(got, expected, "{phase:?} {input:02x?}");
    }

    #[test]
    fn boundaries() {
        check(Phase::V5, &[], Ok(None));
        check(Phase::V5, &[0xc0], Ok(None));
        check(Phase::V5, &[0xc0, 0], Ok(Some(2)));
        check(Phase::V5, &[0xc0, 0, 0xc0], Ok(Some(2)));
        check(Phase::V5, &[0x30, 0x80, 0x80], Ok(None));
        check(Phase::V5, &[0x30, 0x80, 0x80, 0x80, 0x80], Err(Refusal::Malformed));
        // 128 MiB are refused by the header alone.
        check(Phase::V5, &[0x30, 0xff, 0xff, 0xff, 0x3f], Err(Refusal::PacketSize));
        check(Phase::V5, &[0x82, 0xff, 0x0f], Err(Refusal::PacketSize));
    }

    #[test]
    fn what_never_gets_in() {
        check(Phase::Connecting, &[0xc0, 0], Err(Refusal::Protocol));
        check(Phase::V5, &[0x10, 0], Err(Refusal::Protocol));
        check(Phase::V5, &[0x00, 0], Err(Refusal::Protocol));
        check(Phase::V5, &[0x20, 0], Err(Refusal::Protocol));
        check(Phase::V5, &[0x34], Err(Refusal::Qos2));
        check(Phase::V5, &[0x62, 2, 0, 1], Err(Refusal::Qos2));
        check(Phase::V5, &[0x36], Err(Refusal::Malformed));
        check(Phase::V5, &[0x38], Err(Refusal::Malformed));
        check(Phase::V5, &[0x31], Err(Refusal::Retain));
        check(Phase::V5, &[0xf0], Err(Refusal::Protocol));
        check(Phase::V5, &[0x80], Err(Refusal::Malformed));
        check(Phase::V5, &[0xc1], Err(Refusal::Malformed));
        check(Phase::V4, &[0x32, 5, 0, 1, b'a', 0, 0], Err(Refusal::Malformed));
        check(Phase::V4, &[0x32, 5, 0, 1, b'a', 0, 1], Ok(Some(7)));
        check(Phase::V5, &[0x32, 5, 0, 1, b'a', 0, 1], Err(Refusal::Malformed));
        check(Phase::V5, &[0x32, 7, 0, 1, b'a', 0, 1, 0xff, 0x7f], Err(Refusal::PacketSize));
        check(Phase::V4, &[0x30, 2, 0xff, 0xff], Err(Refusal::TopicName));
        check(
            Phase::V4,
            &[0x30, 12, 0, 10, b'/', b'/', b'/', b'/', b'/', b'/', b'/', b'/', b'/', b'/'],
            Err(Refusal::TopicName),
        );
        check(Phase::V4, &[0x82, 2, 0, 0], Err(Refusal::Malformed));
    }

    #[test]
    fn a_zero_alias_maximum_is_found() {
        let connect = |properties: &[u8]| {
            let mut body = b"\0\x04MQTT\x05\x02\0\x3c".to_vec();
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend_from_slice(properties);
            body.extend_from_slice(b"\0\0");
            [&[0x10, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
        };
        assert_eq!(zero_alias_maximum(&connect(&[])), None);
        assert_eq!(zero_alias_maximum(&connect(&[0x22, 0, 1])), None);
        assert_eq!(zero_alias_maximum(&connect(&[0x22, 0, 0])), Some(15));
        assert_eq!(zero_alias_maximum(&connect(&[0x26, 0, 1, b'a', 0, 2, 0x22, 0, 0x21, 0, 9, 0x22, 0, 0])), Some(26));
        assert_eq!(zero_alias_maximum(&connect(&[0x26, 0xff, 0xff])), None);
    }
}
