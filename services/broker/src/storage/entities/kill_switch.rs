//! Whether anything may be done at all: one row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "kill_switch")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub engaged: bool,
    pub changed_by: String,
    pub changed_at: Option<DateTimeUtc>,
    pub reason: String,
}

impl ActiveModelBehavior for ActiveModel {}
