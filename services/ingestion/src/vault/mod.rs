//! What stands behind pseudonyms, and who may look.
//!
//! Names lie in `pseudonym_vault`, sealed by the keys of an epoch, whose secret lies in
//! `pseudonym_epoch`, wrapped by the master key, which lies outside. Looking behind a pseudonym, and
//! every change of keys, is for people with the role approver who give a reason; the audit log has
//! each try before it is answered, and without the audit log none is.
//!
//! A new epoch begins with the next UTC day. Pseudonyms of one entity in two epochs are linked when
//! it is met in the second (`pseudonym_alias`). Dropping an epoch drops its secret, its names and
//! its links; erasing one entity leaves its pseudonyms, so that it is not learnt again.

mod changes;
mod entities;
mod error;
mod gate;
mod grpc;
mod keyring;
mod master;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use foretide_api::governance::v1::AppendAuditRequest;
use foretide_db::Database;
use foretide_domain::{Principal, SharedClock};
use foretide_pseudonyms::{EntityKind, MAX_CLEAR_BYTES, Pseudonym, SealedValue, normalised};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use self::entities::{pseudonym_epoch, pseudonym_vault};
pub use self::error::VaultError;
pub(crate) use self::gate::AuditLog;
use self::gate::{Attempt, Gate};
pub(crate) use self::grpc::Grpc;
use self::keyring::OpenKeys;
pub use self::master::MasterKeyError;
pub(crate) use self::master::MasterKeys;
pub(crate) use self::store::keep;
use crate::pseudonym::Pseudonyms;

const SERVICE: &str = "service:ingestion";

/// What is known of a pseudonym without looking behind it.
pub(crate) type Known = pseudonym_vault::Model;

/// An epoch as it is listed.
#[derive(Debug)]
pub(crate) struct EpochState {
    pub(crate) row: pseudonym_epoch::Model,
    pub(crate) names: u64,
    pub(crate) is_in_force: bool,
}

/// A name, and how it came to be known.
pub(crate) struct Resolved {
    pub(crate) known: Known,
    pub(crate) clear: String,
    pub(crate) also_known_as: BTreeSet<String>,
    pub(crate) audit_sequence: u64,
}

/// The vault. Clones share it.
#[derive(Clone)]
pub(crate) struct Vault {
    database: Database,
    masters: Arc<MasterKeys>,
    pseudonyms: Pseudonyms,
    first_master_key: String,
    audit: Arc<dyn AuditLog>,
    gate: Arc<Gate>,
    clock: SharedClock,
    running: Arc<Mutex<()>>,
}

impl Vault {
    /// Opens the vault; makes its first keys, and wraps all by the present master key.
    ///
    /// # Errors
    /// When the database does not answer or its secrets were wrapped by a key that is not at hand.
    pub(crate) async fn open(
        database: Database,
        masters: MasterKeys,
        audit: Arc<dyn AuditLog>,
        clock: SharedClock,
        tries_an_hour: u32,
    ) -> Result<Self, VaultError> {
        let masters = Arc::new(masters);
        let now = clock.now();
        let shared = Arc::clone(&masters);
        database
            .transaction("set up the keys of pseudonyms", move |transaction| {
                let masters = Arc::clone(&shared);
                Box::pin(async move { keyring::set_up(transaction, &masters, now).await })
            })
            .await?;
        let rows = store::epochs(database.connection()).await?;
        let OpenKeys {
            fingerprints,
            ring,
            first_master_key,
        } = keyring::open(&rows, &masters)?;
        let gate = Gate::new(
            Arc::clone(&audit),
            SharedClock::clone(&clock),
            tries_an_hour,
        );
        Ok(Self {
            database,
            masters,
            pseudonyms: Pseudonyms::new(fingerprints, ring),
            first_master_key,
            audit,
            gate: Arc::new(gate),
            clock,
            running: Arc::default(),
        })
    }

    /// What hashes as rows are read.
    pub(crate) fn pseudonyms(&self) -> Pseudonyms {
        self.pseudonyms.clone()
    }

    /// Held while history is read: keys do not change meanwhile.
    pub(crate) fn running(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.running)
    }

    /// Takes the keys as they are stored: another replica may have changed them.
    pub(crate) async fn refresh(&self) -> Result<Vec<pseudonym_epoch::Model>, VaultError> {
        let rows = store::epochs(self.database.connection()).await?;
        self.pseudonyms
            .replace(keyring::open(&rows, &self.masters)?.ring);
        Ok(rows)
    }

    /// Tells the audit log of a change of the master key; tried again until it is there.
    pub(crate) async fn tell_of_master_key(self, shutdown: tokio_util::sync::CancellationToken) {
        let id = self.masters.current.id();
        if id == self.first_master_key {
            return;
        }
        let event = AppendAuditRequest {
            // the same change told again is one record
            event_id: format!("pseudonyms-master-key-{}-{id}", self.first_master_key),
            actor: SERVICE.to_owned(),
            action: "pseudonyms.master_key_changed".to_owned(),
            subject: format!("master key {id}"),
            run_id: String::new(),
            details_json: json!({ "first": self.first_master_key }).to_string(),
        };
        while let Err(status) = self.audit.append(event.clone()).await {
            tracing::warn!(%status, "the audit log was not told of the master key's change yet");
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(std::time::Duration::from_secs(5)) => {}
            }
        }
    }

    /// Pseudonyms, those met last first.
    pub(crate) async fn list(
        &self,
        kind: Option<EntityKind>,
        limit: u64,
    ) -> Result<Vec<Known>, VaultError> {
        Ok(store::list(self.database.connection(), kind, limit).await?)
    }

    /// The epochs, oldest first.
    pub(crate) async fn epochs(&self) -> Result<Vec<EpochState>, VaultError> {
        let rows = self.refresh().await?;
        let in_force = self.pseudonyms.ring();
        let in_force = in_force.in_force(self.today()).map(|(epoch, _)| epoch);
        let mut epochs = Vec::new();
        for row in rows {
            let epoch = store::epoch_id(&row)?;
            if epoch == keyring::FINGERPRINTS {
                continue;
            }
            epochs.push(EpochState {
                names: store::names(self.database.connection(), row.id).await?,
                is_in_force: in_force == Some(epoch),
                row,
            });
        }
        Ok(epochs)
    }

    /// The name behind a pseudonym.
    pub(crate) async fn resolve(
        &self,
        caller: &Principal,
        pseudonym: &str,
        reason: &str,
    ) -> Result<Resolved, VaultError> {
        let pseudonym = parsed(pseudonym);
        let attempt = Attempt {
            caller,
            action: "pseudonym.resolve",
            subject: subject(pseudonym.as_ref()),
            reason,
        };
        self.gate.admit(&attempt).await?;
        let found = match pseudonym {
            Ok(pseudonym) => self.look_behind(pseudonym).await,
            Err(malformed) => Err(malformed),
        };
        let found = found.map(|found| (found, Map::new()));
        let ((known, clear, also_known_as), audit_sequence) =
            self.gate.decide(&attempt, found).await?;
        Ok(Resolved {
            known,
            clear,
            also_known_as,
            audit_sequence,
        })
    }

    async fn look_behind(
        &self,
        pseudonym: Pseudonym,
    ) -> Result<(Known, String, BTreeSet<String>), VaultError> {
        let known = self.known(pseudonym).await?;
        let sealed = known.sealed.clone().ok_or(VaultError::Erased)?;
        let ring = self.pseudonyms.ring();
        let keys = ring
            .keys(pseudonym.epoch)
            .ok_or(VaultError::Gone(pseudonym.epoch))?;
        let clear = keys
            .open(pseudonym, &SealedValue::from_stored(sealed))
            .map_err(|_| VaultError::DoesNotOpen(pseudonym.to_string()))?;
        let linked = store::linked(self.database.connection(), &known.pseudonym).await?;
        Ok((known, clear, linked))
    }

    /// What is stored of a pseudonym, or why nothing is.
    async fn known(&self, pseudonym: Pseudonym) -> Result<Known, VaultError> {
        let epochs = self.refresh().await?;
        if let Some(known) = store::entry(self.database.connection(), pseudonym).await? {
            return Ok(known);
        }
        let id = store::stored_id(pseudonym.epoch);
        let was_dropped = id.is_ok_and(|id| {
            let mut dropped = epochs.iter().filter(|row| row.dropped_at.is_some());
            dropped.any(|row| row.id == id)
        });
        Err(if was_dropped {
            VaultError::Gone(pseudonym.epoch)
        } else {
            VaultError::Unknown
        })
    }

    /// The pseudonyms under which a name was met.
    pub(crate) async fn find(
        &self,
        caller: &Principal,
        kind: &str,
        clear: &str,
        reason: &str,
    ) -> Result<Vec<Known>, VaultError> {
        let named = name_of(kind, clear);
        let attempt = Attempt {
            caller,
            action: "pseudonym.find",
            subject: match &named {
                Ok((kind, _)) => format!("{kind} by name"),
                Err(_) => "a malformed name".to_owned(),
            },
            reason,
        };
        self.gate.admit(&attempt).await?;
        let found = match named {
            Ok((kind, normal)) => self.met_as(kind, &normal).await,
            Err(malformed) => Err(malformed),
        };
        let found = found.map(|found| {
            let pseudonyms: Vec<&str> = found.iter().map(|known| &*known.pseudonym).collect();
            let details = details([("found", json!(pseudonyms))]);
            (found, details)
        });
        Ok(self.gate.decide(&attempt, found).await?.0)
    }

    async fn met_as(&self, kind: EntityKind, normal: &str) -> Result<Vec<Known>, VaultError> {
        self.refresh().await?;
        let ring = self.pseudonyms.ring();
        let mut found = Vec::new();
        for pseudonym in ring.pseudonyms(kind, normal) {
            found.extend(store::entry(self.database.connection(), pseudonym).await?);
        }
        Ok(found)
    }

    fn today(&self) -> NaiveDate {
        self.clock.now().date_naive()
    }
}

fn parsed(text: &str) -> Result<Pseudonym, VaultError> {
    text.parse()
        .map_err(|error| VaultError::Malformed(format!("pseudonym: {error}")))
}

/// What the audit log calls it. What is no pseudonym may be a name, and is not repeated.
fn subject(pseudonym: Result<&Pseudonym, &VaultError>) -> String {
    pseudonym.map_or_else(|_| "a malformed pseudonym".to_owned(), ToString::to_string)
}

fn name_of(kind: &str, clear: &str) -> Result<(EntityKind, String), VaultError> {
    let kind: EntityKind = kind
        .parse()
        .map_err(|error| VaultError::Malformed(format!("kind: {error}")))?;
    let normal = (clear.len() <= MAX_CLEAR_BYTES)
        .then(|| normalised(kind, clear))
        .flatten();
    let normal = normal.ok_or_else(|| {
        VaultError::Malformed(format!(
            "clear: must name something in {MAX_CLEAR_BYTES} bytes"
        ))
    })?;
    Ok((kind, normal))
}

fn details<const N: usize>(of: [(&str, Value); N]) -> Map<String, Value> {
    of.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
