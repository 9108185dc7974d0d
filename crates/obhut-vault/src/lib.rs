//! Keys and sealing: subject keys, pseudonyms, shredding, key providers.
pub mod provider;
pub use provider::{KeyProvider, ProviderError};
