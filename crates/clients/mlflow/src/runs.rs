//! Experiments, runs and their artefacts.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::types::text_or_number;
use crate::{Dataset, Metric, MlflowClient, MlflowError, NewRun, Run, RunStatus, Tag};

/// Most parameters, or tags, in one batch.
const MAX_PARAMS: usize = 100;
/// Most metrics in one batch; parameters and tags go in batches of their own.
const MAX_METRICS: usize = 1_000;
/// Longest digest of a dataset, characters.
const MAX_DIGEST: usize = 36;

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExperimentId {
    #[serde(deserialize_with = "text_or_number")]
    experiment_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExperimentReply {
    experiment: ExperimentId,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RunReply {
    run: Run,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RunsReply {
    runs: Vec<Run>,
}

impl MlflowClient {
    /// The id of the experiment of this name, which is made when it is not there.
    ///
    /// # Errors
    /// As [`MlflowError`]; a deleted experiment of the name is an error of the server.
    pub async fn experiment(&self, name: &str, tags: &[Tag]) -> Result<String, MlflowError> {
        match self.experiment_by_name(name).await {
            Err(MlflowError::NotFound { .. }) => {}
            other => return other,
        }
        let made: Result<ExperimentId, _> = self
            .post(
                ["experiments", "create"],
                &json!({"name": name, "tags": tags}),
            )
            .await;
        match made {
            Ok(made) => present("experiment_id", made.experiment_id),
            // Somebody else made it in between.
            Err(MlflowError::AlreadyExists { .. }) => self.experiment_by_name(name).await,
            Err(error) => Err(error),
        }
    }

    async fn experiment_by_name(&self, name: &str) -> Result<String, MlflowError> {
        let query = [("experiment_name", name)];
        let reply: ExperimentReply = self.get(["experiments", "get-by-name"], &query).await?;
        present("experiment_id", reply.experiment.experiment_id)
    }

    /// The newest run of the experiment that carries the tag, if there is one.
    ///
    /// # Errors
    /// As [`MlflowError`]; `Invalid` when key or value hold a quote or a backtick.
    pub async fn find_run(
        &self,
        experiment_id: &str,
        tag: &Tag,
    ) -> Result<Option<Run>, MlflowError> {
        let filter = format!(
            "tags.`{}` = '{}'",
            unquoted(&tag.key)?,
            unquoted(&tag.value)?
        );
        let body = json!({
            "experiment_ids": [experiment_id],
            "filter": filter,
            "max_results": 1,
            "order_by": ["attributes.start_time DESC"],
        });
        let reply: RunsReply = self.post(["runs", "search"], &body).await?;
        Ok(reply.runs.into_iter().next())
    }

    /// Makes a run.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn create_run(&self, run: &NewRun) -> Result<Run, MlflowError> {
        let body = json!({
            "experiment_id": run.experiment_id,
            "run_name": run.name,
            "start_time": run.started_at.timestamp_millis(),
            "tags": run.tags,
        });
        let reply: RunReply = self.post(["runs", "create"], &body).await?;
        present("run_id", reply.run.info.run_id.clone())?;
        Ok(reply.run)
    }

    /// The run of this id.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn run(&self, run_id: &str) -> Result<Run, MlflowError> {
        let reply: RunReply = self.get(["runs", "get"], &[("run_id", run_id)]).await?;
        Ok(reply.run)
    }

    /// Says how a run ended and when.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn end_run(
        &self,
        run_id: &str,
        status: RunStatus,
        ended_at: DateTime<Utc>,
    ) -> Result<(), MlflowError> {
        let body =
            json!({"run_id": run_id, "status": status, "end_time": ended_at.timestamp_millis()});
        self.post::<_, Value>(["runs", "update"], &body)
            .await
            .map(drop)
    }

    /// Logs metrics, parameters and tags, in as many calls as the server's limits need. The same
    /// values again change nothing; another value for a parameter is refused.
    ///
    /// # Errors
    /// As [`MlflowError`]; earlier calls stay done.
    pub async fn log_batch(
        &self,
        run_id: &str,
        metrics: &[Metric],
        params: &[Tag],
        tags: &[Tag],
    ) -> Result<(), MlflowError> {
        for part in params.chunks(MAX_PARAMS) {
            self.batch(&json!({"run_id": run_id, "params": part}))
                .await?;
        }
        for part in tags.chunks(MAX_PARAMS) {
            self.batch(&json!({"run_id": run_id, "tags": part})).await?;
        }
        for part in metrics.chunks(MAX_METRICS) {
            self.batch(&json!({"run_id": run_id, "metrics": part}))
                .await?;
        }
        Ok(())
    }

    async fn batch(&self, body: &Value) -> Result<(), MlflowError> {
        self.post::<_, Value>(["runs", "log-batch"], body)
            .await
            .map(drop)
    }

    /// Says what a run read, in the context `training`.
    ///
    /// # Errors
    /// As [`MlflowError`]; `Invalid` when the digest is longer than the server takes.
    pub async fn log_training_input(
        &self,
        run_id: &str,
        dataset: &Dataset,
    ) -> Result<(), MlflowError> {
        if dataset.digest.chars().count() > MAX_DIGEST {
            return Err(MlflowError::Invalid {
                code: "INVALID_PARAMETER_VALUE".to_owned(),
                message: format!("a dataset digest has at most {MAX_DIGEST} characters"),
            });
        }
        let tags = [Tag::new("mlflow.data.context", "training")];
        let body = json!({"run_id": run_id, "datasets": [{"tags": tags, "dataset": dataset}]});
        self.post::<_, Value>(["runs", "log-inputs"], &body)
            .await
            .map(drop)
    }

    /// Puts a file under the run's artefact root through the server's proxy, in place of one that
    /// is there.
    ///
    /// # Errors
    /// As [`MlflowError`]; `Invalid` when the run's artefacts are not behind the proxy (a server
    /// started with `--no-serve-artifacts`).
    pub async fn put_artifact(
        &self,
        run: &Run,
        path: &str,
        bytes: Bytes,
    ) -> Result<(), MlflowError> {
        let place = self.artifact_place(run, path)?;
        let segments: Vec<&str> = ["api", "2.0", "mlflow-artifacts", "artifacts"]
            .into_iter()
            .chain(place.split('/'))
            .collect();
        let request = self
            .request(Method::PUT, &segments)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes);
        self.send(request).await.map(drop)
    }

    /// A file under the run's artefact root.
    ///
    /// # Errors
    /// As [`Self::put_artifact`]; `NotFound` when there is none.
    pub async fn artifact(&self, run: &Run, path: &str) -> Result<Vec<u8>, MlflowError> {
        let place = self.artifact_place(run, path)?;
        let segments: Vec<&str> = ["api", "2.0", "mlflow-artifacts", "artifacts"]
            .into_iter()
            .chain(place.split('/'))
            .collect();
        self.send(self.request(Method::GET, &segments)).await
    }

    /// `1/<run>/artifacts/<path>`: the proxy's path of a file of the run. A URI may name the
    /// server too (`mlflow-artifacts://host/1/...`).
    fn artifact_place(&self, run: &Run, path: &str) -> Result<String, MlflowError> {
        let uri = &run.info.artifact_uri;
        let rest = uri
            .strip_prefix("mlflow-artifacts:")
            .ok_or_else(|| MlflowError::Invalid {
                code: "ARTIFACTS_NOT_PROXIED".to_owned(),
                message:
                    "the run's artefacts are not behind the server: start it with --serve-artifacts"
                        .to_owned(),
            })?;
        let root = match rest.strip_prefix("//") {
            Some(with_host) => with_host.split_once('/').map_or("", |(_, root)| root),
            None => rest.trim_start_matches('/'),
        };
        Ok(format!("{}/{path}", root.trim_end_matches('/')))
    }
}

pub(crate) fn present(field: &str, value: String) -> Result<String, MlflowError> {
    if value.is_empty() {
        return Err(MlflowError::Malformed {
            reason: format!("{field} is missing"),
        });
    }
    Ok(value)
}

/// A text that stands between quotes in a filter, where quotes cannot be escaped.
pub(crate) fn unquoted(text: &str) -> Result<&str, MlflowError> {
    if text.contains(['\'', '"', '`', '\\']) {
        return Err(MlflowError::Invalid {
            code: "INVALID_PARAMETER_VALUE".to_owned(),
            message: "a filter cannot hold quotes".to_owned(),
        });
    }
    Ok(text)
}
