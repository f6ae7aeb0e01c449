//! A served service knows its callers, tells its health, and drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use foretide_api::training::v1 as proto;
use foretide_api::training::v1::training_service_client::TrainingServiceClient;
use foretide_api::training::v1::training_service_server::{TrainingService, TrainingServiceServer};
use foretide_domain::{Principal, Role};
use foretide_service_runtime::testing::{TestContext, TestServer};
use foretide_service_runtime::{
    Authenticator, BuiltService, Credentials, IdentityConfig, Person, require,
};
use secrecy::SecretString;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Answers `GetLedgerStatus` to viewers and `GetChampion` to approvers with the caller's name.
struct Echo;

#[tonic::async_trait]
impl TrainingService for Echo {
    type TrainStream = tokio_stream::Empty<Result<proto::TrainResponse, Status>>;

    async fn train(
        &self,
        _: Request<proto::TrainRequest>,
    ) -> Result<Response<Self::TrainStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn get_champion(
        &self,
        request: Request<proto::GetChampionRequest>,
    ) -> Result<Response<proto::GetChampionResponse>, Status> {
        let caller = require(&request, Role::Approver)?;
        let name = caller.name;
        let model_version = Some(proto::ModelVersion {
            name,
            ..Default::default()
        });
        Ok(Response::new(proto::GetChampionResponse { model_version }))
    }

    /// Never answers for a model called `slow`, tells the trace it belongs to for one called `trace`.
    async fn get_model_version(
        &self,
        request: Request<proto::GetModelVersionRequest>,
    ) -> Result<Response<proto::GetModelVersionResponse>, Status> {
        match request.get_ref().name.as_str() {
            "slow" => std::future::pending().await,
            "trace" => {
                let name = foretide_telemetry::current_trace_id();
                let model_version = Some(proto::ModelVersion {
                    name,
                    ..Default::default()
                });
                Ok(Response::new(proto::GetModelVersionResponse {
                    model_version,
                }))
            }
            _ => Err(Status::not_found("no such version")),
        }
    }

    async fn list_model_versions(
        &self,
        _: Request<proto::ListModelVersionsRequest>,
    ) -> Result<Response<proto::ListModelVersionsResponse>, Status> {
        Ok(Response::new(proto::ListModelVersionsResponse::default()))
    }

    async fn get_ledger_status(
        &self,
        request: Request<proto::GetLedgerStatusRequest>,
    ) -> Result<Response<proto::GetLedgerStatusResponse>, Status> {
        let last_error = require(&request, Role::Viewer)?.name;
        Ok(Response::new(proto::GetLedgerStatusResponse {
            last_error,
            ..Default::default()
        }))
    }
}

async fn serve_echo() -> (TestContext, TestServer) {
    let context = TestContext::new("trainer", DateTime::<Utc>::UNIX_EPOCH, &[]);
    let routes = Routes::new(TrainingServiceServer::new(Echo));
    let built = BuiltService::new(routes, vec!["foretide.training.v1.TrainingService"]);
    let server = TestServer::start(&context.ctx, built).await;
    (context, server)
}

#[tokio::test]
async fn callers_without_a_known_token_are_refused() {
    let (_context, server) = serve_echo().await;
    for token in ["", "wrong", "line\nbreak"] {
        let channel = server.channel_with(Credentials::bearer(&SecretString::from(token)));
        let error = TrainingServiceClient::new(channel)
            .get_ledger_status(proto::GetLedgerStatusRequest {})
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_service_may_read_but_never_approve() {
    let (_context, server) = serve_echo().await;
    let mut client = TrainingServiceClient::new(server.channel_as(Principal::service("scorer")));
    client
        .get_ledger_status(proto::GetLedgerStatusRequest {})
        .await
        .unwrap();
    let error = client
        .get_champion(proto::GetChampionRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_person_acts_under_their_own_name() {
    let (_context, server) = serve_echo().await;
    let mut client = TrainingServiceClient::new(server.channel_of("maria", &[Role::Approver]));
    let answer = client
        .get_champion(proto::GetChampionRequest::default())
        .await
        .unwrap();
    assert_eq!(answer.into_inner().model_version.unwrap().name, "maria");
    let mut nobody = TrainingServiceClient::new(server.channel_of("guest", &[]));
    let error = nobody
        .get_ledger_status(proto::GetLedgerStatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn health_and_metrics_are_open_on_the_same_port() {
    let (_context, server) = serve_echo().await;
    let channel = server.channel_with(Credentials::bearer(&SecretString::from("")));
    let status = HealthClient::new(channel)
        .check(HealthCheckRequest {
            service: "foretide.training.v1.TrainingService".to_owned(),
        })
        .await
        .unwrap();
    assert_eq!(status.into_inner().status, 1);
    let http = foretide_http::client(&foretide_http::ClientOptions::default()).unwrap();
    let get = |path: &str| http.get(format!("http://{}{path}", server.address)).send();
    assert_eq!(get("/healthz").await.unwrap().text().await.unwrap(), "ok");
    assert_eq!(get("/metrics").await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_oversized_request_is_refused() {
    let (_context, server) = serve_echo().await;
    let mut client = TrainingServiceClient::new(server.channel_of("maria", &[Role::Viewer]));
    let request = proto::GetModelVersionRequest {
        name: "x".repeat(8 << 20),
        version: 1,
    };
    let error = client.get_model_version(request).await.unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange, "{error}");
}

#[tokio::test]
async fn background_work_ends_with_the_server() {
    let context = TestContext::new("trainer", DateTime::<Utc>::UNIX_EPOCH, &[]);
    let ended = Arc::new(AtomicBool::new(false));
    let (flag, shutdown) = (ended.clone(), context.ctx.shutdown.clone());
    let built = BuiltService::new(Routes::new(TrainingServiceServer::new(Echo)), vec![])
        .with_background(async move {
            shutdown.cancelled().await;
            flag.store(true, Ordering::SeqCst);
        });
    TestServer::start(&context.ctx, built).await.stop().await;
    assert!(ended.load(Ordering::SeqCst));
}

#[test]
fn bad_identities_are_refused_by_name() {
    let person = |name: &str, token: &str, roles: &[Role]| Person {
        name: name.to_owned(),
        roles: roles.to_vec(),
        token: SecretString::from(token),
    };
    let long = "0123456789abcdef";
    let refuse = |people: Vec<Person>| {
        Authenticator::new(&IdentityConfig {
            people,
            service_token: None,
        })
        .unwrap_err()
    };
    assert!(refuse(vec![person("ann", "short", &[])]).contains("ann"));
    assert!(refuse(vec![person("service:x", long, &[])]).contains("service:x"));
    assert!(refuse(vec![person("ann", long, &[Role::Service])]).contains("ann"));
    assert!(refuse(vec![person("ann", long, &[]), person("bob", long, &[])]).contains("bob"));
}

#[tokio::test]
async fn a_callers_deadline_ends_the_call() {
    let (_context, server) = serve_echo().await;
    let mut client = TrainingServiceClient::new(server.channel_of("maria", &[Role::Viewer]));
    let mut request = Request::new(proto::GetModelVersionRequest {
        name: "slow".to_owned(),
        version: 1,
    });
    request.set_timeout(std::time::Duration::from_millis(100));
    let error = client.get_model_version(request).await.unwrap_err();
    let ended = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(ended.contains(&error.code()), "{error}");
}

#[tokio::test]
async fn the_trace_of_the_caller_goes_on_in_the_service() {
    use tracing::Instrument;
    let options = foretide_telemetry::TelemetryOptions {
        service_name: "test".to_owned(),
        json: false,
        filter: "info".to_owned(),
        otlp_endpoint: None,
    };
    let _telemetry = foretide_telemetry::init(&options).unwrap();
    let (_context, server) = serve_echo().await;
    let mut client = TrainingServiceClient::new(server.channel_of("maria", &[Role::Viewer]));
    let span = tracing::info_span!("caller");
    let caller = span.in_scope(foretide_telemetry::current_trace_id);
    let request = proto::GetModelVersionRequest {
        name: "trace".to_owned(),
        version: 1,
    };
    let answer = client.get_model_version(request).instrument(span).await;
    let service = answer.unwrap().into_inner().model_version.unwrap().name;
    assert!(!caller.is_empty());
    assert_eq!(service, caller);
}
