//! What people said to a proposal.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decision")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub decision_id: Uuid,
    pub proposal_id: Uuid,
    pub verdict: String,
    pub decided_by: String,
    pub decided_at: DateTimeUtc,
    pub payload_hash: String,
    pub comment: String,
    pub route: String,
}

impl ActiveModelBehavior for ActiveModel {}
