#![doc = include_str!("../README.md")]

mod error;
mod registry;
mod runs;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

use std::fmt;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use error::MlflowError;
pub use types::{Dataset, Metric, ModelVersion, NewRun, Run, RunData, RunInfo, RunStatus, Tag};

/// How the server wants to be shown who is calling.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all: the open-source server on its own.
    #[default]
    None,
    /// User and password, for the basic-auth app.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: SecretString,
    },
    /// A bearer token, for a proxy or a managed server.
    Bearer(SecretString),
}

/// An MLflow tracking server and registry.
#[derive(Clone)]
pub struct MlflowClient {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
}

impl fmt::Debug for MlflowClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MlflowClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// Far more than any reply used here holds.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;

impl MlflowClient {
    /// A client of the server at `base`, e.g. `http://mlflow:5000`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`MlflowError::BadAddress`] when `base` is no http(s) address.
    pub fn new(
        base: Url,
        credentials: Credentials,
        http: reqwest::Client,
    ) -> Result<Self, MlflowError> {
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(MlflowError::BadAddress {
                got: base.to_string(),
            });
        }
        Ok(Self {
            http,
            base,
            credentials,
        })
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("checked in new: the address is a base")
            .pop_if_empty()
            .extend(path);
        let request = self.http.request(method, url);
        match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => {
                request.basic_auth(user, Some(password.expose_secret()))
            }
            Credentials::Bearer(token) => request.bearer_auth(token.expose_secret()),
        }
    }

    async fn get<R: DeserializeOwned>(
        &self,
        path: [&str; 2],
        query: &[(&str, &str)],
    ) -> Result<R, MlflowError> {
        let path = ["api", "2.0", "mlflow", path[0], path[1]];
        self.exchange(self.request(Method::GET, &path).query(query))
            .await
    }

    async fn post<B: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        path: [&str; 2],
        body: &B,
    ) -> Result<R, MlflowError> {
        let path = ["api", "2.0", "mlflow", path[0], path[1]];
        self.exchange(self.request(Method::POST, &path).json(body))
            .await
    }

    async fn exchange<R: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<R, MlflowError> {
        let body = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| MlflowError::Malformed {
            reason: format!("{error}").chars().take(200).collect(),
        })
    }

    /// Sends once; the body of a success, or what the refusal means.
    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, MlflowError> {
        let response = request
            .send()
            .await
            .map_err(|e| MlflowError::from_transport(&e.without_url()))?;
        let status = response.status();
        let retry_after = foretide_http::retry_after(response.headers());
        let body = read(response).await?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        Err(MlflowError::from_refusal(status, retry_after, &body))
    }
}

async fn read(response: Response) -> Result<Vec<u8>, MlflowError> {
    foretide_http::read_body(response, LARGEST_REPLY)
        .await
        .map_err(|error| match error {
            foretide_http::BodyError::TooLarge { .. } => MlflowError::Malformed {
                reason: error.to_string(),
            },
            foretide_http::BodyError::Broken(_) => MlflowError::Unavailable {
                reason: "the connection broke".to_owned(),
            },
        })
}
