//! One series of one forecast beside what happened.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evaluation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub evaluation_id: Uuid,
    pub run_id: Uuid,
    pub forecast_id: Uuid,
    pub use_case: String,
    pub series_id: String,
    pub evaluated_at: DateTimeUtc,
    pub span_start: DateTimeUtc,
    pub span_end: DateTimeUtc,
    pub hours: i32,
    pub mae: f64,
    pub pinball: f64,
    pub naive_pinball: Option<f64>,
    pub coverage_80: f64,
    pub coverage_95: f64,
    pub model_name: String,
    pub model_version: i64,
}

impl ActiveModelBehavior for ActiveModel {}
