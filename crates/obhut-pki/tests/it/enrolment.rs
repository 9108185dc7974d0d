//! Who gets a certificate over EST, and what each refusal costs and tells.

use crate::support::{Device, Home, NOW, csr, id, model};
use obhut_model::DeviceId;
use obhut_pki::est::{
    Credentials, Enrollee, EnrolleeState, Enrolment, EstError, Outcome, Register, RegisterError, Token, decode_csr,
};
use obhut_pki::limits::{ATTEMPTS_PER_SERIAL_MAX, TOKEN_LIFE_SECS};
use obhut_pki::{CsrError, Issued, Revocations, UnixTime, device_of, unix};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Records in memory, with the rules of the store.
#[derive(Default)]
struct Memory {
    devices: Mutex<HashMap<DeviceId, Enrollee>>,
    tokens: Mutex<HashMap<[u8; 32], (DeviceId, UnixTime)>>,
    certificates: Mutex<Vec<(DeviceId, String)>>,
    broken: AtomicBool,
}

impl Memory {
    fn invite(&self, name: &str, serial: &str, at: u64) -> Token {
        let token = Token::generate().unwrap();
        let enrollee = Enrollee {
            id: id(name),
            model: model(),
            serial: serial.to_owned(),
            state: EnrolleeState::Invited,
            invited_at: unix(at),
        };
        self.devices.lock().unwrap().insert(id(name), enrollee);
        self.tokens.lock().unwrap().insert(token.hash(), (id(name), unix(at + TOKEN_LIFE_SECS)));
        token
    }

    fn set(&self, name: &str, state: EnrolleeState) {
        self.devices.lock().unwrap().get_mut(&id(name)).unwrap().state = state;
    }
}

impl Register for Memory {
    fn device(&self, id: &DeviceId) -> Result<Option<Enrollee>, RegisterError> {
        Ok(self.devices.lock().unwrap().get(id).cloned())
    }

    fn redeem(&self, token_hash: [u8; 32], serial: &str, now: UnixTime) -> Result<Option<DeviceId>, RegisterError> {
        let mut tokens = self.tokens.lock().unwrap();
        let Some((device, expires)) = tokens.get(&token_hash).cloned() else { return Ok(None) };
        if now >= expires || self.devices.lock().unwrap()[&device].serial != serial {
            return Ok(None);
        }
        tokens.remove(&token_hash);
        Ok(Some(device))
    }

    fn certificate_issued(
        &self,
        id: &DeviceId,
        serial_hex: &str,
        _: UnixTime,
        _: UnixTime,
    ) -> Result<(), RegisterError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err("the disk is full".into());
        }
        self.set(id.as_str(), EnrolleeState::Enrolled);
        self.certificates.lock().unwrap().push((id.clone(), serial_hex.to_owned()));
        Ok(())
    }
}

struct Office {
    home: Home,
    register: Arc<Memory>,
    revocations: Arc<Revocations>,
    enrolment: Enrolment,
}

fn office() -> Office {
    let home = Home::new();
    let (register, revocations) = (Arc::new(Memory::default()), Arc::new(Revocations::new()));
    let enrolment = Enrolment::new(home.authority.clone(), register.clone(), revocations.clone());
    Office { home, register, revocations, enrolment }
}

impl Office {
    fn enroll(&self, serial: &str, token: &str, csr: &[u8]) -> Result<Issued, EstError> {
        self.enrolment.simple_enroll(serial, token, csr, unix(NOW))
    }

    fn counted(&self, outcome: Outcome) -> u64 {
        self.enrolment.counters().get(outcome)
    }
}

#[test]
fn an_invited_device_enrols_once_and_the_records_know_its_certificate() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW - 60);
    let device = Device::new("mon-01");
    let issued = office.enroll("SN-1", &token.text(), &device.csr()).unwrap();
    assert_eq!(device_of(&issued.leaf_der).unwrap().id, device.id);
    assert_eq!(*office.register.certificates.lock().unwrap(), [(device.id.clone(), issued.serial_hex)]);
    let thief = Device::new("mon-01");
    let again = office.enroll("SN-1", &token.text(), &thief.csr()).unwrap_err();
    assert!(matches!(again, EstError::Refused(Outcome::TokenUsed)));
    assert_eq!((office.counted(Outcome::Enrolled), office.counted(Outcome::TokenUsed)), (1, 1));
}

#[test]
fn a_device_whose_answer_got_lost_may_ask_again_with_the_same_key_for_as_long_as_the_token_would_have_lived() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    let device = Device::new("mon-01");
    office.enroll("SN-1", &token.text(), &device.csr()).unwrap();
    office.enroll("SN-1", &token.text(), &device.csr()).unwrap();
    assert_eq!(office.counted(Outcome::Repeated), 1);
    let late = office.enrolment.simple_enroll("SN-1", &token.text(), &device.csr(), unix(NOW + TOKEN_LIFE_SECS + 1));
    assert!(matches!(late, Err(EstError::Refused(Outcome::TokenUsed))));
    office.register.set("mon-01", EnrolleeState::Revoked);
    assert!(matches!(office.enroll("SN-1", &token.text(), &device.csr()), Err(EstError::Refused(Outcome::Revoked))));
}

#[test]
fn whatever_does_not_fit_the_invitation_gets_the_same_answer_its_own_counter_and_leaves_the_token_good() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    let others = office.register.invite("mon-02", "SN-2", NOW);
    office.register.invite("mon-03", "SN-3", NOW - TOKEN_LIFE_SECS);
    let expired = office.register.invite("mon-04", "SN-4", NOW - TOKEN_LIFE_SECS);
    office.register.invite("mon-05", "SN-5", NOW);
    office.register.set("mon-05", EnrolleeState::Revoked);
    let device = Device::new("mon-01");
    let text = token.text();
    let wrong_model = csr(&device.key, &["mon-01"], &["urn:obhut:model:pump-p1"]);
    let cases = [
        ("a token nobody made", "SN-1", Token::generate().unwrap().text(), device.csr(), Outcome::WrongToken),
        ("no token", "SN-1", "secret".to_owned().into(), device.csr(), Outcome::NoToken),
        ("another device's token", "SN-1", others.text(), device.csr(), Outcome::WrongToken),
        ("another device's serial number", "SN-2", text.clone(), device.csr(), Outcome::WrongSerial),
        ("a request for another device", "SN-1", text.clone(), Device::new("mon-02").csr(), Outcome::WrongSerial),
        (
            "a request for a device nobody invited",
            "SN-1",
            text.clone(),
            Device::new("mon-99").csr(),
            Outcome::UnknownDevice,
        ),
        ("another model", "SN-1", text.clone(), wrong_model, Outcome::OtherModel),
        ("an expired token", "SN-4", expired.text(), Device::new("mon-04").csr(), Outcome::TokenExpired),
        ("a revoked device", "SN-5", text.clone(), Device::new("mon-05").csr(), Outcome::Revoked),
    ];
    let same = EstError::Refused(Outcome::WrongToken);
    let mut expected: HashMap<&str, u64> = HashMap::new();
    for (what, serial, token, csr, outcome) in cases {
        let refused = office.enroll(serial, &token, &csr).unwrap_err();
        assert!(matches!(refused, EstError::Refused(found) if found == outcome), "{what}: {refused}");
        assert_eq!(
            (refused.status(), refused.message(), refused.retry_after_secs()),
            (401, same.message(), None),
            "{what}"
        );
        *expected.entry(outcome.name()).or_default() += 1;
    }
    for outcome in Outcome::ALL {
        assert_eq!(office.counted(*outcome), expected.get(outcome.name()).copied().unwrap_or(0), "{outcome:?}");
    }
    office.enroll("SN-1", &text, &device.csr()).unwrap();
}

#[test]
fn a_faulty_request_is_named_and_leaves_the_token_good() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    let device = Device::new("mon-01");
    let mut broken = device.csr();
    *broken.last_mut().unwrap() ^= 1;
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    for (csr, reason, status) in [
        (broken, CsrError::Signature, 400),
        (csr(&p384, &["mon-01"], &[]), CsrError::NotP256, 400),
        (vec![0; 5000], CsrError::TooLarge, 413),
    ] {
        let refused = office.enroll("SN-1", &token.text(), &csr).unwrap_err();
        assert_eq!((refused.status(), refused.message()), (status, reason.to_string()));
    }
    assert_eq!(office.counted(Outcome::BadRequest), 3);
    office.enroll("SN-1", &token.text(), &device.csr()).unwrap();
}

#[test]
fn guessing_is_slowed_down_per_serial_number_and_stops_being_so() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    office.register.invite("mon-02", "SN-2", NOW);
    let device = Device::new("mon-01");
    for _ in 0..ATTEMPTS_PER_SERIAL_MAX {
        office.enroll("SN-1", &Token::generate().unwrap().text(), &device.csr()).unwrap_err();
    }
    let refused = office.enroll("SN-1", &token.text(), &device.csr()).unwrap_err();
    assert_eq!(refused.status(), 429);
    let wait = refused.retry_after_secs().unwrap();
    assert!((1..=60).contains(&wait));
    assert!(
        matches!(office.enroll("SN-2", &token.text(), &device.csr()), Err(EstError::Refused(_))),
        "others are not held up"
    );
    office.enrolment.simple_enroll("SN-1", &token.text(), &device.csr(), unix(NOW + wait)).unwrap();
}

#[test]
fn records_that_fail_cost_neither_certificate_nor_invitation() {
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    let device = Device::new("mon-01");
    office.register.broken.store(true, Ordering::Relaxed);
    for _ in 0..2 * ATTEMPTS_PER_SERIAL_MAX {
        let failed = office.enroll("SN-1", &token.text(), &device.csr()).unwrap_err();
        assert_eq!((failed.status(), failed.retry_after_secs()), (503, Some(30)));
    }
    office.register.broken.store(false, Ordering::Relaxed);
    office.enroll("SN-1", &token.text(), &device.csr()).unwrap();
}

fn enrolled(office: &Office, name: &str) -> (Device, Issued) {
    let token = office.register.invite(name, &format!("SN-{name}"), NOW);
    let device = Device::new(name);
    let issued = office.enroll(&format!("SN-{name}"), &token.text(), &device.csr()).unwrap();
    (device, issued)
}

#[test]
fn an_enrolled_device_renews_with_a_new_key_under_its_own_name_only() {
    let office = office();
    let (_, old) = enrolled(&office, "mon-01");
    let renewed_key = Device::new("mon-01");
    let half = unix(NOW + 12 * 3600);
    let new = office.enrolment.simple_reenroll(&old.leaf_der, &renewed_key.csr(), half).unwrap();
    assert_eq!(new.not_after, unix(NOW + 36 * 3600));
    assert_ne!(new.serial, old.serial);
    let refused = office.enrolment.simple_reenroll(&new.leaf_der, &Device::new("mon-02").csr(), half).unwrap_err();
    assert!(matches!(refused, EstError::NotEntitled(Outcome::OtherDevice)));
    assert_eq!(refused.status(), 403);
    assert_eq!((office.counted(Outcome::Renewed), office.counted(Outcome::OtherDevice)), (1, 1));
}

#[test]
fn no_renewal_after_the_end_or_revocation_also_on_a_connection_that_is_older() {
    let office = office();
    let (device, issued) = enrolled(&office, "mon-01");
    let renew = |at| office.enrolment.simple_reenroll(&issued.leaf_der, &device.csr(), unix(at));
    assert!(matches!(renew(NOW + 86_401), Err(EstError::NotEntitled(Outcome::NotInForce))));
    assert!(renew(NOW + 86_400).is_ok());
    office.revocations.revoke(issued.serial);
    assert!(matches!(renew(NOW), Err(EstError::NotEntitled(Outcome::Revoked))));
    office.revocations.replace([]);
    office.register.set("mon-01", EnrolleeState::Revoked);
    assert!(matches!(renew(NOW), Err(EstError::NotEntitled(Outcome::Revoked))));
    office.register.devices.lock().unwrap().clear();
    assert!(matches!(renew(NOW), Err(EstError::NotEntitled(Outcome::UnknownDevice))));
    assert!(matches!(
        office.enrolment.simple_reenroll(office.home.authority.root_der(), &device.csr(), unix(NOW)),
        Err(EstError::NotEntitled(Outcome::NotInForce))
    ));
}

#[test]
fn what_a_device_sends_over_http_is_understood() {
    use base64::Engine as _;
    let engine = &base64::engine::general_purpose::STANDARD;
    let office = office();
    let token = office.register.invite("mon-01", "SN-1", NOW);
    let header = format!("Basic {}", engine.encode(format!("SN-1:{}", token.text().as_str())));
    let shown = Credentials::from_header(Some(header.as_bytes())).unwrap();
    let body = engine.encode(Device::new("mon-01").csr());
    office.enroll(&shown.serial, &shown.token, &decode_csr(body.as_bytes()).unwrap()).unwrap();
}
