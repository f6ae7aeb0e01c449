//! Which series a use case has, and their counts by hour.

use std::collections::{BTreeMap, HashMap};

use foretide_domain::{Dimension, SeriesId, UseCase};
use foretide_features::{HourGrid, TrainingOptions};
use foretide_lake::buckets::BucketRow;

/// The series of a use case that occur in the rows: the total first, then those broken down,
/// sorted. Of these, only such as reach the least total, and at most so many, the largest.
pub(crate) fn occurring(
    use_case: &UseCase,
    rows: &[BucketRow],
    grid: HourGrid,
    options: TrainingOptions,
) -> Vec<SeriesId> {
    let mut totals: BTreeMap<SeriesId, f64> = BTreeMap::new();
    for dimensions in use_case
        .series
        .by
        .iter()
        .filter(|dimensions| !dimensions.is_empty())
    {
        for (labels, total) in totals_by(dimensions, rows, grid) {
            if has_no_tactic(dimensions, &labels) {
                continue;
            }
            let named = dimensions
                .iter()
                .copied()
                .zip(labels.into_iter().map(str::to_owned));
            totals.insert(SeriesId::of(use_case.id.clone(), named), total);
        }
    }
    totals.retain(|_, total| *total > 0.0 && *total >= f64::from(options.min_series_total));
    let mut by_size: Vec<_> = totals.into_iter().collect();
    by_size.sort_by(|left, right| {
        right
            .1
            .total_cmp(&left.1)
            .then_with(|| left.0.cmp(&right.0))
    });
    let most = usize::try_from(options.max_series).unwrap_or(usize::MAX);
    if by_size.len() > most {
        tracing::warn!(use_case = %use_case.id, occurring = by_size.len(), kept = most, "small series are left out");
        by_size.truncate(most);
    }
    let mut broken_down: Vec<_> = by_size.into_iter().map(|(series, _)| series).collect();
    broken_down.sort();
    std::iter::once(SeriesId::total(use_case.id.clone()))
        .chain(broken_down)
        .collect()
}

/// An incident without a tactic is no tactic's series. Severities and products are kept even where
/// they are empty: they add up to the total.
fn has_no_tactic(dimensions: &[Dimension], labels: &[&str]) -> bool {
    dimensions
        .iter()
        .zip(labels)
        .any(|(dimension, label)| *dimension == Dimension::Tactic && label.is_empty())
}

fn totals_by<'a>(
    dimensions: &[Dimension],
    rows: &'a [BucketRow],
    grid: HourGrid,
) -> HashMap<Vec<&'a str>, f64> {
    let mut totals = HashMap::new();
    for row in rows
        .iter()
        .filter(|row| grid.index(row.event_time).is_some())
    {
        *totals.entry(labels(dimensions, row)).or_insert(0.0) += row.value;
    }
    totals
}

/// Counts by hour of each series, zero where there is no bucket.
pub(crate) fn counts(series: &[SeriesId], rows: &[BucketRow], grid: HourGrid) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![0.0; grid.hours]; series.len()];
    let mut by_dimensions: BTreeMap<Vec<Dimension>, HashMap<Vec<&str>, usize>> = BTreeMap::new();
    for (index, id) in series.iter().enumerate() {
        let dimensions: Vec<_> = id.dimensions().keys().copied().collect();
        let labels: Vec<_> = id.dimensions().values().map(String::as_str).collect();
        by_dimensions
            .entry(dimensions)
            .or_default()
            .insert(labels, index);
    }
    for row in rows {
        let Some(hour) = grid.index(row.event_time) else {
            continue;
        };
        for (dimensions, indices) in &by_dimensions {
            if let Some(index) = indices.get(&labels(dimensions, row)) {
                columns[*index][hour] += row.value;
            }
        }
    }
    columns
}

/// Counts by hour of all rows together.
pub(crate) fn total(rows: &[BucketRow], grid: HourGrid) -> Vec<f64> {
    let mut column = vec![0.0; grid.hours];
    for row in rows {
        if let Some(hour) = grid.index(row.event_time) {
            column[hour] += row.value;
        }
    }
    column
}

fn labels<'a>(dimensions: &[Dimension], row: &'a BucketRow) -> Vec<&'a str> {
    dimensions
        .iter()
        .map(|dimension| match dimension {
            Dimension::Severity => row.severity.as_str(),
            Dimension::Product => row.product.as_str(),
            Dimension::Tactic => row.tactic.as_str(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use foretide_domain::HOUR;

    use super::*;

    const OPTIONS: TrainingOptions = TrainingOptions {
        history_days: 365,
        min_series_total: 2,
        max_series: 200,
        settle_hours: 2,
    };

    fn grid() -> HourGrid {
        HourGrid {
            start: "2026-03-02T00:00:00Z".parse().unwrap(),
            hours: 3,
        }
    }

    fn row(hour: i32, severity: &str, product: &str, value: f64) -> BucketRow {
        BucketRow {
            event_time: grid().start + HOUR * hour,
            severity: severity.to_owned(),
            product: product.to_owned(),
            tactic: String::new(),
            value,
        }
    }

    fn rows() -> Vec<BucketRow> {
        vec![
            row(-1, "Old", "Gone", 50.0),
            row(0, "High", "Defender", 2.0),
            row(0, "Low", "Okta, Inc.", 1.0),
            row(2, "High", "Okta, Inc.", 4.0),
        ]
    }

    fn names(options: TrainingOptions) -> Vec<String> {
        let use_case = UseCase::built_in().remove(0);
        let series = occurring(&use_case, &rows(), grid(), options);
        series.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_total_comes_first_and_rare_values_are_left_out() {
        assert_eq!(
            names(OPTIONS),
            [
                "attack_volume/total",
                "attack_volume/severity=High",
                "attack_volume/severity=High,product=Defender",
                "attack_volume/severity=High,product=Okta%2C Inc.",
                "attack_volume/product=Defender",
                "attack_volume/product=Okta%2C Inc.",
            ]
        );
    }

    #[test]
    fn incidents_without_a_tactic_have_no_series_of_their_own() {
        let mut with_tactic = rows();
        with_tactic[1].tactic = "InitialAccess".to_owned();
        let use_case = UseCase::built_in().remove(0);
        let series = occurring(&use_case, &with_tactic, grid(), OPTIONS);
        let tactics: Vec<_> = series
            .iter()
            .filter_map(|id| id.dimensions().get(&Dimension::Tactic))
            .collect();
        assert_eq!(tactics, ["InitialAccess"]);
    }

    #[test]
    fn only_the_largest_are_kept_when_there_are_too_many() {
        let few = TrainingOptions {
            max_series: 2,
            ..OPTIONS
        };
        assert_eq!(
            names(few),
            [
                "attack_volume/total",
                "attack_volume/severity=High",
                "attack_volume/product=Okta%2C Inc.",
            ]
        );
        assert_eq!(
            names(TrainingOptions {
                max_series: 0,
                ..OPTIONS
            }),
            ["attack_volume/total"]
        );
    }

    #[test]
    fn parts_add_up_to_the_total_in_every_hour() {
        let use_case = UseCase::built_in().remove(0);
        let every = TrainingOptions {
            min_series_total: 0,
            ..OPTIONS
        };
        let series = occurring(&use_case, &rows(), grid(), every);
        let columns = counts(&series, &rows(), grid());
        assert_eq!(columns[0], [3.0, 0.0, 4.0]);
        assert_eq!(columns[0], total(&rows(), grid()));
        let severity_by_product = vec![Dimension::Severity, Dimension::Product];
        for dimensions in [
            vec![Dimension::Severity],
            vec![Dimension::Product],
            severity_by_product,
        ] {
            for hour in 0..3 {
                let sum: f64 = series
                    .iter()
                    .zip(&columns)
                    .filter(|(id, _)| id.dimensions().keys().eq(&dimensions))
                    .map(|(_, column)| column[hour])
                    .sum();
                assert!(
                    (sum - columns[0][hour]).abs() < 1e-12,
                    "{dimensions:?} at {hour}"
                );
            }
        }
    }
}
