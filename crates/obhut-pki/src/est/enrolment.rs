//! The decision whether a device gets a certificate.

use super::EstError;
use super::throttle::Throttle;
use super::token::Token;
use crate::authority::{Authority, Issued};
use crate::csr::Csr;
use crate::error::PkiError;
use crate::leaf::{DeviceCert, device_of};
use crate::limits::{REPEATS_MAX, TOKEN_LIFE_SECS};
use crate::tls::Revocations;
use obhut_model::{DeviceId, ModelId};
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why the records failed, whatever they are made of.
pub type RegisterError = Box<dyn std::error::Error + Send + Sync>;

/// A device as enrolment sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollee {
    /// Its name.
    pub id: DeviceId,
    /// Its model in the charter.
    pub model: ModelId,
    /// The maker's serial number.
    pub serial: String,
    /// Where it is in its life.
    pub state: EnrolleeState,
    /// When it was invited, by the real clock.
    pub invited_at: UnixTime,
}

/// Where a device is in its life, as far as enrolment cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolleeState {
    /// Invited, not yet enrolled.
    Invited,
    /// Enrolled and trusted.
    Enrolled,
    /// Not trusted any more.
    Revoked,
}

/// The records enrolment needs; the shell backs it with the store. Every change is durable when the call returns; calls may block.
pub trait Register: Send + Sync {
    /// One device.
    ///
    /// # Errors
    /// Whatever failed.
    fn device(&self, id: &DeviceId) -> Result<Option<Enrollee>, RegisterError>;

    /// Uses up the token whose hash this is, if it is unexpired, unused and bound to `serial`: names the device, once.
    ///
    /// # Errors
    /// Whatever failed; the token is not used up then.
    fn redeem(&self, token_hash: [u8; 32], serial: &str, now: UnixTime) -> Result<Option<DeviceId>, RegisterError>;

    /// Notes that a certificate was issued, before the device gets it.
    ///
    /// # Errors
    /// Whatever failed; the device does not get it then.
    fn certificate_issued(
        &self,
        id: &DeviceId,
        serial_hex: &str,
        not_after: UnixTime,
        now: UnixTime,
    ) -> Result<(), RegisterError>;
}

macro_rules! outcomes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// How an attempt to enrol or renew ended; what the counters count.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Outcome { $($(#[$doc])* $variant),+ }

        impl Outcome {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Stable name for metrics and logs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

outcomes! {
    /// A device got its first certificate.
    Enrolled = "enrolled",
    /// A device whose answer got lost asked again and got another certificate for the same key.
    Repeated = "repeated",
    /// A device got its next certificate.
    Renewed = "renewed",
    /// The certificate request was faulty.
    BadRequest = "bad_request",
    /// There was no token, or a text that cannot be one.
    NoToken = "no_token",
    /// The request names a device nobody invited.
    UnknownDevice = "unknown_device",
    /// The serial number is not that of the device the request names.
    WrongSerial = "wrong_serial",
    /// The device is enrolled: its token was used up.
    TokenUsed = "token_used",
    /// The invitation is older than its token lives.
    TokenExpired = "token_expired",
    /// The request names another model than the invitation.
    OtherModel = "other_model",
    /// The token is not that of the invitation.
    WrongToken = "wrong_token",
    /// Refused unseen after too many failures.
    TooMany = "too_many",
    /// The device was revoked.
    Revoked = "revoked",
    /// The certificate shown for renewal has ended or is not a device's.
    NotInForce = "not_in_force",
    /// The request names another device than the certificate shown.
    OtherDevice = "other_device",
    /// Records or authority failed.
    Failed = "failed",
}

/// How many attempts ended how.
#[derive(Debug, Default)]
pub struct EnrolmentCounters([AtomicU64; Outcome::ALL.len()]);

impl EnrolmentCounters {
    /// How many ended so.
    #[must_use]
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0.get(outcome as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    fn count(&self, outcome: Outcome) {
        if let Some(counter) = self.0.get(outcome as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Enrols and renews devices. Calls block on the records: not on an async worker.
pub struct Enrolment {
    authority: Arc<Authority>,
    register: Arc<dyn Register>,
    revocations: Arc<Revocations>,
    throttle: Mutex<Throttle>,
    repeats: Mutex<HashMap<[u8; 32], Repeat>>,
    counters: EnrolmentCounters,
}

/// An enrolment that succeeded a short while ago. The answer may have got lost, and then the device has neither certificate nor token; it may
/// ask again with the same token and the same key, which nobody else holds.
struct Repeat {
    device: DeviceId,
    key_hash: [u8; 32],
    until: UnixTime,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Enrolment {
    /// Joins the authority with the records.
    #[must_use]
    pub fn new(authority: Arc<Authority>, register: Arc<dyn Register>, revocations: Arc<Revocations>) -> Self {
        Self {
            authority,
            register,
            revocations,
            throttle: Mutex::default(),
            repeats: Mutex::default(),
            counters: EnrolmentCounters::default(),
        }
    }

    /// How attempts ended so far.
    #[must_use]
    pub fn counters(&self) -> &EnrolmentCounters {
        &self.counters
    }

    /// First certificate of an invited device. `serial` and `token`: from [`super::Credentials`]; `csr_der`: from [`super::decode_csr`].
    ///
    /// # Errors
    /// [`EstError`]. The token is as good as before, except that after [`EstError::Register`] it may be good only together with the same key.
    pub fn simple_enroll(&self, serial: &str, token: &str, csr_der: &[u8], now: UnixTime) -> Result<Issued, EstError> {
        if let Some(retry_after_secs) = self.throttle.lock().wait_secs(serial, now) {
            self.counters.count(Outcome::TooMany);
            return Err(EstError::TooMany { retry_after_secs });
        }
        match self.enroll(serial, token, csr_der, now) {
            Ok((issued, outcome)) => {
                self.counters.count(outcome);
                Ok(issued)
            }
            Err(refused) => {
                // A store that is out of order is not the device's failure.
                if !matches!(refused, EstError::Register(_) | EstError::Authority(_)) {
                    self.throttle.lock().failed(serial, now);
                }
                Err(self.counted(refused))
            }
        }
    }

    fn enroll(&self, serial: &str, token: &str, csr_der: &[u8], now: UnixTime) -> Result<(Issued, Outcome), EstError> {
        // The order matters: everything that can be wrong is looked at before the token is used up.
        let csr = Csr::parse(csr_der).map_err(EstError::Csr)?;
        let token_hash = Token::parse(token).map_err(|_| EstError::Refused(Outcome::NoToken))?.hash();
        let device = self.register.device(csr.device()).map_err(EstError::Register)?;
        let device = device.ok_or(EstError::Refused(Outcome::UnknownDevice))?;
        if device.serial != serial {
            return Err(EstError::Refused(Outcome::WrongSerial));
        }
        if device.state == EnrolleeState::Revoked {
            return Err(EstError::Refused(Outcome::Revoked));
        }
        let issued = self.authority.issue_to(&csr, &device.id, &device.model, now).map_err(|error| match error {
            // SECURITY: told apart from a wrong token, this would tell a stranger which serial number belongs to which name.
            PkiError::Csr(_) => EstError::Refused(Outcome::OtherModel),
            other => EstError::Authority(other),
        })?;
        let repeated = self.is_repeat(&token_hash, &device.id, &csr, now);
        if !repeated {
            match self.register.redeem(token_hash, serial, now).map_err(EstError::Register)? {
                Some(redeemed) if redeemed == device.id => self.remember(token_hash, &csr, now),
                _ => return Err(EstError::Refused(why_not_redeemed(&device, now))),
            }
        }
        self.note(&issued, &device.id, now)?;
        Ok((issued, if repeated { Outcome::Repeated } else { Outcome::Enrolled }))
    }

    /// Next certificate of an enrolled device, shown the certificate `peer_der` that it connected with.
    ///
    /// # Errors
    /// [`EstError`].
    pub fn simple_reenroll(&self, peer_der: &[u8], csr_der: &[u8], now: UnixTime) -> Result<Issued, EstError> {
        match self.reenroll(peer_der, csr_der, now) {
            Ok(issued) => {
                self.counters.count(Outcome::Renewed);
                Ok(issued)
            }
            Err(refused) => Err(self.counted(refused)),
        }
    }

    fn reenroll(&self, peer_der: &[u8], csr_der: &[u8], now: UnixTime) -> Result<Issued, EstError> {
        let peer = self.in_force(peer_der, now).map_err(EstError::NotEntitled)?;
        let csr = Csr::parse(csr_der).map_err(EstError::Csr)?;
        if *csr.device() != peer.id {
            return Err(EstError::NotEntitled(Outcome::OtherDevice));
        }
        let device = self.register.device(&peer.id).map_err(EstError::Register)?;
        let device = device.ok_or(EstError::NotEntitled(Outcome::UnknownDevice))?;
        if device.state != EnrolleeState::Enrolled {
            return Err(EstError::NotEntitled(Outcome::Revoked));
        }
        let issued = self.authority.issue_to(&csr, &device.id, &device.model, now).map_err(|error| match error {
            PkiError::Csr(faulty) => EstError::Csr(faulty),
            other => EstError::Authority(other),
        })?;
        self.note(&issued, &device.id, now)?;
        Ok(issued)
    }

    /// The handshake has checked it; but the connection may be older than its end or its revocation.
    fn in_force(&self, peer_der: &[u8], now: UnixTime) -> Result<DeviceCert, Outcome> {
        let peer = device_of(peer_der).map_err(|_| Outcome::NotInForce)?;
        if now < peer.not_before || peer.not_after < now {
            return Err(Outcome::NotInForce);
        }
        if self.revocations.is_revoked(peer.serial) { Err(Outcome::Revoked) } else { Ok(peer) }
    }

    /// A certificate leaves only after the records know it, or it could not be revoked.
    fn note(&self, issued: &Issued, device: &DeviceId, now: UnixTime) -> Result<(), EstError> {
        self.register.certificate_issued(device, &issued.serial_hex, issued.not_after, now).map_err(EstError::Register)
    }

    fn is_repeat(&self, token_hash: &[u8; 32], device: &DeviceId, csr: &Csr, now: UnixTime) -> bool {
        let key_hash = csr.key_hash();
        self.repeats
            .lock()
            .get(token_hash)
            .is_some_and(|repeat| repeat.device == *device && repeat.key_hash == key_hash && now <= repeat.until)
    }

    fn remember(&self, token_hash: [u8; 32], csr: &Csr, now: UnixTime) {
        let mut repeats = self.repeats.lock();
        if repeats.len() >= REPEATS_MAX {
            repeats.retain(|_, repeat| now <= repeat.until);
        }
        if repeats.len() < REPEATS_MAX {
            let until = crate::unix(now.as_secs().saturating_add(TOKEN_LIFE_SECS));
            repeats.insert(token_hash, Repeat { device: csr.device().clone(), key_hash: csr.key_hash(), until });
        }
    }

    fn counted(&self, error: EstError) -> EstError {
        let outcome = match &error {
            EstError::Csr(_) => Outcome::BadRequest,
            EstError::Credentials => Outcome::NoToken,
            EstError::Refused(outcome) | EstError::NotEntitled(outcome) => *outcome,
            EstError::TooMany { .. } => Outcome::TooMany,
            EstError::Register(_) | EstError::Authority(_) => Outcome::Failed,
        };
        self.counters.count(outcome);
        error
    }
}

/// The records answer only yes or no; what they hold about the device says which no it was, for the counters.
fn why_not_redeemed(device: &Enrollee, now: UnixTime) -> Outcome {
    if device.state == EnrolleeState::Enrolled {
        Outcome::TokenUsed
    } else if now.as_secs() >= device.invited_at.as_secs().saturating_add(TOKEN_LIFE_SECS) {
        Outcome::TokenExpired
    } else {
        Outcome::WrongToken
    }
}
