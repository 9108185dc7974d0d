//! Enrolment over Secure Transport (RFC 7030), the client's side: fetch and pin the root, enrol with a one-time token, renew with the certificate.
//!
//! The key is made here and only its public half leaves. What comes back is believed only if it is for this key, for this name, and chains to the pinned root.

use crate::limits::{EST_ANSWER_BYTES_MAX, EST_TIMEOUT};
use crate::state::{Device, Identity, certificate_pem};
use crate::tls;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Encode};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use obhut_model::DeviceId;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// Why enrolment or renewal failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstError {
    /// The server's name is not one.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
    /// The fingerprint is not 64 hexadecimal digits.
    #[error("the fingerprint of the root certificate must be 64 hexadecimal digits")]
    Fingerprint,
    /// No connection.
    #[error("the enrolment server cannot be reached")]
    Connect(#[source] std::io::Error),
    /// TLS could not be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The conversation broke off.
    #[error("the enrolment server did not answer properly")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("the enrolment server did not answer in time")]
    Timeout,
    /// None of the certificates offered is the one invited.
    #[error(
        "the server does not hold the root certificate of the invitation; this may be another server, or somebody in between"
    )]
    Stranger,
    /// The server said no: the token is wrong, used or late, or the device is revoked.
    #[error("the enrolment server refused with {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The server wants us to come back.
    #[error("the enrolment server asks to come back in {seconds} s")]
    Later {
        /// How long to wait.
        seconds: u64,
    },
    /// The answer holds no usable certificate.
    #[error("the answer of the enrolment server is not what was asked for: {0}")]
    Answer(&'static str),
    /// The key or request could not be made.
    #[error("the certificate request could not be made")]
    Request(#[source] rcgen::Error),
}

impl EstError {
    /// Whether trying again without a person's help is pointless.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 400..=499, .. } | Self::Stranger | Self::Host(_) | Self::Fingerprint)
    }
}

/// Where the enrolment server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstServer {
    /// Host name or address.
    pub host: String,
    /// Port, 8443 unless told otherwise.
    pub port: u16,
}

/// SHA-256 of a certificate in DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl std::str::FromStr for Fingerprint {
    type Err = EstError;

    /// 64 hexadecimal digits; colons and spaces between them are ignored.
    fn from_str(text: &str) -> Result<Self, EstError> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| !matches!(c, ':' | ' '))
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(EstError::Fingerprint)?;
        let mut out = [0; 32];
        for (slot, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            *slot = pair.iter().fold(0, |byte, nibble| byte << 4 | nibble);
        }
        Ok(Self(out))
    }
}

impl Fingerprint {
    /// Of this certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
        Self(out)
    }
}

/// What enrolment brought.
pub struct Enrolled {
    /// The pinned root.
    pub root: CertificateDer<'static>,
    /// Chain and private key as one PEM text.
    pub identity_pem: Zeroizing<String>,
}

/// Enrols: fetches the root, holds it against `pin`, and asks for a certificate with the one-time token.
///
/// # Errors
/// [`EstError`]; the token is used up only if the server had accepted it.
pub async fn enrol(server: &EstServer, pin: Fingerprint, device: &Device, token: &str) -> Result<Enrolled, EstError> {
    let root = fetch_root(server, pin).await?;
    let tls = tls::trusting(&root, None).map_err(EstError::Tls)?;
    let credentials = Zeroizing::new(format!("Basic {}", STANDARD.encode(format!("{}:{token}", device.serial))));
    let identity_pem = request_certificate(server, tls, "simpleenroll", &device.id, &root, Some(&credentials)).await?;
    Ok(Enrolled { root, identity_pem })
}

/// Renews: asks for a certificate for a new key, showing the current one.
///
/// # Errors
/// [`EstError`].
pub async fn renew(
    server: &EstServer,
    root: &CertificateDer<'static>,
    identity: &Identity,
    device: &DeviceId,
) -> Result<Zeroizing<String>, EstError> {
    let tls = tls::trusting(root, Some(identity)).map_err(EstError::Tls)?;
    request_certificate(server, tls, "simplereenroll", device, root, None).await
}

/// Fetches the certificate authorities over a connection that proves nothing, and keeps only what the fingerprint proves.
async fn fetch_root(server: &EstServer, pin: Fingerprint) -> Result<CertificateDer<'static>, EstError> {
    let tls = tls::danger_trusting_nobody().map_err(EstError::Tls)?;
    let request = Request::get("/.well-known/est/cacerts");
    let answer = send(server, tls, request, Bytes::new()).await?;
    let offered = certificates(&answer)?;
    offered.into_iter().find(|certificate| Fingerprint::of(certificate) == pin).ok_or(EstError::Stranger)
}

async fn request_certificate(
    server: &EstServer,
    tls: Arc<ClientConfig>,
    operation: &str,
    device: &DeviceId,
    root: &CertificateDer<'static>,
    credentials: Option<&str>,
) -> Result<Zeroizing<String>, EstError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(EstError::Request)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, device.as_str());
    let csr = params.serialize_request(&key).map_err(EstError::Request)?;
    let mut request = Request::post(format!("/.well-known/est/{operation}"))
        .header(header::CONTENT_TYPE, "application/pkcs10")
        .header("content-transfer-encoding", "base64");
    if let Some(credentials) = credentials {
        request = request.header(header::AUTHORIZATION, credentials);
    }
    let answer = send(server, Arc::clone(&tls), request, Bytes::from(STANDARD.encode(csr.der()))).await?;
    let mut offered = certificates(&answer)?;
    // The answer holds the new certificate only (RFC 7030, section 4.2.3); what lies between it and the root is among the authorities.
    let authorities = send(server, tls, Request::get("/.well-known/est/cacerts"), Bytes::new()).await?;
    for authority in certificates(&authorities)? {
        if !offered.contains(&authority) {
            offered.push(authority);
        }
    }
    let chain = chain_for(offered, &key, device, root)?;
    let mut pem = Zeroizing::new(chain.iter().map(|certificate| certificate_pem(certificate)).collect::<String>());
    pem.push_str(&Zeroizing::new(key.serialize_pem()));
    Ok(pem)
}

/// Orders what came back, leaf first, and checks that it is for this key and name and chains to the root.
fn chain_for(
    offered: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    device: &DeviceId,
    root: &CertificateDer<'static>,
) -> Result<Vec<CertificateDer<'static>>, EstError> {
    let own_key = key.subject_public_key_info();
    let is_own = |der: &CertificateDer<'_>| {
        x509_parser::parse_x509_certificate(der).is_ok_and(|(_, c)| c.public_key().raw == own_key)
    };
    let (mut chain, rest): (Vec<_>, Vec<_>) = offered.into_iter().partition(is_own);
    let [leaf] = chain.as_slice() else {
        return Err(EstError::Answer("it has no certificate for the key that was sent"));
    };
    let named = x509_parser::parse_x509_certificate(leaf).is_ok_and(|(_, c)| {
        let mut names = c.subject().iter_common_name();
        names.next().and_then(|name| name.as_str().ok()) == Some(device.as_str()) && names.next().is_none()
    });
    if !named {
        return Err(EstError::Answer("the certificate is for another name"));
    }
    let intermediates: Vec<_> = rest.into_iter().filter(|certificate| certificate != root).collect();
    let anchor =
        webpki::anchor_from_trusted_cert(root).map_err(|_| EstError::Answer("the root certificate cannot be used"))?;
    let entity =
        webpki::EndEntityCert::try_from(leaf).map_err(|_| EstError::Answer("the certificate cannot be read"))?;
    let usage = webpki::KeyUsage::client_auth();
    entity
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], &intermediates, UnixTime::now(), usage, None, None)
        .map_err(|_| {
            EstError::Answer(
                "the certificate does not chain to the root, or is not valid now; is this device's clock right?",
            )
        })?;
    chain.extend(intermediates);
    Ok(chain)
}

/// Reads a base64 certs-only PKCS#7 message (RFC 7030, section 4.1.3).
fn certificates(answer: &[u8]) -> Result<Vec<CertificateDer<'static>>, EstError> {
    const UNREADABLE: EstError = EstError::Answer("it is not a PKCS#7 message with certificates");
    let text: Vec<u8> = answer.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(text).map_err(|_| UNREADABLE)?;
    let outer = ContentInfo::from_der(&der).map_err(|_| UNREADABLE)?;
    let signed = outer.content.decode_as::<SignedData>().map_err(|_| UNREADABLE)?;
    let mut out = Vec::new();
    for choice in signed.certificates.iter().flat_map(|set| set.0.iter()) {
        if let CertificateChoices::Certificate(certificate) = choice {
            out.push(CertificateDer::from(certificate.to_der().map_err(|_| UNREADABLE)?));
        }
    }
    Ok(out)
}

async fn send(
    server: &EstServer,
    tls: Arc<ClientConfig>,
    request: http::request::Builder,
    body: Bytes,
) -> Result<Vec<u8>, EstError> {
    tokio::time::timeout(EST_TIMEOUT, exchange(server, tls, request, body)).await.map_err(|_| EstError::Timeout)?
}

async fn exchange(
    server: &EstServer,
    tls: Arc<ClientConfig>,
    request: http::request::Builder,
    body: Bytes,
) -> Result<Vec<u8>, EstError> {
    let name = ServerName::try_from(server.host.clone()).map_err(|_| EstError::Host(server.host.clone()))?;
    let socket = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(EstError::Connect)?;
    let stream = TlsConnector::from(tls).connect(name, socket).await.map_err(EstError::Connect)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| EstError::Http(e.into()))?;
    let request = request
        .header(header::HOST, format!("{}:{}", server.host, server.port))
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|e| EstError::Http(e.into()))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|e| EstError::Http(e.into()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, EST_ANSWER_BYTES_MAX).collect().await.map_err(EstError::Http)?.to_bytes();
        Ok((head, body))
    };
    tokio::pin!(talk);
    // The connection has to be polled for the answer to come; its own end says nothing that the answer does not.
    let (head, body) = tokio::select! {
        answer = &mut talk => answer?,
        ended = connection => {
            ended.map_err(|e| EstError::Http(e.into()))?;
            talk.await?
        }
    };
    match head.status {
        StatusCode::OK => Ok(body.to_vec()),
        StatusCode::ACCEPTED => {
            let seconds =
                head.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
            Err(EstError::Later { seconds: seconds.unwrap_or(60) })
        }
        status => {
            let reason = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
            Err(EstError::Refused { status: status.as_u16(), reason })
        }
    }
}

/// How long to wait from `now` (seconds since 1970) until renewing a certificate valid `from`..`to`: half of its life, less up to a tenth at random.
#[must_use]
pub fn renewal_delay(from: i64, to: i64, now: i64, random: u64) -> Duration {
    let life = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    let early = random % (life / 10).max(1);
    let due = from.saturating_add(i64::try_from((life / 2).saturating_sub(early)).unwrap_or(i64::MAX));
    Duration::from_secs(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
}
