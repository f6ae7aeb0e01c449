//! Proposals and decisions.

use chrono::{DateTime, Utc};
use foretide_audit_chain::CanonicalJson;
use foretide_db::DbError;
use foretide_domain::{ActionKind, ForecastId, ProposalId, UseCaseId};
use foretide_policy::{Approval, PayloadHash};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::error::BrokerError;
use crate::model::{
    Decision, Execution, ProposalFilter, ProposalRecord, Route, StateName, Verdict,
};
use crate::storage::entities::{decision, proposal};

/// Proposals that are looked at in one sweep of the background task.
const SWEEP: u64 = 200;

/// Inserts a new proposal. False when there is one with this id.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    record: &ProposalRecord,
) -> Result<bool, BrokerError> {
    let inserted = proposal::Entity::insert(row(record))
        .on_conflict(
            OnConflict::column(proposal::Column::ProposalId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(connection)
        .await?;
    Ok(inserted == 1)
}

fn row(record: &ProposalRecord) -> proposal::ActiveModel {
    proposal::ActiveModel {
        proposal_id: Set(record.id.as_uuid()),
        run_id: Set(record.run_id.map(foretide_domain::RunId::as_uuid)),
        use_case: Set(record.use_case.to_string()),
        forecast_id: Set(record.forecast_id.map(ForecastId::as_uuid)),
        risk_window_id: Set(record
            .risk_window_id
            .map(foretide_domain::RiskWindowId::as_uuid)),
        action_kind: Set(record.kind.name().to_owned()),
        state: Set(StateName::from(record.life.state).name().to_owned()),
        title: Set(record.title.clone()),
        payload: Set(record.payload.to_string()),
        payload_hash: Set(record.life.payload_hash.to_string()),
        policy_version: Set(record.policy_version.to_string()),
        proposed_by: Set(record.life.proposed_by.clone()),
        proposed_at: Set(record.proposed_at),
        expires_at: Set(record.life.expires_at),
        attempts: Set(i32::try_from(record.attempts()).unwrap_or(i32::MAX)),
        started_at: Set(record.execution.started_at),
        finished_at: Set(record.execution.finished_at),
        lease_until: Set(record.execution.lease_until),
        outcome: Set(record.execution.outcome.clone()),
    }
}

/// Stores what may change of a proposal: its state, its execution, decisions from `known` on. What
/// was proposed is never written again.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    record: &ProposalRecord,
    known: usize,
) -> Result<(), BrokerError> {
    let changed = proposal::ActiveModel {
        proposal_id: Unchanged(record.id.as_uuid()),
        run_id: NotSet,
        use_case: NotSet,
        forecast_id: NotSet,
        risk_window_id: NotSet,
        action_kind: NotSet,
        title: NotSet,
        payload: NotSet,
        payload_hash: NotSet,
        policy_version: NotSet,
        proposed_by: NotSet,
        proposed_at: NotSet,
        expires_at: NotSet,
        ..row(record)
    };
    proposal::Entity::update(changed).exec(connection).await?;
    for decision in record.decisions.iter().skip(known) {
        let row = decision::ActiveModel {
            decision_id: Set(Uuid::now_v7()),
            proposal_id: Set(record.id.as_uuid()),
            verdict: Set(decision.verdict.name().to_owned()),
            decided_by: Set(decision.decided_by.clone()),
            decided_at: Set(decision.decided_at),
            payload_hash: Set(decision.payload_hash.to_string()),
            comment: Set(decision.comment.clone()),
            route: Set(decision.route.name().to_owned()),
        };
        decision::Entity::insert(row)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: ProposalId,
) -> Result<ProposalRecord, BrokerError> {
    let row = proposal::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?;
    let row = row.ok_or(BrokerError::UnknownProposal(id))?;
    let mut records = with_decisions(connection, vec![row]).await?;
    records.pop().ok_or(BrokerError::UnknownProposal(id))
}

/// Proposals, newest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: &ProposalFilter,
) -> Result<Vec<ProposalRecord>, BrokerError> {
    let mut query = proposal::Entity::find();
    if !filter.states.is_empty() {
        let names = filter.states.iter().map(|state| state.name());
        query = query.filter(proposal::Column::State.is_in(names));
    }
    if let Some(use_case) = &filter.use_case {
        query = query.filter(proposal::Column::UseCase.eq(use_case.as_str()));
    }
    let rows = query
        .order_by_desc(proposal::Column::ProposedAt)
        .order_by_asc(proposal::Column::ProposalId)
        .limit(filter.limit)
        .all(connection)
        .await?;
    with_decisions(connection, rows).await
}

/// Proposals that nobody decided or began in time.
pub(crate) async fn overdue(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<ProposalId>, BrokerError> {
    let open = [StateName::Waiting, StateName::Approved].map(StateName::name);
    let rows = proposal::Entity::find()
        .filter(proposal::Column::State.is_in(open))
        .filter(proposal::Column::ExpiresAt.lte(now))
        .limit(SWEEP)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.proposal_id.into()).collect())
}

/// Proposals whose execution was never begun, or never ended, by the process that was to do it.
pub(crate) async fn abandoned(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<ProposalId>, BrokerError> {
    let begun = [StateName::Approved, StateName::Executing].map(StateName::name);
    let without_lease = Condition::any()
        .add(proposal::Column::LeaseUntil.is_null())
        .add(proposal::Column::LeaseUntil.lte(now));
    let rows = proposal::Entity::find()
        .filter(proposal::Column::State.is_in(begun))
        .filter(without_lease)
        .limit(SWEEP)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.proposal_id.into()).collect())
}

/// Proposals that wait on a forecast of the use case other than this one.
pub(crate) async fn waiting_on_older_forecasts(
    connection: &impl ConnectionTrait,
    use_case: &UseCaseId,
    newest: ForecastId,
) -> Result<Vec<ProposalRecord>, BrokerError> {
    let rows = proposal::Entity::find()
        .filter(proposal::Column::State.eq(StateName::Waiting.name()))
        .filter(proposal::Column::UseCase.eq(use_case.as_str()))
        .filter(proposal::Column::ForecastId.is_not_null())
        .filter(proposal::Column::ForecastId.ne(newest.as_uuid()))
        .all(connection)
        .await?;
    with_decisions(connection, rows).await
}

async fn with_decisions(
    connection: &impl ConnectionTrait,
    rows: Vec<proposal::Model>,
) -> Result<Vec<ProposalRecord>, BrokerError> {
    let ids = rows.iter().map(|row| row.proposal_id);
    let decisions = decision::Entity::find()
        .filter(decision::Column::ProposalId.is_in(ids))
        .order_by_asc(decision::Column::DecisionId)
        .all(connection)
        .await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let own: Result<Vec<_>, DbError> = decisions
            .iter()
            .filter(|decision| decision.proposal_id == row.proposal_id)
            .map(read_decision)
            .collect();
        records.push(read(row, own?)?);
    }
    Ok(records)
}

fn read_decision(row: &decision::Model) -> Result<Decision, DbError> {
    let corrupt =
        |column, problem: &str| DbError::corrupt("decision", column, row.decision_id, problem);
    Ok(Decision {
        verdict: match row.verdict.as_str() {
            "approve" => Verdict::Approve,
            "reject" => Verdict::Reject,
            other => return Err(corrupt("verdict", other)),
        },
        decided_by: row.decided_by.clone(),
        decided_at: row.decided_at,
        payload_hash: row
            .payload_hash
            .parse()
            .map_err(|_| corrupt("payload_hash", "not a hash"))?,
        comment: row.comment.clone(),
        route: Route::of(&row.route).ok_or_else(|| corrupt("route", "not a route"))?,
    })
}

fn read(row: proposal::Model, decisions: Vec<Decision>) -> Result<ProposalRecord, DbError> {
    let corrupt =
        |column, problem: String| DbError::corrupt("proposal", column, row.proposal_id, problem);
    let attempts =
        u32::try_from(row.attempts).map_err(|error| corrupt("attempts", error.to_string()))?;
    let state = StateName::of(&row.state).ok_or_else(|| corrupt("state", row.state.clone()))?;
    let payload_hash: PayloadHash = row
        .payload_hash
        .parse()
        .map_err(|_| corrupt("payload_hash", "not a hash".to_owned()))?;
    let kind = ActionKind::of(&row.action_kind)
        .ok_or_else(|| corrupt("action_kind", row.action_kind.clone()))?;
    let use_case: Result<UseCaseId, _> = row.use_case.parse();
    let use_case = use_case.map_err(|error| corrupt("use_case", error.to_string()))?;
    let approvals = decisions
        .iter()
        .filter(|decision| decision.verdict == Verdict::Approve)
        .map(|decision| Approval {
            by: decision.decided_by.clone(),
            at: decision.decided_at,
            payload_hash: decision.payload_hash,
        })
        .collect();
    Ok(ProposalRecord {
        id: row.proposal_id.into(),
        run_id: row.run_id.map(Into::into),
        use_case,
        forecast_id: row.forecast_id.map(Into::into),
        risk_window_id: row.risk_window_id.map(Into::into),
        kind,
        title: row.title,
        payload: CanonicalJson::from_stored(row.payload),
        policy_version: row.policy_version.into(),
        proposed_at: row.proposed_at,
        life: foretide_policy::Proposal {
            proposed_by: row.proposed_by,
            payload_hash,
            expires_at: row.expires_at,
            state: state.with_attempts(attempts),
            approvals,
        },
        decisions,
        execution: Execution {
            attempts,
            started_at: row.started_at,
            finished_at: row.finished_at,
            lease_until: row.lease_until,
            outcome: row.outcome,
        },
    })
}
