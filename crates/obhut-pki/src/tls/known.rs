//! Remembers certificates that were checked, so that a device that comes again costs one signature check less.
//!
//! Whether one and the same certificate was signed by one and the same authority does not change from one handshake to the next; what can
//! change, its time and its revocation, is looked at every time, and so is the proof that the peer holds its key. Only what was found good is
//! remembered, so nobody but holders of our certificates can fill this, and it is bounded all the same.

use crate::leaf::{DeviceCert, Serial, sha256};
use parking_lot::RwLock;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;

/// SHA-256 of a certificate in DER.
pub(super) type Print = [u8; 32];

/// What is still to be asked of a certificate whose signature is known to be good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) serial: Serial,
    pub(super) from: UnixTime,
    pub(super) until: UnixTime,
}

impl From<&DeviceCert> for Facts {
    fn from(device: &DeviceCert) -> Self {
        Self { serial: device.serial, from: device.not_before, until: device.not_after }
    }
}

/// Certificates found good so far, by print. About 100 bytes each.
#[derive(Debug)]
pub(super) struct Known {
    most: usize,
    by_print: RwLock<HashMap<Print, Facts>>,
}

impl Known {
    pub(super) fn new(most: usize) -> Self {
        Self { most, by_print: RwLock::default() }
    }

    pub(super) fn print(certificate: &CertificateDer<'_>) -> Print {
        sha256(certificate)
    }

    pub(super) fn get(&self, print: &Print) -> Option<Facts> {
        self.by_print.read().get(print).copied()
    }

    pub(super) fn remember(&self, print: Print, facts: Facts, now: UnixTime) {
        let mut all = self.by_print.write();
        if all.len() >= self.most {
            all.retain(|_, facts| now <= facts.until);
        }
        if all.len() >= self.most {
            // Forgetting costs one check each; keeping an order of use would cost on every handshake.
            all.clear();
        }
        all.insert(print, facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix;

    #[test]
    fn it_stays_within_its_bound_and_forgets_what_has_ended_first() {
        let known = Known::new(4);
        let facts = |until| Facts { serial: Serial::from_bytes(&[1]).unwrap(), from: unix(0), until: unix(until) };
        for n in 0..3 {
            known.remember([n; 32], facts(10), unix(5));
        }
        known.remember([3; 32], facts(100), unix(5));
        known.remember([4; 32], facts(100), unix(50));
        assert!(known.get(&[0; 32]).is_none() && known.get(&[3; 32]).is_some() && known.get(&[4; 32]).is_some());
        for n in 5..200 {
            known.remember([n; 32], facts(100), unix(50));
            assert!(known.by_print.read().len() <= 4 && known.get(&[n; 32]).is_some());
        }
    }
}
