//! A judged window that is over.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "settled_window")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub forecast_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at: DateTimeUtc,
    pub use_case: String,
    pub issued_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub probability: f64,
    pub was_raised: bool,
    pub baseline_raised: Option<bool>,
    pub capacity: f64,
    pub load: f64,
    pub has_exceeded: bool,
}

impl ActiveModelBehavior for ActiveModel {}
