//! Phases.

use foretide_db::DbError;
use foretide_domain::{Phase, UseCaseId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};

use crate::error::AuditorError;
use crate::model::PhaseState;
use crate::storage::entities::phase;

/// Inserts the first phase of a use case. False when it has one.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    state: &PhaseState,
) -> Result<bool, AuditorError> {
    let row = phase::ActiveModel {
        use_case: Set(state.use_case.to_string()),
        phase: Set(state.phase.name().to_owned()),
        since: Set(state.since),
        changed_by: Set(state.changed_by.clone()),
        reason: Set(state.reason.clone()),
    };
    let inserted = phase::Entity::insert(row)
        .on_conflict(
            OnConflict::column(phase::Column::UseCase)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(connection)
        .await?;
    Ok(inserted == 1)
}

/// Changes a phase, if it still is `from`.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    from: Phase,
    state: &PhaseState,
) -> Result<bool, AuditorError> {
    let updated = phase::Entity::update_many()
        .col_expr(phase::Column::Phase, Expr::value(state.phase.name()))
        .col_expr(phase::Column::Since, Expr::value(state.since))
        .col_expr(
            phase::Column::ChangedBy,
            Expr::value(state.changed_by.clone()),
        )
        .col_expr(phase::Column::Reason, Expr::value(state.reason.clone()))
        .filter(phase::Column::UseCase.eq(state.use_case.as_str()))
        .filter(phase::Column::Phase.eq(from.name()))
        .exec(connection)
        .await?;
    Ok(updated.rows_affected == 1)
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    use_case: &UseCaseId,
) -> Result<Option<PhaseState>, AuditorError> {
    let row = phase::Entity::find_by_id(use_case.as_str())
        .one(connection)
        .await?;
    Ok(row.as_ref().map(state).transpose()?)
}

pub(crate) async fn all(
    connection: &impl ConnectionTrait,
) -> Result<Vec<PhaseState>, AuditorError> {
    let rows = phase::Entity::find()
        .order_by_asc(phase::Column::UseCase)
        .all(connection)
        .await?;
    Ok(rows.iter().map(state).collect::<Result<_, _>>()?)
}

fn state(row: &phase::Model) -> Result<PhaseState, DbError> {
    let corrupt =
        |column, problem: String| DbError::corrupt("phase", column, &row.use_case, problem);
    Ok(PhaseState {
        use_case: row
            .use_case
            .parse()
            .map_err(|error: foretide_domain::UseCaseError| {
                corrupt("use_case", error.to_string())
            })?,
        phase: row.phase.parse().map_err(|error| corrupt("phase", error))?,
        since: row.since,
        changed_by: row.changed_by.clone(),
        reason: row.reason.clone(),
    })
}
