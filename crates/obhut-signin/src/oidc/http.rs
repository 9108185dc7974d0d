//! One HTTPS request to the provider: our own connection, TLS 1.3, no redirect followed, every length and time bounded.
//!
//! A handful of requests an hour; a pool would be more code than it saves.

use crate::error::OidcError;
use crate::limits;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use openidconnect::{HttpRequest, HttpResponse};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the address is not one over https")]
    Address,
    #[error("no connection: {0}")]
    Connect(#[source] std::io::Error),
    #[error("the connection broke: {0}")]
    Http(#[source] hyper::Error),
    #[error("the answer is too long or broken off")]
    Body,
    #[error("no answer in time")]
    Late,
}

/// An answer to come. Boxed, because the library's trait for clients would otherwise tie it to a borrow that no server's task may hold.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send>>;

/// Speaks to the provider.
#[derive(Clone)]
pub(super) struct Client {
    tls: TlsConnector,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// With the certificates in `ca`, or the machine's own.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, OidcError> {
        let wrong = |why: String| OidcError::Configuration(why);
        let mut roots = RootCertStore::empty();
        if let Some(path) = ca {
            let certificates = CertificateDer::pem_file_iter(path)
                .map_err(|error| wrong(format!("`ca_file` `{}` cannot be read: {error}", path.display())))?;
            for certificate in certificates {
                let certificate = certificate
                    .map_err(|error| wrong(format!("`ca_file` `{}` is not PEM: {error}", path.display())))?;
                roots
                    .add(certificate)
                    .map_err(|error| wrong(format!("a certificate in `ca_file` is not one: {error}")))?;
            }
        } else {
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(wrong("no certificate to check the provider's against; name one in `ca_file`".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // Providers in hospitals are often older than our own devices: TLS 1.2 would have to be asked for, and is not.
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| wrong(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// This client as the library wants one.
    pub(super) fn sender(&self) -> impl Fn(HttpRequest) -> Answering + Send + Sync + 'static {
        let client = self.clone();
        move |request| {
            let client = client.clone();
            Box::pin(async move { client.send(request).await })
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        tokio::time::timeout(limits::PROVIDER_WITHIN, self.send_unbounded(request))
            .await
            .unwrap_or(Err(HttpError::Late))
    }

    async fn send_unbounded(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let uri = parts.uri.clone();
        if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
            return Err(HttpError::Address);
        }
        let authority = uri.authority().ok_or(HttpError::Address)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| HttpError::Address)?;
        let socket = TcpStream::connect((host.as_str(), authority.port_u16().unwrap_or(443)))
            .await
            .map_err(HttpError::Connect)?;
        let stream = self.tls.connect(name, socket).await.map_err(HttpError::Connect)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(HttpError::Http)?;

        let host = http::HeaderValue::from_str(authority.as_str()).map_err(|_| HttpError::Address)?;
        parts.headers.insert(http::header::HOST, host);
        parts.uri = uri.path_and_query().map_or_else(http::Uri::default, |path| http::Uri::from(path.clone()));
        let request = http::Request::from_parts(parts, Full::new(Bytes::from(body)));

        // The connection is driven here and nowhere else: dropping this future ends it, too.
        let exchange = async {
            let response = sender.send_request(request).await.map_err(HttpError::Http)?;
            let (parts, body) = response.into_parts();
            let body =
                Limited::new(body, limits::PROVIDER_BYTES_MAX).collect().await.map_err(|_| HttpError::Body)?.to_bytes();
            Ok(http::Response::from_parts(parts, body.to_vec()))
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            ended = &mut connection => {
                ended.map_err(HttpError::Http)?;
                exchange.await
            }
        }
    }
}
