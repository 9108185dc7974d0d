//! TLS 1.3 only, mutual authentication, aws-lc-rs.
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;

pub type Res<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Key-exchange choices: `x25519`, `p256`, `mlkem` (X25519MLKEM768).
pub fn provider(kx: &str) -> Res<Arc<CryptoProvider>> {
    let mut p = aws_lc_rs::default_provider();
    p.kx_groups = vec![match kx {
        "x25519" => aws_lc_rs::kx_group::X25519,
        "p256" => aws_lc_rs::kx_group::SECP256R1,
        "mlkem" => aws_lc_rs::kx_group::X25519MLKEM768,
        _ => return Err("kx is x25519, p256 or mlkem".into()),
    }];
    p.cipher_suites.retain(|s| s.tls13().is_some());
    Ok(Arc::new(p))
}

fn chain(path: &Path) -> Res<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
}

pub fn roots(dir: &Path) -> Res<Arc<RootCertStore>> {
    let mut r = RootCertStore::empty();
    for c in chain(&dir.join("ca.pem"))? {
        r.add(c)?;
    }
    Ok(Arc::new(r))
}

/// Client configuration with client certificate number `i`.
pub fn client(
    dir: &Path,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    i: usize,
    resume: bool,
) -> Res<Arc<ClientConfig>> {
    let cert = chain(&dir.join(format!("c/{i:06}.pem")))?;
    let key = PrivateKeyDer::from_pem_file(dir.join(format!("c/{i:06}.key")))?;
    let mut c = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(cert, key)?;
    c.resumption = if resume { Resumption::in_memory_sessions(64) } else { Resumption::disabled() };
    Ok(Arc::new(c))
}

pub fn server(dir: &Path, provider: Arc<CryptoProvider>, tickets: bool) -> Res<Arc<ServerConfig>> {
    let v = rustls::server::WebPkiClientVerifier::builder_with_provider(roots(dir)?, provider.clone()).build()?;
    let mut s = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(v)
        .with_single_cert(chain(&dir.join("server.pem"))?, PrivateKeyDer::from_pem_file(dir.join("server.key"))?)?;
    s.send_tls13_tickets = if tickets { 2 } else { 0 };
    if tickets {
        s.ticketer = aws_lc_rs::Ticketer::new()?;
    }
    Ok(Arc::new(s))
}

pub fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}
