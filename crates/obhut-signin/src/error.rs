//! What can go wrong, in words for the log and a stable word for the other side. None holds a name, a credential or a token.

/// The random source failed; nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random source of this machine failed")]
pub struct NoRandomness;

/// Why a passkey does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// The server is not reached by a name yet, or only by an address.
    #[error("passkeys need the server to be reached by a name; an address is not enough")]
    NoName,
    /// The random source failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The ceremony does not exist: never begun, too old, or already used.
    #[error("this sign-in was not begun here, is over, or was used already")]
    NoCeremony,
    /// What came is no credential.
    #[error("the browser's answer is not a credential")]
    Malformed,
    /// Made for another site.
    #[error("the passkey answered another site")]
    WrongOrigin,
    /// Over another challenge than ours.
    #[error("the passkey answered another challenge")]
    WrongChallenge,
    /// Without PIN, finger or face.
    #[error("the passkey did not verify its user")]
    NotVerified,
    /// The authenticator did not keep the credential, so it could not be found without a name.
    #[error("the authenticator did not keep the passkey")]
    NotDiscoverable,
    /// Nobody here has this credential.
    #[error("this passkey is not registered here")]
    Unknown,
    /// The credential is registered already.
    #[error("this passkey is registered already")]
    Taken,
    /// The counter did not move on: somebody has a copy.
    #[error("the passkey's counter went back: a copy of it may exist")]
    Cloned,
    /// The signature is wrong, or anything else the standard asks for does not hold.
    #[error("the passkey's answer does not verify")]
    NotValid,
    /// A stored credential could not be read; nobody comes in with it.
    #[error("a stored passkey cannot be read")]
    Stored,
}

impl PasskeyError {
    /// The stable word for the other side and the ledger.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoName => "passkeys_unavailable",
            Self::NoRandomness(_) => "no_randomness",
            Self::NoCeremony => "no_ceremony",
            Self::Malformed => "malformed",
            Self::WrongOrigin => "wrong_origin",
            Self::WrongChallenge => "wrong_challenge",
            Self::NotVerified => "user_not_verified",
            Self::NotDiscoverable => "not_discoverable",
            Self::Unknown => "unknown_passkey",
            Self::Taken => "passkey_taken",
            Self::Cloned => "passkey_cloned",
            Self::NotValid => "not_valid",
            Self::Stored => "stored_unreadable",
        }
    }
}

/// Why a sign-in at the provider does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// The configuration cannot work.
    #[error("`[identity] oidc`: {0}")]
    Configuration(String),
    /// The random source failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The provider does not answer, or not with what the standard asks for. Passkeys still work.
    #[error("the provider cannot be reached: {0}")]
    Unavailable(String),
    /// Not begun in this browser, too old, or used already.
    #[error("this sign-in was not begun in this browser, is over, or was used already")]
    NoFlow,
    /// `state` is not what this browser was given.
    #[error("the answer belongs to another sign-in")]
    WrongState,
    /// The answer names another issuer.
    #[error("the answer comes from another provider")]
    WrongIssuer,
    /// The provider refused, with its code (a fixed word of the standard).
    #[error("the provider refused: {0}")]
    Refused(String),
    /// The identity token does not hold: signature, issuer, audience, time, or nonce.
    #[error("the provider's identity token does not verify: {0}")]
    Token(String),
    /// Signed in too long ago, though a fresh sign-in was asked for.
    #[error("the provider did not sign in anew")]
    NotFresh,
}

impl OidcError {
    /// The stable word for the other side and the ledger.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "provider_misconfigured",
            Self::NoRandomness(_) => "no_randomness",
            Self::Unavailable(_) => "provider_unavailable",
            Self::NoFlow => "no_flow",
            Self::WrongState => "wrong_state",
            Self::WrongIssuer => "wrong_issuer",
            Self::Refused(_) => "provider_refused",
            Self::Token(_) => "token_not_valid",
            Self::NotFresh => "not_fresh",
        }
    }
}
