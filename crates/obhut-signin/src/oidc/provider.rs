//! The provider as it describes itself, and the two requests of a sign-in: where to send the browser, and what the code it brings back is worth.

use super::Options;
use super::http::Client as Http;
use crate::error::OidcError;
use crate::limits;
use obhut_model::ServerTime;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdTokenFields, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// Claims the standard does not name; one of them lists groups.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Others(BTreeMap<String, Value>);

impl AdditionalClaims for Others {}

impl Others {
    fn groups(&self, claim: &str) -> Option<Vec<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self.0.get(claim)? {
            Value::Array(groups) => Some(groups.iter().take(limits::GROUPS_MAX).filter_map(text).collect()),
            Value::String(group) => Some(vec![group.clone()]),
            _ => None,
        }
    }
}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type ProviderClient = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider as it described itself.
pub(super) struct Provider {
    client: ProviderClient,
}

/// A sign-in as it begins.
pub(super) struct Prepared {
    pub(super) url: String,
    pub(super) state: CsrfToken,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// What the provider vouches for.
pub(super) struct Told {
    pub(super) subject: String,
    pub(super) name: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) signed_in: Option<ServerTime>,
}

impl Provider {
    pub(super) async fn discover(options: &Options, http: &Http) -> Result<Self, OidcError> {
        let send = http.sender();
        let metadata = CoreProviderMetadata::discover_async(options.issuer.clone(), &send)
            .await
            .map_err(|error| OidcError::Unavailable(chain(&error)))?;
        let client =
            Client::from_provider_metadata(metadata, options.client_id.clone(), Some(options.client_secret.clone()));
        Ok(Self { client })
    }

    pub(super) fn authorize(&self, options: &Options, redirect: &str, anew: bool) -> Result<Prepared, OidcError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirect = redirect_url(redirect)?;
        let mut request = self
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_redirect_uri(Cow::Owned(redirect))
            .set_pkce_challenge(challenge)
            .add_scope(Scope::new("profile".to_owned()));
        for scope in &options.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if anew {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, state, nonce) = request.url();
        Ok(Prepared { url: url.into(), state, nonce, verifier })
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different thing the standard wants compared")]
    pub(super) async fn exchange(
        &self,
        options: &Options,
        http: &Http,
        code: AuthorizationCode,
        verifier: PkceCodeVerifier,
        redirect: &str,
        nonce: &Nonce,
        now: ServerTime,
    ) -> Result<Told, OidcError> {
        let send = http.sender();
        let tokens = self
            .client
            .exchange_code(code)
            .map_err(|error| OidcError::Configuration(format!("the provider has no token endpoint: {error}")))?
            .set_pkce_verifier(verifier)
            .set_redirect_uri(Cow::Owned(redirect_url(redirect)?))
            .request_async(&send)
            .await
            .map_err(|error| match error {
                openidconnect::RequestTokenError::ServerResponse(answer) => {
                    OidcError::Refused(super::fixed_word(answer.error().as_ref()))
                }
                // The parser's complaint would repeat what it could not parse, tokens included.
                openidconnect::RequestTokenError::Parse(..) => {
                    OidcError::Token("the answer is not understood".to_owned())
                }
                other => OidcError::Unavailable(chain(&other)),
            })?;
        let token = tokens.id_token().ok_or_else(|| OidcError::Token("there is none".to_owned()))?;
        let too_new = now.plus_micros(60_000_000);
        // SECURITY: signatures by the provider's own key only; our secret, which the provider shares with us, must not sign, and `none` never does.
        let verifier = self.client.id_token_verifier().set_allowed_algs([
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
            CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            CoreJwsSigningAlgorithm::RsaSsaPssSha384,
            CoreJwsSigningAlgorithm::RsaSsaPssSha512,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EcdsaP384Sha384,
            CoreJwsSigningAlgorithm::EdDsa,
        ]);
        let claims = token.claims(&verifier, nonce).map_err(|error| OidcError::Token(error.to_string()))?;
        let second = |seconds: i64| ServerTime::from_micros(seconds.saturating_mul(1_000_000));
        if second(claims.issue_time().timestamp()) > too_new {
            return Err(OidcError::Token("it was issued in the future".to_owned()));
        }
        let signed_in = claims.auth_time().map(|at| second(at.timestamp()));
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
        let subject = claims.subject().clone();
        let mut told = Told {
            subject: subject.as_str().to_owned(),
            name,
            groups: claims.additional_claims().groups(&options.groups_claim).unwrap_or_default(),
            signed_in,
        };
        // Some providers put groups and name into the token, others only into the answer to a second question.
        let asks = claims.additional_claims().groups(&options.groups_claim).is_none() || told.name.is_none();
        if let (true, Ok(request)) = (asks, self.client.user_info(tokens.access_token().clone(), Some(subject))) {
            let more: UserInfoClaims<Others, CoreGenderClaim> =
                request.request_async(&send).await.map_err(|error| match error {
                    openidconnect::UserInfoError::ClaimsVerification(error) => OidcError::Token(error.to_string()),
                    other => OidcError::Unavailable(chain(&other)),
                })?;
            if let Some(groups) = more.additional_claims().groups(&options.groups_claim) {
                told.groups = groups;
            }
            told.name =
                told.name.or_else(|| more.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()));
        }
        Ok(told)
    }
}

fn redirect_url(text: &str) -> Result<RedirectUrl, OidcError> {
    RedirectUrl::new(text.to_owned())
        .map_err(|_| OidcError::Configuration("the server's own name is not one".to_owned()))
}

/// The error and what it rests on, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}
