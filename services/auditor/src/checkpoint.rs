//! Checkpoints outside the database: in the lake, where objects are never overwritten, and in a second
//! place, if one is configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foretide_audit_chain::{Checkpoint, Head, Note, TreeHead, VerifierKey};
use foretide_domain::SharedClock;
use foretide_lake::{Lake, LakeError};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::AuditorError;
use crate::signer::Signer;
use crate::storage::{SignedCheckpoint, Storage};

const FOLDER: &str = "audit/checkpoints/";
/// The newest so many of each place are read and held against the chain when it is verified.
pub(crate) const NEWEST: usize = 100;
/// How often somebody looks for records of other replicas, and for what could not be published.
const PERIOD: Duration = Duration::from_secs(30);
/// Shortest time between two publications, so that a burst of records is one object.
const PAUSE: Duration = Duration::from_secs(2);

/// A place where checkpoints are.
#[derive(Debug, Clone)]
struct Place {
    /// As people know it.
    name: String,
    objects: Lake,
    /// Whether it has all checkpoints, not only those since it was configured.
    is_complete: bool,
}

/// What a place has, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Signed tree heads.
    pub(crate) trees: Vec<TreeHead>,
    /// Chain heads of earlier versions, which did not sign.
    pub(crate) heads: Vec<Head>,
    /// Records that the newest signed checkpoint of the place commits to that is furthest behind.
    pub(crate) covered: u64,
    /// The first fault: the records of the checkpoint, and what is wrong.
    pub(crate) fault: Option<(u64, String)>,
}

impl Found {
    fn fault(&mut self, size: u64, problem: String) {
        self.fault.get_or_insert((size, problem));
    }
}

/// Publishes checkpoints and reads them again.
pub(crate) struct Checkpoints {
    storage: Storage,
    signer: Arc<Signer>,
    places: Vec<Place>,
    clock: SharedClock,
    /// One publication at a time.
    turn: Mutex<()>,
}

impl Checkpoints {
    pub(crate) fn new(
        storage: Storage,
        signer: Arc<Signer>,
        lake: Lake,
        second: Option<Lake>,
        clock: SharedClock,
    ) -> Self {
        let place = |name: String, objects: Lake, is_complete| Place {
            name,
            objects,
            is_complete,
        };
        let mut places = vec![place("the lake".to_owned(), lake, true)];
        places.extend(second.map(|objects| place(objects.location().to_owned(), objects, false)));
        Self {
            storage,
            signer,
            places,
            clock,
            turn: Mutex::default(),
        }
    }

    /// Brings the newest checkpoint to every place. A place that was configured later begins with it.
    pub(crate) async fn publish(&self) -> Result<(), AuditorError> {
        let _turn = self.turn.lock().await;
        let newest = self.storage.checkpoints(1).await?;
        let Some(newest) = newest.first() else {
            return Ok(());
        };
        if newest.is_published {
            return Ok(());
        }
        for place in &self.places {
            put(place, newest).await?;
        }
        self.storage
            .mark_published(newest.size, self.clock.now())
            .await
    }

    /// Gives a place that has nothing yet the newest checkpoint.
    async fn begin_places(&self) -> Result<(), AuditorError> {
        let newest = self.storage.checkpoints(1).await?;
        for place in self.places.iter().filter(|place| !place.is_complete) {
            if place.objects.list(FOLDER).await?.is_empty()
                && let Some(newest) = newest.first()
            {
                tracing::warn!(place = %place.name, size = newest.size, "a place without checkpoints begins with this one");
                put(place, newest).await?;
            }
        }
        Ok(())
    }

    /// Signs and publishes what was recorded. What fails is tried again later, so nobody need wait.
    pub(crate) async fn follow(&self) {
        if let Err(error) = self.sign().await {
            tracing::error!(error = ?error, "no checkpoint of the audit log was signed");
        }
        if let Err(error) = self.publish().await {
            tracing::error!(error = ?error, "the newest checkpoint of the audit log is not published");
        }
    }

    /// Signs, once the records are known to be what the table and every place say was signed before.
    async fn sign(&self) -> Result<(), AuditorError> {
        if !self.signer.is_resumed().await {
            self.begin_places().await?;
            self.signer.resume(&self.found().await?.trees).await?;
        }
        self.signer.sign().await
    }

    /// Follows the chain until shutdown, and once more then.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            self.follow().await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(PERIOD) => {}
                () = self.signer.signed.notified() => tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                },
            }
        }
        self.follow().await;
    }

    /// What the table and every place have of signed checkpoints.
    pub(crate) async fn found(&self) -> Result<Found, AuditorError> {
        let mut found = Found {
            covered: u64::MAX,
            ..Found::default()
        };
        let keys = &self.signer.keys.trusted;
        let signed = self.storage.checkpoints(NEWEST as u64).await?;
        for checkpoint in &signed {
            match open(checkpoint.note.as_bytes(), checkpoint.size, keys) {
                Ok(tree) => found.trees.push(tree),
                Err(problem) => {
                    let text = format!("checkpoint {}: {problem}", checkpoint.size);
                    found.fault(checkpoint.size, format!("{text}, in the database"));
                }
            }
        }
        let notes: BTreeMap<u64, String> = signed
            .into_iter()
            .map(|checkpoint| (checkpoint.size, checkpoint.note))
            .collect();
        let published = self.storage.published_sizes().await?;
        for place in &self.places {
            let covered = in_place(place, &published, &notes, keys, &mut found).await?;
            found.covered = found.covered.min(covered);
        }
        Ok(found)
    }
}

async fn put(place: &Place, checkpoint: &SignedCheckpoint) -> Result<(), LakeError> {
    let path = format!("{FOLDER}{:020}.note", checkpoint.size);
    let bytes = Bytes::from(checkpoint.note.clone());
    place.objects.put_immutable(&path, bytes).await?;
    Ok(())
}

/// Adds what a place has to what was found. Gives back how many records its newest checkpoint covers.
async fn in_place(
    place: &Place,
    published: &[u64],
    notes: &BTreeMap<u64, String>,
    keys: &[VerifierKey],
    found: &mut Found,
) -> Result<u64, AuditorError> {
    let objects = place.objects.list(FOLDER).await?;
    let mut paths: Vec<&str> = objects.iter().map(|object| object.path.as_str()).collect();
    paths.sort_unstable();
    let sizes: BTreeSet<u64> = paths.iter().filter_map(|path| size_of(path)).collect();
    let since = match sizes.first() {
        Some(first) if !place.is_complete => *first,
        _ => 0,
    };
    let mut expected = published.iter().filter(|size| **size >= since);
    if let Some(missing) = expected.find(|size| !sizes.contains(size)) {
        let problem = format!("checkpoint {missing} is missing from {}", place.name);
        found.fault(*missing, problem);
    }
    let mut covered = 0;
    for path in paths.iter().rev().take(NEWEST) {
        let bytes = place.objects.get(path, None).await?;
        if path.ends_with(".json") {
            match serde_json::from_slice(&bytes) {
                Ok(head) => found.heads.push(head),
                Err(error) => found.fault(0, format!("{path} in {}: {error}", place.name)),
            }
            continue;
        }
        let size = size_of(path).unwrap_or_default();
        match open(&bytes, size, keys) {
            Ok(tree) => {
                covered = covered.max(tree.size);
                found.trees.push(tree);
            }
            Err(problem) => {
                let text = format!("checkpoint {size}: {problem}, in {} ({path})", place.name);
                found.fault(size, text);
            }
        }
        let other = notes.get(&size).filter(|note| note.as_bytes() != bytes);
        if other.is_some() {
            let problem = format!("checkpoint {size} in {} is not the one signed", place.name);
            found.fault(size, problem);
        }
    }
    Ok(covered)
}

/// Records that the checkpoint of this path commits to.
fn size_of(path: &str) -> Option<u64> {
    let name = path.strip_prefix(FOLDER)?.strip_suffix(".note")?;
    name.parse().ok()
}

fn open(bytes: &[u8], size: u64, keys: &[VerifierKey]) -> Result<TreeHead, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a text".to_owned())?;
    let note = text.parse::<Note>().map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::open(&note, keys).map_err(|error| error.to_string())?;
    if checkpoint.tree.size == size {
        Ok(checkpoint.tree)
    } else {
        Err(format!(
            "it stands where that of {size} records belongs, but is of {}",
            checkpoint.tree.size
        ))
    }
}
