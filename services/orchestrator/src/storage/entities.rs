//! Rows, and what they mean.

use foretide_db::DbError;
use foretide_domain::Step;
use serde_json::{Map, Value};

use crate::model::{Run, RunState, RunStep};

/// Runs.
pub(crate) mod run {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "run")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) kind: String,
        pub(crate) use_case: String,
        pub(crate) as_of: DateTimeUtc,
        pub(crate) state: String,
        pub(crate) dedup_key: Option<String>,
        pub(crate) started_by: String,
        pub(crate) force_training: bool,
        pub(crate) queued_at: DateTimeUtc,
        pub(crate) finished_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Their steps.
pub(crate) mod run_step {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "run_step")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) position: i32,
        pub(crate) step: String,
        pub(crate) state: String,
        pub(crate) attempts: i32,
        pub(crate) started_at: Option<DateTimeUtc>,
        pub(crate) finished_at: Option<DateTimeUtc>,
        pub(crate) progress: Option<Json>,
        pub(crate) summary: Option<Json>,
        pub(crate) error: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A run from its rows; the steps in their order.
pub(crate) fn run_of(row: run::Model, steps: Vec<run_step::Model>) -> Result<Run, DbError> {
    let id = row.id;
    let corrupt = |column, problem: String| DbError::corrupt("run", column, id, problem);
    let use_case = match row.use_case.as_str() {
        "" => None,
        name => Some(
            name.parse()
                .map_err(|error: foretide_domain::UseCaseError| {
                    corrupt("use_case", error.to_string())
                })?,
        ),
    };
    Ok(Run {
        id: id.into(),
        kind: row
            .kind
            .parse()
            .map_err(|problem| corrupt("kind", problem))?,
        use_case,
        as_of: row.as_of,
        state: row
            .state
            .parse()
            .map_err(|problem| corrupt("state", problem))?,
        dedup_key: row.dedup_key,
        started_by: row.started_by,
        force_training: row.force_training,
        queued_at: row.queued_at,
        finished_at: row.finished_at,
        steps: steps.into_iter().map(step_of).collect::<Result<_, _>>()?,
    })
}

fn step_of(row: run_step::Model) -> Result<RunStep, DbError> {
    let key = format!("{}/{}", row.run_id, row.position);
    let corrupt = |column, problem: String| DbError::corrupt("run_step", column, &key, problem);
    let step: Step = row
        .step
        .parse()
        .map_err(|problem| corrupt("step", problem))?;
    let state: RunState = row
        .state
        .parse()
        .map_err(|problem| corrupt("state", problem))?;
    let progress = row
        .progress
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| corrupt("progress", error.to_string()))?;
    let summary = match row.summary {
        None => Map::new(),
        Some(Value::Object(summary)) => summary,
        Some(_) => return Err(corrupt("summary", "is no object".to_owned())),
    };
    Ok(RunStep {
        step,
        state,
        attempts: u32::try_from(row.attempts)
            .map_err(|_| corrupt("attempts", "is negative".to_owned()))?,
        started_at: row.started_at,
        finished_at: row.finished_at,
        progress,
        summary,
        error: row.error,
    })
}
