//! Reading and writing runs.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{RunId, Step};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use serde_json::{Map, Value};

use super::Storage;
use super::entities::{run, run_of, run_step};
use crate::model::{Run, RunState, StepProgress};

impl Storage {
    /// Stores a run, or returns the one that has its dedup key already.
    pub(crate) async fn insert(&self, run: Run) -> Result<Run, DbError> {
        let stored = self
            .database
            .transaction("start run", |transaction| {
                let run = run.clone();
                Box::pin(async move {
                    if let Some(key) = &run.dedup_key
                        && let Some(earlier) = by_key(transaction, key).await?
                    {
                        return Ok(earlier);
                    }
                    insert_rows(transaction, &run).await?;
                    Ok(run)
                })
            })
            .await;
        match (stored, &run.dedup_key) {
            // Another replica was faster by a moment.
            (Err(DbError::Conflict { .. }), Some(key)) => by_key(self.database.connection(), key)
                .await?
                .ok_or_else(|| DbError::not_found(format!("run with dedup key {key:?}"))),
            (stored, _) => stored,
        }
    }

    pub(crate) async fn get(&self, id: RunId) -> Result<Option<Run>, DbError> {
        find(self.database.connection(), id).await
    }

    /// The newest runs.
    pub(crate) async fn newest(&self, limit: u64) -> Result<Vec<Run>, DbError> {
        let rows = run::Entity::find()
            .order_by_desc(run::Column::QueuedAt)
            .order_by_desc(run::Column::Id)
            .limit(limit)
            .all(self.database.connection())
            .await?;
        self.with_steps(rows).await
    }

    /// Runs that have not ended, oldest first.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Run>, DbError> {
        let rows = run::Entity::find()
            .filter(run::Column::State.is_in([RunState::Queued.name(), RunState::Running.name()]))
            .order_by_asc(run::Column::QueuedAt)
            .all(self.database.connection())
            .await?;
        self.with_steps(rows).await
    }

    async fn with_steps(&self, rows: Vec<run::Model>) -> Result<Vec<Run>, DbError> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut steps = run_step::Entity::find()
            .filter(run_step::Column::RunId.is_in(ids))
            .order_by_asc(run_step::Column::Position)
            .all(self.database.connection())
            .await?;
        rows.into_iter()
            .map(|row| {
                let (own, others) = steps.drain(..).partition(|step| step.run_id == row.id);
                steps = others;
                run_of(row, own)
            })
            .collect()
    }

    /// A step's attempt begins, and with it the run. Nothing when the run has ended or the step has
    /// succeeded; else the run as it is now.
    pub(crate) async fn begin_step(
        &self,
        id: RunId,
        step: Step,
        attempt: u32,
        now: DateTime<Utc>,
    ) -> Result<Run, DbError> {
        self.database
            .transaction("begin step", |transaction| {
                Box::pin(async move {
                    let run = locate(transaction, id).await?;
                    let row = locate_step(transaction, id, step).await?;
                    if run.state.has_ended() || row.state == RunState::Succeeded.name() {
                        return Ok(run);
                    }
                    let started_at = row.started_at.unwrap_or(now);
                    let mut row = row.into_active_model();
                    row.state = Set(RunState::Running.name().to_owned());
                    row.attempts = Set(i32::try_from(attempt).unwrap_or(i32::MAX));
                    row.started_at = Set(Some(started_at));
                    row.update(transaction).await?;
                    set_run(transaction, id, RunState::Running, None).await?;
                    locate(transaction, id).await
                })
            })
            .await
    }

    /// What a running step tells. Without effect once the step has ended.
    pub(crate) async fn note_progress(
        &self,
        id: RunId,
        step: Step,
        progress: &StepProgress,
    ) -> Result<(), DbError> {
        let progress = serde_json::to_value(progress).expect("text and numbers are JSON");
        run_step::Entity::update_many()
            .col_expr(run_step::Column::Progress, Expr::value(progress))
            .filter(run_step::Column::RunId.eq(id.as_uuid()))
            .filter(run_step::Column::Step.eq(step.name()))
            .filter(run_step::Column::State.eq(RunState::Running.name()))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }

    /// One part of a step (a use case) is done and need not be done again.
    pub(crate) async fn note_part(
        &self,
        id: RunId,
        step: Step,
        part: &str,
        summary: &Value,
    ) -> Result<(), DbError> {
        self.database
            .transaction("note part of step", |transaction| {
                let (part, summary) = (part.to_owned(), summary.clone());
                Box::pin(async move {
                    let row = locate_step(transaction, id, step).await?;
                    let mut parts = match &row.summary {
                        Some(Value::Object(parts)) => parts.clone(),
                        _ => Map::new(),
                    };
                    parts.insert(part, summary);
                    let mut row = row.into_active_model();
                    row.summary = Set(Some(Value::Object(parts)));
                    row.update(transaction).await?;
                    Ok::<_, DbError>(())
                })
            })
            .await
    }

    /// The step will be tried again.
    pub(crate) async fn postpone_step(
        &self,
        id: RunId,
        step: Step,
        why: &str,
    ) -> Result<(), DbError> {
        self.end_step(id, step, RunState::Queued, why, None)
            .await
            .map(|_| ())
    }

    /// The step has succeeded; with the last one the run, or it is incomplete.
    pub(crate) async fn succeed_step(
        &self,
        id: RunId,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<Run, DbError> {
        self.end_step(id, step, RunState::Succeeded, "", Some(now))
            .await
    }

    /// The step has failed, and with it the run.
    pub(crate) async fn fail_step(
        &self,
        id: RunId,
        step: Step,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<Run, DbError> {
        self.end_step(id, step, RunState::Failed, why, Some(now))
            .await
    }

    /// Takes a failed run up again at its failed step.
    pub(crate) async fn reopen(&self, id: RunId) -> Result<Run, DbError> {
        self.database
            .transaction("reopen run", |transaction| {
                Box::pin(async move {
                    let run = locate(transaction, id).await?;
                    if run.state == RunState::Failed {
                        for step in run
                            .steps
                            .iter()
                            .filter(|step| step.state == RunState::Failed)
                        {
                            let mut row = locate_step(transaction, id, step.step)
                                .await?
                                .into_active_model();
                            row.state = Set(RunState::Queued.name().to_owned());
                            row.finished_at = Set(None);
                            row.update(transaction).await?;
                        }
                        set_run(transaction, id, RunState::Running, None).await?;
                    }
                    locate(transaction, id).await
                })
            })
            .await
    }

    async fn end_step(
        &self,
        id: RunId,
        step: Step,
        state: RunState,
        error: &str,
        at: Option<DateTime<Utc>>,
    ) -> Result<Run, DbError> {
        self.database
            .transaction("end step", |transaction| {
                let error = error.to_owned();
                Box::pin(async move {
                    let run = locate(transaction, id).await?;
                    let row = locate_step(transaction, id, step).await?;
                    // A late word from a worker that was believed dead changes no ending.
                    if run.state.has_ended() || row.state == RunState::Succeeded.name() {
                        return Ok(run);
                    }
                    let mut row = row.into_active_model();
                    row.state = Set(state.name().to_owned());
                    row.error = Set(error);
                    row.finished_at = Set(at);
                    row.update(transaction).await?;
                    let run_has_ended = state == RunState::Failed
                        || (state == RunState::Succeeded && run.next_after(step).is_none());
                    if !run_has_ended {
                        return locate(transaction, id).await;
                    }
                    let is_short = run.steps.iter().any(|step| !step.shortfalls().is_empty());
                    let state = match state {
                        RunState::Succeeded if is_short => RunState::Incomplete,
                        state => state,
                    };
                    set_run(transaction, id, state, at).await?;
                    locate(transaction, id).await
                })
            })
            .await
    }
}

async fn by_key(connection: &impl ConnectionTrait, key: &str) -> Result<Option<Run>, DbError> {
    let row = run::Entity::find()
        .filter(run::Column::DedupKey.eq(key))
        .one(connection)
        .await?;
    match row {
        Some(row) => find(connection, row.id.into()).await,
        None => Ok(None),
    }
}

async fn find(connection: &impl ConnectionTrait, id: RunId) -> Result<Option<Run>, DbError> {
    let Some(row) = run::Entity::find_by_id(id.as_uuid())
        .one(connection)
        .await?
    else {
        return Ok(None);
    };
    let steps = run_step::Entity::find()
        .filter(run_step::Column::RunId.eq(id.as_uuid()))
        .order_by_asc(run_step::Column::Position)
        .all(connection)
        .await?;
    run_of(row, steps).map(Some)
}

async fn locate(connection: &impl ConnectionTrait, id: RunId) -> Result<Run, DbError> {
    find(connection, id)
        .await?
        .ok_or_else(|| DbError::not_found(format!("run {id}")))
}

async fn locate_step(
    connection: &impl ConnectionTrait,
    id: RunId,
    step: Step,
) -> Result<run_step::Model, DbError> {
    run_step::Entity::find()
        .filter(run_step::Column::RunId.eq(id.as_uuid()))
        .filter(run_step::Column::Step.eq(step.name()))
        .one(connection)
        .await?
        .ok_or_else(|| DbError::not_found(format!("step {step} of run {id}")))
}

async fn set_run(
    connection: &impl ConnectionTrait,
    id: RunId,
    state: RunState,
    finished_at: Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(state.name()))
        .col_expr(run::Column::FinishedAt, Expr::value(finished_at))
        .filter(run::Column::Id.eq(id.as_uuid()))
        .exec(connection)
        .await?;
    Ok(())
}

async fn insert_rows(connection: &impl ConnectionTrait, run: &Run) -> Result<(), DbError> {
    let row = run::ActiveModel {
        id: Set(run.id.as_uuid()),
        kind: Set(run.kind.name().to_owned()),
        use_case: Set(run
            .use_case
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()),
        as_of: Set(run.as_of),
        state: Set(run.state.name().to_owned()),
        dedup_key: Set(run.dedup_key.clone()),
        started_by: Set(run.started_by.clone()),
        force_training: Set(run.force_training),
        queued_at: Set(run.queued_at),
        finished_at: Set(run.finished_at),
    };
    run::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    let steps = run
        .steps
        .iter()
        .zip(0..)
        .map(|(step, position)| run_step::ActiveModel {
            run_id: Set(run.id.as_uuid()),
            position: Set(position),
            step: Set(step.step.name().to_owned()),
            state: Set(step.state.name().to_owned()),
            attempts: Set(0),
            started_at: Set(None),
            finished_at: Set(None),
            progress: Set(None),
            summary: Set(None),
            error: Set(String::new()),
        });
    run_step::Entity::insert_many(steps)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}
