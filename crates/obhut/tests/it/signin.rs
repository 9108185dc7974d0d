//! How people come in, from outside: the first administrator, invitations, passkeys of a software authenticator, the hospital's provider, locking,
//! switching, and being put out.

use crate::support::{PATIENCE, Server, demo_charter, present, until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

/// Somebody's browser: its cookies, its name, and the page it shows.
pub(crate) struct Browser<'a> {
    pub(crate) server: &'a Server,
    pub(crate) agent: &'static str,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    location: Option<String>,
    pub(crate) body: Value,
}

/// A security key with one passkey on it.
pub(crate) struct Key {
    key: SoftPasskey,
    credential: String,
    person: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, agent: "Browser/1.0", cookies: BTreeMap::new() }
    }

    fn origin(&self) -> String {
        format!("https://localhost:{}", self.server.https.port())
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--max-time", "15", "--cacert"]).arg(&self.server.root);
        command.args(["-X", method, "-A", self.agent, "-H", &format!("Origin: {}", self.origin())]);
        let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        command.args(["-H", &format!("Cookie: {}", jar.join("; "))]);
        if let Some(body) = body {
            command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        let path = path.strip_prefix(&self.origin()).unwrap_or(path);
        let done = command.arg(format!("{}{path}", self.origin())).output().unwrap();
        assert!(done.status.success(), "{method} {path}: {}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut answer = Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            location: None,
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        };
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name.to_lowercase().as_str() {
                "location" => answer.location = Some(value.to_owned()),
                "set-cookie" => {
                    assert!(value.contains("; Secure; HttpOnly; SameSite="), "{value}");
                    let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                    if value.is_empty() {
                        self.cookies.remove(name);
                    } else {
                        self.cookies.insert(name.to_owned(), value.to_owned());
                    }
                }
                _ => {}
            }
        }
        answer
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", &format!("/api/v1{path}"), None)
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", &format!("/api/v1{path}"), Some(body))
    }

    /// Who is signed in here; `None` if nobody is.
    pub(crate) fn who(&mut self) -> Option<Value> {
        let answer = self.get("/session");
        (answer.status == 200).then_some(answer.body)
    }

    /// Follows an invitation with a new security key.
    pub(crate) fn register(&mut self, link: &str) -> Result<Key, Answer> {
        let token = token_of(link);
        let answer = self.post("/session/link", &json!({"token": token}));
        if answer.status != 200 {
            return Err(answer);
        }
        assert_eq!(answer.body["next"], "register");
        let mut options = answer.body["options"].clone();
        // The software authenticator keeps nothing and would refuse to be asked to.
        options["authenticatorSelection"]["requireResidentKey"] = json!(false);
        let person = options["user"]["id"].as_str().unwrap().to_owned();
        let mut key = SoftPasskey::new(true);
        let origin = self.origin().parse().unwrap();
        let made = key.do_registration(origin, serde_json::from_value(json!({"publicKey": options})).unwrap()).unwrap();
        let made = serde_json::to_value(made).unwrap();
        let credential = made["id"].as_str().unwrap().to_owned();
        let answer = self.post("/session/register", &json!({"token": token, "credential": made}));
        if answer.status == 200 { Ok(Key { key, credential, person }) } else { Err(answer) }
    }

    /// Begins a ceremony and answers it with this key.
    fn assertion(&mut self, key: &mut Key) -> Value {
        let begun = self.post("/session/passkey/begin", &json!({}));
        assert_eq!(begun.status, 200, "{begun:?}");
        let mut options = begun.body["options"].clone();
        options["allowCredentials"] = json!([{"type": "public-key", "id": key.credential}]);
        let origin = self.origin().parse().unwrap();
        let made = key.key.do_authentication(origin, serde_json::from_value(json!({"publicKey": options})).unwrap());
        let mut made = serde_json::to_value(made.unwrap()).unwrap();
        made["response"]["userHandle"] = json!(key.person);
        json!({"ceremony": begun.body["ceremony"], "credential": made})
    }

    pub(crate) fn sign_in(&mut self, key: &mut Key) -> Answer {
        let answer = self.assertion(key);
        self.post("/session/passkey/finish", &answer)
    }

    /// Invites somebody; the answer as it came.
    pub(crate) fn invite(&mut self, body: &Value) -> Answer {
        self.post("/people", body)
    }
}

pub(crate) fn token_of(link: &str) -> &str {
    link.split_once("#enter=").unwrap().1
}

fn word(answer: &Answer) -> &str {
    answer.body["error"].as_str().unwrap_or_default()
}

/// A server with its first administrator signed in.
pub(crate) fn administrator(server: &Server) -> (Browser<'_>, Key) {
    let mut browser = Browser::new(server);
    let key = browser.register(&server.link).unwrap();
    (browser, key)
}

pub(crate) fn today() -> i64 {
    jiff::Timestamp::now().as_microsecond() - 1_000_000
}

/// Invites a nurse, trained today, and lets her register.
fn nurse(admin: &mut Browser<'_>, name: &str) -> (Key, String) {
    let invited =
        admin.invite(&json!({"name": name, "kind": "staff", "roles": [{"role": "nurse"}], "trained_on": today()}));
    assert_eq!(invited.status, 200, "{invited:?}");
    let mut browser = Browser::new(admin.server);
    let key = browser.register(invited.body["link"].as_str().unwrap()).unwrap();
    (key, invited.body["id"].as_str().unwrap().to_owned())
}

#[test]
fn the_first_link_makes_an_administrator_and_never_another() {
    let server = Server::start();
    assert!(server.link.starts_with(&format!("https://localhost:{}/#enter=", server.https.port())), "{}", server.link);
    let (mut admin, mut key) = administrator(&server);
    let who = admin.who().unwrap();
    assert_eq!(who["assurance"], "passkey");
    assert!(who["permissions"].as_array().unwrap().contains(&json!("people-manage")), "{who}");
    assert_eq!(who["locked"], false);

    // The link was good once.
    let again = Browser::new(&server).register(&server.link).map(|_| ()).unwrap_err();
    assert_eq!((again.status, word(&again)), (403, "invitation_used"));
    // Without a session nobody gets anything.
    for path in ["/people", "/session", "/session/all", "/patients"] {
        assert_eq!(Browser::new(&server).get(path).status, 401, "{path}");
    }
    // After a restart sessions are over, passkeys are not, and nobody prints a link any more.
    let link = server.link.clone();
    let jar = std::mem::take(&mut admin.cookies);
    let server = Server::start_in(server.stop(), &demo_charter());
    assert!(!server.link.contains("#enter="), "{}", server.link);
    let mut browser = Browser::new(&server);
    browser.cookies = jar;
    assert!(browser.who().is_none());
    assert_eq!(word(&browser.register(&link).map(|_| ()).unwrap_err()), "invitation_used");
    assert_eq!(browser.sign_in(&mut key).status, 204);
}

#[test]
fn without_people_every_start_prints_a_new_first_link() {
    let server = Server::start();
    let first = server.link.clone();
    let server = Server::start_in(server.stop(), &demo_charter());
    assert!(server.link.contains("#enter=") && server.link != first);
    let old = Browser::new(&server).register(&first).map(|_| ()).unwrap_err();
    assert_eq!(word(&old), "invitation_revoked");
    assert!(Browser::new(&server).register(&server.link).is_ok());
}

#[test]
fn people_are_invited_within_what_the_charter_allows() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let toxic = json!({"name": "A", "kind": "staff", "roles": [{"role": "administrator"}, {"role": "privacy"}]});
    let cases = [
        (toxic, "roles_apart"),
        (json!({"name": "A", "kind": "staff", "roles": [{"role": "pump-service"}]}), "role_kind"),
        (json!({"name": "A", "kind": "staff", "roles": [{"role": "patient"}]}), "role_kind"),
        (json!({"name": "A", "kind": "staff", "roles": [{"role": "console"}]}), "role_kind"),
        (json!({"name": "A", "kind": "external", "recipient": "nobody", "roles": []}), "recipient_not_in_force"),
        (
            json!({"name": "A", "kind": "external", "recipient": "pump-maker", "roles": [{"role": "nurse"}]}),
            "role_kind",
        ),
        (json!({"name": "A", "kind": "staff", "roles": [{"role": "emperor"}]}), "role"),
        (json!({"name": " ", "kind": "staff"}), "empty"),
        (json!({"name": "A", "kind": "patient"}), "kind"),
        (json!({"name": "A", "kind": "staff", "secret": "x"}), "body"),
    ];
    for (body, expected) in cases {
        let answer = admin.invite(&body);
        assert!((400..500).contains(&answer.status) && word(&answer) == expected, "{body}: {answer:?}");
    }
    let (_, anna) = nurse(&mut admin, "Anna Beispiel");
    // What the charter keeps apart is not given later either, and nobody changes their own rights.
    let everybody = admin.get("/people").body;
    let me = admin.who().unwrap()["person"]["id"].as_str().unwrap().to_owned();
    assert_eq!(everybody["people"].as_array().unwrap().len(), 2, "{everybody}");
    for (person, role, expected) in [(&anna, "patient", "role_kind"), (&me, "nurse", "own_role")] {
        let answer = admin.post(&format!("/people/{person}/grant"), &json!({"role": role}));
        assert_eq!(word(&answer), expected, "{answer:?}");
    }
    assert_eq!(word(&admin.post(&format!("/people/{me}/disable"), &json!({}))), "own_account");
    assert_eq!(word(&admin.post(&format!("/people/{anna}/grant"), &json!({"role": "privacy"}))), "roles_apart");
}

#[test]
fn a_role_without_training_rests() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let invited = admin.invite(&json!({"name": "Nina Neu", "kind": "staff", "roles": [{"role": "nurse"}]}));
    let mut browser = Browser::new(&server);
    browser.register(invited.body["link"].as_str().unwrap()).unwrap();
    let who = browser.who().unwrap();
    assert_eq!((&who["permissions"], &who["roles"][0]["asleep"]), (&json!([]), &json!("training")), "{who}");
    let id = invited.body["id"].as_str().unwrap();
    assert_eq!(admin.post(&format!("/people/{id}/train"), &json!({"role": "nurse", "on": today()})).status, 204);
    let who = browser.who().unwrap();
    assert!(who["permissions"].as_array().unwrap().contains(&json!("live-view")));
    assert_eq!(who["roles"][0]["asleep"], json!(null));
}

#[test]
fn nobody_of_another_firm_comes_in_without_a_pledge_of_their_own() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let body = json!({"name": "Peter Pumpe", "kind": "external", "recipient": "pump-maker", "roles": [{"role": "pump-service"}]});
    let invited = admin.invite(&body);
    assert_eq!(invited.status, 200, "{invited:?}");
    let id = invited.body["id"].as_str().unwrap();
    let link = invited.body["link"].as_str().unwrap();
    let refused = Browser::new(&server).register(link).map(|_| ()).unwrap_err();
    assert_eq!((refused.status, word(&refused)), (403, "no_pledge"));
    let soon = today() + 4_000_000;
    assert_eq!(admin.post(&format!("/people/{id}/pledge"), &json!({"until": soon})).status, 204);
    let mut browser = Browser::new(&server);
    let mut key = browser.register(link).unwrap();
    // It runs out: the next sign-in is refused.
    until("the pledge runs out", PATIENCE, || (word(&browser.sign_in(&mut key)) == "no_pledge").then_some(()));
}

#[test]
fn a_screen_is_locked_unlocked_and_handed_over() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let (mut anna, _) = nurse(&mut admin, "Anna Beispiel");
    let (mut berta, _) = nurse(&mut admin, "Berta Muster");
    let mut screen = Browser::new(&server);
    assert_eq!(screen.sign_in(&mut anna).status, 204);
    assert_eq!(screen.post("/session/lock", &json!({})).status, 204);
    let locked = screen.who().unwrap();
    assert_eq!((&locked["locked"], &locked["emergencies"]), (&json!(true), &json!([])));
    assert_eq!((screen.get("/patients").status, screen.get("/session/all").status), (423, 423));

    let other = screen.assertion(&mut berta);
    assert_eq!(word(&screen.post("/session/unlock", &other)), "other_person");
    let own = screen.assertion(&mut anna);
    assert_eq!(screen.post("/session/unlock", &own).status, 204);
    assert_eq!(screen.get("/session/all").status, 200);
    // The same answer again opens nothing.
    assert_eq!(word(&screen.post("/session/unlock", &own)), "no_ceremony");

    // Berta takes over with one touch; Anna's session is gone, not parked.
    screen.post("/session/lock", &json!({}));
    let before = screen.cookies.clone();
    let next = screen.assertion(&mut berta);
    assert_eq!(screen.post("/session/switch", &next).status, 204);
    assert_eq!(screen.who().unwrap()["person"]["name"], "Berta Muster");
    let mut old = Browser { server: &server, agent: "Browser/1.0", cookies: before };
    assert!(old.who().is_none());

    // Without a passkey's answer the screen is simply free.
    assert_eq!(screen.post("/session/switch", &json!({})).status, 204);
    assert!(screen.who().is_none());
}

#[test]
fn a_session_ends_from_elsewhere_and_in_another_browser() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let (mut key, id) = nurse(&mut admin, "Anna Beispiel");
    let (mut one, mut two) = (Browser::new(&server), Browser::new(&server));
    assert_eq!((one.sign_in(&mut key).status, two.sign_in(&mut key).status), (204, 204));

    // One click from her other browser.
    let all = two.get("/session/all").body;
    let rows = all["sessions"].as_array().unwrap();
    let other =
        rows.iter().filter(|row| row["this"] == false).map(|row| row["id"].as_str().unwrap()).next_back().unwrap();
    let ended = two.send("DELETE", &format!("/api/v1/session/all/{other}"), None);
    assert_eq!(ended.status, 204);
    // Nobody ends a session that is somebody else's.
    let mine = admin.get("/session/all").body["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(two.send("DELETE", &format!("/api/v1/session/all/{mine}"), None).status, 404);

    // The cookie in another browser ends the session for both.
    let mut stolen = Browser { server: &server, agent: "Thief/1.0", cookies: two.cookies.clone() };
    assert!(stolen.who().is_none() && two.who().is_none());

    // Closing the account ends what is left and lets nobody in again.
    assert_eq!(two.sign_in(&mut key).status, 204);
    let closed = admin.post(&format!("/people/{id}/disable"), &json!({}));
    assert_eq!(closed.status, 200, "{closed:?}");
    assert!(two.who().is_none());
    assert_eq!(word(&two.sign_in(&mut key)), "person_disabled");
}

#[test]
fn a_link_alone_opens_a_wall_display_and_nothing_more() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let invited = admin.invite(&json!({"name": "Flur", "kind": "staff", "roles": [{"role": "wall"}]}));
    let mut display = Browser::new(&server);
    let token = token_of(invited.body["link"].as_str().unwrap()).to_owned();
    assert_eq!(display.post("/session/link", &json!({"token": token})).body["next"], "session");
    let who = display.who().unwrap();
    assert_eq!(
        (&who["permissions"], &who["assurance"], &who["idle_lock"]),
        (&json!(["live-view"]), &json!("link"), &Value::Null)
    );
    assert_eq!(Browser::new(&server).post("/session/link", &json!({"token": token})).status, 403);
    assert_eq!(display.get("/people").status, 403);
}

#[test]
fn changes_need_our_own_origin() {
    let server = Server::start();
    let (admin, _) = administrator(&server);
    let cookies: Vec<String> = admin.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for origin in ["https://elsewhere.example", "null", ""] {
        let status = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(&server.root)
            .args([
                "-X",
                "DELETE",
                "-A",
                "Browser/1.0",
                "-H",
                &format!("Origin: {origin}"),
                "-H",
                &format!("Cookie: {}", cookies.join("; ")),
            ])
            .arg(format!("https://localhost:{}/api/v1/session", server.https.port()))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(status.stdout).unwrap(), "403", "{origin}");
    }
    let mut admin = admin;
    assert!(admin.who().is_some());
}

#[test]
fn names_are_in_no_address_and_no_log_and_no_file() {
    let server = Server::start();
    let (mut admin, _) = administrator(&server);
    let (mut key, _) = nurse(&mut admin, "Zebulon Xylander");
    Browser::new(&server).sign_in(&mut key);
    let credential = URL_SAFE_NO_PAD.decode(&key.credential).unwrap();
    assert!(!server.log().contains("Zebulon"));
    let mut folders = vec![server.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if let Ok(bytes) = std::fs::read(entry.path()) {
                let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!holds(b"Zebulon") && !holds(b"Xylander") && !holds(&credential), "{}", entry.path().display());
            }
        }
    }
}

/// The hospital's provider: the real program, with a certificate of its own.
struct Hospital {
    child: Child,
    issuer: String,
    ca: PathBuf,
    jar: PathBuf,
}

impl Drop for Hospital {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Hospital {
    fn start(folder: &Path) -> Option<Self> {
        let web = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"));
        if !present("node") || !web.join("node_modules/oidc-provider").is_dir() {
            assert!(std::env::var_os("CI").is_none(), "CI must install the packages of `web/`");
            println!("SKIPPED: no `web/node_modules/oidc-provider`");
            return None;
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (ca, key) = (folder.join("provider.pem"), folder.join("provider.key"));
        std::fs::write(&ca, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut child = Command::new("node")
            .arg(web.join("e2e/provider.mjs"))
            .env("CERT", &ca)
            .env("KEY", &key)
            .env("REDIRECT", "https://localhost/api/v1/session/oidc/callback")
            .env("ANY_PORT", "1")
            .env("CLIENT_SECRET", "very-secret")
            .env("CLAIMS_IN", "token")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).unwrap();
        Some(Self { child, issuer, ca, jar: folder.join("jar") })
    }

    /// What somebody does at the provider's page, until it sends them back; returns the address.
    fn sign_in(&self, start: &str, account: &str) -> String {
        let _ = std::fs::remove_file(&self.jar);
        let mut url = start.to_owned();
        for _ in 0..10 {
            let done = Command::new("curl")
                .args(["-sS", "-o", "/dev/null", "-w", "%{redirect_url}", "--cacert"])
                .arg(&self.ca)
                .arg("-b")
                .arg(&self.jar)
                .arg("-c")
                .arg(&self.jar)
                .arg(&url)
                .output()
                .unwrap();
            url = String::from_utf8(done.stdout).unwrap();
            if url.contains("/api/v1/session/oidc/callback") {
                return url;
            }
            if url.contains("/interaction/") {
                url.push_str(&format!("/as/{account}"));
            }
        }
        panic!("the provider sends nobody back");
    }
}

#[test]
fn the_hospitals_provider_lets_people_in_and_passkeys_do_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut hospital) = Hospital::start(dir.path()) else { return };
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "very-secret\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "[identity.oidc]\nissuer = \"{}\"\nclient_id = \"obhut\"\nclient_secret_file = \"{}\"\nname = \"Musterstadt\"\nca_file = \"{}\"\nscopes = [\"groups\"]\n\
         roles = {{ \"station-3-pflege\" = \"nurse\", \"medizintechnik\" = \"technician\", \"it\" = \"administrator\" }}\n",
        hospital.issuer,
        secret.display(),
        hospital.ca.display()
    );
    std::fs::write(data.join("obhut.toml"), config).unwrap();
    let server = Server::start_in(dir, &demo_charter());
    let (mut admin, mut key) = administrator(&server);
    assert_eq!(admin.get("/session/ways").body, json!({"passkey": true, "oidc": "Musterstadt"}));

    let come_in = |account: &str| {
        let mut browser = Browser::new(&server);
        let away = browser.get("/session/oidc/start");
        assert_eq!(away.status, 303);
        let back = hospital.sign_in(&away.location.unwrap(), account);
        let landed = browser.send("GET", &back, None);
        assert_eq!(landed.status, 303, "{landed:?}");
        (browser, landed.location.unwrap(), back)
    };
    let (mut anna, landed, back) = come_in("anna");
    assert_eq!(landed, "/");
    let who = anna.who().unwrap();
    assert_eq!((&who["person"]["name"], &who["assurance"]), (&json!("Anna Beispiel"), &json!("oidc")));
    // The provider knows no trainings: the role rests until somebody notes one here.
    assert_eq!((&who["roles"][0]["id"], &who["permissions"]), (&json!("nurse"), &json!([])), "{who}");
    // The same way back leads nowhere a second time, and nowhere in another browser.
    for browser in [&mut anna, &mut Browser::new(&server)] {
        assert_eq!(browser.send("GET", &back, None).location.as_deref(), Some("/#sign-in=no_flow"));
    }
    // The same person is the same person.
    let id = who["person"]["id"].clone();
    assert_eq!(come_in("anna").0.who().unwrap()["person"]["id"], id);
    // Somebody without a group of ours stays outside.
    assert_eq!(come_in("none").1, "/#sign-in=no_role");
    assert_eq!(come_in("max").0.who().unwrap()["roles"].as_array().unwrap().len(), 2);
    assert_eq!(admin.get("/people").body["people"].as_array().unwrap().len(), 3);

    // A locked screen opens again for the same person, who must sign in anew.
    assert_eq!(anna.post("/session/lock", &json!({})).status, 204);
    let away = anna.get("/session/oidc/start").location.unwrap();
    assert!(away.contains("prompt=login") && away.contains("max_age=0"), "{away}");
    let landed = anna.send("GET", &hospital.sign_in(&away, "anna"), None);
    assert_eq!(landed.location.as_deref(), Some("/"), "{landed:?}");
    assert_eq!(anna.who().unwrap()["locked"], false);

    // Down: who was on the way is told so, and passkeys work.
    let mut late = Browser::new(&server);
    let away = late.get("/session/oidc/start").location.unwrap();
    let back = hospital.sign_in(&away, "anna");
    hospital.child.kill().unwrap();
    hospital.child.wait().unwrap();
    assert_eq!(late.send("GET", &back, None).location.as_deref(), Some("/#sign-in=provider_unavailable"));
    assert!(admin.who().is_some());
    assert_eq!(Browser::new(&server).sign_in(&mut key).status, 204);
    assert!(!server.log().contains("very-secret"));
}
