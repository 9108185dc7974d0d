//! The HTTPS port and the operator's socket from outside, with `curl` and `openssl`: what TLS speaks, what a route asks for, what enrolment
//! believes, and that whatever is not offered is not there.

use crate::mqtt::{connect_packet, connect_tls, tls};
use crate::support::{PATIENCE, Papers, Server, present, serial_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::NamedGroup;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An answer as `curl` saw it.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// `curl` against the HTTPS port, trusting the server's root.
fn curl(server: &Server, path: &str, arguments: &[&str]) -> Answer {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "--max-time", "10", "--cacert"]).arg(&server.root).args(arguments);
    let done = command.arg(format!("https://localhost:{}{path}", server.https.port())).output().unwrap();
    assert!(done.status.success(), "{path} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
}

fn s_client(address: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("timeout");
    command
        .args(["10", "openssl", "s_client", "-connect", &address.to_string(), "-servername", "localhost"])
        .args(arguments);
    let done = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.success(), text)
}

#[test]
fn both_ports_speak_tls_1_3_and_nothing_older() {
    if !present("openssl") {
        return;
    }
    let server = Server::start();
    let papers = server.enrol("mon-01", "monitor-m1", None);
    let (root, pem) = (server.root.display().to_string(), papers.pem.display().to_string());
    let known =
        ["-CAfile", &root, "-verify_return_error", "-verify_hostname", "localhost", "-cert", &pem, "-key", &pem];
    for address in [server.https, server.gateway] {
        for old in ["-tls1", "-tls1_1", "-tls1_2"] {
            let (done, said) = s_client(address, &[&known[..], &[old, "-cipher", "ALL:@SECLEVEL=0"]].concat());
            assert!(!done && said.contains("Cipher is (NONE)"), "{address} {old}:\n{said}");
        }
        let (_, said) = s_client(address, &[&known[..], &["-tls1_2"]].concat());
        assert!(said.contains("alert protocol version"), "{said}");
        let (done, said) = s_client(address, &[&known[..], &["-tls1_3"]].concat());
        assert!(
            done && said.contains("New, TLSv1.3") && said.contains("Verify return code: 0 (ok)"),
            "{address}:\n{said}"
        );
        assert!(!said.contains("Early data was accepted") && !said.contains("Max Early Data: 1"), "{said}");

        let stream = connect_tls(address, tls(&server.root, Some(&papers))).unwrap();
        let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768, "hybrid key exchange where the peer has it");
        assert!(stream.conn.tls13_tickets_received() == 0, "nothing to resume with");
    }
    // The classical group remains for those who have nothing better; here OpenSSL 3.0.
    let (_, said) = s_client(server.https, &["-CAfile", &root, "-tls1_3", "-groups", "X25519"]);
    assert!(said.contains("Server Temp Key: X25519"), "{said}");
}

#[test]
fn the_device_door_answers_no_mqtt_without_a_certificate() {
    let server = Server::start();
    server.counts(&["no_certificate"], || {
        let mut stream = connect_tls(server.gateway, tls(&server.root, None)).unwrap();
        // In TLS 1.3 the client is done before the server has looked at its certificate; what it says now must go unheard.
        let _ = stream.write_all(&connect_packet(5, "mon-01"));
        let mut answer = Vec::new();
        let error = stream.read_to_end(&mut answer).unwrap_err();
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
        assert!(answer.is_empty());
    });
    // Not even a plain client gets a word of MQTT.
    let plain = server.counts(&["handshake"], || {
        let mut socket = TcpStream::connect(server.gateway).unwrap();
        socket.write_all(&connect_packet(5, "mon-01")).unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        answer
    });
    assert!(plain.is_empty() || plain[0] == 0x15, "at most a TLS alert: {plain:?}");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let server = Server::start();
    let begun = Instant::now();
    let half_a_body = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpi\r\nContent-Length: 400\r\n\r\nAAAA";
    let cases: [(&str, Option<&[u8]>, &str, u16); 5] = [
        ("no handshake", None, "", 0),
        ("no request", Some(b"http/1.1"), "", 0),
        ("no request over HTTP/2", Some(b"h2"), "", 0),
        ("half a request", Some(b"http/1.1"), "GET / HTTP/1.1\r\nHost: localhost\r\nX-", 408),
        ("half a body", Some(b"http/1.1"), half_a_body, 408),
    ];
    let waiting = cases.map(|(what, alpn, said, status)| {
        let (address, root) = (server.https, server.root.clone());
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let ended = if let Some(alpn) = alpn {
                let mut config = (*tls(&root, None)).clone();
                config.alpn_protocols = vec![alpn.to_vec()];
                let mut stream = connect_tls(address, config.into()).unwrap();
                assert_eq!(stream.conn.alpn_protocol(), Some(alpn));
                stream.write_all(said.as_bytes()).unwrap();
                stream.read_to_end(&mut answer)
            } else {
                let mut socket = TcpStream::connect(address).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                socket.read_to_end(&mut answer)
            };
            assert!(!matches!(&ended, Err(e) if e.kind() == ErrorKind::WouldBlock), "{what}: still open");
            let answer = String::from_utf8_lossy(&answer);
            let answered = answer.strip_prefix("HTTP/1.1 ").map_or(0, |rest| rest[..3].parse().unwrap());
            assert!(answered == 0 || answered == status, "{what}: {answer}");
        })
    });
    // Meanwhile others are served.
    assert_eq!(curl(&server, "/healthz", &[]).status, 200);
    for thread in waiting {
        thread.join().unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
}

/// The headers every answer carries, whatever it is.
fn is_hardened(what: &str, answer: &Answer) {
    let csp = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(csp.contains(part), "{what}: {csp}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains("http"), "{what}: {csp}");
    assert!(answer.header("strict-transport-security").starts_with("max-age="), "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert!(answer.header("access-control-allow-origin").is_empty(), "{what}");
    assert!(answer.header("server").is_empty(), "{what}: nobody needs to know what serves");
}

const UPGRADE: [&str; 9] = [
    "--http1.1",
    "-H",
    "Connection: Upgrade",
    "-H",
    "Upgrade: websocket",
    "-H",
    "Sec-WebSocket-Version: 13",
    "-H",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[test]
fn every_route_asks_for_a_session_and_none_is_there_by_accident() {
    if !present("curl") {
        return;
    }
    let server = Server::start();
    let origin = format!("Origin: https://localhost:{}", server.https.port());
    let token = server.display_token("Display corridor");
    let enter = format!(r#"{{"token":"{token}"}}"#);

    // Without a session.
    let cases: &[(&str, &[&str], u16)] = &[
        ("/healthz", &[], 200),
        ("/readyz", &[], 200),
        ("/api/v1/session", &[], 401),
        ("/api/v1/session", &["-X", "DELETE", "-H", &origin], 204),
        ("/api/v1/charter", &[], 401),
        ("/api/v1/live", &[], 401),
        ("/api/v1/live", &UPGRADE, 401),
        ("/metrics", &[], 404),
        ("/api/v1/metrics", &[], 401),
        ("/api/v1/session/link", &["--json", r#"{"token":"guess"}"#, "-H", &origin], 403),
        ("/api/v1/session/link", &["--json", &enter], 403),
        ("/api/v1/session/link", &["--json", &enter, "-H", "Origin: https://evil.example"], 403),
        ("/api/v1/session/link", &["--json", &enter, "-H", "Origin: null"], 403),
        ("/api/v1/charter", &["-H", "Cookie: __Host-obhut=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], 401),
        ("/api/v1/nothing", &[], 404),
        ("/api/v2/session", &[], 404),
        ("/index.htm", &[], 404),
        ("/..%2f..%2fetc%2fpasswd", &[], 404),
        ("/.well-known/est/serverkeygen", &["-X", "POST"], 404),
        ("/nothing", &["-X", "POST"], 404),
        ("/healthz", &["-X", "POST"], 405),
    ];
    for (path, arguments, status) in cases {
        let answer = curl(&server, path, arguments);
        assert_eq!(answer.status, *status, "{path} {arguments:?}: {answer:?}");
        is_hardened(path, &answer);
    }
    // The operator's routes are not on the network.
    for path in [
        "/v1/status",
        "/v1/devices",
        "/v1/devices/mon-01",
        "/v1/beds",
        "/v1/link",
        "/v1/ca",
        "/v1/readings",
        "/v1/charter",
        "/v1/charter/reload",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let answer = curl(&server, path, &["-X", method]);
            assert_eq!(answer.status, 404, "{method} {path}");
            is_hardened(path, &answer);
        }
    }

    // The link gives a session, once.
    let entered = curl(&server, "/api/v1/session/link", &["--json", &enter, "-H", &origin]);
    assert_eq!(entered.status, 200, "{entered:?}");
    is_hardened("session", &entered);
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("__Host-obhut="), "{cookie}");
    for flag in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains(&token), "{cookie}");
    let again = curl(&server, "/api/v1/session/link", &["--json", &enter, "-H", &origin]);
    assert!(again.status >= 400 && !again.header("set-cookie").contains("__Host-obhut=A"), "{again:?}");

    // With it.
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let with = |path: &str, more: &[&str]| curl(&server, path, &[&["-H", &cookie], more].concat());
    let ends = with("/api/v1/session", &[]);
    assert_eq!((ends.status, ends.header("cache-control")), (200, "no-store"));
    assert!(ends.body.contains("\"ends\":"), "{ends:?}");
    let charter = with("/api/v1/charter?lang=en", &[]);
    assert!(charter.status == 200 && charter.body.contains("fingerprint"), "{charter:?}");
    // A display sees the ward, and nothing of the system, of people, of a patient's past, of the ledger.
    for path in [
        "metrics",
        "system",
        "people",
        "devices",
        "ledger",
        "requests",
        "patients/00000000000000000000000000000000/codes",
    ] {
        let answer = with(&format!("/api/v1/{path}"), &[]);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        is_hardened(path, &answer);
    }
    // The cookie alone, sent from another site, opens no stream and ends no session.
    for origin in [&[][..], &["-H", "Origin: https://evil.example"]] {
        assert_eq!(with("/api/v1/live", &[&UPGRADE[..], origin].concat()).status, 403);
        assert_eq!(with("/api/v1/session", &[&["-X", "DELETE"], origin].concat()).status, 403);
    }
    assert_eq!(with("/v1/status", &[]).status, 404, "a session is not the operator");

    // Left is over.
    let left = with("/api/v1/session", &["-X", "DELETE", "-H", &origin]);
    assert!(left.status == 204 && left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
    assert_eq!(with("/api/v1/session", &[]).status, 401);
    assert_eq!(with("/api/v1/charter", &[]).status, 401);
}

#[test]
fn the_operators_socket_and_the_data_are_the_owners_alone() {
    let server = Server::start();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&server.data()), 0o700);
    let socket = server.data().join("admin.sock");
    assert!(std::fs::metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(&server.data().join("top.key")), 0o600);
    for (path, holds) in
        [("/metrics", "# EOF"), ("/v1/status", "\"ready\":true"), ("/v1/ca", &server.fingerprint), ("/healthz", "ok")]
    {
        let (status, body) = server.admin(path);
        assert!(status == 200 && body.contains(holds), "{path}: {status} {body}");
    }
    for path in ["/", "/v1/nothing"] {
        assert_eq!(server.admin(path).0, 404, "{path}");
    }
    let dir = server.stop();
    assert!(!dir.path().join("data/admin.sock").exists(), "the socket goes with the server");
}

/// A key and certificate request made by OpenSSL, the request as EST wants it. The key's file, and the body's.
fn csr(server: &Server, name: &str, device: &str) -> (PathBuf, String) {
    let (key, body) = (server.dir.path().join(format!("{name}.key")), server.dir.path().join(format!("{name}.csr")));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-outform",
        "DER",
        "-subj",
        &format!("/CN={device}"),
    ]);
    let done = command.arg("-keyout").arg(&key).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::write(&body, STANDARD.encode(done.stdout)).unwrap();
    (key, format!("@{}", body.display()))
}

fn est(server: &Server, operation: &str, body: &str, more: &[&str]) -> Answer {
    let head =
        ["--data-binary", body, "-H", "Content-Type: application/pkcs10", "-H", "Content-Transfer-Encoding: base64"];
    let answer = curl(server, &format!("/.well-known/est/{operation}"), &[&head, more].concat());
    is_hardened(operation, &answer);
    answer
}

/// The certificates of a certs-only answer, in PEM, as OpenSSL reads them.
fn certificates(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("content-type").starts_with("application/pkcs7-mime"), "{answer:?}");
    let der = STANDARD.decode(answer.body.split_whitespace().collect::<String>()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["pkcs7", "-inform", "DER", "-print_certs"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&der).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Papers of what an enrolment brought, the authorities above it, and the key that was made for it.
fn papers(server: &Server, name: &str, device: &str, answer: &Answer, key: &Path) -> Papers {
    let leaf = certificates(answer);
    // RFC 7030, section 4.2.3.
    assert_eq!(leaf.matches("BEGIN CERTIFICATE").count(), 1, "the certificate that was issued, and no other");
    let above = certificates(&curl(server, "/.well-known/est/cacerts", &[]));
    server.papers(device, name, &(leaf + &above + &std::fs::read_to_string(key).unwrap()))
}

#[test]
fn enrolment_over_curl_believes_the_token_once_and_the_certificate_after() {
    if !present("curl") || !present("openssl") {
        return;
    }
    let server = Server::start();
    let token = server.invite("mon-01", "monitor-m1", None);
    let user = |device: &str, token: &str| format!("{}:{token}", serial_of(device));

    // The root, as a device pins it.
    let offered = certificates(&curl(&server, "/.well-known/est/cacerts", &[]));
    assert!(offered.contains(std::fs::read_to_string(&server.root).unwrap().trim()), "{offered}");
    assert_eq!(offered.matches("BEGIN CERTIFICATE").count(), 2, "root and issuing CA");

    // Refused, all with the same words, and without using the token up.
    let (_, mine) = csr(&server, "mine", "mon-01");
    let (_, others) = csr(&server, "others", "mon-02");
    server.invite("mon-02", "monitor-m1", None);
    let wrong = format!("{}0000", &token[..token.len() - 4]);
    let cases = [
        ("no token", &mine, None),
        ("a wrong token", &mine, Some(user("mon-01", &wrong))),
        ("another serial number", &mine, Some(user("mon-02", &token))),
        ("a request for another device", &others, Some(user("mon-01", &token))),
        ("another device and its serial number", &others, Some(user("mon-02", &token))),
    ];
    for (what, body, shown) in cases {
        let arguments: Vec<&str> = shown.iter().flat_map(|shown| ["-u", shown]).collect();
        let answer = est(&server, "simpleenroll", body, &arguments);
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{what}: {answer:?}");
        assert!(answer.body.starts_with("the invitation does not hold"), "{what}: {answer:?}");
    }
    let shown = user("mon-01", &token);
    assert_eq!(est(&server, "simpleenroll", "rubbish", &["-u", &shown]).status, 400);
    let long = server.dir.path().join("long");
    std::fs::write(&long, "A".repeat(20_000)).unwrap();
    assert_eq!(est(&server, "simpleenroll", &format!("@{}", long.display()), &["-u", &shown]).status, 413);
    assert_eq!(server.run(&["device", "show", "mon-01"])["state"], "invited");

    // Taken, once; again only for the same key, for an answer that got lost.
    let (key, body) = csr(&server, "first", "mon-01");
    let first = est(&server, "simpleenroll", &body, &["-u", &shown]);
    let first = papers(&server, "first", "mon-01", &first, &key);
    assert_eq!(server.run(&["device", "show", "mon-01"])["state"], "enrolled");
    assert_eq!(est(&server, "simpleenroll", &mine, &["-u", &shown]).status, 401, "another key");
    assert_eq!(est(&server, "simpleenroll", &body, &["-u", &shown]).status, 200, "the same key");

    // OpenSSL agrees that the certificate is what was promised.
    let mut verify = Command::new("openssl");
    verify
        .args(["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"])
        .arg(&server.root)
        .arg("-untrusted")
        .arg(&first.pem)
        .arg(&first.pem);
    let verified = verify.output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let text = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&first.pem).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in
        ["CN = mon-01", "URI:urn:obhut:device:mon-01", "TLS Web Client Authentication", "NIST CURVE: P-256", "CA:FALSE"]
    {
        assert!(text.contains(part), "{part}:\n{text}");
    }

    // Renewal: with the certificate, for the device it names.
    let (key, body) = csr(&server, "second", "mon-01");
    let shows = |papers: &Papers| papers.pem.display().to_string();
    let pem = shows(&first);
    let second = est(&server, "simplereenroll", &body, &["--cert", &pem, "--key", &pem]);
    let second = papers(&server, "second", "mon-01", &second, &key);
    let without = est(&server, "simplereenroll", &body, &[]);
    assert!(matches!(without.status, 401 | 403), "{without:?}");
    assert_eq!(est(&server, "simplereenroll", &body, &["-u", &shown]).status, without.status, "a token renews nothing");
    let pem = shows(&second);
    assert_eq!(
        est(&server, "simplereenroll", &others, &["--cert", &pem, "--key", &pem]).status,
        403,
        "for another device"
    );
    assert_eq!(
        curl(&server, "/api/v1/metrics", &["--cert", &pem, "--key", &pem]).status,
        401,
        "a device is not a person"
    );

    // Revoked: neither certificate opens the port any more.
    server.run(&["device", "revoke", "mon-01", "--reason", "test"]);
    for papers in [&first, &second] {
        let stream = connect_tls(server.https, tls(&server.root, Some(papers)));
        let said = stream.and_then(|mut stream| {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            let mut byte = [0];
            stream.read_exact(&mut byte)
        });
        let error = said.unwrap_err().to_string();
        assert!(error.contains("CertificateRevoked"), "{error}");
    }
    assert_eq!(est(&server, "simpleenroll", &mine, &["-u", &shown]).status, 401, "nor does the old token");

    // Each ending was counted under its name, and the names are all that metrics tell.
    let (_, metrics) = server.admin("/metrics");
    for line in [
        "obhut_enrolments_total{outcome=\"enrolled\"} 1",
        "obhut_enrolments_total{outcome=\"repeated\"} 1",
        "obhut_enrolments_total{outcome=\"renewed\"} 1",
        "obhut_enrolments_total{outcome=\"wrong_serial\"} 2",
        "obhut_enrolments_total{outcome=\"wrong_token\"} 2",
        "obhut_enrolments_total{outcome=\"token_used\"} 1",
        "obhut_enrolments_total{outcome=\"other_device\"} 1",
        "obhut_enrolments_total{outcome=\"revoked\"} 1",
        "obhut_https_refusals_total{reason=\"revoked\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    assert!(!metrics.contains("mon-01"), "{metrics}");
}
