//! Sign-in against a real provider program (`oidc-provider`), and against the same program when it misbehaves.

use crate::at;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use obhut_model::ServerTime;
use obhut_signin::{Answer, Identity, Oidc, OidcError, OidcOptions, SessionId};
use rustls::pki_types::{CertificateDer, ServerName};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;

const REDIRECT: &str = "https://localhost:8443/api/v1/session/oidc/callback";
/// Some locked session.
fn session() -> SessionId {
    "0123456789abcdef".parse().unwrap()
}

const SECRET: &str = "a-secret-of-the-test-and-nothing-else";

fn now() -> ServerTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    ServerTime::from_micros(since.as_micros() as i64)
}

/// The provider program; stops when dropped.
struct Hospital {
    child: Child,
    issuer: String,
    folder: tempfile::TempDir,
    certificate: CertificateDer<'static>,
}

impl Drop for Hospital {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Hospital {
    /// Starts it. `None`, with a line that says so, where it is not installed; in CI that is a failure.
    fn start(claims_in: &str) -> Option<Self> {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
        if !web.join("node_modules/oidc-provider").is_dir() {
            assert!(std::env::var_os("CI").is_none(), "CI must install the packages of `web/`");
            eprintln!(
                "SKIPPED: no `web/node_modules/oidc-provider`; run `npm ci` in `web/` to test sign-in at a provider"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut child = Command::new("node")
            .arg(web.join("e2e/provider.mjs"))
            .env("CERT", &cert)
            .env("KEY", &key)
            .env("REDIRECT", REDIRECT)
            .env("CLIENT_SECRET", SECRET)
            .env("CLAIMS_IN", claims_in)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).unwrap();
        Some(Self { child, issuer, folder, certificate: made.cert.der().clone() })
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn oidc(&self) -> Oidc {
        let roles = BTreeMap::from([
            ("station-3-pflege".to_owned(), "nurse".to_owned()),
            ("station-4-pflege".to_owned(), "nurse".to_owned()),
            ("medizintechnik".to_owned(), "technician".to_owned()),
        ]);
        Oidc::new(OidcOptions {
            issuer: self.issuer.clone(),
            client_id: "obhut".to_owned(),
            client_secret: SECRET.to_owned().into(),
            name: "Klinikum Musterstadt".to_owned(),
            groups_claim: "groups".to_owned(),
            roles,
            scopes: vec!["groups".to_owned()],
            keep: Duration::from_secs(86_400),
            ca_file: Some(self.ca()),
        })
        .unwrap()
    }

    /// One request as a browser would send it.
    async fn ask(&self, method: &str, url: &str, cookies: &mut BTreeMap<String, String>) -> (u16, Option<String>) {
        let uri: http::Uri = url.parse().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(("127.0.0.1", uri.port_u16().unwrap())).await.unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(tls))
            .connect(ServerName::try_from("localhost").unwrap(), socket)
            .await
            .unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = http::Request::builder()
            .method(method)
            .uri(uri.path_and_query().unwrap().as_str())
            .header("host", uri.authority().unwrap().as_str())
            .header("cookie", jar.join("; "))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        (status, location)
    }

    async fn misbehave(&self, how: &str) {
        let (status, _) = self.ask("POST", &format!("{}/misbehave/{how}", self.issuer), &mut BTreeMap::new()).await;
        assert_eq!(status, 200);
    }

    /// What somebody does at the provider's page; returns with what the browser is sent back.
    async fn sign_in(&self, url: &str, account: &str) -> Answer {
        let mut cookies = BTreeMap::new();
        let mut url = url.to_owned();
        for _ in 0..10 {
            let (status, location) = self.ask("GET", &url, &mut cookies).await;
            assert!((300..400).contains(&status), "{status} at {url}");
            let location = location.unwrap();
            if let Some(query) = location.strip_prefix(&format!("{REDIRECT}?")) {
                return answer(query);
            }
            url = if location.starts_with('/') { format!("{}{location}", self.issuer) } else { location };
            if url.contains("/interaction/") {
                url.push_str(&format!("/as/{account}"));
            }
        }
        panic!("too many redirects");
    }

    async fn whole(&self, oidc: &Oidc, account: &str) -> Result<Identity, OidcError> {
        let started = oidc.begin(REDIRECT, None, now()).await?;
        let answer = self.sign_in(&started.url, account).await;
        oidc.finish(&started.flow, answer, now()).await
    }
}

fn answer(query: &str) -> Answer {
    let mut found = Answer::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = value.replace("%3A", ":").replace("%2F", "/");
        match name {
            "code" => found.code = Some(value),
            "state" => found.state = Some(value),
            "iss" => found.iss = Some(value),
            "error" => found.error = Some(value),
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn people_come_in_with_the_roles_their_groups_mean() {
    for claims_in in ["token", "userinfo"] {
        let Some(hospital) = Hospital::start(claims_in) else { return };
        let oidc = hospital.oidc();
        let anna = hospital.whole(&oidc, "anna").await.unwrap();
        assert_eq!((anna.subject.as_str(), anna.issuer.as_str()), ("anna", hospital.issuer.as_str()));
        assert_eq!(anna.name.as_deref(), Some("Anna Beispiel"));
        assert_eq!(anna.roles, ["nurse"]);
        assert_eq!(hospital.whole(&oidc, "max").await.unwrap().roles, ["technician"]);
        // Groups that mean nothing give nothing.
        assert!(hospital.whole(&oidc, "none").await.unwrap().roles.is_empty());
    }
}

#[tokio::test]
async fn the_request_carries_what_protects_the_answer() {
    let Some(hospital) = Hospital::start("token") else { return };
    let started = hospital.oidc().begin(REDIRECT, Some(session()), now()).await.unwrap();
    for needed in [
        "response_type=code",
        "code_challenge_method=S256",
        "code_challenge=",
        "state=",
        "nonce=",
        "prompt=login",
        "max_age=0",
    ] {
        assert!(started.url.contains(needed), "{needed} in {}", started.url);
    }
    assert!(!started.url.contains(SECRET) && !started.url.contains(&started.flow));
}

#[tokio::test]
async fn a_token_with_any_fault_lets_nobody_in() {
    let Some(hospital) = Hospital::start("token") else { return };
    let oidc = hospital.oidc();
    let faults = [
        "nonce",
        "no-nonce",
        "audience",
        "more-audience",
        "issuer",
        "expired",
        "future",
        "signature",
        "none",
        "secret",
        "confusion",
    ];
    for fault in faults {
        hospital.misbehave(fault).await;
        let refused = hospital.whole(&oidc, "anna").await;
        assert!(matches!(refused, Err(OidcError::Token(_))), "{fault}: {refused:?}");
        let text = refused.unwrap_err().to_string();
        assert!(!text.contains("eyJ") && !text.contains(SECRET), "{text}");
    }
    hospital.misbehave("not").await;
    assert!(hospital.whole(&oidc, "anna").await.is_ok());
}

#[tokio::test]
async fn an_answer_counts_once_and_only_where_it_was_asked_for() {
    let Some(hospital) = Hospital::start("token") else { return };
    let oidc = hospital.oidc();
    let word = |result: Result<Identity, OidcError>| result.map(|_| "in").unwrap_or_else(|error| error.word());

    // A second time; from another browser; never begun.
    let started = oidc.begin(REDIRECT, None, now()).await.unwrap();
    let good = hospital.sign_in(&started.url, "anna").await;
    assert_eq!(word(oidc.finish("another", good.clone(), now()).await), "no_flow");
    assert_eq!(word(oidc.finish(&started.flow, good.clone(), now()).await), "in");
    assert_eq!(word(oidc.finish(&started.flow, good.clone(), now()).await), "no_flow");

    // A code that was used already, brought into a new sign-in.
    let another = oidc.begin(REDIRECT, None, now()).await.unwrap();
    let fresh = hospital.sign_in(&another.url, "anna").await;
    let mixed = Answer { code: good.code.clone(), ..fresh };
    assert_eq!(word(oidc.finish(&another.flow, mixed, now()).await), "provider_refused");

    // Somebody else's answer: another state; a code got without our verifier.
    let (mine, theirs) =
        (oidc.begin(REDIRECT, None, now()).await.unwrap(), oidc.begin(REDIRECT, None, now()).await.unwrap());
    let theirs = hospital.sign_in(&theirs.url, "max").await;
    assert_eq!(word(oidc.finish(&mine.flow, theirs.clone(), now()).await), "wrong_state");
    let mine = oidc.begin(REDIRECT, None, now()).await.unwrap();
    let own = hospital.sign_in(&mine.url, "anna").await;
    let injected = Answer { code: theirs.code, ..own };
    assert_eq!(word(oidc.finish(&mine.flow, injected, now()).await), "provider_refused");

    // From another provider; refused; without a code; too late.
    let cases = [
        (Answer { iss: Some("https://elsewhere.example".to_owned()), ..Answer::default() }, "wrong_issuer"),
        (Answer { error: Some("access_denied".to_owned()), ..Answer::default() }, "provider_refused"),
        (Answer::default(), "wrong_state"),
    ];
    for (case, expected) in cases {
        let begun = oidc.begin(REDIRECT, None, now()).await.unwrap();
        let state = hospital.sign_in(&begun.url, "anna").await.state;
        assert_eq!(word(oidc.finish(&begun.flow, Answer { state, ..case }, now()).await), expected);
    }
    let begun = oidc.begin(REDIRECT, None, now()).await.unwrap();
    let late = hospital.sign_in(&begun.url, "anna").await;
    assert_eq!(word(oidc.finish(&begun.flow, late, now().plus_micros(601_000_000)).await), "no_flow");
}

#[tokio::test]
async fn signing_in_anew_means_anew() {
    let Some(hospital) = Hospital::start("token") else { return };
    let oidc = hospital.oidc();
    let started = oidc.begin(REDIRECT, Some(session()), now()).await.unwrap();
    let answer = hospital.sign_in(&started.url, "anna").await;
    assert_eq!(oidc.finish(&started.flow, answer, now()).await.unwrap().unlocks, Some(session()));
    hospital.misbehave("stale").await;
    let started = oidc.begin(REDIRECT, Some(session()), now()).await.unwrap();
    let answer = hospital.sign_in(&started.url, "anna").await;
    assert!(matches!(oidc.finish(&started.flow, answer, now()).await, Err(OidcError::NotFresh)));
}

#[tokio::test]
async fn a_provider_that_is_down_or_foreign_is_said_to_be() {
    let Some(mut hospital) = Hospital::start("token") else { return };
    // Its certificate is from somebody else: nobody is sent there, and no secret either.
    let foreign = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        foreign.path(),
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem(),
    )
    .unwrap();
    let options = |ca: PathBuf, issuer: &str| OidcOptions {
        issuer: issuer.to_owned(),
        client_id: "obhut".to_owned(),
        client_secret: SECRET.to_owned().into(),
        name: String::new(),
        groups_claim: "groups".to_owned(),
        roles: BTreeMap::new(),
        scopes: Vec::new(),
        keep: Duration::from_secs(86_400),
        ca_file: Some(ca),
    };
    let oidc = Oidc::new(options(foreign.path().to_owned(), &hospital.issuer)).unwrap();
    assert_eq!(oidc.begin(REDIRECT, None, now()).await.unwrap_err().word(), "provider_unavailable");
    // It answers, but under another name than the one configured.
    let oidc = Oidc::new(options(hospital.ca(), &format!("{}/elsewhere", hospital.issuer))).unwrap();
    assert_eq!(oidc.begin(REDIRECT, None, now()).await.unwrap_err().word(), "provider_unavailable");

    let oidc = hospital.oidc();
    let started = oidc.begin(REDIRECT, None, now()).await.unwrap();
    let answer = hospital.sign_in(&started.url, "anna").await;
    hospital.child.kill().unwrap();
    hospital.child.wait().unwrap();
    assert_eq!(oidc.finish(&started.flow, answer, now()).await.unwrap_err().word(), "provider_unavailable");
    assert_eq!(hospital.oidc().begin(REDIRECT, None, now()).await.unwrap_err().word(), "provider_unavailable");
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let options = |issuer: &str, secret: &str, ca: &str| OidcOptions {
        issuer: issuer.to_owned(),
        client_id: "obhut".to_owned(),
        client_secret: secret.to_owned().into(),
        name: String::new(),
        groups_claim: "groups".to_owned(),
        roles: BTreeMap::new(),
        scopes: Vec::new(),
        keep: Duration::from_secs(86_400),
        ca_file: Some(ca.into()),
    };
    let cases = [
        options("http://localhost:1", "x", "/dev/null"),
        options("not an address", "x", "/dev/null"),
        options("https://localhost:1", " \n", "/dev/null"),
        options("https://localhost:1", "x", "/nowhere.pem"),
        options("https://localhost:1", "x", "/dev/null"),
    ];
    for options in cases {
        let shown = format!("{options:?}");
        assert!(!shown.contains(SECRET));
        assert_eq!(Oidc::new(options).unwrap_err().word(), "provider_misconfigured", "{shown}");
    }
    let _ = at(0);
}
