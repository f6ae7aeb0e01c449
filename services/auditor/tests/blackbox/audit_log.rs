//! The audit chain.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use foretide_api::governance::v1 as wire;
use foretide_audit_chain::export::{Exporter, verify_file};
use foretide_audit_chain::{AuditRecord, CanonicalJson, Verifier};
use foretide_auditor::config::Config;
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_domain::{Role, RunId};
use sea_orm::ConnectionTrait;
use tonic::Code;

use crate::soc::{Soc, TOTAL, event, monday, with_state};

#[tokio::test]
async fn fifty_appends_at_once_make_one_chain_without_a_gap() {
    for database in TestDatabase::every_engine().await {
        let soc = Soc::start_on(database).await;
        let ids: Vec<String> = (0..50).map(|number| format!("event-{number}")).collect();
        let appends = ids.iter().map(|id| soc.append(id));
        let records = futures::future::join_all(appends).await;
        let sequences: BTreeSet<u64> = records.iter().map(|record| record.sequence).collect();
        // The first two are the phases of the built-in use cases.
        assert_eq!(sequences, (3..=52).collect());
        let report = soc.verify().await;
        assert!(report.intact, "{}", report.problem);
        assert_eq!(report.records, 52);
        assert_eq!(report.head_hash, soc.audit_log().await.last().unwrap().hash);
    }
}

#[tokio::test]
async fn two_replicas_append_to_one_chain() {
    for database in TestDatabase::every_engine().await {
        let soc = Soc::start_on(database).await;
        let config = with_state(Config::default(), &soc.context);
        let built = foretide_auditor::build(&soc.context.ctx, config)
            .await
            .unwrap();
        let replica =
            foretide_service_runtime::testing::TestServer::start(&soc.context.ctx, built).await;
        let channel = replica.channel_as(foretide_domain::Principal::service("broker"));
        let other = crate::soc::Client::new(channel);
        let appends = (0..20).map(|number| {
            let mut client = if number % 2 == 0 {
                soc.service()
            } else {
                other.clone()
            };
            async move {
                client
                    .append_audit(event(&format!("event-{number}")))
                    .await
                    .unwrap()
            }
        });
        futures::future::join_all(appends).await;
        let report = soc.verify().await;
        assert!(report.intact, "{}", report.problem);
        assert_eq!(report.records, 22);
    }
}

#[tokio::test]
async fn an_event_that_is_reported_twice_is_one_record() {
    let soc = Soc::start().await;
    let first = soc.append("event-1").await;
    assert_eq!(first.details_json, r#"{"a":"go","z":1}"#);
    assert_eq!(soc.append("event-1").await, first);
    let other = wire::AppendAuditRequest {
        actor: "eve".to_owned(),
        ..event("event-1")
    };
    let refused = soc.service().append_audit(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert_eq!(soc.audit_log().await.len(), 3);
}

#[tokio::test]
async fn only_services_append() {
    let soc = Soc::start().await;
    let mut person = soc.person("ada", &[Role::Viewer, Role::Operator, Role::Approver]);
    let refused = person.append_audit(event("event-1")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn events_that_cannot_be_are_refused_by_field() {
    let soc = Soc::start().await;
    let good = || event("event-1");
    let cases = [
        (
            wire::AppendAuditRequest {
                event_id: String::new(),
                ..good()
            },
            "event_id",
        ),
        (
            wire::AppendAuditRequest {
                event_id: "x".repeat(129),
                ..good()
            },
            "event_id",
        ),
        (
            wire::AppendAuditRequest {
                actor: "a\u{0}b".to_owned(),
                ..good()
            },
            "actor",
        ),
        (
            wire::AppendAuditRequest {
                subject: "s".repeat(257),
                ..good()
            },
            "subject",
        ),
        (
            wire::AppendAuditRequest {
                run_id: "run".to_owned(),
                ..good()
            },
            "run_id",
        ),
        (
            wire::AppendAuditRequest {
                details_json: "{".to_owned(),
                ..good()
            },
            "details_json",
        ),
        (
            wire::AppendAuditRequest {
                details_json: "[".repeat(10_000),
                ..good()
            },
            "details_json",
        ),
        (
            wire::AppendAuditRequest {
                details_json: format!("\"{}\"", "x".repeat(70_000)),
                ..good()
            },
            "details_json",
        ),
    ];
    for (request, field) in cases {
        let refused = soc.service().append_audit(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    assert!(soc.verify().await.intact);
}

#[tokio::test]
async fn the_log_is_read_by_run_by_subject_and_from_either_end() {
    let soc = Soc::start().await;
    let run_id = RunId::new().to_string();
    for number in 0..5 {
        let mut event = event(&format!("event-{number}"));
        event.subject = format!("proposal/{}", number % 2);
        if number == 3 {
            event.run_id = run_id.clone();
        }
        soc.service().append_audit(event).await.unwrap();
    }
    let list = async |request: wire::ListAuditRequest| -> Vec<u64> {
        let response = soc.service().list_audit(request).await.unwrap();
        response
            .into_inner()
            .records
            .iter()
            .map(|record| record.sequence)
            .collect()
    };
    let all = wire::ListAuditRequest::default();
    assert_eq!(list(all.clone()).await, [1, 2, 3, 4, 5, 6, 7]);
    let newest = wire::ListAuditRequest {
        newest_first: true,
        limit: 2,
        ..all.clone()
    };
    assert_eq!(list(newest.clone()).await, [7, 6]);
    assert_eq!(
        list(wire::ListAuditRequest {
            from_sequence: 4,
            ..newest
        })
        .await,
        [4, 3]
    );
    assert_eq!(
        list(wire::ListAuditRequest {
            from_sequence: 6,
            ..all.clone()
        })
        .await,
        [6, 7]
    );
    assert_eq!(
        list(wire::ListAuditRequest {
            run_id,
            ..all.clone()
        })
        .await,
        [6]
    );
    let subject = "proposal/1".to_owned();
    assert_eq!(
        list(wire::ListAuditRequest {
            subject,
            ..all.clone()
        })
        .await,
        [4, 6]
    );
    let beyond = wire::ListAuditRequest {
        from_sequence: u64::MAX,
        ..all
    };
    let refused = soc.service().list_audit(beyond).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_is_done_to_the_table_is_found_and_the_row_named() {
    let tampering = [
        (
            "UPDATE audit_record SET actor = 'eve' WHERE sequence = 4",
            4,
        ),
        (
            "UPDATE audit_record SET details = '{}' WHERE sequence = 5",
            5,
        ),
        (
            "UPDATE audit_record SET hash = 'nonsense' WHERE sequence = 3",
            3,
        ),
        ("DELETE FROM audit_record WHERE sequence = 1", 1),
        ("DELETE FROM audit_record WHERE sequence = 6", 6),
        ("DELETE FROM audit_record WHERE sequence = 8", 8),
        (
            "UPDATE audit_record SET sequence = 99 WHERE sequence = 5",
            5,
        ),
        (
            "UPDATE audit_record SET recorded_at = '2020-01-01T00:00:00+00:00' WHERE sequence = 7",
            7,
        ),
    ];
    for (statement, row) in tampering {
        let soc = Soc::start().await;
        for number in 0..6 {
            soc.append(&format!("event-{number}")).await;
        }
        assert!(soc.verify().await.intact);
        tamper(&soc, statement).await;
        let report = soc.verify().await;
        assert!(!report.intact, "{statement}");
        assert_eq!(
            report.broken_sequence, row,
            "{statement}: {}",
            report.problem
        );
    }
}

pub(crate) async fn tamper(soc: &Soc, statement: &str) {
    let database = Database::connect(&soc.context.ctx.database, "auditor")
        .await
        .unwrap();
    database
        .connection()
        .execute_unprepared(statement)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_tail_that_was_cut_off_with_its_head_is_found_by_the_checkpoint() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    soc.world.forecast(
        "attack_volume",
        monday(),
        &[TOTAL],
        [8.0, 9.0, 11.0, 12.0, 13.0],
    );
    let as_of = monday() + TimeDelta::days(2);
    soc.world.settle(as_of);
    soc.append("event-1").await;
    soc.evaluate(as_of).await;
    let log = soc.audit_log().await;
    assert_eq!(log.len(), 4);
    assert!(soc.verify().await.intact);

    // Somebody who can write to the database leaves nothing there that gives it away.
    tamper(&soc, "DELETE FROM audit_record WHERE sequence > 2").await;
    let head = format!(
        "UPDATE audit_head SET sequence = 2, hash = '{}'",
        log[1].hash
    );
    tamper(&soc, &head).await;
    let report = soc.verify().await;
    assert!(!report.intact);
    assert_eq!(report.broken_sequence, 3);
    assert!(report.problem.contains("cut off"), "{}", report.problem);

    // Nor when the chain is as long as before.
    soc.append("event-2").await;
    soc.append("event-3").await;
    let report = soc.verify().await;
    assert!(!report.intact);
    assert!(report.broken_sequence <= 4, "{}", report.problem);
    assert!(report.problem.contains("rewritten"), "{}", report.problem);
}

#[tokio::test]
async fn what_is_listed_can_be_exported_and_verified_without_the_auditor() {
    let soc = Soc::start().await;
    for number in 0..10 {
        soc.append(&format!("event-{number}")).await;
    }
    let mut exporter = Exporter::begin(Vec::new()).unwrap();
    for record in soc.audit_log().await {
        exporter.push(&as_exported(record)).unwrap();
    }
    let file = exporter.finish().unwrap();
    let head = verify_file(file.as_slice(), Verifier::new(&[])).unwrap();
    assert_eq!(head.sequence, 12);
    assert_eq!(head.hash.to_string(), soc.verify().await.head_hash);
}

pub(crate) fn as_exported(record: wire::AuditRecord) -> AuditRecord {
    AuditRecord {
        sequence: record.sequence,
        event_id: record.event_id,
        recorded_at: foretide_api::moment("recorded_at", record.recorded_at).unwrap(),
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        run_id: (!record.run_id.is_empty()).then_some(record.run_id),
        details: CanonicalJson::from_stored(record.details_json),
        previous_hash: record.previous_hash.parse().unwrap(),
        hash: record.hash.parse().unwrap(),
    }
}
