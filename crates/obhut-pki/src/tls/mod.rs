//! Who may connect: TLS 1.3 only, and on the device door only devices of ours.
//!
//! For: a ready [`rustls::ServerConfig`] for the gateway and for HTTPS. Not for: sockets, or for ending connections that are already open when
//! a device is revoked; the gateway does that.
//!
//! What always holds: no TLS below 1.3, no resumption, no early data, so every connection proves anew that it holds a certificate in force;
//! post-quantum hybrid key exchange wherever the peer has it.

mod known;
mod revocation;
mod verifier;

use crate::authority::Authority;
use crate::error::PkiError;
pub use revocation::{Refusal, RefusalCounters, Revocations};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use std::sync::Arc;
pub use verifier::DeviceVerifier;

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Yes: the device door. A client without one is refused before any byte of MQTT.
    Required,
    /// It is asked for one, and may have none: HTTPS, where devices renew and people look. A wrong one is refused all the same.
    Optional,
}

/// The server side of TLS for one listener. `alpn`: protocols to agree on, most wanted first; none if empty.
///
/// Build it once and share it; the server certificate renews itself inside and revocations take effect at the next handshake.
///
/// # Errors
/// [`PkiError::Crypto`] if the authority's certificates cannot serve as trust anchors, which would be a mistake of ours.
pub fn server_config(
    authority: &Arc<Authority>,
    revocations: &Arc<Revocations>,
    refusals: &Arc<RefusalCounters>,
    client_auth: ClientAuth,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, PkiError> {
    server_config_at(authority, revocations, refusals, client_auth, alpn, Arc::new(DefaultTimeProvider))
}

/// [`server_config`] under another clock, for tests of expiry and renewal.
///
/// # Errors
/// As [`server_config`].
pub fn server_config_at(
    authority: &Arc<Authority>,
    revocations: &Arc<Revocations>,
    refusals: &Arc<RefusalCounters>,
    client_auth: ClientAuth,
    alpn: &[&[u8]],
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<ServerConfig>, PkiError> {
    let verifier = DeviceVerifier::new(authority, revocations.clone(), refusals.clone(), client_auth)?;
    let mut config = ServerConfig::builder_with_details(Arc::new(provider()), clock.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| PkiError::crypto_from("setting up TLS 1.3", error))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(Renewing { authority: authority.clone(), clock }));
    // SECURITY: a resumed session would skip the certificate check, and with it revocation.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The algorithms spoken: 256-bit ciphers, hybrid post-quantum key exchange first.
#[must_use]
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..default_provider()
    }
}

/// Shows the server certificate in force at each handshake.
struct Renewing {
    authority: Arc<Authority>,
    clock: Arc<dyn TimeProvider>,
}

impl std::fmt::Debug for Renewing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renewing")
    }
}

impl ResolvesServerCert for Renewing {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Without a clock no certificate can be judged: no handshake.
        Some(self.authority.server_certified_key(self.clock.current_time()?))
    }
}
