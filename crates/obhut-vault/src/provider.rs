//! Key providers: whoever holds the top key. It never leaves them; they wrap and unwrap what lies below.

use zeroize::Zeroizing;

/// Why a provider could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The wrapped bytes were made by another key, for another context, or changed.
    #[error("the wrapped key does not belong to this key provider or was changed")]
    Refused,
    /// The provider cannot be reached or used.
    #[error("the key provider cannot be used: {0}")]
    Unavailable(String),
}

/// Holds the top key and wraps small secrets under it.
pub trait KeyProvider: Send + Sync {
    /// Wraps `secret`; `context` names what it is for and must be the same at unwrapping.
    ///
    /// # Errors
    /// [`ProviderError`].
    fn wrap(&self, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, ProviderError>;

    /// Unwraps what [`KeyProvider::wrap`] made.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] for anything else.
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError>;

    /// What this is, for `doctor` and logs: kind and place, no secret.
    fn describe(&self) -> String;
}
