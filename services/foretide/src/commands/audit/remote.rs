//! What the running auditor says of its log, and whether it can prove it.

use foretide_api::governance::v1::{
    GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
};
use foretide_audit_chain::{Digest, ProofError, TreeHead, verify_consistency};
use foretide_service_runtime::Peers;
use tonic::Code;

use crate::connection::plainly;

/// The newest checkpoint and the key that the auditor says it is signed by.
pub(super) async fn newest(peers: &Peers) -> anyhow::Result<GetCheckpointResponse> {
    let answer = peers
        .auditor()
        .get_checkpoint(GetCheckpointRequest {})
        .await;
    Ok(answer.map_err(|status| plainly(&status))?.into_inner())
}

/// Checks that the log of `new` begins with all of `old`. A [`ProofError`] says that it does not, or
/// that the auditor cannot show it.
pub(super) async fn check_growth(
    peers: &Peers,
    old: &TreeHead,
    new: &TreeHead,
) -> anyhow::Result<()> {
    let proof = if old.size > 0 && old.size < new.size {
        proof(peers, old.size, new.size).await?
    } else {
        Vec::new()
    };
    Ok(verify_consistency(old, new, &proof)?)
}

async fn proof(peers: &Peers, from: u64, to: u64) -> anyhow::Result<Vec<Digest>> {
    let request = GetConsistencyProofRequest {
        old_size: from,
        new_size: to,
    };
    let unproven = ProofError::NotAnExtension { from, to };
    let hashes = match peers.auditor().get_consistency_proof(request).await {
        Ok(answer) => answer.into_inner().hashes,
        Err(status)
            if matches!(
                status.code(),
                Code::InvalidArgument | Code::FailedPrecondition
            ) =>
        {
            return Err(anyhow::Error::from(unproven).context(plainly(&status)));
        }
        Err(status) => return Err(plainly(&status)),
    };
    let digests = hashes.iter().map(|hash| Digest::try_from(hash.as_slice()));
    let digests: Result<Vec<_>, _> = digests.collect();
    digests.map_err(|_| unproven.into())
}
