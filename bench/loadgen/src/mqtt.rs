//! A small MQTT 3.1.1 / 5 encoder and an incremental packet splitter.
//! Only what a load generator needs; it is not a conforming client.

use std::io;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V4,
    V5,
}

pub const CONNECT: u8 = 1;
pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PINGREQ: u8 = 12;
pub const DISCONNECT: u8 = 14;

pub fn put_varint(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let mut b = (n % 128) as u8;
        n /= 128;
        if n > 0 {
            b |= 0x80;
        }
        out.push(b);
        if n == 0 {
            return;
        }
    }
}

fn put_str(out: &mut Vec<u8>, s: &[u8]) {
    out.extend_from_slice(&(s.len() as u16).to_be_bytes());
    out.extend_from_slice(s);
}

fn finish(first: u8, body: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(first);
    put_varint(&mut out, body.len());
    out.extend_from_slice(&body);
    out
}

pub fn connect(v: Version, client_id: &str, keepalive: u16, receive_max: u16) -> Vec<u8> {
    let mut b = Vec::new();
    put_str(&mut b, b"MQTT");
    b.push(if v == Version::V5 { 5 } else { 4 });
    b.push(0x02); // clean start
    b.extend_from_slice(&keepalive.to_be_bytes());
    if v == Version::V5 {
        put_varint(&mut b, 3);
        b.push(0x21); // receive maximum
        b.extend_from_slice(&receive_max.to_be_bytes());
    }
    put_str(&mut b, client_id.as_bytes());
    finish(0x10, b)
}

pub fn subscribe(v: Version, pid: u16, filter: &str, qos: u8) -> Vec<u8> {
    let mut b = pid.to_be_bytes().to_vec();
    if v == Version::V5 {
        b.push(0);
    }
    put_str(&mut b, filter.as_bytes());
    b.push(qos);
    finish(0x82, b)
}

pub fn puback(pid: u16) -> [u8; 4] {
    let p = pid.to_be_bytes();
    [0x40, 2, p[0], p[1]]
}

pub const BYE: [u8; 2] = [0xE0, 0];

/// A PUBLISH packet encoded once; `pid_at` and `payload_at` say what to patch.
pub struct PublishTemplate {
    pub bytes: Vec<u8>,
    pub pid_at: Option<usize>,
    pub payload_at: usize,
}

pub fn publish(v: Version, topic: &str, qos: u8, payload: &[u8]) -> PublishTemplate {
    let mut b = Vec::with_capacity(payload.len() + topic.len() + 8);
    put_str(&mut b, topic.as_bytes());
    let mut pid_rel = None;
    if qos > 0 {
        pid_rel = Some(b.len());
        b.extend_from_slice(&[0, 0]);
    }
    if v == Version::V5 {
        b.push(0);
    }
    let payload_rel = b.len();
    b.extend_from_slice(payload);
    let body_len = b.len();
    let bytes = finish(0x30 | (qos << 1), b);
    let head = bytes.len() - body_len;
    PublishTemplate { pid_at: pid_rel.map(|p| p + head), payload_at: payload_rel + head, bytes }
}

/// One packet seen in a buffer: kind, flags, and the range of its body.
pub struct Packet {
    pub kind: u8,
    pub flags: u8,
    pub body: std::ops::Range<usize>,
}

/// Splits the next whole packet off `buf[at..]`; `None` when it is not all there yet.
pub fn next_packet(buf: &[u8], at: usize) -> io::Result<Option<(Packet, usize)>> {
    let b = &buf[at..];
    if b.len() < 2 {
        return Ok(None);
    }
    let (mut len, mut shift, mut i) = (0usize, 0, 1);
    loop {
        if i >= b.len() {
            return Ok(None);
        }
        len |= ((b[i] & 0x7f) as usize) << shift;
        shift += 7;
        i += 1;
        if b[i - 1] & 0x80 == 0 {
            break;
        }
        if i > 4 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "bad length"));
        }
    }
    if b.len() < i + len {
        return Ok(None);
    }
    let start = at + i;
    Ok(Some((Packet { kind: b[0] >> 4, flags: b[0] & 15, body: start..start + len }, start + len)))
}

/// CONNACK: returns (code, receive maximum the server allows).
pub fn parse_connack(v: Version, body: &[u8]) -> io::Result<(u8, u16)> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "bad CONNACK");
    let code = *body.get(1).ok_or_else(bad)?;
    let mut receive_max = u16::MAX;
    if v == Version::V5 && body.len() > 3 {
        let n = body[2] as usize; // property lengths here stay below 128
        let p = body.get(3..3 + n).ok_or_else(bad)?;
        let mut i = 0;
        while i < p.len() {
            let id = p[i];
            i += 1;
            match id {
                0x21 => {
                    receive_max = u16::from_be_bytes([p[i], p[i + 1]]);
                    i += 2;
                }
                0x13 | 0x22 => i += 2,
                0x11 | 0x27 => i += 4,
                0x24 | 0x25 | 0x28 | 0x29 | 0x2a => i += 1,
                0x12 | 0x1f | 0x1a | 0x1c | 0x15 | 0x16 => i += 2 + u16::from_be_bytes([p[i], p[i + 1]]) as usize,
                _ => break,
            }
        }
    }
    Ok((code, receive_max))
}

/// PUBLISH body split: (topic, packet id, payload range inside the body).
pub fn parse_publish(v: Version, flags: u8, body: &[u8]) -> Option<(&[u8], u16, usize)> {
    let tl = u16::from_be_bytes([*body.first()?, *body.get(1)?]) as usize;
    let topic = body.get(2..2 + tl)?;
    let mut i = 2 + tl;
    let mut pid = 0;
    if flags & 6 != 0 {
        pid = u16::from_be_bytes([*body.get(i)?, *body.get(i + 1)?]);
        i += 2;
    }
    if v == Version::V5 {
        let mut n = 0usize;
        let mut shift = 0;
        loop {
            let b = *body.get(i)?;
            i += 1;
            n |= ((b & 0x7f) as usize) << shift;
            shift += 7;
            if b & 0x80 == 0 {
                break;
            }
        }
        i += n;
    }
    if i > body.len() {
        return None;
    }
    Some((topic, pid, i))
}
