//! Parses requests, calls the vault, renders answers.

use foretide_api::ingestion::v1 as api;
use foretide_api::ingestion::v1::pseudonym_service_server::PseudonymService;
use foretide_api::{FieldError, into_status, timestamp};
use foretide_domain::Role;
use foretide_pseudonyms::{EntityKind, EpochId, UnknownKind};
use foretide_service_runtime::{caller, require};
use tonic::{Request, Response, Status};

use super::{EpochState, Known, Resolved, Vault};
use crate::service::listed;

/// The gRPC face of the vault.
pub(crate) struct Grpc {
    vault: Vault,
}

impl Grpc {
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault }
    }
}

// Who may not is turned away by the vault, which records it.
#[tonic::async_trait]
impl PseudonymService for Grpc {
    async fn list_pseudonyms(
        &self,
        request: Request<api::ListPseudonymsRequest>,
    ) -> Result<Response<api::ListPseudonymsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListPseudonymsRequest { kind, limit } = request.into_inner();
        let kind = (!kind.is_empty())
            .then(|| kind.parse::<EntityKind>())
            .transpose()
            .map_err(|error: UnknownKind| {
                into_status(FieldError::new("kind", error.to_string()))
            })?;
        let known = self.vault.list(kind, listed(limit)).await;
        let known = known.map_err(into_status)?;
        Ok(Response::new(api::ListPseudonymsResponse {
            pseudonyms: known.into_iter().map(known_message).collect(),
        }))
    }

    async fn list_pseudonym_epochs(
        &self,
        request: Request<api::ListPseudonymEpochsRequest>,
    ) -> Result<Response<api::ListPseudonymEpochsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListPseudonymEpochsRequest {} = request.into_inner();
        let epochs = self.vault.epochs().await.map_err(into_status)?;
        Ok(Response::new(api::ListPseudonymEpochsResponse {
            epochs: epochs.into_iter().map(epoch_message).collect(),
        }))
    }

    async fn resolve_pseudonym(
        &self,
        request: Request<api::ResolvePseudonymRequest>,
    ) -> Result<Response<api::ResolvePseudonymResponse>, Status> {
        let caller = caller(&request)?;
        let api::ResolvePseudonymRequest { pseudonym, reason } = request.into_inner();
        let resolved = self.vault.resolve(&caller, &pseudonym, &reason).await;
        let Resolved {
            known,
            clear,
            also_known_as,
            audit_sequence,
        } = resolved.map_err(into_status)?;
        Ok(Response::new(api::ResolvePseudonymResponse {
            known: Some(known_message(known)),
            clear,
            also_known_as: also_known_as.into_iter().collect(),
            audit_sequence,
        }))
    }

    async fn find_pseudonyms(
        &self,
        request: Request<api::FindPseudonymsRequest>,
    ) -> Result<Response<api::FindPseudonymsResponse>, Status> {
        let caller = caller(&request)?;
        let api::FindPseudonymsRequest {
            kind,
            clear,
            reason,
        } = request.into_inner();
        let found = self.vault.find(&caller, &kind, &clear, &reason).await;
        let found = found.map_err(into_status)?;
        Ok(Response::new(api::FindPseudonymsResponse {
            pseudonyms: found.into_iter().map(known_message).collect(),
        }))
    }

    async fn rotate_pseudonym_keys(
        &self,
        request: Request<api::RotatePseudonymKeysRequest>,
    ) -> Result<Response<api::RotatePseudonymKeysResponse>, Status> {
        let caller = caller(&request)?;
        let api::RotatePseudonymKeysRequest { reason, at_once } = request.into_inner();
        let epoch = Box::pin(self.vault.rotate(&caller, &reason, at_once)).await;
        let epoch = Some(epoch_message(epoch.map_err(into_status)?));
        Ok(Response::new(api::RotatePseudonymKeysResponse { epoch }))
    }

    async fn drop_pseudonym_epoch(
        &self,
        request: Request<api::DropPseudonymEpochRequest>,
    ) -> Result<Response<api::DropPseudonymEpochResponse>, Status> {
        let caller = caller(&request)?;
        let api::DropPseudonymEpochRequest {
            epoch,
            reason,
            confirm,
        } = request.into_inner();
        let (epoch, confirm) = (EpochId(epoch), EpochId(confirm));
        let erased = Box::pin(self.vault.drop_epoch(&caller, epoch, confirm, &reason)).await;
        let erased = erased.map_err(into_status)?;
        Ok(Response::new(api::DropPseudonymEpochResponse { erased }))
    }

    async fn erase_pseudonym(
        &self,
        request: Request<api::ErasePseudonymRequest>,
    ) -> Result<Response<api::ErasePseudonymResponse>, Status> {
        let caller = caller(&request)?;
        let api::ErasePseudonymRequest {
            pseudonym,
            reason,
            confirm,
        } = request.into_inner();
        let erased = Box::pin(self.vault.erase(&caller, &pseudonym, &confirm, &reason)).await;
        let erased = erased.map_err(into_status)?.into_iter().collect();
        Ok(Response::new(api::ErasePseudonymResponse { erased }))
    }
}

fn known_message(known: Known) -> api::KnownPseudonym {
    api::KnownPseudonym {
        pseudonym: known.pseudonym,
        kind: known.kind,
        epoch: u32::try_from(known.epoch).unwrap_or_default(),
        table: known.table_name,
        known_at: timestamp(known.known_at),
        run_id: known.run_id.to_string(),
        erased_at: known.erased_at.and_then(timestamp),
    }
}

fn epoch_message(state: EpochState) -> api::PseudonymEpoch {
    let EpochState {
        row,
        names,
        is_in_force,
    } = state;
    api::PseudonymEpoch {
        epoch: u32::try_from(row.id).unwrap_or_default(),
        starts_on: row.starts_on.to_string(),
        created_at: timestamp(row.created_at),
        created_by: row.created_by,
        dropped_at: row.dropped_at.and_then(timestamp),
        dropped_by: row.dropped_by.unwrap_or_default(),
        pseudonyms: names,
        master_key: row.master_key,
        is_in_force,
    }
}
