//! The keys as they are stored: made at the first start, opened and, after a change of the master
//! key, wrapped anew at every other.

use chrono::{DateTime, NaiveDate, Utc};
use foretide_db::DbError;
use foretide_pseudonyms::{
    Epoch, EpochId, EpochSecret, KeyRing, MasterKey, NONCE_BYTES, SECRET_BYTES,
};
use hmac::Hmac;
use rand::TryRngCore;
use sea_orm::ActiveValue::Set;
use sea_orm::DatabaseTransaction;
use sha2::Sha256;

use super::entities::pseudonym_epoch::{ActiveModel, Model};
use super::error::VaultError;
use super::master::MasterKeys;
use super::store;

/// Where the secret of fingerprints is kept. No epoch of pseudonyms has this number.
pub(super) const FINGERPRINTS: EpochId = EpochId(0);
/// Rows from before are refused, so this is the beginning.
const BEGINNING: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");

/// The stored keys, opened.
pub(super) struct OpenKeys {
    pub(super) fingerprints: Hmac<Sha256>,
    pub(super) ring: KeyRing,
    /// The master key that the first secrets were wrapped by.
    pub(super) first_master_key: String,
}

/// Makes the first keys where there are none, and wraps all by the present master key.
pub(super) async fn set_up(
    transaction: &DatabaseTransaction,
    masters: &MasterKeys,
    now: DateTime<Utc>,
) -> Result<(), VaultError> {
    let rows = store::epochs(transaction).await?;
    let current = &masters.current;
    if rows.is_empty() {
        // Row ids were hashed by the configured key before there was a vault: they stay the same.
        let fingerprints = current.as_secret();
        for (epoch, secret) in [
            (FINGERPRINTS, fingerprints),
            (EpochId::FIRST, fresh_secret()?),
        ] {
            let row = new_epoch(epoch, BEGINNING, &secret, current, now, "service:ingestion")?;
            store::add_epoch(transaction, row).await?;
        }
        return Ok(());
    }
    for row in rows.iter().filter(|row| row.master_key != current.id()) {
        let Some(wrapped) = &row.wrapped_secret else {
            continue;
        };
        let epoch = store::epoch_id(row)?;
        let missing = || VaultError::OtherMasterKey {
            epoch,
            wrapped_by: row.master_key.clone(),
        };
        let earlier = masters.of(&row.master_key).ok_or_else(missing)?;
        let secret = opened(earlier, epoch, wrapped)?;
        let wrapped = current.wrap(epoch, &secret, fresh_nonce()?);
        store::rewrap(transaction, row.id, wrapped, current.id()).await?;
        tracing::info!(%epoch, from = earlier.id(), to = current.id(), "wrapped by another master key");
    }
    Ok(())
}

/// Opens the stored keys.
pub(super) fn open(rows: &[Model], masters: &MasterKeys) -> Result<OpenKeys, VaultError> {
    let (mut fingerprints, mut epochs) = (None, Vec::new());
    for row in rows {
        let Some(wrapped) = &row.wrapped_secret else {
            continue;
        };
        let epoch = store::epoch_id(row)?;
        let master = masters.of(&row.master_key);
        let master = master.ok_or_else(|| VaultError::OtherMasterKey {
            epoch,
            wrapped_by: row.master_key.clone(),
        })?;
        let secret = opened(master, epoch, wrapped)?;
        if epoch == FINGERPRINTS {
            fingerprints = Some((secret.mac(), row.first_master_key.clone()));
        } else {
            let starts_on = row.starts_on;
            let keys = secret.keys(epoch);
            epochs.push((epoch, Epoch { starts_on, keys }));
        }
    }
    let (fingerprints, first_master_key) = fingerprints.ok_or_else(|| {
        DbError::corrupt("pseudonym_epoch", "wrapped_secret", FINGERPRINTS, "missing")
    })?;
    Ok(OpenKeys {
        fingerprints,
        ring: KeyRing::new(epochs),
        first_master_key,
    })
}

fn opened(master: &MasterKey, epoch: EpochId, wrapped: &[u8]) -> Result<EpochSecret, VaultError> {
    master
        .unwrap(epoch, wrapped)
        .map_err(|_| VaultError::DoesNotOpen(format!("the secret of epoch {epoch}")))
}

/// A row for an epoch with its secret wrapped.
pub(super) fn new_epoch(
    epoch: EpochId,
    starts_on: NaiveDate,
    secret: &EpochSecret,
    master: &MasterKey,
    now: DateTime<Utc>,
    by: &str,
) -> Result<ActiveModel, VaultError> {
    Ok(ActiveModel {
        id: Set(store::stored_id(epoch)?),
        starts_on: Set(starts_on),
        wrapped_secret: Set(Some(master.wrap(epoch, secret, fresh_nonce()?))),
        first_master_key: Set(master.id().to_owned()),
        master_key: Set(master.id().to_owned()),
        created_at: Set(now),
        created_by: Set(by.to_owned()),
        dropped_at: Set(None),
        dropped_by: Set(None),
    })
}

/// A secret drawn at random.
pub(super) fn fresh_secret() -> Result<EpochSecret, VaultError> {
    random::<SECRET_BYTES>().map(EpochSecret::new)
}

fn fresh_nonce() -> Result<[u8; NONCE_BYTES], VaultError> {
    random()
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| VaultError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}
