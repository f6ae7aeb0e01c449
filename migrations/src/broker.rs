//! Schema of the `broker` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, boolean, integer, string, string_null, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::outbox;

/// Migrations of the `broker` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(First), Box::new(OneOutbox)]
    }
}

struct First;

impl MigrationName for First {
    fn name(&self) -> &'static str {
        "m20261123_000001_proposals_decisions_kill_switch"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        proposals(manager).await?;
        decisions(manager).await?;
        kill_switch(manager).await?;
        audit_outbox(manager).await
    }
}

/// Events go through the common outbox.
struct OneOutbox;

impl MigrationName for OneOutbox {
    fn name(&self) -> &'static str {
        "m20261128_000002_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OneOutbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::create(manager).await?;
        let backend = manager.get_database_backend();
        let payload = [
            ("actor", "actor"),
            ("action", "action"),
            ("subject", "subject"),
            ("details", "details"),
        ];
        let former = outbox::Former {
            table: "audit_outbox",
            channel: "audit",
            item_key: &outbox::uuid_text(backend, "event_id"),
            order_key: "'audit'",
            run_id: &outbox::text_uuid(backend, "run_id"),
            payload: &outbox::json_text(backend, &payload),
            state: "CASE WHEN delivered_at IS NULL THEN 'waiting' \
                    WHEN refusal IS NULL THEN 'delivered' ELSE 'refused' END",
            attempts: "0",
            settled_at: "delivered_at",
            receipt: "CAST(sequence AS text)",
            last_error: "refusal",
            order_by: "event_id",
        };
        outbox::move_items(manager, former).await
    }
}

async fn proposals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The payload is a text, not a JSON type: what is hashed is stored byte for byte.
    let proposal = Table::create()
        .table("proposal")
        .col(uuid("proposal_id").primary_key())
        // Empty for a notice written by a person.
        .col(uuid_null("run_id"))
        .col(string("use_case"))
        .col(uuid_null("forecast_id"))
        .col(uuid_null("risk_window_id"))
        .col(string("action_kind"))
        .col(string("state"))
        .col(string("title"))
        .col(text("payload"))
        .col(string("payload_hash"))
        .col(string("policy_version"))
        .col(string("proposed_by"))
        .col(timestamp_with_time_zone("proposed_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(integer("attempts").default(0))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        // Until when the process that executes it is believed to be alive.
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(text_null("outcome"))
        .to_owned();
    manager.create_table(proposal).await?;
    for (name, columns) in [
        ("proposal_by_state", ["state", "expires_at"]),
        ("proposal_by_use_case", ["use_case", "proposed_at"]),
    ] {
        let [first, second] = columns;
        let index = Index::create()
            .name(name)
            .table("proposal")
            .col(first)
            .col(second)
            .to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

async fn decisions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let decision = Table::create()
        .table("decision")
        .col(uuid("decision_id").primary_key())
        .col(uuid("proposal_id"))
        .col(string("verdict"))
        .col(string("decided_by"))
        .col(timestamp_with_time_zone("decided_at"))
        .col(string("payload_hash"))
        .col(text("comment"))
        .col(string("route"))
        .foreign_key(
            ForeignKey::create()
                .name("decision_of_proposal")
                .from("decision", "proposal_id")
                .to("proposal", "proposal_id"),
        )
        .to_owned();
    manager.create_table(decision).await?;
    let index = Index::create()
        .name("decision_by_proposal")
        .table("decision")
        .col("proposal_id")
        .col("decided_at")
        .to_owned();
    manager.create_index(index).await
}

async fn kill_switch(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let kill_switch = Table::create()
        .table("kill_switch")
        .col(integer("id").primary_key())
        .col(boolean("engaged"))
        .col(string("changed_by"))
        .col(timestamp_with_time_zone_null("changed_at"))
        .col(text("reason"))
        .to_owned();
    manager.create_table(kill_switch).await
}

async fn audit_outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Version 7 identifiers: delivered in the order in which things happened.
    let outbox = Table::create()
        .table("audit_outbox")
        .col(uuid("event_id").primary_key())
        .col(string("actor"))
        .col(string("action"))
        .col(string("subject"))
        .col(string_null("run_id"))
        .col(text("details"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        // Sequence in the audit chain, once it is there.
        .col(big_integer_null("sequence"))
        .col(text_null("refusal"))
        .to_owned();
    manager.create_table(outbox).await?;
    let index = Index::create()
        .name("audit_outbox_pending")
        .table("audit_outbox")
        .col("delivered_at")
        .col("event_id")
        .to_owned();
    manager.create_index(index).await
}
