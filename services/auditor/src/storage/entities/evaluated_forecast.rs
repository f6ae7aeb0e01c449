//! Forecasts that need no more evaluation.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evaluated_forecast")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub forecast_id: Uuid,
    pub use_case: String,
    pub run_id: Uuid,
    pub evaluated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
