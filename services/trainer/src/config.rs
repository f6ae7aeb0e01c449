//! Configuration of the trainer.

use foretide_http::ClientOptions;
use foretide_mlflow::{Credentials, MlflowClient};
use foretide_outbox::Backoff;
use foretide_service_runtime::BuildError;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

/// The `trainer` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The MLflow server that is told of every model version. Without it the ledger waits.
    pub mlflow: Option<MlflowConfig>,
    /// How patiently the ledger is delivered.
    pub ledger: Backoff,
}

/// An MLflow server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlflowConfig {
    /// Its address, e.g. `http://mlflow:5000`.
    pub url: Url,
    /// User name, for the basic-auth app; goes with `password`.
    #[serde(default)]
    pub user: Option<String>,
    /// Password of the user.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// Bearer token, for a proxy; instead of user and password.
    #[serde(default)]
    pub token: Option<SecretString>,
}

/// Credentials that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// They contradict each other.
    #[error("trainer.mlflow takes user and password, or token, or none of them")]
    Contradictory,
    /// One is there, and empty.
    #[error("trainer.mlflow.{0} must not be blank: set it, or leave it out")]
    Blank(&'static str),
}

impl MlflowConfig {
    fn credentials(&self) -> Result<Credentials, ConfigProblem> {
        let secret = |secret: &Option<SecretString>| {
            let blank = |secret: &SecretString| secret.expose_secret().trim().is_empty();
            secret.as_ref().is_some_and(blank)
        };
        let blanks = [
            (
                "user",
                self.user
                    .as_ref()
                    .is_some_and(|user| user.trim().is_empty()),
            ),
            ("password", secret(&self.password)),
            ("token", secret(&self.token)),
        ];
        if let Some((key, _)) = blanks.iter().find(|(_, is_blank)| *is_blank) {
            return Err(ConfigProblem::Blank(key));
        }
        match (self.user.clone(), self.password.clone(), self.token.clone()) {
            (None, None, None) => Ok(Credentials::None),
            (Some(user), Some(password), None) => Ok(Credentials::Basic { user, password }),
            (None, None, Some(token)) => Ok(Credentials::Bearer(token)),
            _ => Err(ConfigProblem::Contradictory),
        }
    }
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the key that cannot be.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let mlflow = self.mlflow.as_ref();
        mlflow.map_or(Ok(()), |mlflow| mlflow.credentials().map(|_| ()))
    }

    pub(crate) fn mlflow_client(&self) -> Result<Option<MlflowClient>, BuildError> {
        let Some(mlflow) = self.mlflow.clone() else {
            return Ok(None);
        };
        let refused = |error| BuildError::new("trainer.mlflow", error);
        let credentials = mlflow
            .credentials()
            .map_err(|problem| BuildError::new("trainer", problem))?;
        let http = foretide_http::client(&ClientOptions::default())
            .map_err(|error| BuildError::new("trainer.mlflow", error))?;
        MlflowClient::new(mlflow.url, credentials, http)
            .map(Some)
            .map_err(refused)
    }
}
