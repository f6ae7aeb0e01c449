//! How wide intervals are served: as trained, moved by how often they have held since.

use std::collections::HashMap;

use chrono::TimeDelta;
use foretide_db::DbError;
use foretide_domain::{HOUR, SeriesId, TimeSpan};
use foretide_forecasting::{EndFactors, ScoringFrame, SettledHour};

use crate::model::{Forecast, Validity};
use crate::points::Points;
use crate::storage::Store;

/// Forecasts issued earlier say nothing of the hours that have settled since the last one.
const LONGEST_LOOK_BACK: TimeDelta = TimeDelta::days(14);

/// Forecasts in that time, at one an hour.
const MOST_ISSUED: u32 = 14 * 24;

/// Of forecasts issued more often, one in so long a time is looked at: their neighbours miss alike.
const APART: TimeDelta = TimeDelta::hours(6);

/// Factors on the ends of each series, from what has come of earlier forecasts of the same model.
/// None for a series that it has not forecast yet: a new training begins anew.
///
/// Each step takes the factors of the newest forecast on, by the hours that have settled since it.
/// An incomplete history moves nothing, and a degraded forecast is not judged: its inputs were.
pub(crate) async fn end_factors(
    store: &Store,
    forecast: &Forecast,
    frame: &ScoringFrame,
) -> Result<HashMap<SeriesId, EndFactors>, DbError> {
    let issued = TimeSpan {
        start: forecast.issued_at - LONGEST_LOOK_BACK,
        end: forecast.issued_at,
    };
    let mut earlier = store
        .list(&forecast.use_case, Some(issued), MOST_ISSUED)
        .await?;
    earlier.retain(|other| is_comparable(other, forecast));
    let Some(newest) = earlier.first() else {
        return Ok(HashMap::new());
    };
    let mut factors: HashMap<SeriesId, EndFactors> = store
        .points(newest.id)
        .await?
        .into_iter()
        .map(|(series, points)| (series, points.ends))
        .collect();
    if forecast.validity == Validity::Degraded {
        return Ok(factors);
    }
    let settled = TimeSpan {
        start: newest.start,
        end: frame.start,
    };
    let mut seen: HashMap<SeriesId, Vec<SettledHour>> = HashMap::new();
    for other in apart(&earlier, settled) {
        let points = store.points(other.id).await?;
        for (series, points) in &points {
            let hours = settled_hours(other, series, points, frame, settled);
            seen.entry(series.clone()).or_default().extend(hours);
        }
    }
    for (series, factors) in &mut factors {
        if let Some(hours) = seen.get(series) {
            *factors = factors.after(hours);
        }
    }
    Ok(factors)
}

fn is_comparable(other: &Forecast, forecast: &Forecast) -> bool {
    other.id != forecast.id
        && other.model_name == forecast.model_name
        && other.model_version == forecast.model_version
        && other.validity != Validity::Degraded
}

/// Those that say something of the settled hours, newest first, not too close to each other.
fn apart(earlier: &[Forecast], settled: TimeSpan) -> Vec<&Forecast> {
    let mut kept: Vec<&Forecast> = Vec::new();
    for other in earlier {
        let reaches = other.hour(other.horizon_hours as usize) > settled.start;
        let is_apart = kept
            .last()
            .is_none_or(|last| last.issued_at - other.issued_at >= APART);
        if reaches && is_apart {
            kept.push(other);
        }
    }
    kept
}

/// The settled hours that a forecast of a series reached, with what happened in them.
fn settled_hours(
    other: &Forecast,
    series: &SeriesId,
    points: &Points,
    frame: &ScoringFrame,
    settled: TimeSpan,
) -> Vec<SettledHour> {
    let Some(history) = frame.series.iter().find(|known| known.id == *series) else {
        return Vec::new();
    };
    let known = i64::try_from(history.values.len()).unwrap_or(i64::MAX);
    let hours = (0..points.hours()).map(|index| (index, other.hour(index)));
    hours
        .filter(|(_, hour)| settled.start <= *hour && *hour < settled.end)
        .filter_map(|(index, hour)| {
            let back = (frame.start - hour).num_hours();
            let place = usize::try_from(known - back).ok()?;
            Some(SettledHour {
                hour: hour.timestamp() / HOUR.num_seconds(),
                ahead: index + 1,
                quantiles: points.quantiles[index],
                actual: *history.values.get(place)?,
            })
        })
        .collect()
}

/// Hour ahead that stands for the first day in a note.
const A_DAY: usize = 24;

/// From this factor on, or its inverse, a reader is told.
const WORTH_TELLING: f64 = 1.25;

/// The note of a series whose intervals are served much wider, or narrower, than trained.
pub(crate) fn told(note: &str, ends: &EndFactors) -> String {
    let of_80 = ends.values()[foretide_forecasting::horizon_band(A_DAY)];
    let factor = f64::midpoint(of_80[1], of_80[2]);
    let how = if factor >= WORTH_TELLING {
        "wider"
    } else if factor <= WORTH_TELLING.recip() {
        "narrower"
    } else {
        return note.to_owned();
    };
    format!("{note}; intervals {how} than trained (x {factor:.2}), as recent hours ask for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_marked_change_is_told() {
        let with = |factor: f64| EndFactors::new([[factor; 4]; 5]).unwrap();
        assert_eq!(told("by theta", &with(1.2)), "by theta");
        assert!(told("by theta", &with(1.5)).starts_with("by theta; intervals wider"));
        assert!(told("by theta", &with(0.6)).contains("narrower than trained (x 0.60)"));
    }
}
