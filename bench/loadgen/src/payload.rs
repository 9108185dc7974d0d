//! Payload templates with fixed-width fields that are patched in place per message.
//!
//! `json:SIZE` a vitals reading padded to SIZE bytes; `senml:SIZE` the same five values as SenML JSON (RFC 8428), padded; `bin:SIZE` an incompressible block whose
//! first 16 bytes are time and sequence; `file:PATH` raw bytes as they are; `tmpl:PATH` text with
//! `{ts}` (16 digits, microseconds), `{tsec}` (seconds with six places, of the measurement), `{r2}` (2 random digits), `{seq}` (10 digits), `{client}` (6 digits), `{r3}` (3 random
//! digits).
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
enum Field {
    Ts,
    Seq,
    Client,
    Rand3,
    Rand2,
    Seconds,
    BinTsSeq,
}

/// A charter bounds how densely a device may measure, and the gateway judges that by the time of measurement. A flat-out run sends faster
/// than that, as a device does that works off a backlog: `{tsec}` begins half an hour ago and moves on by this much with each message.
const STEP_US: u64 = 250;
const BACKLOG_US: u64 = 1_800_000_000;

#[derive(Clone)]
pub struct Template {
    pub bytes: Vec<u8>,
    /// When the first reading was measured.
    begin_us: u64,
    fields: Vec<(usize, Field)>,
}

pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

fn digits(out: &mut [u8], mut n: u64) {
    for b in out.iter_mut().rev() {
        *b = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

pub struct Rng(pub u64);
impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

impl Template {
    pub fn parse(spec: &str) -> Result<Template, String> {
        let (kind, arg) = spec.split_once(':').ok_or("payload is kind:arg")?;
        let size = || arg.parse::<usize>().map_err(|e| e.to_string());
        match kind {
            "bin" => {
                let n = size()?.max(16);
                let mut r = Rng(0x9E3779B97F4A7C15);
                let bytes = (0..n).map(|_| r.next() as u8).collect();
                Ok(Template { bytes, begin_us: now_us() - BACKLOG_US, fields: vec![(0, Field::BinTsSeq)] })
            }
            "json" => {
                let n = size()?;
                let core = "{\"ts\":{ts},\"seq\":{seq},\"dev\":\"obh-{client}\",\"hr\":{r3},\"spo2\":{r3},\"rr\":{r3},\"sys\":{r3},\"dia\":{r3},\"q\":\"ok\",\"note\":\"@PAD@\"}";
                let bare = Self::text(&core.replace("@PAD@", ""));
                let pad = n.saturating_sub(bare.bytes.len());
                Ok(Self::text(&core.replace("@PAD@", &"x".repeat(pad))))
            }
            "senml" => {
                let n = size()?;
                // White space is the one padding that means nothing in JSON.
                let core = "[{\"bt\":{tsec},\"n\":\"147842\",\"u\":\"/min\",\"v\":{r3}},{\"n\":\"150456\",\"u\":\"%\",\"v\":{r2}},{\"n\":\"151562\",\"u\":\"/min\",\"v\":{r2}},{\"n\":\"150037\",\"u\":\"mm[Hg]\",\"v\":{r3}},{\"n\":\"150038\",\"u\":\"mm[Hg]\",\"v\":{r2}}]";
                let bare = Self::text(core);
                let pad = n.saturating_sub(bare.bytes.len());
                Ok(Self::text(&format!("{}{core}", " ".repeat(pad))))
            }
            "tmpl" => {
                let t = std::fs::read_to_string(arg).map_err(|e| e.to_string())?;
                Ok(Self::text(&t))
            }
            "file" => {
                Ok(Template { begin_us: 0, bytes: std::fs::read(arg).map_err(|e| e.to_string())?, fields: vec![] })
            }
            _ => Err(format!("unknown payload kind {kind}")),
        }
    }

    fn text(t: &str) -> Template {
        let mut bytes = Vec::new();
        let mut fields = Vec::new();
        let mut rest = t;
        'outer: while !rest.is_empty() {
            for (mark, f, w) in [
                ("{ts}", Field::Ts, 16),
                ("{seq}", Field::Seq, 10),
                ("{client}", Field::Client, 6),
                ("{r3}", Field::Rand3, 3),
                ("{r2}", Field::Rand2, 2),
                ("{tsec}", Field::Seconds, 17),
            ] {
                if let Some(r) = rest.strip_prefix(mark) {
                    fields.push((bytes.len(), f));
                    bytes.extend(std::iter::repeat_n(b'1', w));
                    rest = r;
                    continue 'outer;
                }
            }
            let c = rest.chars().next().unwrap();
            let mut b = [0; 4];
            bytes.extend_from_slice(c.encode_utf8(&mut b).as_bytes());
            rest = &rest[c.len_utf8()..];
        }
        Template { bytes, begin_us: now_us() - BACKLOG_US, fields }
    }

    /// Patches the fields of one message inside `out` (which already holds `self.bytes`).
    pub fn patch(&self, out: &mut [u8], client: u64, seq: u64, rng: &mut Rng) {
        for &(at, f) in &self.fields {
            match f {
                Field::Ts => digits(&mut out[at..at + 16], now_us()),
                Field::Seq => {
                    // JSON numbers take no leading zeros: the first digit stays 1
                    digits(&mut out[at..at + 10], 1_000_000_000 + seq % 1_000_000_000)
                }
                Field::Client => digits(&mut out[at..at + 6], client),
                Field::Rand3 => digits(&mut out[at..at + 3], 100 + rng.next() % 80),
                Field::Rand2 => digits(&mut out[at..at + 2], 40 + rng.next() % 60),
                Field::Seconds => {
                    let taken = self.begin_us + seq * STEP_US;
                    digits(&mut out[at..at + 10], taken / 1_000_000);
                    out[at + 10] = b'.';
                    digits(&mut out[at + 11..at + 17], taken % 1_000_000);
                }
                Field::BinTsSeq => {
                    out[at..at + 8].copy_from_slice(&now_us().to_be_bytes());
                    out[at + 8..at + 16].copy_from_slice(&seq.to_be_bytes());
                }
            }
        }
    }
}
