//! The device door as an integrator meets it: `mosquitto_pub` with a device's certificate is served, and whatever is not in order is refused
//! with the reason MQTT has for it, counted once.

use crate::mqtt::{Mqtt, publish_packet, tls};
use crate::support::{Papers, Server, block_on, demo_charter, present, until};
use futures_util::StreamExt as _;
use obhut_model::{DeviceId, ModelId};
use obhut_pki::provider::{Create, ProviderSpec};
use obhut_pki::{Authority, Issued, ServerNames, unix};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

const HEART_RATE: &str = r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}]"#;

/// `mosquitto_pub` or `mosquitto_sub`, ready to be told what to say. A client that hangs is ended.
fn mosquitto(program: &str, server: &Server, version: &str, papers: Option<&Papers>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["10", program, "-d", "-V", version, "-h", "localhost", "-p"]).arg(server.gateway.port().to_string());
    command.arg("--cafile").arg(&server.root).args(["--tls-version", "tlsv1.3"]);
    if let Some(papers) = papers {
        command.arg("--cert").arg(&papers.pem).arg("--key").arg(&papers.pem);
    }
    command
}

fn publish(
    server: &Server,
    version: &str,
    papers: Option<&Papers>,
    id: &str,
    topic: &str,
    payload: &str,
    more: &[&str],
) -> String {
    let mut command = mosquitto("mosquitto_pub", server, version, papers);
    command.args(["-q", "1", "-i", id, "-t", topic, "-m", payload]).args(more);
    said(command.output().unwrap())
}

fn said(output: Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The values of one code stored for a bed.
fn stored(server: &Server, bed: &str, code: &str) -> Vec<String> {
    let csv = server.text(&["readings", "export", "--bed", bed, "--code", code, "--format", "csv"]);
    csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().to_owned()).collect()
}

#[test]
fn what_mosquitto_publishes_is_on_the_page_and_on_disk() {
    if !present("mosquitto_pub") {
        return;
    }
    let server = Server::start();
    let papers = server.enrol("mon-01", "monitor-m1", Some("bed-01"));
    server.admit("bed-01");
    let seen = block_on(async {
        let (mut page, cookie) = live(&server).await;
        let told = publish(&server, "5", Some(&papers), "mon-01", "obhut/mon-01/senml", HEART_RATE, &[]);
        assert!(told.contains("received PUBACK (Mid: 1, RC:0)"), "{told}");
        let looking = number(&mut page, "bed-01", "MDC_ECG_HEART_RATE");
        let seen =
            tokio::time::timeout(Duration::from_secs(5), looking).await.expect("the value is on the page within 5 s");

        // The session's end is the stream's end.
        leave(&server, &cookie);
        let rest = async { while page.next().await.is_some_and(|message| message.is_ok_and(|m| !m.is_close())) {} };
        tokio::time::timeout(Duration::from_secs(3), rest).await.expect("the stream ends within 3 s");
        seen
    });
    assert_eq!(seen, 72.0);
    let told =
        publish(&server, "311", Some(&papers), "mon-01", "obhut/mon-01/senml", &HEART_RATE.replace("72", "73"), &[]);
    assert!(told.contains("received PUBACK (Mid: 1"), "{told}");
    assert_eq!(stored(&server, "bed-01", "MDC_ECG_HEART_RATE"), ["72", "73"]);
    let list = server.run(&["readings", "list", "--bed", "bed-01"]);
    assert_eq!(list["readings"][0]["reference_id"], "MDC_ECG_HEART_RATE", "{list}");
    assert_eq!(server.refused().len(), 0);

    // Acknowledged is on disk: the same after a stop and a start.
    let again = Server::start_in(server.stop(), &demo_charter());
    assert_eq!(stored(&again, "bed-01", "MDC_ECG_HEART_RATE"), ["72", "73"]);
    let told =
        publish(&again, "5", Some(&papers), "mon-01", "obhut/mon-01/senml", &HEART_RATE.replace("72", "74"), &[]);
    assert!(told.contains("RC:0"), "the certificate holds after a restart: {told}");
}

pub(crate) type Page = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

/// Opens the live stream as the page does: the one-time link gives a session, its cookie the stream. The cookie comes along.
pub(crate) async fn live(server: &Server) -> (Page, String) {
    let cookie = enter(server);
    (stream(server, &cookie).await, cookie)
}

/// What the client says it is: a session ends when its cookie comes from another browser.
const BROWSER: &str = "Display/1.0";

/// A session's cookie for the one-time link.
fn enter(server: &Server) -> String {
    let origin = format!("https://localhost:{}", server.https.port());
    let token = server.display_token("Display of the test");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "--http1.1", "-A", BROWSER, "--cacert"])
        .arg(&server.root)
        .args(["-H", &format!("Origin: {origin}")]);
    curl.args(["--json", &format!(r#"{{"token":"{token}"}}"#), &format!("{origin}/api/v1/session/link")]);
    let answer = said(curl.output().unwrap());
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    cookie.unwrap_or_else(|| panic!("no cookie:\n{answer}")).split(';').next().unwrap().to_owned()
}

async fn stream(server: &Server, cookie: &str) -> Page {
    let mut request = format!("wss://localhost:{}/api/v1/live", server.https.port()).into_client_request().unwrap();
    let origin = format!("https://localhost:{}", server.https.port());
    request.headers_mut().insert("Origin", origin.parse().unwrap());
    request.headers_mut().insert("Cookie", cookie.parse().unwrap());
    request.headers_mut().insert("User-Agent", BROWSER.parse().unwrap());
    let socket = tokio::net::TcpStream::connect(server.https).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(tls(&server.root, None));
    let stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

/// Ends the session.
fn leave(server: &Server, cookie: &str) {
    let origin = format!("https://localhost:{}", server.https.port());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "-A", BROWSER, "-X", "DELETE", "--cacert"]).arg(&server.root);
    curl.args([
        "-H",
        &format!("Origin: {origin}"),
        "-H",
        &format!("Cookie: {cookie}"),
        &format!("{origin}/api/v1/session"),
    ]);
    let answer = said(curl.output().unwrap());
    assert!(answer.contains(" 204"), "{answer}");
}

/// The first number of a code that the page is sent for a bed.
pub(crate) async fn number(page: &mut Page, bed: &str, code: &str) -> f64 {
    let mut wanted = None;
    while let Some(message) = page.next().await {
        let Message::Binary(bytes) = message.unwrap() else { continue };
        let json = || serde_json::from_slice::<Value>(&bytes[1..]).unwrap();
        match bytes[0] {
            1 => {
                let layout = json();
                let bed = layout["beds"].as_array().unwrap().iter().find(|found| found["id"] == bed).unwrap();
                wanted = bed["streams"].as_array().unwrap().iter().find(|s| s["ref"] == code).map(|s| s["i"].clone());
            }
            3 => {
                let numbers = json();
                let of_stream = |n: &&Value| wanted.is_some() && Some(&n[0]) == wanted.as_ref() && !n[2].is_null();
                if let Some(found) = numbers["n"].as_array().unwrap().iter().find(of_stream) {
                    return found[2].as_f64().unwrap();
                }
            }
            _ => {}
        }
    }
    panic!("the stream ended");
}

#[test]
fn what_is_not_in_order_is_refused_with_its_reason_and_counted_once() {
    if !present("mosquitto_pub") || !present("mosquitto_sub") {
        return;
    }
    let server = Server::start();
    let own = server.enrol("mon-01", "monitor-m1", Some("bed-01"));
    let bench = server.enrol("mon-02", "monitor-m1", None);
    let empty_bed = server.enrol("mon-03", "monitor-m1", Some("bed-03"));
    server.admit("bed-01");
    let senml = "obhut/mon-01/senml";

    // (what, papers, client id, topic, payload, further arguments, what the client is told, counted as)
    let record = |code: &str, unit: &str| format!(r#"[{{"n":"{code}","u":"{unit}","v":1}}]"#);
    let pump = record("MDC_FLOW_FLUID_PUMP", "mL/h");
    let unit = record("MDC_ECG_HEART_RATE", "mm[Hg]");
    let wave = record("MDC_ECG_ELEC_POTL_II", "mV");
    let unknown = record("MDC_NO_SUCH_THING", "1");
    let other = record("urn:obhut:device:mon-02:MDC_ECG_HEART_RATE", "/min");
    let cases: &[(&str, &Papers, &str, &str, &str, &[&str], &str, &str)] = &[
        ("another client id", &own, "mon-02", senml, HEART_RATE, &[], "CONNACK (133)", "client_id"),
        ("a user name", &own, "mon-01", senml, HEART_RATE, &["-u", "somebody"], "CONNACK (134)", "password"),
        (
            "a will",
            &own,
            "mon-01",
            senml,
            HEART_RATE,
            &["--will-topic", senml, "--will-payload", "x"],
            "CONNACK (135)",
            "will",
        ),
        ("another device's topic", &own, "mon-01", "obhut/mon-02/senml", HEART_RATE, &[], "RC:135", "topic"),
        ("its own commands", &own, "mon-01", "obhut/mon-01/command", HEART_RATE, &[], "RC:135", "topic"),
        ("no such topic", &own, "mon-01", "obhut/mon-01/alarm", HEART_RATE, &[], "RC:144", "topic_name"),
        ("a code of another model", &own, "mon-01", senml, &pump, &[], "RC:135", "undeclared_code"),
        ("a code nobody knows", &own, "mon-01", senml, &unknown, &[], "RC:135", "undeclared_code"),
        ("a waveform as a number", &own, "mon-01", senml, &wave, &[], "RC:135", "kind"),
        ("the wrong unit", &own, "mon-01", senml, &unit, &[], "RC:153", "unit"),
        ("another device's record", &own, "mon-01", senml, &other, &[], "RC:135", "other_device"),
        ("not SenML", &own, "mon-01", senml, "{", &[], "RC:153", "payload"),
        ("SenML as a frame", &own, "mon-01", "obhut/mon-01/frame", HEART_RATE, &[], "RC:153", "payload"),
        ("at no bed", &bench, "mon-02", "obhut/mon-02/senml", HEART_RATE, &[], "RC:135", "unbound"),
        (
            "at a bed without a patient",
            &empty_bed,
            "mon-03",
            "obhut/mon-03/senml",
            HEART_RATE,
            &[],
            "RC:135",
            "unbound",
        ),
    ];
    for (what, papers, id, topic, payload, more, told, counted) in cases {
        let answer = server.counts(&[counted], || publish(&server, "5", Some(papers), id, topic, payload, more));
        assert!(answer.contains(told), "{what}: expected {told}, the client says\n{answer}");
    }

    // MQTT 3.1.1 has fewer words for it: a return code at CONNECT, then acknowledged and dropped, or closed.
    let cases: &[(&str, &str, &str, &[&str], &str, &str)] = &[
        ("another client id", "mon-02", HEART_RATE, &[], "CONNACK (2)", "client_id"),
        ("a user name", "mon-01", HEART_RATE, &["-u", "somebody"], "CONNACK (4)", "password"),
        ("a will", "mon-01", HEART_RATE, &["--will-topic", senml, "--will-payload", "x"], "CONNACK (5)", "will"),
        ("a code of another model", "mon-01", &pump, &[], "received PUBACK", "undeclared_code"),
        ("retained", "mon-01", HEART_RATE, &["-r"], "connection was lost", "retain"),
        ("QoS 2", "mon-01", HEART_RATE, &["-q", "2"], "connection was lost", "qos2"),
    ];
    for (what, id, payload, more, told, counted) in cases {
        let answer = server.counts(&[counted], || publish(&server, "311", Some(&own), id, senml, payload, more));
        assert!(answer.contains(told), "3.1.1, {what}: expected {told}, the client says\n{answer}");
    }

    // Subscriptions: own commands, nothing else.
    let cases = [
        ("5", "#", ": 162", Some("wildcard")),
        ("5", "obhut/+/frame", ": 162", Some("wildcard")),
        ("5", "obhut/mon-02/command", ": 135", Some("subscription")),
        ("5", "obhut/mon-01/senml", ": 135", Some("subscription")),
        ("311", "#", ": 128", Some("wildcard")),
        ("5", "obhut/mon-01/command", ": 1", None),
    ];
    for (version, filter, told, counted) in cases {
        let answer = server.counts(counted.as_slice(), || {
            let mut command = mosquitto("mosquitto_sub", &server, version, Some(&own));
            said(command.args(["-E", "-q", "1", "-i", "mon-01", "-t", filter]).output().unwrap())
        });
        let granted = answer.lines().find_map(|line| line.strip_prefix("Subscribed (mid: 1)"));
        assert_eq!(granted, Some(told), "{version} {filter}:\n{answer}");
    }

    // What mosquitto is too polite to send, because the door has announced that it does not take it.
    let cases: [(&str, u8, &[u8], u8, &str); 3] = [
        ("retained", 0b0011, &[], 0x9A, "retain"),
        ("QoS 2", 0b0100, &[], 0x9B, "qos2"),
        ("a topic alias", 0b0010, &[0x23, 0, 1], 0x94, "topic_alias"),
    ];
    for (what, flags, properties, reason, counted) in cases {
        let told = server.counts(&[counted], || {
            let mut session = Mqtt::connect(&server, &own);
            session.send(&publish_packet(flags, senml, properties, HEART_RATE.as_bytes()));
            session.disconnected()
        });
        assert_eq!(told, reason, "{what}: {told:#x}");
    }

    // A pack with one good and one bad record: the good one is kept and acknowledged, the bad one counted.
    let both = r#"[{"n":"MDC_ECG_HEART_RATE","u":"/min","v":75},{"n":"MDC_FLOW_FLUID_PUMP","u":"mL/h","v":1}]"#;
    let answer = server.counts(&["undeclared_code"], || publish(&server, "5", Some(&own), "mon-01", senml, both, &[]));
    assert!(answer.contains("RC:0"), "{answer}");
    assert_eq!(stored(&server, "bed-01", "MDC_ECG_HEART_RATE"), ["75"], "nothing that was refused is stored");
    let list = server.run(&["readings", "list", "--bed", "bed-01"]);
    assert_eq!(list["readings"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn a_certificate_that_is_missing_strange_ended_or_revoked_opens_nothing() {
    if !present("mosquitto_pub") {
        return;
    }
    let server = Server::start();
    let own = server.enrol("mon-01", "monitor-m1", Some("bed-01"));
    server.admit("bed-01");
    let dir = server.stop();
    let made = Made::behind_the_back_of(&dir.path().join("data"));
    let server = Server::start_in(dir, &demo_charter());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = 86_400;
    let paper = |name: &str, device: &str, pem: &str| server.papers(device, name, pem);
    let expired = paper("expired", "mon-01", &made.device("mon-01", "monitor-m1", now - 2 * day, now - day));
    let early = paper("early", "mon-01", &made.device("mon-01", "monitor-m1", now + day, now + 2 * day));
    let long = paper("long", "mon-01", &made.device("mon-01", "monitor-m1", now - 60, now + 365 * day));
    let stranger = paper("stranger", "mon-01", &another_authority("mon-01"));
    let unknown = paper("unknown", "mon-77", &made.device("mon-77", "monitor-m1", now - 60, now + day));
    let model = paper("model", "mon-01", &made.device("mon-01", "pump-p1", now - 60, now + day));

    let told =
        server.counts(&[], || publish(&server, "5", Some(&own), "mon-01", "obhut/mon-01/senml", HEART_RATE, &[]));
    assert!(told.contains("RC:0"), "{told}");
    // In the handshake, before any MQTT, or in the answer to CONNECT.
    let cases: [(&str, Option<&Papers>, &str, &str, &str); 7] = [
        ("no certificate", None, "mon-01", "alert certificate required", "no_certificate"),
        ("another authority's", Some(&stranger), "mon-01", "alert unknown ca", "wrong_ca"),
        ("expired", Some(&expired), "mon-01", "alert certificate expired", "expired"),
        ("not valid yet", Some(&early), "mon-01", "alert", "expired"),
        ("longer than any is issued", Some(&long), "mon-01", "alert", "certificate"),
        ("of a device nobody invited", Some(&unknown), "mon-77", "CONNACK (135)", "unknown_device"),
        ("of another model", Some(&model), "mon-01", "CONNACK (135)", "certificate"),
    ];
    for (what, papers, id, told, counted) in cases {
        for version in ["5", "311"] {
            let topic = format!("obhut/{id}/senml");
            let answer = server.counts(&[counted], || publish(&server, version, papers, id, &topic, HEART_RATE, &[]));
            // 3.1.1 knows one return code for all of these: 5, not authorised.
            let told = if version == "311" { told.replace("135", "5") } else { told.to_owned() };
            assert!(answer.contains(&told), "{what}, {version}: expected {told}, the client says\n{answer}");
            assert!(!answer.contains("PUBACK"), "{what}: {answer}");
        }
    }

    // Revoked while connected: cut within two seconds, refused from then on.
    let mut session = Mqtt::connect(&server, &own);
    until("the session is listed", Duration::from_secs(2), || {
        (server.run(&["device", "show", "mon-01"])["connected"] == true).then_some(())
    });
    session.wait_at_most(Duration::from_secs(5));
    server.counts(&["revoked"], || {
        let answer = server.run(&["device", "revoke", "mon-01", "--reason", "stolen"]);
        let revoked = Instant::now();
        assert_eq!(answer["session_cut"], true, "{answer}");
        assert_eq!(session.disconnected(), 0x87);
        assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
    });
    for version in ["5", "311"] {
        let answer = server.counts(&["revoked"], || {
            publish(&server, version, Some(&own), "mon-01", "obhut/mon-01/senml", HEART_RATE, &[])
        });
        assert!(answer.contains("alert certificate revoked"), "{answer}");
    }
    assert_eq!(stored(&server, "bed-01", "MDC_ECG_HEART_RATE"), ["72"], "nothing that was refused is stored");

    // And still after a restart.
    let server = Server::start_in(server.stop(), &demo_charter());
    let answer = server
        .counts(&["revoked"], || publish(&server, "5", Some(&own), "mon-01", "obhut/mon-01/senml", HEART_RATE, &[]));
    assert!(answer.contains("alert certificate revoked"), "{answer}");
}

/// The server's own authority, opened while the server is stopped: the only way to certificates it would never issue.
struct Made(Authority);

impl Made {
    fn behind_the_back_of(data: &Path) -> Self {
        let spec = ProviderSpec::File { path: data.join("top.key"), create: Create::Never };
        let provider = obhut_pki::open(&spec).unwrap();
        let names = ServerNames::new(["localhost", "127.0.0.1"]).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self(Authority::open_or_create(data.join("pki"), provider, names, unix(now)).unwrap())
    }

    fn device(&self, id: &str, model: &str, from: u64, to: u64) -> String {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, id);
        let csr = params.serialize_request(&key).unwrap();
        let (id, model) = (DeviceId::new(id).unwrap(), ModelId::new(model).unwrap());
        let Issued { leaf_der, chain, .. } =
            self.0.issue_device_with_validity(csr.der(), &id, &model, unix(from), unix(to)).unwrap();
        let certificates = std::iter::once(&leaf_der).chain(&chain);
        certificates.map(|der| obhut_agent::state::certificate_pem(der)).collect::<String>() + &key.serialize_pem()
    }
}

/// Papers for `device` from somebody else's authority.
fn another_authority(device: &str) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "another authority");
    let issuer = Issuer::new(params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, device);
    params.subject_alt_names = vec![rcgen::SanType::URI(format!("urn:obhut:device:{device}").try_into().unwrap())];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.signed_by(&key, &issuer).unwrap().pem() + &key.serialize_pem()
}
