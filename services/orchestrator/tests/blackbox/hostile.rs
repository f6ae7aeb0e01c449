//! Requests that must be refused, each with words that help.

use foretide_api::Timestamp;
use foretide_api::orchestration::v1::orchestration_service_client::OrchestrationServiceClient;
use foretide_api::orchestration::v1::{
    GetRunRequest, ListDeadLettersRequest, ListRunsRequest, RetryDeadLetterRequest,
    StartRunRequest, WatchRunRequest,
};
use foretide_domain::{JobId, Role, RunId};
use foretide_service_runtime::Credentials;
use tonic::Code;

use crate::fakes::Fakes;
use crate::story::{Orchestrator, by_hand};

fn good() -> StartRunRequest {
    StartRunRequest {
        kind: "refresh".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn bad_runs_are_refused_by_field_and_leave_nothing_behind() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let year_9999 = Timestamp {
        seconds: 253_370_764_800,
        nanos: 0,
    };
    let bad = [
        (
            StartRunRequest {
                kind: String::new(),
                ..good()
            },
            "kind",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                kind: "'; DROP TABLE run".to_owned(),
                ..good()
            },
            "kind",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                use_case: "Attack Volume".to_owned(),
                ..good()
            },
            "use_case",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                use_case: "x".repeat(1 << 20),
                ..good()
            },
            "use_case",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                use_case: "geo_risk".to_owned(),
                ..good()
            },
            "attack_volume, risk_period",
            Code::NotFound,
        ),
        (
            StartRunRequest {
                as_of: Some(year_9999),
                ..good()
            },
            "as_of",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                as_of: Some(Timestamp {
                    seconds: 1_800_000_000,
                    nanos: -1,
                }),
                ..good()
            },
            "as_of",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                dedup_key: "k".repeat(201),
                ..good()
            },
            "dedup_key",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                dedup_key: "calendar/forecast/2026-11-20T06:00:00+00:00".to_owned(),
                ..good()
            },
            "dedup_key",
            Code::InvalidArgument,
        ),
        (
            StartRunRequest {
                started_by: "eve\u{1b}[2J".to_owned(),
                ..good()
            },
            "started_by",
            Code::InvalidArgument,
        ),
    ];
    for (request, named, code) in bad {
        let status = orchestrator
            .client
            .clone()
            .start_run(request.clone())
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{request:?}");
        assert!(status.message().contains(named), "{status:?}");
        assert!(
            status.message().len() < 300,
            "nothing long is echoed: {}",
            status.message().len()
        );
    }
    assert!(orchestrator.runs().await.is_empty() && fakes.asked().is_empty());
}

#[tokio::test]
async fn things_that_are_not_there_are_not_found_and_things_that_are_no_ids_are_refused() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let mut client = orchestrator.client.clone();
    let cases = [
        (RunId::new().to_string(), Code::NotFound),
        ("../etc/passwd".to_owned(), Code::InvalidArgument),
    ];
    for (run_id, code) in cases {
        let request = GetRunRequest {
            run_id: run_id.clone(),
        };
        assert_eq!(client.get_run(request).await.unwrap_err().code(), code);
        let request = WatchRunRequest { run_id };
        assert_eq!(client.watch_run(request).await.unwrap_err().code(), code);
    }
    let cases = [
        (JobId::new().to_string(), Code::NotFound),
        (String::new(), Code::InvalidArgument),
    ];
    for (job_id, code) in cases {
        let refused = client
            .retry_dead_letter(RetryDeadLetterRequest { job_id })
            .await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let limit = u32::MAX;
    let refused = [
        client
            .list_runs(ListRunsRequest { limit })
            .await
            .unwrap_err(),
        client
            .list_dead_letters(ListDeadLettersRequest { limit })
            .await
            .unwrap_err(),
    ];
    assert!(
        refused
            .iter()
            .all(|status| status.code() == Code::InvalidArgument)
    );
}

#[tokio::test]
async fn viewers_look_and_operators_start() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let viewer = orchestrator.server.channel_of("vera", &[Role::Viewer]);
    let mut viewer = OrchestrationServiceClient::new(viewer);
    assert!(viewer.list_runs(ListRunsRequest::default()).await.is_ok());
    assert_eq!(
        viewer.start_run(good()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let retry = RetryDeadLetterRequest {
        job_id: JobId::new().to_string(),
    };
    assert_eq!(
        viewer.retry_dead_letter(retry).await.unwrap_err().code(),
        Code::PermissionDenied
    );

    let unknown = Credentials::bearer(&"not-a-known-token".to_owned().into());
    let mut stranger = OrchestrationServiceClient::new(orchestrator.server.channel_with(unknown));
    let refused = stranger
        .list_runs(ListRunsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
