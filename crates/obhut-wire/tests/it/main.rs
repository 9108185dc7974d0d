//! Frames and packs from outside: what goes in comes out, what is wrong is refused, nothing panics.
#![expect(clippy::unwrap_used, reason = "test code; helpers lie outside the test functions")]

mod frames;
mod packs;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
