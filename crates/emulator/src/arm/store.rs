//! What Azure Resource Manager remembers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use serde_json::Value;

use super::path::Place;
use super::throttle::Bucket;
use crate::answers::AzureError;

/// Resources by id, operations, buckets.
#[derive(Debug, Default)]
pub(crate) struct Arm {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By id in lower case: Azure does not tell ids by case.
    pub(crate) resources: BTreeMap<String, Value>,
    operations: BTreeMap<String, Pending>,
    pub(crate) reads: Bucket,
    pub(crate) writes: Bucket,
    pub(crate) deletes: Bucket,
    versions: u64,
    pub(crate) incidents: u64,
}

#[derive(Debug)]
struct Pending {
    looks_left: u32,
    /// Id in lower case of what it works on.
    resource: String,
}

impl Arm {
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&self) {
        *self.memory() = Memory::default();
    }

    pub(crate) fn read(&self, place: &Place) -> Result<Value, AzureError> {
        self.find(&place.id()).ok_or_else(|| not_found(place))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Value> {
        self.memory()
            .resources
            .get(&id.to_ascii_lowercase())
            .cloned()
    }

    /// The resources of a collection, ordered by id.
    pub(crate) fn children(&self, collection: &str) -> Vec<Value> {
        let prefix = format!("{}/", collection.to_ascii_lowercase());
        let memory = self.memory();
        let from_here = memory.resources.range(prefix.clone()..);
        from_here
            .take_while(|(id, _)| id.starts_with(&prefix))
            .filter(|(id, _)| !id[prefix.len()..].contains('/'))
            .map(|(_, body)| body.clone())
            .collect()
    }

    pub(crate) fn all(&self, resource_type: &str) -> Vec<Value> {
        let memory = self.memory();
        let of_type = |body: &&Value| {
            body["type"]
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(resource_type))
        };
        memory.resources.values().filter(of_type).cloned().collect()
    }

    /// Begins an operation that says `InProgress` that often.
    pub(crate) fn begin_operation(&self, resource: &str, looks: u32) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let pending = Pending {
            looks_left: looks,
            resource: resource.to_ascii_lowercase(),
        };
        self.memory().operations.insert(id.clone(), pending);
        id
    }

    /// Whether an operation is done; nothing when there is none.
    pub(crate) fn look_at_operation(&self, id: &str) -> Option<bool> {
        let mut memory = self.memory();
        let pending = memory.operations.get_mut(id)?;
        if pending.looks_left > 0 {
            pending.looks_left -= 1;
            return Some(false);
        }
        let resource = pending.resource.clone();
        if let Some(body) = memory.resources.get_mut(&resource) {
            body["properties"]["provisioningState"] = "Succeeded".into();
        }
        Some(true)
    }
}

impl Memory {
    /// A version no resource had before. It brings its own quotes.
    pub(crate) fn next_etag(&mut self) -> String {
        self.versions += 1;
        format!("\"{:08x}-0000-0d00-0000-5c37296e0000\"", self.versions)
    }
}

pub(crate) fn not_found(place: &Place) -> AzureError {
    let message = format!(
        "The Resource '{}/{}' was not found.",
        place.kind.resource_type(),
        place.name
    );
    AzureError::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
}
