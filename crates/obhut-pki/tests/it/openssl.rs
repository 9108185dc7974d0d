//! A second opinion: what `openssl` says about our certificates, answers and doors. Skipped with a line where there is no openssl.

use crate::support::{Home, NOW};
use obhut_pki::est::{cacerts, certs_only};
use obhut_pki::{ClientAuth, RefusalCounters, Revocations, Serial, server_config, unix};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn openssl(dir: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn absent() -> bool {
    if Command::new("openssl").arg("version").output().is_ok() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none(), "openssl is needed for this test");
    println!("skipped: no openssl");
    true
}

fn pem(der: &[u8]) -> String {
    let output = openssl(Path::new("."), &["x509", "-inform", "DER"], der);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_verifies_our_chain_and_reads_our_serial_number() {
    if absent() {
        return;
    }
    let home = Home::new();
    let (_, issued) = home.device("mon-01");
    let dir = home.dir.path();
    std::fs::write(dir.join("root.crt"), home.authority.root_pem()).unwrap();
    std::fs::write(dir.join("issuing.crt"), pem(home.authority.issuing_der())).unwrap();
    std::fs::write(dir.join("leaf.crt"), pem(&issued.leaf_der)).unwrap();
    std::fs::write(dir.join("server.crt"), pem(&home.authority.server_certified_key(unix(NOW)).cert[0])).unwrap();
    let now = NOW.to_string();
    let verify = |purpose, leaf| {
        let arguments = [
            "verify",
            "-x509_strict",
            "-attime",
            &now,
            "-purpose",
            purpose,
            "-CAfile",
            "root.crt",
            "-untrusted",
            "issuing.crt",
            leaf,
        ];
        openssl(dir, &arguments, b"")
    };
    assert!(verify("sslclient", "leaf.crt").status.success(), "{}", text(&verify("sslclient", "leaf.crt")));
    assert!(verify("sslserver", "server.crt").status.success(), "{}", text(&verify("sslserver", "server.crt")));
    assert!(!verify("sslserver", "leaf.crt").status.success());
    assert!(!verify("sslclient", "server.crt").status.success());
    let printed = text(&openssl(
        dir,
        &["x509", "-in", "leaf.crt", "-noout", "-serial", "-subject", "-ext", "subjectAltName"],
        b"",
    ));
    let serial = printed.lines().find_map(|line| line.strip_prefix("serial=")).unwrap();
    assert_eq!(Serial::from_hex(serial), Some(issued.serial));
    assert_eq!(serial.to_ascii_lowercase(), issued.serial_hex);
    assert!(printed.contains("CN = mon-01") && printed.contains("URI:urn:obhut:device:mon-01"), "{printed}");
    // The files at rest can be looked at as they are.
    let printed =
        text(&openssl(&dir.join("pki"), &["x509", "-in", "root.pem", "-noout", "-fingerprint", "-sha256"], b""));
    let fingerprint = printed.trim().rsplit('=').next().unwrap().replace(':', "").to_ascii_lowercase();
    assert_eq!(fingerprint, home.authority.root_fingerprint());
}

#[test]
fn it_reads_our_answers() {
    if absent() {
        return;
    }
    let home = Home::new();
    let (_, issued) = home.device("mon-01");
    for (answer, subjects) in [
        (cacerts(&home.authority).unwrap(), vec!["Obhut Root CA", "Obhut Issuing CA"]),
        (certs_only([&issued.leaf_der]).unwrap(), vec!["mon-01"]),
    ] {
        assert!(answer.lines().all(|line| line.len() <= 64));
        let der = openssl(home.dir.path(), &["base64", "-d"], answer.as_bytes()).stdout;
        let printed = text(&openssl(home.dir.path(), &["pkcs7", "-inform", "DER", "-print_certs", "-noout"], &der));
        assert_eq!(printed.matches("subject=").count(), subjects.len(), "{printed}");
        for subject in subjects {
            assert!(printed.contains(subject), "{printed}");
        }
    }
}

#[test]
fn its_requests_are_taken() {
    if absent() {
        return;
    }
    let home = Home::new();
    let dir = home.dir.path();
    let made = openssl(dir, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "device.key"], b"");
    assert!(made.status.success(), "{}", text(&made));
    let request = |digest| {
        let arguments =
            ["req", "-new", "-key", "device.key", digest, "-subj", "/O=Ward 3/CN=mon-01", "-outform", "DER"];
        openssl(dir, &arguments, b"").stdout
    };
    for digest in ["-sha256", "-sha384"] {
        let issued = home.authority.issue_device(
            &request(digest),
            &crate::support::id("mon-01"),
            &crate::support::model(),
            unix(NOW),
        );
        assert_eq!(issued.unwrap().serial_hex.len(), 32, "{digest}");
    }
    let rsa = openssl(
        dir,
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "rsa.key",
            "-subj",
            "/CN=mon-01",
            "-outform",
            "DER",
        ],
        b"",
    );
    let refused = home
        .authority
        .issue_device(&rsa.stdout, &crate::support::id("mon-01"), &crate::support::model(), unix(NOW))
        .unwrap_err();
    assert!(matches!(refused, obhut_pki::PkiError::Csr(obhut_pki::CsrError::NotP256)), "{refused}");
}

/// The door over a real socket, knocked at by `openssl s_client`.
#[test]
fn its_client_gets_in_with_a_certificate_over_tls_1_3_only() {
    if absent() {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let home = Home::at(unix(now));
    let device = crate::support::Device::new("mon-01");
    let issued = home.authority.issue_device(&device.csr(), &device.id, &device.model, unix(now)).unwrap();
    let dir = home.dir.path();
    std::fs::write(dir.join("root.crt"), home.authority.root_pem()).unwrap();
    std::fs::write(dir.join("device.crt"), pem(&issued.leaf_der)).unwrap();
    std::fs::write(dir.join("device.key"), device.key.serialize_pem()).unwrap();
    let (revocations, refusals) = (Arc::new(Revocations::new()), Arc::new(RefusalCounters::new()));
    let config = server_config(&home.authority, &revocations, &refusals, ClientAuth::Required, &[]).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        (0..3)
            .map(|_| {
                let (mut socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::Stream::new(&mut tls, &mut socket);
                let mut hello = [0; 5];
                let read = stream.read_exact(&mut hello);
                read.is_ok() && &hello == b"hello" && stream.write_all(b"let in\n").is_ok()
            })
            .collect::<Vec<_>>()
    });
    let knock = |more: &[&str]| {
        let base = [
            "s_client",
            "-connect",
            &address,
            "-servername",
            "localhost",
            "-CAfile",
            "root.crt",
            "-verify_return_error",
            "-ign_eof",
        ];
        text(&openssl(dir, &[&base, more].concat(), b"hello"))
    };
    let good = knock(&["-cert", "device.crt", "-key", "device.key"]);
    assert!(
        good.contains("let in") && good.contains("TLSv1.3") && good.contains("Verify return code: 0 (ok)"),
        "{good}"
    );
    let old = knock(&["-tls1_2", "-cert", "device.crt", "-key", "device.key"]);
    assert!(!old.contains("let in") && old.contains("alert protocol version"), "{old}");
    let bare = knock(&[]);
    assert!(!bare.contains("let in") && bare.contains("alert certificate required"), "{bare}");
    assert_eq!(serving.join().unwrap(), [true, false, false]);
}
