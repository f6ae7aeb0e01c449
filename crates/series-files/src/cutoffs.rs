//! The moments to forecast from: `unique_id,cutoff`.

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::assemble::moment;
use crate::error::{SeriesFileError, quoted};
use crate::history::HistoryFile;
use crate::layout::LayoutOptions;
use crate::stamp::StampClock;
use crate::table::{Table, empty};
use crate::time_format::TimeFormat;
use crate::values::{self, Stamps};

/// One moment to forecast from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutoff {
    /// Which series.
    pub id: String,
    /// The last hour that is known.
    pub moment: DateTime<Utc>,
    /// How many hours of the series are known then.
    pub known_hours: usize,
}

/// Reads the moments to forecast from and checks them against the history.
///
/// # Errors
/// For a series that the history does not have, a moment outside of it or off its hours, one that
/// leaves fewer than `fewest_hours`, and one that stands twice; and as [`HistoryFile::open`].
pub fn read_cutoffs(
    path: &Path,
    history: &HistoryFile,
    clock: StampClock,
    fewest_hours: usize,
) -> Result<Vec<Cutoff>, SeriesFileError> {
    let table = Table::open(path, &LayoutOptions::default())?;
    let columns = table.require(["unique_id", "cutoff"])?;
    let head = table.head()?;
    let format = TimeFormat::judge(&table, columns[1], &head[columns[1]], history.date_order())?;
    let mut stamps = Stamps::new(path, "cutoff", clock, format);
    let mut id = String::new();
    let mut seen = HashSet::new();
    let mut cutoffs = Vec::new();
    table.for_each(&columns, &mut |place, cells| {
        values::id(path, place, "unique_id", cells[0], &mut id)?;
        let moment = moment(stamps.read(place, cells[1], &id)?);
        let refuse = |column, problem: String, advice: String| {
            Err(SeriesFileError::at(path, place, column, problem, advice))
        };
        let Some(extent) = history.extent(&id) else {
            let problem = format!(
                "{} is no series of {}",
                quoted(&id),
                history.path().display()
            );
            return refuse("unique_id", problem, known_ids(history));
        };
        let (first, last) = (history.render(extent.start), history.render(extent.last()));
        let span = format!("series {} runs from {first} to {last}", quoted(&id));
        let known = match extent.hours_until(moment) {
            None => {
                let problem = format!("{} is not one of its hours", history.render(moment));
                return refuse("cutoff", problem, format!("{span}, hour by hour"));
            }
            Some(known) if known < 1 => {
                let problem = format!("{} lies before the history", history.render(moment));
                return refuse("cutoff", problem, span);
            }
            Some(known) => usize::try_from(known).unwrap_or(usize::MAX),
        };
        if known > extent.hours {
            let problem = format!("{} lies after the history", history.render(moment));
            return refuse("cutoff", problem, span);
        }
        if known < fewest_hours {
            let problem =
                format!("only {known} hours are known then, at least {fewest_hours} are needed");
            return refuse("cutoff", problem, format!("begin later; {span}"));
        }
        if !seen.insert((id.clone(), moment)) {
            let problem = format!(
                "{} stands twice for {}",
                history.render(moment),
                quoted(&id)
            );
            return refuse("cutoff", problem, "keep one".to_owned());
        }
        cutoffs.push(Cutoff {
            id: id.clone(),
            moment,
            known_hours: known,
        });
        Ok(())
    })?;
    if cutoffs.is_empty() {
        return Err(empty(path));
    }
    Ok(cutoffs)
}

fn known_ids(history: &HistoryFile) -> String {
    let ids = history.ids();
    let some: Vec<String> = ids.iter().take(5).map(|id| quoted(id)).collect();
    let more = if ids.len() > some.len() {
        format!(" and {} more", ids.len() - some.len())
    } else {
        String::new()
    };
    format!("it has {}{more}", some.join(", "))
}
