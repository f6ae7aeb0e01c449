//! One version's lineage in MLflow: experiment, run, dataset, metrics, artefacts, version, alias.
//!
//! Every step can be repeated: the run is found by its tag, the version by its run, and what is
//! logged again changes nothing. So a delivery that broke off anywhere is simply done again.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use foretide_mlflow::{Dataset, Metric, MlflowClient, MlflowError, NewRun, Run, RunStatus, Tag};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::{CHAMPION, Coverage, ModelVersion, SeriesModel, Weight};

/// Tag by which a run is found again.
const RUN_TAG: &str = "foretide.run_id";
/// Folder of the model among the run's artefacts.
const MODEL_FOLDER: &str = "model";

/// Tells MLflow all of it and returns its run id.
pub(crate) async fn tell(
    mlflow: &MlflowClient,
    version: &ModelVersion,
    artefact: Bytes,
) -> Result<String, MlflowError> {
    let run = find_or_create_run(mlflow, version).await?;
    let run_id = run.info.run_id.clone();
    mlflow
        .log_training_input(&run_id, &dataset(version))
        .await?;
    mlflow
        .log_batch(&run_id, &metrics(version), &params(version), &[])
        .await?;
    let card = Bytes::from(model_card(version));
    let backtest = Bytes::from(json!(version.content.series).to_string());
    for (name, bytes) in [
        ("model.onnx", artefact),
        ("MODEL_CARD.md", card),
        ("backtest.json", backtest),
    ] {
        mlflow
            .put_artifact(&run, &format!("{MODEL_FOLDER}/{name}"), bytes)
            .await?;
    }
    let registered = register(mlflow, version, &run).await?;
    mlflow
        .set_alias(version.name(), CHAMPION, &registered)
        .await?;
    mlflow
        .end_run(&run_id, RunStatus::Finished, version.content.trained_at)
        .await?;
    Ok(run_id)
}

async fn find_or_create_run(
    mlflow: &MlflowClient,
    version: &ModelVersion,
) -> Result<Run, MlflowError> {
    let content = &version.content;
    let use_case = Tag::new("foretide.use_case", version.name());
    let experiment_name = format!("foretide/{}", version.name());
    let experiment = mlflow
        .experiment(&experiment_name, std::slice::from_ref(&use_case))
        .await?;
    let marker = Tag::new(RUN_TAG, content.run_id.to_string());
    if let Some(run) = mlflow.find_run(&experiment, &marker).await? {
        return Ok(run);
    }
    let run = NewRun {
        experiment_id: experiment,
        name: format!("{} v{}", version.name(), version.version),
        started_at: content.trained_at,
        tags: vec![
            marker,
            use_case,
            Tag::new("foretide.version", version.version.to_string()),
            Tag::new(
                "foretide.training_set_sha256",
                content.training_set.sha256.as_str(),
            ),
            Tag::new("mlflow.source.name", "foretide trainer"),
            Tag::new("mlflow.source.type", "JOB"),
        ],
    };
    mlflow.create_run(&run).await
}

async fn register(
    mlflow: &MlflowClient,
    version: &ModelVersion,
    run: &Run,
) -> Result<String, MlflowError> {
    let name = version.name();
    let description = format!("Foretide's forecasts of the use case {name}");
    mlflow.ensure_registered_model(name, &description).await?;
    if let Some(made) = mlflow.model_version_of_run(name, &run.info.run_id).await? {
        return Ok(made.version);
    }
    let content = &version.content;
    let tags = [
        Tag::new("foretide.version", version.version.to_string()),
        Tag::new(RUN_TAG, content.run_id.to_string()),
        Tag::new("sha256", content.artefact_sha256.as_str()),
        Tag::new("spec_hash", content.training_set.spec_hash.as_str()),
        Tag::new("known_at", content.known_at.to_rfc3339()),
    ];
    let made = mlflow
        .create_model_version(name, run, MODEL_FOLDER, &tags)
        .await?;
    Ok(made.version)
}

/// The digest is the first half of the checksum: a whole one is longer than MLflow takes. The whole
/// one is a tag of the run.
fn dataset(version: &ModelVersion) -> Dataset {
    let content = &version.content;
    let set = &content.training_set;
    let columns: Vec<_> = content
        .series
        .iter()
        .map(|series| json!({"name": series.series_id.to_string(), "type": "double"}))
        .collect();
    Dataset {
        name: set.view.clone(),
        digest: set.sha256.chars().take(32).collect(),
        source_type: "local".to_owned(),
        source: json!({"uri": set.path, "known_at": content.known_at}).to_string(),
        schema: json!({"mlflow_colspec": columns}).to_string(),
        profile: json!({"num_rows": set.rows, "num_series": columns.len()}).to_string(),
    }
}

fn params(version: &ModelVersion) -> Vec<Tag> {
    let content = &version.content;
    let mut params = vec![
        Tag::new("use_case", version.name()),
        Tag::new("known_at", content.known_at.to_rfc3339()),
        Tag::new("spec_hash", content.training_set.spec_hash.as_str()),
        Tag::new("history_hours", content.history_hours.to_string()),
        Tag::new("horizon_hours", content.horizon_hours.to_string()),
        Tag::new("series", content.series.len().to_string()),
    ];
    for (kind, count) in champions(&content.series) {
        params.push(Tag::new(format!("champions.{kind}"), count.to_string()));
    }
    params
}

fn champions(series: &[SeriesModel]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for one in series {
        *counts.entry(one.kind.as_str()).or_default() += 1;
    }
    counts
}

/// The champion's scores of every series, and seasonal naive's pinball loss to hold them against.
/// The time is that of the training, so that a repeated delivery logs the same values again.
fn metrics(version: &ModelVersion) -> Vec<Metric> {
    let timestamp = version.content.trained_at.timestamp_millis();
    let metric = |name: &str, series: &SeriesModel, value: f64| Metric {
        key: metric_key(name, &series.series_id.to_string()),
        value,
        timestamp,
        step: 0,
    };
    let mut metrics = vec![Metric {
        key: "onnx_max_relative_error".to_owned(),
        value: version.content.onnx_max_relative_error,
        timestamp,
        step: 0,
    }];
    for series in &version.content.series {
        if let Some(score) = series.score(&series.kind) {
            metrics.push(metric("pinball", series, score.pinball));
            metrics.push(metric("mae", series, score.mae));
            metrics.push(metric("coverage_80", series, score.coverage_80));
            metrics.push(metric("coverage_95", series, score.coverage_95));
        }
        if let Some(naive) = series.score("seasonal_naive") {
            metrics.push(metric("naive_pinball", series, naive.pinball));
        }
    }
    metrics
}

/// `<name>/<series>` in the characters and length that MLflow takes. Where that loses something, a
/// piece of the series' checksum keeps names apart.
fn metric_key(name: &str, series: &str) -> String {
    const LONGEST: usize = 250;
    let readable = series.replace('=', ":").replace(',', " ");
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
    let key = format!("{name}/{readable}");
    let separators_only = !series.contains([':', ' ']);
    if separators_only && key.len() <= LONGEST && key.chars().all(allowed) {
        return key;
    }
    let checksum = hex::encode(&Sha256::digest(series)[..4]);
    let kept = key.chars().map(|c| if allowed(c) { c } else { '_' });
    let kept: String = kept.take(LONGEST - checksum.len() - 1).collect();
    format!("{kept}-{checksum}")
}

/// The version in words, for people.
fn model_card(version: &ModelVersion) -> String {
    let content = &version.content;
    let mut card = format!(
        "# {} version {}\n\n\
         Forecasts {} hours ahead for {} series, trained on {} hours of history as known at {}.\n\n\
         - training set: `{}` (sha256 `{}`, spec `{}`)\n\
         - artefact: ONNX, sha256 `{}`\n\
         - native and ONNX predictions differ by at most {:.1e} relative\n\
         - run: `{}`\n\n\
         Scores are from a rolling-origin backtest. Where the ensemble does not beat climatology and \
         seasonal naive, the better of the two is served.\n\n\
         | series | served | pinball | seasonal naive | coverage 80% | coverage 95% | made of | note |\n\
         |---|---|---|---|---|---|---|---|\n",
        version.name(),
        version.version,
        content.horizon_hours,
        content.series.len(),
        content.history_hours,
        content.known_at.to_rfc3339(),
        content.training_set.path,
        content.training_set.sha256,
        content.training_set.spec_hash,
        content.artefact_sha256,
        content.onnx_max_relative_error,
        content.run_id,
    );
    for series in &content.series {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
        let served = series.score(&series.kind);
        let naive = series.score("seasonal_naive");
        writeln!(
            card,
            "| {} | {} | {} | {} | {} | {} | {} | {}{} |",
            cell(&series.series_id.to_string()),
            series.kind,
            number(served.map(|score| score.pinball)),
            number(naive.map(|score| score.pinball)),
            number(served.map(|score| score.coverage_80)),
            number(served.map(|score| score.coverage_95)),
            ingredients(series),
            if series.learning { "learning; " } else { "" },
            cell(&series.note),
        )
        .expect("writing to memory");
    }
    card.push_str(&coverage_tables(&content.series));
    card
}

/// What an ensemble is made of, heaviest first.
fn ingredients(series: &SeriesModel) -> String {
    let mut weights: Vec<_> = series.weights.iter().collect();
    weights.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let share = |one: &&Weight| format!("{} {:.0}%", one.kind, 100.0 * one.weight);
    weights.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// How often the intervals held, all series together, by horizon and by weekday.
fn coverage_tables(series: &[SeriesModel]) -> String {
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut by_horizon: BTreeMap<(u32, u32), Coverage> = BTreeMap::new();
    let mut by_weekday = [Coverage::default(); WEEKDAYS.len()];
    for one in series {
        for band in &one.coverage_by_horizon {
            let pooled = by_horizon
                .entry((band.first_hour, band.last_hour))
                .or_default();
            *pooled = pooled.with(&band.coverage);
        }
        for (pooled, coverage) in by_weekday.iter_mut().zip(&one.coverage_by_weekday) {
            *pooled = pooled.with(coverage);
        }
    }
    let mut text = String::from(
        "\n## How often the intervals held in the backtest\n\n\
         | hours | 80% | 95% | looked at |\n|---|---|---|---|\n",
    );
    let horizons = by_horizon
        .iter()
        .map(|((first, last), coverage)| (format!("{first} to {last} ahead"), coverage));
    let weekdays = WEEKDAYS
        .iter()
        .zip(&by_weekday)
        .map(|(day, coverage)| ((*day).to_owned(), coverage));
    for (hours, coverage) in horizons.chain(weekdays) {
        if coverage.hours > 0 {
            writeln!(
                text,
                "| {hours} | {:.1}% | {:.1}% | {} |",
                100.0 * coverage.share_80,
                100.0 * coverage.share_95,
                coverage.hours
            )
            .expect("writing to memory");
        }
    }
    text
}

/// Text that stays inside its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_are_readable_where_that_loses_nothing() {
        assert_eq!(
            metric_key("mae", "attack_volume/total"),
            "mae/attack_volume/total"
        );
        assert_eq!(
            metric_key("mae", "a/severity=High,product=MDE"),
            "mae/a/severity:High product:MDE"
        );
    }

    #[test]
    fn metric_names_stay_apart_and_within_the_servers_rules() {
        let hostile = [
            "a/product=Zugangs\u{fc}berwachung".to_owned(),
            "a/product=Zugangs\u{e4}berwachung".to_owned(),
            "a/product=x:y".to_owned(),
            "a/product=x y".to_owned(),
            format!("a/product={}1", "x".repeat(400)),
            format!("a/product={}2", "x".repeat(400)),
        ];
        let keys: std::collections::HashSet<_> = hostile
            .iter()
            .map(|series| metric_key("mae", series))
            .collect();
        assert_eq!(keys.len(), hostile.len());
        for key in keys {
            assert!(key.len() <= 250 && key.is_ascii(), "{key}");
        }
    }

    #[test]
    fn a_cell_cannot_break_the_table() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
