//! New keys, dropped keys, erased names: for people, with a reason, recorded before it is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use foretide_db::DbError;
use foretide_domain::Principal;
use foretide_pseudonyms::{EpochId, Pseudonym};
use serde_json::{Map, json};

use super::error::VaultError;
use super::gate::Attempt;
use super::{EpochState, Vault, details, keyring, parsed, store, subject};

impl Vault {
    /// Begins a new epoch: with the next UTC day, or at once.
    pub(crate) async fn rotate(
        &self,
        caller: &Principal,
        reason: &str,
        at_once: bool,
    ) -> Result<EpochState, VaultError> {
        let attempt = Attempt {
            caller,
            action: "pseudonyms.rotate",
            subject: "the keys of pseudonyms".to_owned(),
            reason,
        };
        self.gate.admit(&attempt).await?;
        let idle = self.running.try_lock();
        let planned = match &idle {
            Ok(_) => self.next_epoch(at_once).await,
            Err(_) => Err(VaultError::Busy),
        };
        let planned = planned.map(|(epoch, starts_on)| {
            let details = details([("epoch", json!(epoch.0)), ("starts_on", json!(starts_on))]);
            ((epoch, starts_on), details)
        });
        let ((epoch, starts_on), _) = self.gate.decide(&attempt, planned).await?;
        let added = self.add_epoch(epoch, starts_on, &caller.name).await;
        self.gate.done(&attempt, added).await?;
        let epochs = self.epochs().await?;
        let id = store::stored_id(epoch)?;
        let added = epochs.into_iter().find(|state| state.row.id == id);
        added.ok_or(VaultError::NoEpoch(epoch))
    }

    async fn next_epoch(&self, at_once: bool) -> Result<(EpochId, NaiveDate), VaultError> {
        let rows = self.refresh().await?;
        let newest = rows.last().map(store::epoch_id).transpose()?;
        let newest = newest.unwrap_or(keyring::FINGERPRINTS);
        let today = self.today();
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        let starts_on = if at_once { today } else { tomorrow };
        Ok((EpochId(newest.0 + 1), starts_on))
    }

    async fn add_epoch(
        &self,
        epoch: EpochId,
        starts_on: NaiveDate,
        by: &str,
    ) -> Result<(), VaultError> {
        let secret = keyring::fresh_secret()?;
        let (master, now) = (&self.masters.current, self.clock.now());
        let row = keyring::new_epoch(epoch, starts_on, &secret, master, now, by)?;
        // two that rotate at once meet at the epoch's number
        store::add_epoch(self.database.connection(), row).await?;
        self.refresh().await?;
        Ok(())
    }

    /// Drops an epoch that is over. Returns how many names went with it.
    pub(crate) async fn drop_epoch(
        &self,
        caller: &Principal,
        epoch: EpochId,
        confirm: EpochId,
        reason: &str,
    ) -> Result<u64, VaultError> {
        let attempt = Attempt {
            caller,
            action: "pseudonyms.drop_epoch",
            subject: format!("epoch {epoch} of pseudonyms"),
            reason,
        };
        self.gate.admit(&attempt).await?;
        let idle = self.running.try_lock();
        let checked = match &idle {
            Err(_) => Err(VaultError::Busy),
            Ok(_) if confirm != epoch => Err(VaultError::NotConfirmed(epoch.to_string())),
            Ok(_) => self.droppable(epoch).await,
        };
        let checked = checked.map(|id| (id, Map::new()));
        let (id, _) = self.gate.decide(&attempt, checked).await?;
        let (now, by, engine) = (
            self.clock.now(),
            caller.name.clone(),
            self.database.engine(),
        );
        let dropped = self
            .database
            .transaction("drop an epoch of pseudonyms", move |transaction| {
                let by = by.clone();
                Box::pin(async move {
                    store::overwrite_deleted(transaction, engine).await?;
                    store::drop_epoch(transaction, id, now, &by).await
                })
            })
            .await
            .map_err(VaultError::from);
        let dropped = self.gate.done(&attempt, dropped).await?;
        self.refresh().await?;
        self.forget_log().await;
        Ok(dropped)
    }

    async fn droppable(&self, epoch: EpochId) -> Result<i32, VaultError> {
        let rows = self.refresh().await?;
        let id = store::stored_id(epoch).map_err(|_| VaultError::NoEpoch(epoch))?;
        let row = rows.iter().find(|row| row.id == id);
        let row = row.filter(|_| epoch != keyring::FINGERPRINTS);
        let row = row.ok_or(VaultError::NoEpoch(epoch))?;
        if row.dropped_at.is_some() {
            return Err(VaultError::Gone(epoch));
        }
        if !self.pseudonyms.ring().is_over(epoch, self.today()) {
            return Err(VaultError::NotOver(epoch));
        }
        Ok(id)
    }

    /// Erases what stands behind a pseudonym, in all epochs. Returns the entity's pseudonyms.
    pub(crate) async fn erase(
        &self,
        caller: &Principal,
        pseudonym: &str,
        confirm: &str,
        reason: &str,
    ) -> Result<BTreeSet<String>, VaultError> {
        let parsed = parsed(pseudonym);
        let attempt = Attempt {
            caller,
            action: "pseudonym.erase",
            subject: subject(parsed.as_ref()),
            reason,
        };
        self.gate.admit(&attempt).await?;
        let idle = self.running.try_lock();
        let checked = match (&idle, parsed) {
            (Err(_), _) => Err(VaultError::Busy),
            (Ok(_), Err(malformed)) => Err(malformed),
            (Ok(_), Ok(parsed)) if confirm != pseudonym => {
                Err(VaultError::NotConfirmed(parsed.to_string()))
            }
            (Ok(_), Ok(parsed)) => self.erasable(parsed).await,
        };
        let checked = checked.map(|all| {
            let details = details([("pseudonyms", json!(all))]);
            (all, details)
        });
        let (all, _) = self.gate.decide(&attempt, checked).await?;
        let (shared, now) = (Arc::new(all.clone()), self.clock.now());
        let engine = self.database.engine();
        let erased = self
            .database
            .transaction("erase a pseudonym", move |transaction| {
                let all = Arc::clone(&shared);
                Box::pin(async move {
                    store::overwrite_deleted(transaction, engine).await?;
                    store::erase(transaction, &all, now).await?;
                    Ok::<_, DbError>(())
                })
            })
            .await
            .map_err(VaultError::from);
        self.gate.done(&attempt, erased).await?;
        self.forget_log().await;
        Ok(all)
    }

    async fn erasable(&self, pseudonym: Pseudonym) -> Result<BTreeSet<String>, VaultError> {
        let known = self.known(pseudonym).await?;
        if known.erased_at.is_some() {
            return Err(VaultError::Erased);
        }
        let mut all = store::linked(self.database.connection(), &known.pseudonym).await?;
        all.insert(known.pseudonym);
        Ok(all)
    }

    /// The deletion stands; only its traces in the engine's own files may stay a while.
    async fn forget_log(&self) {
        if let Err(error) = store::forget_log(&self.database).await {
            tracing::warn!(
                ?error,
                "traces of what was deleted stay until the database tidies up"
            );
        }
    }
}
