//! Registered models, their versions, tags and aliases.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::runs::{present, unquoted};
use crate::{MlflowClient, MlflowError, ModelVersion, Run, Tag};

#[derive(Default, Deserialize)]
#[serde(default)]
struct VersionReply {
    model_version: ModelVersion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VersionsReply {
    model_versions: Vec<ModelVersion>,
}

impl MlflowClient {
    /// Makes sure that a registered model of this name is there.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn ensure_registered_model(
        &self,
        name: &str,
        description: &str,
    ) -> Result<(), MlflowError> {
        let body = json!({"name": name, "description": description});
        match self
            .post::<_, Value>(["registered-models", "create"], &body)
            .await
        {
            Ok(_) | Err(MlflowError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Registers the folder `path` of the run's artefacts as a new version of the model.
    ///
    /// # Errors
    /// As [`MlflowError`]; `NotFound` when the model is not registered.
    pub async fn create_model_version(
        &self,
        name: &str,
        run: &Run,
        path: &str,
        tags: &[Tag],
    ) -> Result<ModelVersion, MlflowError> {
        let body = json!({
            "name": name,
            "source": format!("{}/{path}", run.info.artifact_uri.trim_end_matches('/')),
            "run_id": run.info.run_id,
            "tags": tags,
        });
        let reply: VersionReply = self.post(["model-versions", "create"], &body).await?;
        present("version", reply.model_version.version.clone())?;
        Ok(reply.model_version)
    }

    /// The version of the model that the run made, if it made one.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn model_version_of_run(
        &self,
        name: &str,
        run_id: &str,
    ) -> Result<Option<ModelVersion>, MlflowError> {
        let filter = format!(
            "name='{}' and run_id='{}'",
            unquoted(name)?,
            unquoted(run_id)?
        );
        let query = [("filter", filter.as_str()), ("max_results", "1")];
        let reply: VersionsReply = self.get(["model-versions", "search"], &query).await?;
        Ok(reply.model_versions.into_iter().next())
    }

    /// Sets a tag of a version.
    ///
    /// # Errors
    /// As [`MlflowError`].
    pub async fn tag_model_version(
        &self,
        name: &str,
        version: &str,
        tag: &Tag,
    ) -> Result<(), MlflowError> {
        let body = json!({"name": name, "version": version, "key": tag.key, "value": tag.value});
        self.post::<_, Value>(["model-versions", "set-tag"], &body)
            .await
            .map(drop)
    }

    /// Lets the alias point to the version, away from where it pointed before.
    ///
    /// # Errors
    /// As [`MlflowError`]; `latest` and `v<number>` are reserved by the server.
    pub async fn set_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<(), MlflowError> {
        let body = json!({"name": name, "alias": alias, "version": version});
        self.post::<_, Value>(["registered-models", "alias"], &body)
            .await
            .map(drop)
    }

    /// The version the alias points to, if it points anywhere.
    ///
    /// # Errors
    /// As [`MlflowError`]; `NotFound` when the model is not registered.
    pub async fn version_by_alias(
        &self,
        name: &str,
        alias: &str,
    ) -> Result<Option<ModelVersion>, MlflowError> {
        let query = [("name", name), ("alias", alias)];
        match self
            .get::<VersionReply>(["registered-models", "alias"], &query)
            .await
        {
            Ok(reply) => Ok(Some(reply.model_version)),
            // A missing alias is an invalid parameter to the server, not a missing resource.
            Err(MlflowError::Invalid { message, .. }) if message.contains("not found") => Ok(None),
            Err(error) => Err(error),
        }
    }
}
