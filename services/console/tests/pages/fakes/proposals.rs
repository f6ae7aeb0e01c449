//! Proposals and the kill switch.

use foretide_api::actions::v1 as actions;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, Fakes, HOSTILE, PROPOSAL_ID, at};

#[async_trait]
impl actions::actions_service_server::ActionsService for Fakes {
    type ProposeFromForecastStream = BoxStream<actions::ProposeFromForecastResponse>;

    async fn list_proposals(
        &self,
        request: Request<actions::ListProposalsRequest>,
    ) -> Answer<actions::ListProposalsResponse> {
        self.take(request)?;
        let proposals = if self.story().empty {
            vec![]
        } else {
            vec![self.proposal()]
        };
        Ok(Response::new(actions::ListProposalsResponse { proposals }))
    }

    async fn get_proposal(
        &self,
        request: Request<actions::GetProposalRequest>,
    ) -> Answer<actions::GetProposalResponse> {
        let asked = self.take(request)?;
        if asked.proposal_id != PROPOSAL_ID {
            return Err(Status::not_found(format!(
                "proposal {} does not exist",
                asked.proposal_id
            )));
        }
        Ok(Response::new(actions::GetProposalResponse {
            proposal: Some(self.proposal()),
        }))
    }

    async fn approve_proposal(
        &self,
        request: Request<actions::ApproveProposalRequest>,
    ) -> Answer<actions::ApproveProposalResponse> {
        let asked = self.take(request)?;
        self.story().approvals.push(asked);
        match self.story().refusal.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(Response::new(actions::ApproveProposalResponse {
                proposal: None,
            })),
        }
    }

    async fn reject_proposal(
        &self,
        request: Request<actions::RejectProposalRequest>,
    ) -> Answer<actions::RejectProposalResponse> {
        let asked = self.take(request)?;
        self.story().rejections.push(asked);
        Ok(Response::new(actions::RejectProposalResponse {
            proposal: None,
        }))
    }

    async fn get_kill_switch(
        &self,
        request: Request<actions::GetKillSwitchRequest>,
    ) -> Answer<actions::GetKillSwitchResponse> {
        self.take(request)?;
        let kill_switch = actions::KillSwitch {
            engaged: self.story().kill_switch,
            changed_by: "anna".to_owned(),
            changed_at: at(-1),
            reason: HOSTILE.to_owned(),
        };
        Ok(Response::new(actions::GetKillSwitchResponse {
            kill_switch: Some(kill_switch),
        }))
    }

    async fn propose_from_forecast(
        &self,
        _: Request<actions::ProposeFromForecastRequest>,
    ) -> Answer<Self::ProposeFromForecastStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn create_proposal(
        &self,
        _: Request<actions::CreateProposalRequest>,
    ) -> Answer<actions::CreateProposalResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn set_kill_switch(
        &self,
        _: Request<actions::SetKillSwitchRequest>,
    ) -> Answer<actions::SetKillSwitchResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
