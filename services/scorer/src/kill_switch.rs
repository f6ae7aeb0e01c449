//! While the kill switch is engaged, no predicted window stands in the workspace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use foretide_api::actions::v1::GetKillSwitchRequest;
use foretide_api::actions::v1::actions_service_client::ActionsServiceClient;
use foretide_service_runtime::AuthedChannel;
use tokio_util::sync::CancellationToken;

use crate::write_back::WriteBack;

/// How often the broker is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// Takes windows back while the kill switch is engaged: automation rules of the workspace act on them.
/// When the broker cannot be asked, what it said last holds.
pub(crate) async fn watch(
    write_back: Arc<WriteBack>,
    mut broker: ActionsServiceClient<AuthedChannel>,
    shutdown: CancellationToken,
) {
    loop {
        match broker.get_kill_switch(GetKillSwitchRequest {}).await {
            Ok(answer) => {
                let switch = answer.into_inner().kill_switch.unwrap_or_default();
                write_back
                    .kill_switch
                    .store(switch.engaged, Ordering::Release);
                if switch.engaged
                    && let Err(error) = write_back.retract_everything().await
                {
                    tracing::warn!(%error, "predicted windows could not be taken back; it will be tried again");
                }
            }
            Err(status) => {
                tracing::debug!(code = ?status.code(), "the kill switch could not be read");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}
