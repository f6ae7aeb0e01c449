//! The lake: Parquet in a local folder or an object store, immutable, read as of a moment.
//!
//! An object is written once and never changed: the same bytes again are fine, other bytes under
//! the same path are a [`LakeError::Conflict`]. What a reader saw at a moment can therefore be read
//! again, byte for byte, and every object is known by its SHA-256.
//!
//! [`buckets`] holds the hourly and daily counts everything else is made from, bitemporally: by the
//! time something happened and by the time it became known.

pub mod arrivals;
pub mod buckets;
mod error;
mod frame;
mod location;
mod path;
mod store;

pub use error::LakeError;
pub use location::{LakeConfig, open_object_store};
pub use path::check_path;
pub use store::{Lake, MAX_OBJECT_BYTES, ObjectInfo, Stored};
