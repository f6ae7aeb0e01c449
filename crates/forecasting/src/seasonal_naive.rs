//! Residuals of the oldest rule there is: the same hour of last week.

use crate::spread::PartSpread;
use crate::week::HOURS_OF_WEEK;

/// Learns how far counts fall from those a week before. `None` with less than two weeks.
pub(crate) fn learn(values: &[f64], hour_of_week: &[u8]) -> Option<PartSpread> {
    if values.len() < 2 * HOURS_OF_WEEK {
        return None;
    }
    let residual = |index: usize| {
        (
            usize::from(hour_of_week[index]),
            values[index] - values[index - HOURS_OF_WEEK],
        )
    };
    let observed: Vec<_> = (HOURS_OF_WEEK..values.len()).map(residual).collect();
    PartSpread::learn(&observed)
}
