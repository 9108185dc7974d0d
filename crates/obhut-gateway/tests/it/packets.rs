//! MQTT packets by hand, so that the library is not tested against itself.

/// 3.1.1 or 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum V {
    Four,
    Five,
}

pub(crate) fn finish(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    loop {
        let byte = u8::try_from(length % 128).unwrap();
        length /= 128;
        out.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

fn text(text: &str) -> Vec<u8> {
    let mut out = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

pub(crate) fn connect(v: V, client: &str) -> Vec<u8> {
    connect_with(v, client, 0x02, 60, &[], &[])
}

/// `tail`: will, user name, password, as they stand on the wire.
pub(crate) fn connect_with(v: V, client: &str, flags: u8, keep_alive: u16, properties: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut body = text("MQTT");
    body.push(if v == V::Five { 5 } else { 4 });
    body.push(flags);
    body.extend_from_slice(&keep_alive.to_be_bytes());
    if v == V::Five {
        body.push(u8::try_from(properties.len()).unwrap());
        body.extend_from_slice(properties);
    }
    body.extend_from_slice(&text(client));
    body.extend_from_slice(tail);
    finish(0x10, &body)
}

pub(crate) fn publish(v: V, topic: &str, packet: Option<u16>, payload: &[u8]) -> Vec<u8> {
    publish_with(v, if packet.is_some() { 0x32 } else { 0x30 }, topic, packet, &[], payload)
}

pub(crate) fn publish_with(
    v: V,
    first: u8,
    topic: &str,
    packet: Option<u16>,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut body = text(topic);
    if let Some(packet) = packet {
        body.extend_from_slice(&packet.to_be_bytes());
    }
    if v == V::Five {
        body.extend_from_slice(&finish(0, properties)[1..]);
    }
    body.extend_from_slice(payload);
    finish(first, &body)
}

pub(crate) fn subscribe(v: V, packet: u16, filters: &[&str]) -> Vec<u8> {
    subscribe_with(v, packet, &[], filters)
}

pub(crate) fn subscribe_with(v: V, packet: u16, properties: &[u8], filters: &[&str]) -> Vec<u8> {
    let mut body = packet.to_be_bytes().to_vec();
    if v == V::Five {
        body.push(u8::try_from(properties.len()).unwrap());
        body.extend_from_slice(properties);
    }
    for filter in filters {
        body.extend_from_slice(&text(filter));
        body.push(1);
    }
    finish(0x82, &body)
}

pub(crate) fn unsubscribe(v: V, packet: u16, filter: &str) -> Vec<u8> {
    let mut body = packet.to_be_bytes().to_vec();
    if v == V::Five {
        body.push(0);
    }
    body.extend_from_slice(&text(filter));
    finish(0xa2, &body)
}

/// One packet the server sent: type, and body after the fixed header.
pub(crate) fn split(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut packets = Vec::new();
    while let Some((kind, body, rest)) = first(bytes) {
        packets.push((kind, body));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a packet: {bytes:02x?}");
    packets
}

pub(crate) fn first(bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let (mut length, mut at) = (0usize, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(at..at + length)?;
    Some((bytes[0] >> 4, body.to_vec(), &bytes[at + length..]))
}
