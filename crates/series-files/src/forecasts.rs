//! Forecasts that were written before: `unique_id,ds,mean,lo80,hi80,lo95,hi95[,cutoff]`.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::assemble::moment;
use crate::error::{Place, SeriesFileError, quoted};
use crate::layout::LayoutOptions;
use crate::stamp::{StampClock, StampStyle};
use crate::table::{Table, empty};
use crate::time_format::TimeFormat;
use crate::values::{self, Range, Stamps};

/// The newest forecast of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenForecast {
    /// Which series.
    pub id: String,
    /// First hour foreseen.
    pub start: DateTime<Utc>,
    /// Quantiles at 0.025, 0.1, 0.5, 0.9 and 0.975, an hour each.
    pub quantiles: Vec<[f64; 5]>,
    style: StampStyle,
}

impl WrittenForecast {
    /// A moment as the file writes them.
    #[must_use]
    pub fn render(&self, moment: DateTime<Utc>) -> String {
        self.style.render(moment, StampClock::Utc)
    }
}

const COLUMNS: [&str; 7] = ["unique_id", "ds", "lo95", "lo80", "mean", "hi80", "hi95"];

struct Hour {
    seconds: i64,
    cutoff: i64,
    quantiles: [f64; 5],
    place: Place,
}

/// Reads a file that `foretide forecast` wrote: of every series the forecast with the latest cutoff.
///
/// # Errors
/// For quantiles that cross, hours that are missing or stand twice, and as
/// [`crate::HistoryFile::open`].
pub fn read_forecasts(path: &Path) -> Result<Vec<WrittenForecast>, SeriesFileError> {
    let table = Table::open(path, &LayoutOptions::default())?;
    let mut columns = table.require(COLUMNS)?.to_vec();
    columns.extend(table.place("cutoff"));
    let head = table.head()?;
    let stamps_of = |column: usize| {
        let format = TimeFormat::judge(&table, column, &head[column], None)?;
        Ok::<_, SeriesFileError>(Stamps::new(
            path,
            &table.columns()[column],
            StampClock::Utc,
            format,
        ))
    };
    let mut stamps = stamps_of(columns[1])?;
    let mut cutoffs = stamps_of(*columns.get(7).unwrap_or(&columns[1]))?;
    let mut id = String::new();
    let mut series: BTreeMap<String, Vec<Hour>> = BTreeMap::new();
    table.for_each(&columns, &mut |place, cells| {
        values::id(path, place, "unique_id", cells[0], &mut id)?;
        let mut quantiles = [0.0; 5];
        for ((quantile, cell), name) in quantiles.iter_mut().zip(&cells[2..7]).zip(&COLUMNS[2..]) {
            *quantile = values::number(path, place, name, *cell, Range::NotNegative)?;
        }
        if !quantiles.is_sorted() {
            let advice = "give lo95 <= lo80 <= mean <= hi80 <= hi95, where mean is the median";
            return Err(SeriesFileError::of_place(
                path,
                place,
                "quantiles cross",
                advice,
            ));
        }
        let hour = Hour {
            seconds: stamps.read(place, cells[1], &id)?,
            cutoff: match cells.get(7) {
                Some(cell) => cutoffs.read(place, *cell, &id)?,
                None => 0,
            },
            quantiles,
            place,
        };
        match series.get_mut(&id) {
            Some(hours) => hours.push(hour),
            None => {
                series.insert(id.clone(), vec![hour]);
            }
        }
        Ok(())
    })?;
    if series.is_empty() {
        return Err(empty(path));
    }
    let style = stamps.style().unwrap_or(StampStyle::PLAIN);
    series
        .into_iter()
        .map(|(id, hours)| newest(path, id, hours, style.clone()))
        .collect()
}

fn newest(
    path: &Path,
    id: String,
    mut hours: Vec<Hour>,
    style: StampStyle,
) -> Result<WrittenForecast, SeriesFileError> {
    let latest = hours.iter().map(|hour| hour.cutoff).max().unwrap_or(0);
    hours.retain(|hour| hour.cutoff == latest);
    hours.sort_by_key(|hour| hour.seconds);
    let apart = |pair: &&[Hour]| pair[1].seconds - pair[0].seconds != 3600;
    if let Some(pair) = hours.windows(2).find(apart) {
        return Err(SeriesFileError::at(
            path,
            pair[1].place,
            "ds",
            format!("series {} does not go on hour by hour here", quoted(&id)),
            "give each hour once; several forecasts need a column cutoff",
        ));
    }
    Ok(WrittenForecast {
        start: moment(hours.first().map_or(0, |hour| hour.seconds)),
        quantiles: hours.into_iter().map(|hour| hour.quantiles).collect(),
        id,
        style,
    })
}
