//! Objects: written once, known by their SHA-256.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use polars::frame::DataFrame;
use sha2::{Digest, Sha256};

use crate::{LakeConfig, LakeError, frame, open_object_store, path};

/// Largest object that is read or written, bytes.
pub const MAX_OBJECT_BYTES: u64 = 512 * 1024 * 1024;

/// What was stored, and how to prove it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Path inside the lake.
    pub path: String,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Path inside the lake.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// When the store took it. For people; never used to decide what was known when.
    pub last_modified: DateTime<Utc>,
}

/// A tree of immutable objects. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    location: String,
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens the lake; a local folder is made when it is not there.
    ///
    /// # Errors
    /// [`LakeError::Config`] when the location cannot be used.
    pub fn open(config: &LakeConfig) -> Result<Self, LakeError> {
        if let Some(folder) = config.local_folder() {
            std::fs::create_dir_all(&folder).map_err(|error| LakeError::Config {
                url: config.url.clone(),
                problem: format!("the folder cannot be made: {error}"),
            })?;
        }
        Ok(Self {
            store: open_object_store(config)?,
            location: config.url.clone(),
        })
    }

    /// Where the lake is, as configured.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Stores bytes that will never change. The same bytes again are fine.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] when other bytes are there; [`LakeError::InvalidPath`],
    /// [`LakeError::TooLarge`] or [`LakeError::Store`].
    pub async fn put_immutable(&self, path: &str, bytes: Bytes) -> Result<Stored, LakeError> {
        let location = path::parse(path)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        check_size(path, size)?;
        let stored = Stored {
            path: path.to_owned(),
            sha256: sha256_hex(&bytes),
            size,
        };
        let options = PutOptions::from(PutMode::Create);
        match self
            .store
            .put_opts(&location, PutPayload::from_bytes(bytes), options)
            .await
        {
            Ok(_) => Ok(stored),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let present = self.get(path, None).await?;
                if sha256_hex(&present) == stored.sha256 {
                    Ok(stored)
                } else {
                    Err(LakeError::Conflict {
                        path: path.to_owned(),
                    })
                }
            }
            Err(error) => Err(LakeError::store(path, error)),
        }
    }

    /// Reads an object, and checks that it is the one that was written when its SHA-256 is given.
    ///
    /// # Errors
    /// [`LakeError::NotFound`], [`LakeError::ChecksumMismatch`], [`LakeError::TooLarge`],
    /// [`LakeError::InvalidPath`] or [`LakeError::Store`].
    pub async fn get(&self, path: &str, expected_sha256: Option<&str>) -> Result<Bytes, LakeError> {
        let location = path::parse(path)?;
        let result = self
            .store
            .get(&location)
            .await
            .map_err(|error| LakeError::store(path, error))?;
        check_size(path, result.meta.size)?;
        let bytes = result
            .bytes()
            .await
            .map_err(|error| LakeError::store(path, error))?;
        if let Some(expected) = expected_sha256 {
            let found = sha256_hex(&bytes);
            if !found.eq_ignore_ascii_case(expected) {
                return Err(LakeError::ChecksumMismatch {
                    path: path.to_owned(),
                    expected: expected.chars().take(64).collect(),
                    found,
                });
            }
        }
        Ok(bytes)
    }

    /// Lists the objects below a prefix (whole segments), by path. An empty prefix lists all.
    ///
    /// # Errors
    /// [`LakeError::InvalidPath`] or [`LakeError::Store`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, LakeError> {
        let prefix = prefix.trim_end_matches('/');
        let location = if prefix.is_empty() {
            None
        } else {
            Some(path::parse(prefix)?)
        };
        let mut objects: Vec<ObjectInfo> = self
            .store
            .list(location.as_ref())
            .map_ok(|meta| ObjectInfo {
                path: meta.location.to_string(),
                size: meta.size,
                last_modified: meta.last_modified,
            })
            .try_collect()
            .await
            .map_err(|error| LakeError::store(prefix, error))?;
        objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// Stores a table as Parquet. The same table gives the same bytes.
    ///
    /// # Errors
    /// As [`Lake::put_immutable`]; [`LakeError::Corrupt`] when the table cannot be written.
    pub async fn write_frame(
        &self,
        path: &str,
        frame: &mut DataFrame,
    ) -> Result<Stored, LakeError> {
        path::check_path(path)?;
        let bytes = frame::encode(path, frame.clone()).await?;
        self.put_immutable(path, bytes).await
    }

    /// Reads a Parquet table.
    ///
    /// # Errors
    /// As [`Lake::get`]; [`LakeError::Corrupt`] when it is not a table.
    pub async fn read_frame(
        &self,
        path: &str,
        expected_sha256: Option<&str>,
    ) -> Result<DataFrame, LakeError> {
        let bytes = self.get(path, expected_sha256).await?;
        frame::decode(path, bytes).await
    }
}

fn check_size(path: &str, size: u64) -> Result<(), LakeError> {
    if size > MAX_OBJECT_BYTES {
        return Err(LakeError::TooLarge {
            path: path.to_owned(),
            size,
            limit: MAX_OBJECT_BYTES,
        });
    }
    Ok(())
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
