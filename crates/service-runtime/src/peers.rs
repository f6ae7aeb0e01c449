//! gRPC clients of the other services.

use std::time::Duration;

use foretide_api::MAX_MESSAGE_BYTES;
use foretide_api::actions::v1::actions_service_client::ActionsServiceClient;
use foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient;
use foretide_api::governance::v1::governance_service_client::GovernanceServiceClient;
use foretide_api::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use foretide_api::ingestion::v1::pseudonym_service_client::PseudonymServiceClient;
use foretide_api::orchestration::v1::orchestration_service_client::OrchestrationServiceClient;
use foretide_api::outbox::v1::outbox_service_client::OutboxServiceClient;
use foretide_api::scoring::v1::scoring_service_client::ScoringServiceClient;
use foretide_api::training::v1::training_service_client::TrainingServiceClient;
use foretide_api::writeback::v1::withdrawal_service_client::WithdrawalServiceClient;
use foretide_api::writeback::v1::write_back_service_client::WriteBackServiceClient;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Longest wait for the first answer of a call. Streams may go on for as long as they send.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// A channel that sends the caller's token and the trace context.
pub type AuthedChannel = InterceptedService<Channel, Credentials>;

/// Puts the bearer token and the trace context into every call.
#[derive(Clone)]
pub struct Credentials {
    authorization: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    /// Credentials of a token. A token that cannot stand in a header is not sent, and so refused.
    #[must_use]
    pub fn bearer(token: &SecretString) -> Self {
        let mut authorization: Option<MetadataValue<Ascii>> =
            format!("Bearer {}", token.expose_secret()).parse().ok();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Self { authorization }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        foretide_telemetry::inject(request.metadata_mut());
        Ok(request)
    }
}

/// Where the services listen, e.g. `http://127.0.0.1:7701`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "one address a service, named like it")]
pub struct PeerUrls {
    pub ingestion: String,
    pub feature_store: String,
    pub trainer: String,
    pub scorer: String,
    pub auditor: String,
    pub broker: String,
    pub orchestrator: String,
}

/// Clients of the other services: cheap to clone, connected at the first call.
#[derive(Clone)]
pub struct Peers {
    credentials: Credentials,
    ingestion: Channel,
    feature_store: Channel,
    trainer: Channel,
    scorer: Channel,
    auditor: Channel,
    broker: Channel,
    orchestrator: Channel,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peers")
    }
}

macro_rules! clients {
    ($($(#[$doc:meta])* $peer:ident: $client:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $peer(&self) -> $client<AuthedChannel> {
            $client::with_interceptor(self.$peer.clone(), self.credentials.clone())
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
        }
    )*};
}

impl Peers {
    /// Clients that call with the given token.
    ///
    /// # Errors
    /// Names the service whose address is not a URL.
    pub fn new(urls: &PeerUrls, token: &SecretString) -> Result<Self, String> {
        Ok(Self {
            credentials: Credentials::bearer(token),
            ingestion: channel("ingestion", &urls.ingestion)?,
            feature_store: channel("feature_store", &urls.feature_store)?,
            trainer: channel("trainer", &urls.trainer)?,
            scorer: channel("scorer", &urls.scorer)?,
            auditor: channel("auditor", &urls.auditor)?,
            broker: channel("broker", &urls.broker)?,
            orchestrator: channel("orchestrator", &urls.orchestrator)?,
        })
    }

    /// The same connections, used by somebody else: the console calls as the person logged in.
    #[must_use]
    pub fn with_token(&self, token: &SecretString) -> Self {
        Self {
            credentials: Credentials::bearer(token),
            ..self.clone()
        }
    }

    /// The names behind pseudonyms; the service that ingests keeps them.
    #[must_use]
    pub fn pseudonyms(&self) -> PseudonymServiceClient<AuthedChannel> {
        PseudonymServiceClient::with_interceptor(self.ingestion.clone(), self.credentials.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    clients! {
        /// Step 1.
        ingestion: IngestionServiceClient;
        /// Step 2.
        feature_store: FeatureStoreServiceClient;
        /// Step 3.
        trainer: TrainingServiceClient;
        /// Step 4.
        scorer: ScoringServiceClient;
        /// Step 5.
        auditor: GovernanceServiceClient;
        /// Step 6.
        broker: ActionsServiceClient;
        /// The calendar and the queue.
        orchestrator: OrchestrationServiceClient;
    }

    /// What the workspace accepted of the scorer's rows.
    #[must_use]
    pub fn scorer_write_back(&self) -> WriteBackServiceClient<AuthedChannel> {
        WriteBackServiceClient::with_interceptor(self.scorer.clone(), self.credentials.clone())
    }

    /// What the workspace accepted of the auditor's rows.
    #[must_use]
    pub fn auditor_write_back(&self) -> WriteBackServiceClient<AuthedChannel> {
        WriteBackServiceClient::with_interceptor(self.auditor.clone(), self.credentials.clone())
    }

    /// What has not left a service; nothing when the service sends nothing.
    #[must_use]
    pub fn outbox_of(&self, service: &str) -> Option<OutboxServiceClient<AuthedChannel>> {
        let channel = match service {
            "auditor" => &self.auditor,
            "broker" => &self.broker,
            "scorer" => &self.scorer,
            "trainer" => &self.trainer,
            _ => return None,
        };
        let credentials = self.credentials.clone();
        Some(OutboxServiceClient::with_interceptor(
            channel.clone(),
            credentials,
        ))
    }

    /// Takes the scorer's forecasts back.
    #[must_use]
    pub fn withdrawals(&self) -> WithdrawalServiceClient<AuthedChannel> {
        WithdrawalServiceClient::with_interceptor(self.scorer.clone(), self.credentials.clone())
    }
}

fn channel(name: &str, url: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| {
        format!("the address of {name} is not a URL like http://host:port: {url:?}")
    })?;
    Ok(endpoint
        .connect_timeout(Duration::from_secs(5))
        .timeout(CALL_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .connect_lazy())
}
