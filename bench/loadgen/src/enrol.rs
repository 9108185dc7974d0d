//! Enrols invited devices as real ones do: a key made here, a certificate request, EST (RFC 7030) with the one-time token, over connections
//! that are kept for many requests.

use crate::cli::Enrol;
use crate::link::{Res, rt};
use crate::{net, tls};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode as _, Encode as _, EncodePem as _};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Deserialize)]
struct Invitations {
    devices: Vec<Invitation>,
}

#[derive(Deserialize)]
struct Invitation {
    id: String,
    serial: String,
    token: String,
}

pub fn run(p: &Enrol) -> Res<()> {
    let invitations: Invitations = serde_json::from_slice(&std::fs::read(&p.invitations)?)?;
    std::fs::create_dir_all(p.out.join("c"))?;
    std::fs::copy(&p.root, p.out.join("ca.pem"))?;
    let config = ClientConfig::builder_with_provider(tls::provider("x25519")?)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(tls::roots(&p.out)?)
        .with_no_client_auth();
    let began = Instant::now();
    let todo = Rc::new(invitations.devices);
    let set = LocalSet::new();
    let runtime = rt();
    let count = runtime.block_on(set.run_until(async {
        let config = Arc::new(config);
        let workers: Vec<_> = (0..p.concurrency)
            .map(|worker| tokio::task::spawn_local(work(p.clone(), worker, todo.clone(), config.clone())))
            .collect();
        let mut count = 0;
        for worker in workers {
            count += worker.await??;
        }
        Res::Ok(count)
    }))?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"mode": "enrol", "enrolled": count, "seconds": seconds, "per_s": f64::from(count) / seconds})
    );
    Ok(())
}

async fn work(p: Enrol, worker: usize, todo: Rc<Vec<Invitation>>, config: Arc<ClientConfig>) -> Res<u32> {
    let mut link = open(&p, worker, &config).await?;
    let above = certificates(&request(&mut link, "GET", "cacerts", "", "").await?)?;
    let mut count = 0;
    for (i, invitation) in todo.iter().enumerate().skip(worker).step_by(p.concurrency) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![])?;
        params.distinguished_name.push(DnType::CommonName, invitation.id.as_str());
        let csr = STANDARD.encode(params.serialize_request(&key)?.der());
        let login = STANDARD.encode(format!("{}:{}", invitation.serial, invitation.token));
        let headers = format!(
            "Authorization: Basic {login}\r\nContent-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\n"
        );
        let body = match request(&mut link, "POST", "simpleenroll", &headers, &csr).await {
            Ok(body) => body,
            Err(error) if error.is::<std::io::Error>() => {
                // The server may end a connection after some requests; the token is still good if no answer came.
                link = open(&p, worker, &config).await?;
                request(&mut link, "POST", "simpleenroll", &headers, &csr).await?
            }
            Err(error) => return Err(format!("{}: {error}", invitation.id).into()),
        };
        let issued = certificates(&body)?;
        // A certs-only answer is a set: ours is the one with our key.
        let own = issued.iter().find(|c| holds_key(c, &key)).ok_or("the answer holds no certificate for our key")?;
        let mut chain = own.to_pem(der::pem::LineEnding::LF)?;
        for other in issued.iter().chain(&above) {
            let pem = other.to_pem(der::pem::LineEnding::LF)?;
            let root = other.tbs_certificate.subject == other.tbs_certificate.issuer;
            if !root && !chain.contains(&pem) {
                chain.push_str(&pem);
            }
        }
        let stem = |ext: &str| -> PathBuf { p.out.join(format!("c/{i:06}.{ext}")) };
        std::fs::write(stem("pem"), chain)?;
        std::fs::write(stem("key"), key.serialize_pem())?;
        count += 1;
    }
    Ok(count)
}

fn holds_key(certificate: &x509_cert::Certificate, key: &KeyPair) -> bool {
    certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes() == key.public_key_raw()
}

fn certificates(base64: &[u8]) -> Res<Vec<x509_cert::Certificate>> {
    let packed: Vec<u8> = base64.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let info = ContentInfo::from_der(&STANDARD.decode(packed)?)?;
    let signed = SignedData::from_der(&info.content.to_der()?)?;
    let set = signed.certificates.ok_or("no certificates in the answer")?;
    let found = set.0.iter().filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
        CertificateChoices::Other(_) => None,
    });
    Ok(found.collect())
}

async fn open(p: &Enrol, worker: usize, config: &Arc<ClientConfig>) -> Res<TlsStream<TcpStream>> {
    let tcp = net::connect(p.https, 1 + (worker % 8) as u8).await?;
    Ok(TlsConnector::from(config.clone()).connect(tls::name(), tcp).await?)
}

/// One HTTP/1.1 request on a kept connection; answers the body of a 200.
async fn request(link: &mut TlsStream<TcpStream>, method: &str, what: &str, headers: &str, body: &str) -> Res<Vec<u8>> {
    let head = format!(
        "{method} /.well-known/est/{what} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    link.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    link.flush().await?;
    let mut answer = Vec::with_capacity(8192);
    let (head_end, length) = loop {
        if let Some(at) = answer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..at]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length:"))
                .and_then(|v| v.trim().parse::<usize>().ok());
            break (at + 4, length.ok_or("an answer without length")?);
        }
        if link.read_buf(&mut answer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    };
    while answer.len() < head_end + length {
        if link.read_buf(&mut answer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(&answer).into_owned().into());
    }
    Ok(answer[head_end..].to_vec())
}
