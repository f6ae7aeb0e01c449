//! How far each use case may go.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "phase")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub use_case: String,
    pub phase: String,
    pub since: DateTimeUtc,
    pub changed_by: String,
    pub reason: String,
}

impl ActiveModelBehavior for ActiveModel {}
