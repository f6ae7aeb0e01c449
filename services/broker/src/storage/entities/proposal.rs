//! Proposals and how they ended.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "proposal")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub proposal_id: Uuid,
    pub run_id: Option<Uuid>,
    pub use_case: String,
    pub forecast_id: Option<Uuid>,
    pub risk_window_id: Option<Uuid>,
    pub action_kind: String,
    pub state: String,
    pub title: String,
    pub payload: String,
    pub payload_hash: String,
    pub policy_version: String,
    pub proposed_by: String,
    pub proposed_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub attempts: i32,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub lease_until: Option<DateTimeUtc>,
    pub outcome: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
