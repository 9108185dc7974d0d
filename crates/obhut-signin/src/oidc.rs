//! The hospital's own provider: OpenID Connect authorization code flow with PKCE, on `openidconnect` over our own HTTP client.
//!
//! The provider says who somebody is and which groups they are in; the configuration says which charter role a group means, and the charter what a
//! role may do. Nothing of the provider is needed for passkeys: when it is down, they still work.
//!
//! INVARIANT: an answer counts once, in the browser where the sign-in began, with `state`, `nonce` and code verifier of that sign-in.

mod http;
mod provider;

use crate::error::OidcError;
use crate::limits;
use crate::session::SessionId;
use crate::token::{TokenHash, random_text};
use obhut_model::ServerTime;
use openidconnect::{AuthorizationCode, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeVerifier};
use parking_lot::Mutex;
use provider::Provider;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration says of the provider.
pub struct OidcOptions {
    /// Issuer, `https://…`; the provider describes itself at `…/.well-known/openid-configuration`.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: zeroize::Zeroizing<String>,
    /// What the button on the page is called.
    pub name: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// Which group means which charter role. Other groups mean nothing.
    pub roles: BTreeMap<String, String>,
    /// Scopes beyond `openid` and `profile`.
    pub scopes: Vec<String>,
    /// How long a role that came from a group lasts without another sign-in at the provider: who left the hospital loses it by then at the latest.
    pub keep: Duration,
    /// Certificates (PEM) the provider's TLS is checked against; without one, the machine's own.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for OidcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcOptions")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Sign-in at the hospital's provider.
pub struct Oidc {
    options: Options,
    http: http::Client,
    provider: tokio::sync::Mutex<Option<(ServerTime, Arc<Provider>)>>,
    flows: Mutex<HashMap<TokenHash, Flow>>,
}

struct Options {
    issuer: IssuerUrl,
    client_id: openidconnect::ClientId,
    client_secret: ClientSecret,
    name: String,
    groups_claim: String,
    roles: BTreeMap<String, String>,
    scopes: Vec<String>,
    keep: Duration,
}

struct Flow {
    until: ServerTime,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    redirect: String,
    /// When it began, if the provider was asked to let the person sign in anew.
    fresh_since: Option<ServerTime>,
    /// The locked session it is to unlock.
    unlocks: Option<SessionId>,
}

/// Where to send the browser.
#[derive(Debug)]
pub struct Started {
    /// The provider's page.
    pub url: String,
    /// Value of a short-lived cookie that ties the answer to this browser.
    pub flow: String,
}

/// What the provider sent back with the browser.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Answer {
    /// Authorization code.
    pub code: Option<String>,
    /// As it was given.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// Somebody the provider vouches for.
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Who, in the provider's own terms; never changes, means nothing elsewhere.
    pub subject: String,
    /// What to call them.
    pub name: Option<String>,
    /// Charter roles their groups mean, each once, sorted.
    pub roles: Vec<String>,
    /// The locked session that was to be unlocked, if this sign-in was begun for one: the provider has let the person sign in anew then.
    pub unlocks: Option<SessionId>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.options.issuer).finish_non_exhaustive()
    }
}

impl Oidc {
    /// Checks the options. Does not ask the provider, who may be down when the server starts.
    ///
    /// # Errors
    /// [`OidcError::Configuration`].
    pub fn new(options: OidcOptions) -> Result<Self, OidcError> {
        let wrong = |why: &str| OidcError::Configuration(why.to_owned());
        let issuer = IssuerUrl::new(options.issuer).map_err(|_| wrong("`issuer` is not an address"))?;
        if issuer.url().scheme() != "https" {
            return Err(wrong("`issuer` must begin with https://"));
        }
        if options.client_id.is_empty() || options.client_secret.trim().is_empty() {
            return Err(wrong("`client_id` and the client secret must not be empty"));
        }
        let http = http::Client::new(options.ca_file.as_deref())?;
        let options = Options {
            issuer,
            client_id: openidconnect::ClientId::new(options.client_id),
            client_secret: ClientSecret::new(options.client_secret.trim().to_owned()),
            name: options.name,
            groups_claim: options.groups_claim,
            roles: options.roles,
            scopes: options.scopes,
            keep: options.keep,
        };
        Ok(Self { options, http, provider: tokio::sync::Mutex::new(None), flows: Mutex::default() })
    }

    /// What the button on the page is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// How long a role that came from a group lasts without another sign-in at the provider.
    #[must_use]
    pub const fn keep(&self) -> Duration {
        self.options.keep
    }

    /// Every charter role a group may mean.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.options.roles.values().map(String::as_str)
    }

    /// The provider's description and keys, fetched if there are none or they are old. One asks, the others wait for its answer.
    async fn provider(&self, now: ServerTime) -> Result<Arc<Provider>, OidcError> {
        let mut held = self.provider.lock().await;
        let fresh = i64::try_from(limits::PROVIDER_FRESH.as_micros()).unwrap_or(i64::MAX);
        if let Some((fetched, provider)) = &*held
            && now.since(*fetched) < fresh
        {
            return Ok(provider.clone());
        }
        let provider = Arc::new(Provider::discover(&self.options, &self.http).await?);
        *held = Some((now, provider.clone()));
        Ok(provider)
    }

    /// Forgets the provider's description, so that the next sign-in fetches its keys anew.
    async fn forget_provider(&self) {
        *self.provider.lock().await = None;
    }

    /// Begins a sign-in that ends at `redirect`. `unlocks`: the locked session it is for; the provider must let the person prove who they are again
    /// then.
    ///
    /// # Errors
    /// [`OidcError::Unavailable`] if the provider does not answer.
    pub async fn begin(
        &self,
        redirect: &str,
        unlocks: Option<SessionId>,
        now: ServerTime,
    ) -> Result<Started, OidcError> {
        let provider = self.provider(now).await?;
        let prepared = provider.authorize(&self.options, redirect, unlocks.is_some())?;
        let flow = random_text()?;
        let until = now.plus_micros(i64::try_from(limits::FLOW_LIFE.as_micros()).unwrap_or(i64::MAX));
        let kept = Flow {
            until,
            state: prepared.state,
            nonce: prepared.nonce,
            verifier: prepared.verifier,
            redirect: redirect.to_owned(),
            fresh_since: unlocks.map(|_| now),
            unlocks,
        };
        let mut flows = self.flows.lock();
        if flows.len() >= limits::FLOWS_MAX {
            flows.retain(|_, flow| flow.until > now);
        }
        while flows.len() >= limits::FLOWS_MAX {
            let Some(oldest) = flows.iter().min_by_key(|(_, flow)| flow.until).map(|(name, _)| *name) else { break };
            flows.remove(&oldest);
        }
        flows.insert(TokenHash::of(&flow), kept);
        Ok(Started { url: prepared.url, flow })
    }

    /// Ends a sign-in: who it is. `flow` is the value of the browser's cookie.
    ///
    /// # Errors
    /// [`OidcError`]; the sign-in is over in any case.
    pub async fn finish(&self, flow: &str, answer: Answer, now: ServerTime) -> Result<Identity, OidcError> {
        let taken = self.flows.lock().remove(&TokenHash::of(flow)).filter(|flow| now < flow.until);
        let flow = taken.ok_or(OidcError::NoFlow)?;
        // SECURITY: compared as hashes, so that the time it takes says nothing about the secret value.
        if answer.state.as_deref().map(TokenHash::of) != Some(TokenHash::of(flow.state.secret())) {
            return Err(OidcError::WrongState);
        }
        if answer.iss.as_deref().is_some_and(|issuer| issuer != self.options.issuer.as_str()) {
            return Err(OidcError::WrongIssuer);
        }
        if let Some(error) = answer.error {
            return Err(OidcError::Refused(fixed_word(&error)));
        }
        let code = answer.code.map(AuthorizationCode::new).ok_or(OidcError::WrongState)?;
        let provider = self.provider(now).await?;
        let told =
            provider.exchange(&self.options, &self.http, code, flow.verifier, &flow.redirect, &flow.nonce, now).await;
        if matches!(told, Err(OidcError::Token(_))) {
            // The provider may have changed its keys since; the next attempt asks anew.
            self.forget_provider().await;
        }
        let told = told?;
        // A second of rounding and a minute of clocks that differ.
        let fresh = flow.fresh_since.map(|since| told.signed_in.is_some_and(|at| at.since(since) > -60_000_000));
        if fresh == Some(false) {
            return Err(OidcError::NotFresh);
        }
        let mut roles: Vec<String> =
            told.groups.iter().filter_map(|group| self.options.roles.get(group)).cloned().collect();
        roles.sort_unstable();
        roles.dedup();
        Ok(Identity {
            issuer: self.options.issuer.as_str().to_owned(),
            subject: told.subject,
            name: told.name,
            roles,
            unlocks: flow.unlocks,
        })
    }
}

/// The standard's error codes are words; anything else is not repeated.
fn fixed_word(error: &str) -> String {
    let word = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if word { error.to_owned() } else { "without a code".to_owned() }
}
