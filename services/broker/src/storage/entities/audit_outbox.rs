//! Events on their way to the audit chain.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub run_id: Option<String>,
    pub details: String,
    pub created_at: DateTimeUtc,
    pub delivered_at: Option<DateTimeUtc>,
    pub sequence: Option<i64>,
    pub refusal: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
