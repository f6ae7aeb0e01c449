//! `actions`: what is proposed, and what people decide.

use std::io::Write;

use anyhow::{Context, bail};
use foretide_api::actions::v1::{
    ApproveProposalRequest, CreateProposalRequest, GetProposalRequest, ListProposalsRequest,
    Proposal, ProposalState, RejectProposalRequest, SetKillSwitchRequest,
};
use foretide_service_runtime::Peers;

use crate::cli::{ActionsCommand, CallerArgs, Format};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable};

pub(super) async fn run(command: ActionsCommand, config: &Config) -> anyhow::Result<()> {
    let as_operator = |caller: &CallerArgs| connection::open(config, caller, "operator");
    let as_approver = |caller: &CallerArgs| connection::open(config, caller, "approver");
    match command {
        ActionsCommand::List(list) => {
            let peers = as_operator(&list.caller)?;
            let request = ListProposalsRequest {
                limit: list.limit,
                ..Default::default()
            };
            let answer = peers
                .broker()
                .list_proposals(request)
                .await
                .map_err(|status| plainly(&status))?;
            let proposals = answer.into_inner().proposals;
            print(
                list.output.format,
                &proposals,
                HEADER,
                proposals.iter().map(row),
            )
        }
        ActionsCommand::Show {
            proposal_id,
            output,
            caller,
        } => {
            let proposal = get(&as_operator(&caller)?, proposal_id).await?;
            show(&proposal, output.format)
        }
        ActionsCommand::Approve {
            proposal_id,
            payload_hash,
            comment,
            caller,
        } => {
            let peers = as_approver(&caller)?;
            let payload_hash = match payload_hash {
                Some(hash) => hash,
                None => confirm(&get(&peers, proposal_id.clone()).await?)?,
            };
            let request = ApproveProposalRequest {
                proposal_id,
                payload_hash,
                comment,
                route: "cli".to_owned(),
            };
            let answer = peers
                .broker()
                .approve_proposal(request)
                .await
                .map_err(|status| plainly(&status))?;
            told(answer.into_inner().proposal)
        }
        ActionsCommand::Reject {
            proposal_id,
            comment,
            caller,
        } => {
            let request = RejectProposalRequest {
                proposal_id,
                comment,
                route: "cli".to_owned(),
            };
            let answer = as_approver(&caller)?
                .broker()
                .reject_proposal(request)
                .await
                .map_err(|status| plainly(&status))?;
            told(answer.into_inner().proposal)
        }
        ActionsCommand::Propose {
            use_case,
            title,
            message,
            caller,
        } => {
            let request = CreateProposalRequest {
                use_case,
                title,
                message,
            };
            let answer = as_operator(&caller)?
                .broker()
                .create_proposal(request)
                .await
                .map_err(|status| plainly(&status))?;
            told(answer.into_inner().proposal)
        }
        ActionsCommand::Halt { reason, caller } => {
            switch(&as_operator(&caller)?, true, reason).await
        }
        ActionsCommand::Resume { reason, caller } => {
            switch(&as_approver(&caller)?, false, reason).await
        }
    }
}

const HEADER: &[&str] = &["proposal", "state", "kind", "title", "by", "expires (UTC)"];

fn row(proposal: &Proposal) -> Vec<String> {
    vec![
        proposal.proposal_id.clone(),
        state_word(proposal.state()).to_owned(),
        proposal.action_kind.clone(),
        proposal.title.clone(),
        proposal.proposed_by.clone(),
        minute(proposal.expires_at),
    ]
}

fn state_word(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Unspecified => "unknown",
        ProposalState::Waiting => "waiting",
        ProposalState::Approved => "approved",
        ProposalState::Rejected => "rejected",
        ProposalState::Expired => "expired",
        ProposalState::Superseded => "superseded",
        ProposalState::Executed => "executed",
        ProposalState::Failed => "failed",
    }
}

async fn get(peers: &Peers, proposal_id: String) -> anyhow::Result<Proposal> {
    let request = GetProposalRequest { proposal_id };
    let answer = peers
        .broker()
        .get_proposal(request)
        .await
        .map_err(|status| plainly(&status))?;
    answer
        .into_inner()
        .proposal
        .context("the broker sent no proposal")
}

fn show(proposal: &Proposal, format: Format) -> anyhow::Result<()> {
    print(format, proposal, HEADER, [row(proposal)])?;
    if format == Format::Table {
        let payload: serde_json::Value = serde_json::from_str(&proposal.payload_json)?;
        println!(
            "\nwould be sent, exactly:\n{}",
            printable(&serde_json::to_string_pretty(&payload)?)
        );
        println!(
            "\npayload hash  {}\nrun           {}",
            proposal.payload_hash, proposal.run_id
        );
        for decision in &proposal.decisions {
            println!(
                "{} by {} at {} ({}): {}",
                decision.verdict,
                printable(&decision.decided_by),
                minute(decision.decided_at),
                decision.route,
                printable(&decision.comment)
            );
        }
        if let Some(execution) = &proposal.execution {
            println!("execution     {}", printable(&execution.outcome));
        }
    }
    Ok(())
}

/// Shows what would be sent and asks; the answer binds to what was shown.
fn confirm(proposal: &Proposal) -> anyhow::Result<String> {
    show(proposal, Format::Table)?;
    print!("\napprove exactly this? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("not approved");
    }
    Ok(proposal.payload_hash.clone())
}

fn told(proposal: Option<Proposal>) -> anyhow::Result<()> {
    let proposal = proposal.context("the broker sent no proposal")?;
    println!("{} {}", proposal.proposal_id, state_word(proposal.state()));
    Ok(())
}

async fn switch(peers: &Peers, engaged: bool, reason: String) -> anyhow::Result<()> {
    let request = SetKillSwitchRequest { engaged, reason };
    let answer = peers
        .broker()
        .set_kill_switch(request)
        .await
        .map_err(|status| plainly(&status))?;
    let switch = answer
        .into_inner()
        .kill_switch
        .context("the broker sent no state")?;
    let word = if switch.engaged {
        "engaged: nothing is executed"
    } else {
        "released"
    };
    println!("kill switch {word} (by {})", printable(&switch.changed_by));
    Ok(())
}
