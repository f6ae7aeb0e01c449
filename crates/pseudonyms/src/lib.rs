//! Keyed hashes in place of names and addresses, and the sealed values behind them.
//!
//! An [`EntityKind`] and a clear value, [`normalised`], become a [`Pseudonym`] under the keys of an
//! epoch: the same value gives the same pseudonym within an epoch, another one in the next. The
//! [`KeyRing`] says which epoch is in force on a day. Beside the pseudonym stands the clear value,
//! sealed by the epoch's own key; the epoch's secret itself is only ever kept wrapped by the
//! [`MasterKey`] (envelope encryption). When the wrapped secret of an epoch is gone, nothing leads
//! from its pseudonyms back to a name.
//!
//! HMAC-SHA-256 (RFC 2104) makes pseudonyms and derives keys from an epoch's secret;
//! ChaCha20-Poly1305 (RFC 8439, by *ring*) seals. Values are sealed under a nonce that is derived
//! from the value (as in SIV, RFC 5297), so that sealing is repeatable; a nonce recurs only with the
//! same value. Secrets are wrapped under a random nonce that the caller brings: this crate does no
//! I/O, reads no clock and draws no random numbers.

mod keys;
mod normal;
mod pseudonym;
mod ring;
mod seal;

pub use keys::{EpochKeys, EpochSecret, KeyError, MasterKey, NONCE_BYTES, SECRET_BYTES};
pub use normal::normalised;
pub use pseudonym::{EntityKind, EpochId, MalformedPseudonym, Pseudonym, UnknownKind};
pub use ring::{Epoch, KeyRing};
pub use seal::{MAX_CLEAR_BYTES, SealedValue};
