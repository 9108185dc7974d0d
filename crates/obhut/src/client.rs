//! How the operator's tools reach an installation: over the socket of a running server, or by opening the data directory themselves.

use crate::config::Config;
use crate::exit::{Exit, Failure};
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

/// Largest JSON answer taken, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A way to ask.
pub enum Client {
    /// A server runs; its socket.
    Socket(PathBuf),
    /// No server runs; the same router, in this process.
    Local(Box<Router>),
}

impl Client {
    /// Finds the way for `config`.
    ///
    /// # Errors
    /// [`Exit::NoServer`] if there is no installation, or it cannot be opened.
    pub async fn connect(config: &Config) -> Result<Self> {
        let socket = config.socket();
        if UnixStream::connect(&socket).await.is_ok() {
            return Ok(Self::Socket(socket));
        }
        if !config.data.is_dir() {
            return Err(Failure {
                exit: Exit::NoServer,
                message: format!("there is no installation in `{}`", config.data.display()),
                hint: Some(
                    "name it with `--data DIR` or `--config FILE`, or start one: `obhut demo`, `obhut serve`"
                        .to_owned(),
                ),
            }
            .into());
        }
        let state = crate::open::open(config, &crate::open::Options::for_tools()).await.map_err(|error| Failure {
            exit: Exit::NoServer,
            message: format!("no server runs on `{}` and it cannot be opened: {error:#}", config.data.display()),
            hint: Some("start the server, or run `obhut doctor`".to_owned()),
        })?;
        Ok(Self::Local(Box::new(obhut_http::admin::within(state, rustix::process::geteuid().as_raw()))))
    }

    /// Whether a running server answers.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// Asks, and returns the answer whatever its status.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Body>> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "obhut");
        let request = match body {
            Some(value) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(value.to_string()))?
            }
            None => request.body(Body::empty())?,
        };
        match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).await.context("the server's socket closed")?;
                let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Ok(sender.send_request(request).await?.map(Body::new))
            }
            Self::Local(router) => Ok(router.as_ref().clone().oneshot(request).await?),
        }
    }

    /// Asks, and returns the body as it streams.
    ///
    /// # Errors
    /// [`Exit::Refused`] with what the server said.
    pub async fn stream(&self, path: &str) -> Result<Body> {
        let response = self.send(Method::GET, path, None).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(refusal(response.status(), &collect(response.into_body()).await?).into())
    }

    /// Asks, and returns the JSON answer.
    ///
    /// # Errors
    /// [`Exit::Refused`] with what the server said.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        let bytes = collect(response.into_body()).await?;
        if status.is_success() && bytes.is_empty() {
            return Ok(Value::Null);
        }
        if status.is_success() {
            return serde_json::from_slice(&bytes).context("the server's answer is not understood");
        }
        Err(refusal(status, &bytes).into())
    }
}

impl Client {
    /// Asks for a text, and returns it byte by byte as it came.
    ///
    /// # Errors
    /// [`Exit::Refused`] with what the server said.
    pub async fn text(&self, path: &str) -> Result<String> {
        let response = self.send(Method::GET, path, None).await?;
        let status = response.status();
        let bytes = collect(response.into_body()).await?;
        if status.is_success() {
            return String::from_utf8(bytes).context("the server's answer is not text");
        }
        Err(refusal(status, &bytes).into())
    }
}

async fn collect(body: Body) -> Result<Vec<u8>> {
    let limited = http_body_util::Limited::new(body, ANSWER_BYTES_MAX);
    let collected = limited.collect().await.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    Ok(collected.to_bytes().to_vec())
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| said.as_ref().and_then(|v| v.get(name)).and_then(Value::as_str).map(str::to_owned);
    Failure {
        exit: if status.is_server_error() { Exit::Failed } else { Exit::Refused },
        message: field("message").unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            if text.trim().is_empty() { format!("the server answered {status}") } else { text.trim().to_owned() }
        }),
        hint: field("hint"),
    }
}

/// Writes `text` so that it may stand in a path or query.
#[must_use]
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
