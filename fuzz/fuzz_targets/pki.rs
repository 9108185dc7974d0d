//! Everything the enrolment door and the TLS handshake decode that a stranger wrote: certificate requests, their transport form, credentials,
//! tokens, client certificates. Refused or understood, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_pki::est::{Credentials, Token, decode_csr};
use obhut_pki::{Csr, device_of};

fuzz_target!(|input: &[u8]| {
    let [choice, rest @ ..] = input else { return };
    match choice % 5 {
        0 => {
            if let Ok(csr) = Csr::parse(rest) {
                assert!(!csr.device().as_str().is_empty());
            }
        }
        1 => {
            if let Ok(der) = decode_csr(rest) {
                let _ = Csr::parse(&der);
            }
        }
        2 => drop(Credentials::from_header(Some(rest))),
        3 => {
            if let Ok(device) = device_of(rest) {
                assert!(!device.id.as_str().is_empty());
            }
        }
        _ => {
            if let Ok(token) = std::str::from_utf8(rest).map_err(drop).and_then(|text| Token::parse(text).map_err(drop)) {
                assert!(Token::parse(&token.text()).is_ok_and(|again| again.hash() == token.hash()));
            }
        }
    }
});
