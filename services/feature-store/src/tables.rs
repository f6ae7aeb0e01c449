//! Training sets and feature rows as tables.

use chrono::{DateTime, Utc};
use foretide_domain::{RunId, SeriesId};
use foretide_features::{FeatureColumn, HourGrid};
use polars::prelude::*;

/// What a training set holds, hour by hour.
#[derive(Debug)]
pub(crate) struct TrainingColumns {
    pub(crate) grid: HourGrid,
    /// Local hour of the week, 0 is Monday 00:00.
    pub(crate) hour_of_week: Vec<u8>,
    pub(crate) regressors: Vec<(&'static str, Vec<f64>)>,
    pub(crate) series: Vec<(SeriesId, Vec<f64>)>,
}

impl TrainingColumns {
    /// One row an hour: `event_time`, `hour_of_week`, `x:<regressor>` ..., `<series id>` ...
    pub(crate) fn into_table(self) -> PolarsResult<DataFrame> {
        let hours: Vec<u32> = self.hour_of_week.into_iter().map(u32::from).collect();
        let mut columns = vec![
            event_times(hours_of(self.grid))?,
            Column::new("hour_of_week".into(), hours),
        ];
        for (name, values) in self.regressors {
            columns.push(Column::new(format!("x:{name}").into(), values));
        }
        for (series, values) in self.series {
            columns.push(Column::new(series.to_string().into(), values));
        }
        DataFrame::new(self.grid.hours, columns)
    }
}

/// The feature rows of one run.
#[derive(Debug)]
pub(crate) struct FeatureRows {
    pub(crate) grid: HourGrid,
    pub(crate) run_id: RunId,
    /// The columns of each series, all of the same view.
    pub(crate) series: Vec<(SeriesId, Vec<FeatureColumn>)>,
}

impl FeatureRows {
    /// How many rows the table has.
    pub(crate) fn len(&self) -> usize {
        self.grid.hours * self.series.len()
    }

    /// One row for each series and hour: `event_time`, `series_id`, features ..., `run_id`.
    pub(crate) fn to_table(&self) -> PolarsResult<DataFrame> {
        let times = self.series.iter().flat_map(|_| hours_of(self.grid));
        let names: Vec<String> = self
            .series
            .iter()
            .flat_map(|(id, _)| std::iter::repeat_n(id.to_string(), self.grid.hours))
            .collect();
        let mut columns = vec![event_times(times)?, Column::new("series_id".into(), names)];
        let features = self.series.first().map_or(0, |(_, columns)| columns.len());
        for feature in 0..features {
            let name = self.series[0].1[feature].name;
            let values: Vec<f64> = self
                .series
                .iter()
                .flat_map(|(_, columns)| columns[feature].values.iter().copied())
                .collect();
            columns.push(Column::new(name.into(), values));
        }
        let run_id = self.run_id.to_string();
        columns.push(Column::new(
            "run_id".into(),
            vec![run_id.as_str(); self.len()],
        ));
        DataFrame::new(self.len(), columns)
    }
}

fn hours_of(grid: HourGrid) -> impl Iterator<Item = DateTime<Utc>> {
    (0..grid.hours).map(move |hour| grid.hour(hour))
}

fn event_times(hours: impl Iterator<Item = DateTime<Utc>>) -> PolarsResult<Column> {
    let millis: Vec<i64> = hours.map(|hour| hour.timestamp_millis()).collect();
    let utc = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    Column::new("event_time".into(), millis).cast(&utc)
}
