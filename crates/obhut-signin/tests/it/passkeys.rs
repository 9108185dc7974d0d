//! Ceremonies with a software authenticator, and everything that must not work.

use crate::{at, person};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use obhut_model::PersonId;
use obhut_signin::{Known, NewCredential, OneTimeToken, PasskeyError, Passkeys, Proved, TokenHash};
use serde_json::{Value, json};
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

const ORIGIN: &str = "https://localhost:8443";

struct Desk {
    passkeys: Passkeys,
    key: SoftPasskey,
    link: TokenHash,
}

fn desk() -> Desk {
    let passkeys = Passkeys::default();
    passkeys.reached_at(ORIGIN).unwrap();
    Desk { passkeys, key: SoftPasskey::new(true), link: OneTimeToken::draw().unwrap().hash() }
}

/// What a browser and this authenticator make of registration options.
fn create(key: &mut SoftPasskey, mut options: Value, origin: &str, change: impl FnOnce(&mut Value)) -> Value {
    // Every real authenticator for passkeys keeps credentials; this one cannot, and would say so.
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    options["authenticatorSelection"]["requireResidentKey"] = json!(false);
    change(&mut options);
    let options = serde_json::from_value(json!({"publicKey": options})).unwrap();
    serde_json::to_value(key.do_registration(Url::parse(origin).unwrap(), options).unwrap()).unwrap()
}

/// The same for a sign-in: the authenticator finds the credential by itself, and says whose it is.
fn get(
    key: &mut SoftPasskey,
    mut options: Value,
    credential: &NewCredential,
    origin: &str,
    change: impl FnOnce(&mut Value),
) -> Value {
    assert_eq!(options["userVerification"], "required");
    assert!(options["allowCredentials"].as_array().is_none_or(Vec::is_empty), "names nobody's credentials");
    options["allowCredentials"] = json!([{"type": "public-key", "id": URL_SAFE_NO_PAD.encode(&credential.id)}]);
    change(&mut options);
    let options = serde_json::from_value(json!({"publicKey": options})).unwrap();
    let mut answer =
        serde_json::to_value(key.do_authentication(Url::parse(origin).unwrap(), options).unwrap()).unwrap();
    answer["response"]["userHandle"] = json!(URL_SAFE_NO_PAD.encode(credential.person.as_bytes()));
    answer
}

impl Desk {
    fn register(&mut self, who: PersonId) -> NewCredential {
        let options = self.passkeys.begin_registration(self.link, who, "Anna Beispiel", &[], at(0)).unwrap();
        let answer = create(&mut self.key, options, ORIGIN, |_| ());
        self.passkeys.finish_registration(self.link, answer, at(1), |_| false).unwrap()
    }

    fn try_register(&mut self, origin: &str, change: impl FnOnce(&mut Value)) -> Result<NewCredential, PasskeyError> {
        let options = self.passkeys.begin_registration(self.link, person(1), "Anna", &[], at(0)).unwrap();
        let answer = create(&mut self.key, options, origin, change);
        self.passkeys.finish_registration(self.link, answer, at(1), |_| false)
    }

    fn try_sign_in(
        &mut self,
        credential: &NewCredential,
        stored: &[u8],
        origin: &str,
        before: impl FnOnce(&mut Value),
        after: impl FnOnce(&mut Value),
    ) -> Result<Proved, PasskeyError> {
        let begun = self.passkeys.begin(at(2)).unwrap();
        let mut answer = get(&mut self.key, begun.options, credential, origin, before);
        after(&mut answer);
        self.passkeys.finish(&begun.ceremony, answer, at(3), |id| find(credential, stored, id))
    }
}

fn find(credential: &NewCredential, stored: &[u8], id: &[u8]) -> Option<Known> {
    (id == credential.id).then(|| Known { person: credential.person, key: stored.to_vec() })
}

#[test]
fn register_and_sign_in_again_and_again() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    assert_eq!(credential.person, person(1));
    assert!(!credential.synchronised);
    let mut stored = credential.key.clone();
    for _ in 0..3 {
        let proved = desk.try_sign_in(&credential, &stored, ORIGIN, |_| (), |_| ()).unwrap();
        assert_eq!((proved.person, &proved.credential), (person(1), &credential.id));
        // This authenticator counts, so there is something to keep every time.
        stored = proved.key.unwrap();
    }
}

#[test]
fn an_answer_counts_once() {
    let mut desk = desk();
    let options = desk.passkeys.begin_registration(desk.link, person(1), "Anna", &[], at(0)).unwrap();
    let answer = create(&mut desk.key, options, ORIGIN, |_| ());
    let credential = desk.passkeys.finish_registration(desk.link, answer.clone(), at(1), |_| false).unwrap();
    let again = desk.passkeys.finish_registration(desk.link, answer.clone(), at(1), |_| false);
    assert_eq!(again.unwrap_err(), PasskeyError::NoCeremony);
    // Nor into a new ceremony under the same link.
    desk.passkeys.begin_registration(desk.link, person(1), "Anna", &[], at(1)).unwrap();
    let again = desk.passkeys.finish_registration(desk.link, answer, at(1), |_| false);
    assert_eq!(again.unwrap_err(), PasskeyError::WrongChallenge);

    let begun = desk.passkeys.begin(at(2)).unwrap();
    let answer = get(&mut desk.key, begun.options, &credential, ORIGIN, |_| ());
    let look = |id: &[u8]| find(&credential, &credential.key, id);
    assert!(desk.passkeys.finish(&begun.ceremony, answer.clone(), at(3), look).is_ok());
    assert_eq!(
        desk.passkeys.finish(&begun.ceremony, answer.clone(), at(3), look).unwrap_err(),
        PasskeyError::NoCeremony
    );
    let another = desk.passkeys.begin(at(4)).unwrap();
    assert_eq!(desk.passkeys.finish(&another.ceremony, answer, at(4), look).unwrap_err(), PasskeyError::WrongChallenge);
}

#[test]
fn a_failed_answer_ends_its_ceremony() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    let begun = desk.passkeys.begin(at(2)).unwrap();
    let answer = get(&mut desk.key, begun.options, &credential, ORIGIN, |_| ());
    let look = |id: &[u8]| find(&credential, &credential.key, id);
    assert_eq!(desk.passkeys.finish(&begun.ceremony, json!({}), at(3), look).unwrap_err(), PasskeyError::Malformed);
    assert_eq!(desk.passkeys.finish(&begun.ceremony, answer, at(3), look).unwrap_err(), PasskeyError::NoCeremony);
}

#[test]
fn another_site_gets_nothing_that_counts_here() {
    let mut desk = desk();
    // The same name on another port, a name below ours, and a foreign name that imitates our options.
    for origin in ["https://localhost:9999", "https://ward.localhost:8443"] {
        assert_eq!(desk.try_register(origin, |_| ()).unwrap_err(), PasskeyError::WrongOrigin, "{origin}");
    }
    let phished = desk.try_register("https://obhut.example", |options| options["rp"]["id"] = json!("obhut.example"));
    assert_eq!(phished.unwrap_err(), PasskeyError::WrongOrigin);

    let credential = desk.register(person(1));
    for origin in ["https://localhost:9999", "https://ward.localhost:8443"] {
        let refused = desk.try_sign_in(&credential, &credential.key, origin, |_| (), |_| ());
        assert_eq!(refused.unwrap_err(), PasskeyError::WrongOrigin, "{origin}");
    }
    let phished = desk.try_sign_in(
        &credential,
        &credential.key,
        "https://obhut.example",
        |options| options["rpId"] = json!("obhut.example"),
        |_| (),
    );
    assert_eq!(phished.unwrap_err(), PasskeyError::WrongOrigin);
}

#[test]
fn another_challenge_does_not_count() {
    let mut desk = desk();
    let other = URL_SAFE_NO_PAD.encode([7; 32]);
    let refused = desk.try_register(ORIGIN, |options| options["challenge"] = json!(other));
    assert_eq!(refused.unwrap_err(), PasskeyError::WrongChallenge);
    let credential = desk.register(person(1));
    let refused =
        desk.try_sign_in(&credential, &credential.key, ORIGIN, |options| options["challenge"] = json!(other), |_| ());
    assert_eq!(refused.unwrap_err(), PasskeyError::WrongChallenge);
}

#[test]
fn touching_is_not_enough() {
    let mut desk = desk();
    let refused = desk.try_register(ORIGIN, |options| {
        options["authenticatorSelection"]["userVerification"] = json!("discouraged");
    });
    assert_eq!(refused.unwrap_err(), PasskeyError::NotVerified);
    let credential = desk.register(person(1));
    let refused = desk.try_sign_in(
        &credential,
        &credential.key,
        ORIGIN,
        |options| options["userVerification"] = json!("discouraged"),
        |_| (),
    );
    assert_eq!(refused.unwrap_err(), PasskeyError::NotVerified);
}

#[test]
fn a_copied_authenticator_is_noticed() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    // Its copy has signed in a hundred times.
    let mut stored: Value = serde_json::from_slice(&credential.key).unwrap();
    assert_eq!(stored["cred"]["counter"], 0);
    stored["cred"]["counter"] = json!(100);
    let stored = serde_json::to_vec(&stored).unwrap();
    let refused = desk.try_sign_in(&credential, &stored, ORIGIN, |_| (), |_| ());
    assert_eq!(refused.unwrap_err(), PasskeyError::Cloned);
}

#[test]
fn a_changed_byte_does_not_verify() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    for field in ["signature", "authenticatorData"] {
        let refused = desk.try_sign_in(
            &credential,
            &credential.key,
            ORIGIN,
            |_| (),
            |answer| {
                let mut bytes = URL_SAFE_NO_PAD.decode(answer["response"][field].as_str().unwrap()).unwrap();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                answer["response"][field] = json!(URL_SAFE_NO_PAD.encode(bytes));
            },
        );
        assert_eq!(refused.unwrap_err(), PasskeyError::NotValid, "{field}");
    }
}

#[test]
fn whose_a_credential_is_stands_in_the_register() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    let other = URL_SAFE_NO_PAD.encode(person(2).as_bytes());
    let refused = desk.try_sign_in(
        &credential,
        &credential.key,
        ORIGIN,
        |_| (),
        |answer| {
            answer["response"]["userHandle"] = json!(other);
        },
    );
    assert_eq!(refused.unwrap_err(), PasskeyError::Unknown);
    let refused = desk.try_sign_in(
        &credential,
        &credential.key,
        ORIGIN,
        |_| (),
        |answer| {
            answer["response"]["userHandle"] = Value::Null;
        },
    );
    assert_eq!(refused.unwrap_err(), PasskeyError::Malformed);
    // Registered by nobody any more.
    let begun = desk.passkeys.begin(at(2)).unwrap();
    let answer = get(&mut desk.key, begun.options, &credential, ORIGIN, |_| ());
    assert_eq!(desk.passkeys.finish(&begun.ceremony, answer, at(3), |_| None).unwrap_err(), PasskeyError::Unknown);
}

#[test]
fn a_credential_belongs_to_one_person() {
    let mut desk = desk();
    let options = desk.passkeys.begin_registration(desk.link, person(1), "Anna", &[], at(0)).unwrap();
    let answer = create(&mut desk.key, options, ORIGIN, |_| ());
    let refused = desk.passkeys.finish_registration(desk.link, answer, at(1), |_| true);
    assert_eq!(refused.unwrap_err(), PasskeyError::Taken);
}

#[test]
fn what_cannot_be_found_without_a_name_is_refused() {
    let mut desk = desk();
    let options = desk.passkeys.begin_registration(desk.link, person(1), "Anna", &[], at(0)).unwrap();
    let mut answer = create(&mut desk.key, options, ORIGIN, |_| ());
    answer["clientExtensionResults"] = json!({"credProps": {"rk": false}});
    let refused = desk.passkeys.finish_registration(desk.link, answer, at(1), |_| false);
    assert_eq!(refused.unwrap_err(), PasskeyError::NotDiscoverable);
}

#[test]
fn ceremonies_end_and_do_not_pile_up() {
    let mut desk = desk();
    let credential = desk.register(person(1));
    let begun = desk.passkeys.begin(at(0)).unwrap();
    let answer = get(&mut desk.key, begun.options, &credential, ORIGIN, |_| ());
    let late = desk.passkeys.finish(&begun.ceremony, answer, at(301), |id| find(&credential, &credential.key, id));
    assert_eq!(late.unwrap_err(), PasskeyError::NoCeremony);

    let first = desk.passkeys.begin(at(0)).unwrap();
    for _ in 0..obhut_signin::limits::CEREMONIES_MAX {
        desk.passkeys.begin(at(1)).unwrap();
    }
    let answer = get(&mut desk.key, first.options, &credential, ORIGIN, |_| ());
    let gone = desk.passkeys.finish(&first.ceremony, answer, at(2), |id| find(&credential, &credential.key, id));
    assert_eq!(gone.unwrap_err(), PasskeyError::NoCeremony);
}

#[test]
fn an_address_is_not_a_name() {
    for origin in ["https://127.0.0.1:8443", "https://[::1]:8443", "nothing", ""] {
        let passkeys = Passkeys::default();
        assert_eq!(passkeys.reached_at(origin).unwrap_err(), PasskeyError::NoName, "{origin}");
        assert!(!passkeys.available());
        assert_eq!(passkeys.begin(at(0)).unwrap_err(), PasskeyError::NoName);
    }
}
