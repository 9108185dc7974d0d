//! A top key in a PKCS#11 token, tried with SoftHSM. Skipped with a line where it is not installed.
//!
//! SoftHSM finds its tokens through an environment variable, which belongs to a process: the work is done in a child process that runs the
//! one ignored test below.

use crate::support::{Home, NOW};
use obhut_pki::provider::{self, Create};
use obhut_pki::{Authority, PkiError, ProviderSpec, ServerNames, unix};
use obhut_vault::{KeyProvider, ProviderError};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOME: &str = "OBHUT_TEST_TOKEN_HOME";

fn module() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
    ];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

fn spec(home: &Path, key_label: &str, create: Create) -> ProviderSpec {
    ProviderSpec::Pkcs11 {
        module: module().unwrap(),
        token_label: "obhut".to_owned(),
        key_label: key_label.to_owned(),
        pin_file: home.join("pin"),
        create,
    }
}

#[test]
fn a_token_holds_the_key() {
    if module().is_none() || Command::new("softhsm2-util").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "SoftHSM is needed for this test");
        println!("skipped: no SoftHSM");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let conf = home.path().join("softhsm2.conf");
    fs::create_dir(home.path().join("tokens")).unwrap();
    fs::write(
        &conf,
        format!("directories.tokendir = {}\nobjectstore.backend = file\n", home.path().join("tokens").display()),
    )
    .unwrap();
    fs::write(home.path().join("pin"), "87654321\n").unwrap();
    fs::set_permissions(home.path().join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "obhut", "--so-pin", "12345678", "--pin", "87654321"])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // A token stays logged in for the whole process, so a wrong PIN shows only in another one.
    for test in ["token::in_a_process_of_its_own", "token::with_a_wrong_pin_in_another"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env("SOFTHSM2_CONF", &conf)
            .env(HOME, home.path())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        println!("{said}");
    }
}

#[test]
#[ignore = "run by `a_token_holds_the_key` with the environment it needs"]
fn with_a_wrong_pin_in_another() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    fs::set_permissions(home.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join("pin"), "11111111").unwrap();
    let said = provider::open(&spec(&home, "top", Create::Never)).err().unwrap().to_string();
    assert!(said.contains("the PIN is wrong") && !said.contains("11111111"), "{said}");
}

#[test]
#[ignore = "run by `a_token_holds_the_key` with the environment it needs"]
fn in_a_process_of_its_own() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let refused = |spec: &ProviderSpec| provider::open(spec).err().unwrap();

    let said = refused(&spec(&home, "top", Create::Never)).to_string();
    assert!(said.contains("holds no AES key `top`"), "{said}");
    let token = provider::open(&spec(&home, "top", Create::IfMissing)).unwrap();
    let again = provider::open(&spec(&home, "top", Create::IfMissing)).unwrap();
    let secret = [9u8; 138];
    let wrapped = token.wrap(b"here", &secret).unwrap();
    assert_eq!(wrapped.len(), secret.len() + 29);
    assert_ne!(token.wrap(b"here", &secret).unwrap(), wrapped);
    assert_eq!(again.unwrap(b"here", &wrapped).unwrap().as_slice(), secret, "the second start finds the same key");
    assert!(matches!(token.unwrap(b"there", &wrapped), Err(ProviderError::Refused)));
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(matches!(token.unwrap(b"here", &changed), Err(ProviderError::Refused)), "byte {at}");
        assert!(matches!(token.unwrap(b"here", &wrapped[..at]), Err(ProviderError::Refused)), "cut at {at}");
    }
    assert_eq!(token.unwrap(b"here", &wrapped).unwrap().as_slice(), secret, "refusals do not break the session");
    let other = provider::open(&spec(&home, "other", Create::IfMissing)).unwrap();
    assert!(matches!(other.unwrap(b"here", &wrapped), Err(ProviderError::Refused)));
    assert!(
        token.describe().contains("`top`")
            && token.describe().contains("`obhut`")
            && !token.describe().contains("87654321")
    );

    it_comes_back_after_losing_its_session(&home, &*token, &wrapped, &secret);
    threads_share_it(&home);
    an_authority_lives_under_it(&home);
    a_top_key_is_replaced_in_the_token(&home);
    a_key_that_could_leave_is_refused(&home);

    let unknown_token = ProviderSpec::Pkcs11 {
        module: module().unwrap(),
        token_label: "elsewhere".to_owned(),
        key_label: "top".to_owned(),
        pin_file: home.join("pin"),
        create: Create::Never,
    };
    assert!(refused(&unknown_token).to_string().contains("no token with this label"));
    fs::set_permissions(home.join("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(refused(&spec(&home, "top", Create::Never)), PkiError::Permissions { .. }));
}

fn library() -> (cryptoki::context::Pkcs11, cryptoki::slot::Slot) {
    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    let library = Pkcs11::new(module().unwrap()).unwrap();
    // This process has started the module already.
    let _ = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = library.get_slots_with_token().unwrap();
    let slot = slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == "obhut").unwrap();
    (library, slot)
}

/// Logging out ends the login of every session of the process, as pulling out the token would.
fn it_comes_back_after_losing_its_session(home: &Path, token: &dyn KeyProvider, wrapped: &[u8], secret: &[u8]) {
    let (library, slot) = library();
    library.open_rw_session(slot).unwrap().logout().unwrap();
    assert_eq!(token.unwrap(b"here", wrapped).unwrap().as_slice(), secret);
    // And says so when it cannot: here because the token is not the same any more.
    let gone = provider::open(&spec(home, "gone", Create::IfMissing)).unwrap();
    let session = library.open_rw_session(slot).unwrap();
    let key = session.find_objects(&[cryptoki::object::Attribute::Label(b"gone".to_vec())]).unwrap();
    session.destroy_object(key[0]).unwrap();
    let said = gone.wrap(b"here", secret).unwrap_err();
    assert!(matches!(&said, ProviderError::Unavailable(why) if why.contains("holds no AES key `gone`")), "{said}");
}

fn threads_share_it(home: &Path) {
    let token = provider::open(&spec(home, "top", Create::Never)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let token = &token;
            scope.spawn(move || {
                for round in 0..50u8 {
                    let wrapped = token.wrap(&[thread], &[round; 32]).unwrap();
                    assert_eq!(token.unwrap(&[thread], &wrapped).unwrap().as_slice(), [round; 32]);
                }
            });
        }
    });
    let begin = std::time::Instant::now();
    for _ in 0..200 {
        let wrapped = token.wrap(b"speed", &[1; 32]).unwrap();
        std::hint::black_box(token.unwrap(b"speed", &wrapped).unwrap());
    }
    println!("wrap and unwrap of a data key in the token: {:?}", begin.elapsed() / 200);
}

fn an_authority_lives_under_it(home: &Path) {
    let open = |label| {
        let token = provider::open(&spec(home, label, Create::Never)).unwrap();
        Authority::open_or_create(home.join("pki"), token, ServerNames::localhost(), unix(NOW))
    };
    let made = open("top").unwrap();
    assert_eq!(open("top").unwrap().root_fingerprint(), made.root_fingerprint());
    assert!(matches!(open("other"), Err(PkiError::Foreign { .. })));
    let file = Home::new();
    let token = provider::open(&spec(home, "top", Create::Never)).unwrap();
    let moved = Authority::open_or_create(file.dir.path().join("pki"), token, ServerNames::localhost(), unix(NOW));
    assert!(matches!(moved, Err(PkiError::Foreign { .. })));
}

/// The successor is made in the token, takes the label, and the old key is destroyed there; an authority lives through it, and through interruptions.
fn a_top_key_is_replaced_in_the_token(home: &Path) {
    use obhut_vault::TopKey;
    use std::sync::Arc;
    let named = spec(home, "turned", Create::IfMissing);
    let dir = home.join("turned-pki");
    let authority = |provider: Arc<dyn KeyProvider>| {
        Authority::open_or_create(dir.clone(), provider, ServerNames::localhost(), unix(NOW))
    };
    let top = Arc::new(TopKey::new(provider::open(&named).unwrap()));
    let made = authority(top.clone()).unwrap();
    let before = top.wrap(b"here", b"secret").unwrap();
    assert!(provider::pending(&named).unwrap().is_none());
    top.begin(provider::successor(&named).unwrap());
    // Interrupted here: the next start finds both and opens everything.
    let found = TopKey::new(provider::open(&named).unwrap());
    found.begin(provider::pending(&named).unwrap().unwrap());
    assert_eq!(authority(Arc::new(found)).unwrap().root_fingerprint(), made.root_fingerprint());
    made.rewrap().unwrap();
    provider::settle(&named).unwrap();
    top.begin(provider::open(&spec(home, "turned", Create::Never)).unwrap());
    top.finish();
    assert!(provider::pending(&named).unwrap().is_none(), "it has the old one's name now");
    assert!(top.unwrap(b"here", &before).is_err(), "what the old one wrapped opens nowhere any more");
    let again = provider::open(&spec(home, "turned", Create::Never)).unwrap();
    assert!(again.unwrap(b"here", &before).is_err());
    assert_eq!(authority(again).unwrap().root_fingerprint(), made.root_fingerprint());
}

/// A key somebody else put there, extractable: the whole point of a token would be lost.
fn a_key_that_could_leave_is_refused(home: &Path) {
    use cryptoki::mechanism::Mechanism;
    use cryptoki::object::{Attribute, AttributeType};
    use cryptoki::session::UserType;
    let (library, slot) = library();
    let session = library.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&"87654321".to_owned().into()));
    let ours = session.find_objects(&[Attribute::Label(b"top".to_vec())]).unwrap();
    assert_eq!(ours.len(), 1);
    let value = session.get_attributes(ours[0], &[AttributeType::Value]).unwrap();
    assert!(value.is_empty(), "the key's value can be read");
    for (label, sensitive, extractable, length) in
        [("loose", true, true, 32u64), ("open", false, false, 32), ("short", true, false, 16)]
    {
        let template = [
            Attribute::Token(true),
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(length.into()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
        let said = provider::open(&spec(home, label, Create::IfMissing)).err().unwrap().to_string();
        assert!(said.contains("could leave the token") || said.contains("not of 256 bits"), "{label}: {said}");
    }
}
