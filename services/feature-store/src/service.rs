//! What the feature store does, in domain types.

mod materialize;
mod scoring;
mod training;

use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use foretide_calendar::Calendar;
use foretide_domain::{SeriesId, UseCase, UseCaseId};
use foretide_features::{Feature, FeatureSpec, FeatureView, SpecHash};
use foretide_lake::Lake;
use foretide_lake::buckets::BucketStore;

use crate::config::{Config, UnknownView, view_of};
use crate::error::FeatureStoreError;
use crate::history::HistoryReader;
use crate::metrics::Metrics;
use crate::storage::{OnlineValue, Storage};

pub(crate) use scoring::{Actuals, ScoringFrame, SeriesCounts};

/// Most values of one answer: at eight bytes each they stay well below the largest message.
const MAX_VALUES: usize = 6_000_000;

/// How far a long call has come: what is done, how many units, of how many.
pub(crate) type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Send + Sync);

/// A use case with its view, as one specification.
#[derive(Debug, Clone)]
struct Subject {
    use_case: UseCase,
    view: FeatureView,
    spec: serde_json::Value,
    spec_hash: SpecHash,
}

/// A view, and when it was last materialized.
#[derive(Debug, Clone)]
pub(crate) struct ListedView {
    pub(crate) use_case: UseCaseId,
    pub(crate) name: &'static str,
    pub(crate) spec_hash: SpecHash,
    pub(crate) features: Vec<Feature>,
    pub(crate) materialized_at: Option<DateTime<Utc>>,
}

/// The use cases of the feature store. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FeatureStore {
    subjects: Arc<Vec<Subject>>,
    calendar: Arc<Calendar>,
    config: Arc<Config>,
    history: HistoryReader,
    lake: Lake,
    storage: Storage,
    metrics: Metrics,
}

impl FeatureStore {
    /// Joins use cases with their views.
    pub(crate) fn new(
        use_cases: &[UseCase],
        calendar: Calendar,
        config: Config,
        lake: Lake,
        storage: Storage,
    ) -> Result<Self, UnknownView> {
        let subjects: Result<_, _> = use_cases
            .iter()
            .map(|use_case| subject(use_case, &calendar, &config))
            .collect();
        Ok(Self {
            subjects: Arc::new(subjects?),
            calendar: Arc::new(calendar),
            config: Arc::new(config),
            history: HistoryReader::new(BucketStore::new(lake.clone())),
            lake,
            storage,
            metrics: Metrics::new(),
        })
    }

    fn subject(&self, id: &UseCaseId) -> Result<&Subject, FeatureStoreError> {
        let found = self
            .subjects
            .iter()
            .find(|subject| subject.use_case.id == *id);
        found.ok_or_else(|| {
            let known: Vec<_> = self
                .subjects
                .iter()
                .map(|subject| subject.use_case.id.as_str())
                .collect();
            FeatureStoreError::UnknownUseCase {
                name: id.to_string(),
                known: known.join(", "),
            }
        })
    }

    /// The newest values of some features of some series; of all when none is named.
    pub(crate) async fn online_values(
        &self,
        use_case: &UseCaseId,
        series: &[SeriesId],
        features: &[String],
    ) -> Result<Vec<OnlineValue>, FeatureStoreError> {
        let subject = self.subject(use_case)?;
        check_series(use_case, series)?;
        let known: Vec<&str> = subject
            .view
            .features
            .iter()
            .map(|feature| feature.name)
            .collect();
        if let Some(unknown) = features.iter().find(|name| !known.contains(&name.as_str())) {
            let name: String = unknown.chars().take(64).collect();
            let problem = format!("has {name:?}: use some of {}", known.join(", "));
            return Err(foretide_api::FieldError::new("features", problem).into());
        }
        let wanted: Vec<String> = if features.is_empty() {
            known.into_iter().map(str::to_owned).collect()
        } else {
            features.to_vec()
        };
        Ok(self
            .storage
            .online_values(use_case, series, &wanted)
            .await?)
    }

    /// All views, by use case.
    pub(crate) async fn views(&self) -> Result<Vec<ListedView>, FeatureStoreError> {
        let mut views = Vec::with_capacity(self.subjects.len());
        for Subject {
            use_case,
            view,
            spec_hash,
            ..
        } in self.subjects.iter()
        {
            let newest = self
                .storage
                .latest_materialization(&use_case.id, spec_hash.as_str(), None)
                .await?;
            views.push(ListedView {
                use_case: use_case.id.clone(),
                name: view.name,
                spec_hash: spec_hash.clone(),
                features: view.features.clone(),
                materialized_at: newest.map(|newest| newest.known_at),
            });
        }
        Ok(views)
    }
}

fn subject(
    use_case: &UseCase,
    calendar: &Calendar,
    config: &Config,
) -> Result<Subject, UnknownView> {
    let view = view_of(use_case)?;
    let spec = FeatureSpec::new(
        use_case,
        &view,
        calendar.config(),
        config.training_options(),
    );
    let (json, spec_hash) = (spec.canonical_json(), spec.hash());
    Ok(Subject {
        use_case: use_case.clone(),
        view,
        spec: json,
        spec_hash,
    })
}

/// Series of another use case are a mistake of the caller.
fn check_series(use_case: &UseCaseId, series: &[SeriesId]) -> Result<(), FeatureStoreError> {
    match series.iter().find(|id| id.use_case() != use_case) {
        None => Ok(()),
        Some(foreign) => {
            let problem = format!("has {foreign}, which is no series of {use_case}");
            Err(foretide_api::FieldError::new("series_ids", problem).into())
        }
    }
}

/// The moment in whole milliseconds, as paths and tables hold it.
fn in_millis(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment
        .duration_trunc(TimeDelta::milliseconds(1))
        .unwrap_or(moment)
}
