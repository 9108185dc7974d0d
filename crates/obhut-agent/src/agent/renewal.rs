//! Renewal of the certificate before half of its life is over, again and again, each time for a new key.

use crate::est::{self, EstError, EstServer};
use crate::limits::{RENEW_RETRY_FIRST, RENEW_RETRY_MAX};
use crate::state::{Device, Identity, StateDir, StateError};
use rustls_pki_types::CertificateDer;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Why a renewal failed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewalError {
    /// The enrolment server.
    #[error(transparent)]
    Est(#[from] EstError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// What was just written cannot be read.
    #[error("the renewed identity cannot be read")]
    Unreadable,
    /// TLS does not take the new identity.
    #[error("TLS cannot be set up with the renewed identity")]
    Tls(#[source] rustls::Error),
    /// The renewal itself broke.
    #[error("the renewal was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// What it takes to renew, and when that is due.
pub(super) struct Renewal {
    state: StateDir,
    pub(super) root: CertificateDer<'static>,
    pub(super) device: Device,
    server: EstServer,
    identity: Identity,
    random: u64,
    retry: Duration,
    due: Option<Instant>,
    running: Option<JoinHandle<Result<Identity, RenewalError>>>,
}

impl Renewal {
    pub(super) fn new(
        state: StateDir,
        root: CertificateDer<'static>,
        device: Device,
        server: EstServer,
        identity: Identity,
        random: u64,
    ) -> Self {
        Self { state, root, device, server, identity, random, retry: RENEW_RETRY_FIRST, due: None, running: None }
    }

    /// Waits until renewal is due, renews, keeps the result. Safe to drop and call again: all it knows lies in `self`.
    pub(super) async fn next(&mut self) -> Result<Identity, RenewalError> {
        if self.running.is_none() {
            tokio::time::sleep_until(self.due()).await;
            self.running = Some(self.begin());
        }
        let Some(running) = self.running.as_mut() else { return std::future::pending().await };
        let outcome = running.await.map_err(RenewalError::from).and_then(|outcome| outcome);
        self.running = None;
        self.note(&outcome);
        outcome
    }

    fn due(&mut self) -> Instant {
        let (identity, random) = (&self.identity, self.random);
        *self.due.get_or_insert_with(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            Instant::now()
                + identity.validity().map_or(Duration::ZERO, |v| est::renewal_delay(v.from, v.to, now, random))
        })
    }

    /// A task of its own, so that asking and keeping is never cut in half by a dropped future.
    fn begin(&self) -> JoinHandle<Result<Identity, RenewalError>> {
        let (state, root, server) = (self.state.clone(), self.root.clone(), self.server.clone());
        let (device, identity) = (self.device.id.clone(), self.identity.clone());
        tokio::spawn(async move {
            let pem = est::renew(&server, &root, &identity, &device).await?;
            state.renew(pem.as_bytes())?;
            Identity::from_pem(pem.as_bytes()).ok_or(RenewalError::Unreadable)
        })
    }

    fn note(&mut self, outcome: &Result<Identity, RenewalError>) {
        self.random = self.random.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15;
        let jitter = Duration::from_millis(self.random % 1_000);
        self.due = match outcome {
            Ok(identity) => {
                self.identity = identity.clone();
                self.retry = RENEW_RETRY_FIRST;
                None
            }
            Err(RenewalError::Est(EstError::Later { seconds })) => {
                Some(Instant::now() + Duration::from_secs(*seconds).clamp(RENEW_RETRY_FIRST, RENEW_RETRY_MAX) + jitter)
            }
            Err(_) => {
                let due = Instant::now() + self.retry + jitter;
                self.retry = self.retry.saturating_mul(2).min(RENEW_RETRY_MAX);
                Some(due)
            }
        };
    }
}
