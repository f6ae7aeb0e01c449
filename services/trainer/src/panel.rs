//! A training set as Parquet into the panel that is trained on.
//!
//! The layout is wide and hourly: `event_time`, `hour_of_week`, one column `x:<name>` for every
//! regressor, and one column for every series, named by its id.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{SeriesId, UseCaseId};
use foretide_forecasting::{PanelSeries, Regressor, ScoringFrame, TrainingPanel};
use polars::prelude::{Column, DataFrame, DataType, TimeUnit};

const EVENT_TIME: &str = "event_time";
const HOUR_OF_WEEK: &str = "hour_of_week";
const REGRESSOR_PREFIX: &str = "x:";

/// Reads the table. The error says in words what does not fit the layout.
pub(crate) fn read(frame: &DataFrame, use_case: &UseCaseId) -> Result<TrainingPanel, String> {
    let start = hourly_start(column(frame, EVENT_TIME)?)?;
    let hour_of_week = hours_of_week(column(frame, HOUR_OF_WEEK)?)?;
    let mut regressors = Vec::new();
    let mut series = Vec::new();
    for column in frame.columns() {
        let name = column.name().as_str();
        if let Some(regressor) = name.strip_prefix(REGRESSOR_PREFIX) {
            regressors.push(Regressor {
                name: regressor.to_owned(),
                values: numbers(column)?,
            });
        } else if name != EVENT_TIME && name != HOUR_OF_WEEK {
            let id = series_id(name, use_case)?;
            series.push(PanelSeries {
                id,
                values: numbers(column)?,
            });
        }
    }
    Ok(TrainingPanel {
        start,
        hour_of_week,
        regressors,
        series,
    })
}

/// The last `horizon` hours of the panel as if they were still ahead, with the history before them.
/// None when the history would be shorter than a week.
pub(crate) fn last_horizon(panel: &TrainingPanel, horizon: usize) -> Option<ScoringFrame> {
    const WEEK: usize = 168;
    let issued = panel
        .hour_of_week
        .len()
        .checked_sub(horizon)
        .filter(|hours| *hours >= WEEK)?;
    Some(ScoringFrame {
        start: panel.start + TimeDelta::hours(i64::try_from(issued).ok()?),
        hour_of_week: panel.hour_of_week[issued..].to_vec(),
        history_hour_of_week: panel.hour_of_week[..issued].to_vec(),
        regressors: panel.regressors.clone(),
        series: panel
            .series
            .iter()
            .map(|one| PanelSeries {
                id: one.id.clone(),
                values: one.values[..issued].to_vec(),
            })
            .collect(),
    })
}

fn column<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column, String> {
    frame
        .column(name)
        .map_err(|_| format!("column {name} is missing"))
}

fn series_id(name: &str, use_case: &UseCaseId) -> Result<SeriesId, String> {
    let id: SeriesId = name
        .parse()
        .map_err(|error| format!("column {name:?}: {error}"))?;
    if id.use_case() != use_case {
        return Err(format!(
            "column {name:?} belongs to another use case than {use_case}"
        ));
    }
    Ok(id)
}

/// The first hour, after a check that every further row is one hour later.
fn hourly_start(column: &Column) -> Result<DateTime<Utc>, String> {
    const HOUR: i64 = 3_600_000;
    if !matches!(
        column.dtype(),
        DataType::Datetime(TimeUnit::Milliseconds, _)
    ) {
        return Err(format!(
            "column {EVENT_TIME} must be milliseconds, is {}",
            column.dtype()
        ));
    }
    let physical = column
        .cast(&DataType::Int64)
        .map_err(|error| error.to_string())?;
    let times = physical.i64().map_err(|error| error.to_string())?;
    let mut first: Option<i64> = None;
    let mut previous: Option<i64> = None;
    for (row, time) in times.iter().enumerate() {
        let time = time.ok_or_else(|| format!("column {EVENT_TIME} is empty in row {row}"))?;
        let follows = previous.is_none_or(|previous| time.checked_sub(previous) == Some(HOUR));
        if !follows || time % HOUR != 0 {
            return Err(format!("column {EVENT_TIME} is not hourly in row {row}"));
        }
        first = first.or(Some(time));
        previous = Some(time);
    }
    let first = first.ok_or("it has no rows")?;
    DateTime::from_timestamp_millis(first)
        .ok_or_else(|| format!("column {EVENT_TIME} is out of bounds"))
}

fn hours_of_week(column: &Column) -> Result<Vec<u8>, String> {
    let hours = column
        .u32()
        .map_err(|_| format!("column {HOUR_OF_WEEK} must be u32, is {}", column.dtype()))?;
    hours
        .iter()
        .enumerate()
        .map(|(row, hour)| {
            hour.and_then(|hour| u8::try_from(hour).ok())
                .ok_or_else(|| format!("column {HOUR_OF_WEEK} is out of bounds in row {row}"))
        })
        .collect()
}

fn numbers(column: &Column) -> Result<Vec<f64>, String> {
    let name = column.name();
    let values = column
        .f64()
        .map_err(|_| format!("column {name:?} must be f64, is {}", column.dtype()))?;
    values
        .iter()
        .enumerate()
        .map(|(row, value)| value.ok_or_else(|| format!("column {name:?} is empty in row {row}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoColumn, NamedFrom, Series};

    fn times(hours: &[i64]) -> Column {
        let millis: Vec<i64> = hours.iter().map(|hour| hour * 3_600_000).collect();
        Series::new(EVENT_TIME.into(), millis)
            .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
            .unwrap()
            .into_column()
    }

    fn frame(hours: &[i64], extra: Vec<Column>) -> DataFrame {
        let week: Vec<u32> = (0..hours.len())
            .map(|hour| u32::try_from(hour % 168).unwrap())
            .collect();
        let week = Series::new(HOUR_OF_WEEK.into(), week).into_column();
        let columns = [times(hours), week].into_iter().chain(extra).collect();
        DataFrame::new(hours.len(), columns).unwrap()
    }

    fn floats(name: &str, values: Vec<f64>) -> Column {
        Series::new(name.into(), values).into_column()
    }

    fn use_case() -> UseCaseId {
        "attack_volume".parse().unwrap()
    }

    #[test]
    fn reads_series_and_regressors_in_order() {
        let table = frame(
            &[10, 11],
            vec![
                floats("x:holiday", vec![0.0, 1.0]),
                floats("attack_volume/total", vec![3.0, 4.0]),
                floats("attack_volume/severity=High", vec![1.0, 2.0]),
            ],
        );
        let panel = read(&table, &use_case()).unwrap();
        assert_eq!(panel.start.timestamp(), 36_000);
        assert_eq!(panel.regressors[0].name, "holiday");
        assert_eq!(
            panel.series[1].id.to_string(),
            "attack_volume/severity=High"
        );
        assert_eq!(panel.series[1].values, [1.0, 2.0]);
    }

    #[test]
    fn says_what_does_not_fit() {
        let total = || floats("attack_volume/total", vec![3.0, 4.0]);
        let cases = [
            (frame(&[1, 3], vec![total()]), "not hourly in row 1"),
            (frame(&[1, 1], vec![total()]), "not hourly in row 1"),
            (
                frame(&[1, 2], vec![floats("whatever", vec![0.0, 0.0])]),
                "\"whatever\"",
            ),
            (
                frame(&[1, 2], vec![floats("risk_period/total", vec![0.0, 0.0])]),
                "another use case",
            ),
            (
                frame(
                    &[1, 2],
                    vec![Series::new("attack_volume/total".into(), [1_i64, 2]).into_column()],
                ),
                "must be f64",
            ),
            (
                frame(
                    &[1, 2],
                    vec![
                        Series::new("attack_volume/total".into(), [Some(1.0), None]).into_column(),
                    ],
                ),
                "empty in row 1",
            ),
            (frame(&[], vec![]), "no rows"),
        ];
        for (table, expected) in cases {
            let problem = read(&table, &use_case()).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn the_last_horizon_needs_a_week_before_it() {
        let hours: Vec<i64> = (0..200).collect();
        let values: Vec<f64> = hours
            .iter()
            .map(|hour| f64::from(u8::try_from(*hour).unwrap()))
            .collect();
        let panel = read(
            &frame(&hours, vec![floats("attack_volume/total", values)]),
            &use_case(),
        )
        .unwrap();
        let ahead = last_horizon(&panel, 24).unwrap();
        assert_eq!(ahead.hour_of_week.len(), 24);
        assert_eq!(ahead.series[0].values.len(), 176);
        assert_eq!(ahead.start.timestamp(), 176 * 3_600);
        assert!(last_horizon(&panel, 33).is_none());
    }
}
