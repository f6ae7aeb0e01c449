//! Rows on their way to `AI_Governance_CL`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "governance_outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: Uuid,
    pub run_id: Uuid,
    pub row: String,
    pub created_at: DateTimeUtc,
    pub attempts: i32,
    pub next_attempt_at: DateTimeUtc,
    pub delivered_at: Option<DateTimeUtc>,
    pub refused: bool,
    pub last_error: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
