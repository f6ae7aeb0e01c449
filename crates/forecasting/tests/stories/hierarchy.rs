//! F4: severity x product adds up exactly and is never negative, at no loss.

use foretide_domain::{Dimension, Quantiles, SeriesId};
use foretide_forecasting::metrics::pinball;
use foretide_forecasting::{
    Hierarchy, PanelPrediction, PanelSeries, ScoringFrame, TrainOptions, TrainingPanel, train,
};
use proptest::prelude::*;

use crate::support::{business_week, draw, hours_of_week, monday};

const SEVERITIES: [&str; 3] = ["High", "Medium", "Low"];
const PRODUCTS: [&str; 4] = ["Defender", "Entra", "Firewall", "Mail"];
const HOUR_WEEK: usize = 168;
const HORIZON: usize = 48;

fn id(dimensions: &[(Dimension, &str)]) -> SeriesId {
    let named = dimensions
        .iter()
        .map(|&(name, value)| (name, value.to_owned()));
    SeriesId::of("attack_volume".parse().unwrap(), named)
}

/// The total, severities, products, cells, and one tactic that adds up to nothing.
fn workspace(seed: u64, hours: usize) -> Vec<PanelSeries> {
    let mut cells = Vec::new();
    for (row, severity) in SEVERITIES.into_iter().enumerate() {
        for (column, product) in PRODUCTS.into_iter().enumerate() {
            let level = 0.3 + 1.7 * row as f64 * (column + 1) as f64 / 4.0;
            let seed = seed + (row * PRODUCTS.len() + column) as u64;
            let values = draw(seed, hours, |hour| business_week(hour, level));
            cells.push((severity, product, values));
        }
    }
    let sum = |of: &dyn Fn(&str, &str) -> bool| {
        (0..hours)
            .map(|hour| {
                let parts = cells.iter().filter(|cell| of(cell.0, cell.1));
                parts.map(|cell| cell.2[hour]).sum()
            })
            .collect::<Vec<f64>>()
    };
    let mut series = vec![(id(&[]), sum(&|_, _| true))];
    for severity in SEVERITIES {
        let values = sum(&|of, _| of == severity);
        series.push((id(&[(Dimension::Severity, severity)]), values));
    }
    for product in PRODUCTS {
        let values = sum(&|_, of| of == product);
        series.push((id(&[(Dimension::Product, product)]), values));
    }
    let tactic = draw(seed + 99, hours, |hour| business_week(hour, 2.0));
    series.push((id(&[(Dimension::Tactic, "InitialAccess")]), tactic));
    for (severity, product, values) in cells {
        let named = [
            (Dimension::Severity, severity),
            (Dimension::Product, product),
        ];
        series.push((id(&named), values));
    }
    series
        .into_iter()
        .map(|(id, values)| PanelSeries { id, values })
        .collect()
}

fn cut(series: &[PanelSeries], hours: std::ops::Range<usize>) -> Vec<PanelSeries> {
    series
        .iter()
        .map(|one| PanelSeries {
            id: one.id.clone(),
            values: one.values[hours.clone()].to_vec(),
        })
        .collect()
}

/// Largest distance of a sum from its cells, over all hours.
fn incoherence(series: &[PanelSeries], means: &[f64], hours: usize) -> f64 {
    let mut worst = 0.0_f64;
    let is_cell = |id: &SeriesId| id.dimensions().len() == 2;
    for (position, sum) in series.iter().enumerate() {
        if is_cell(&sum.id) || sum.id.dimensions().contains_key(&Dimension::Tactic) {
            continue;
        }
        for hour in 0..hours {
            let belongs = |id: &SeriesId| {
                is_cell(id)
                    && sum
                        .id
                        .dimensions()
                        .iter()
                        .all(|(name, value)| id.dimensions().get(name) == Some(value))
            };
            let parts: f64 = (0..series.len())
                .filter(|&part| belongs(&series[part].id))
                .map(|part| means[part * hours + hour])
                .sum();
            worst = worst.max((parts - means[position * hours + hour]).abs());
        }
    }
    worst
}

fn loss(quantiles: [f64; 5], actual: f64) -> f64 {
    pinball(&Quantiles::repaired(quantiles).unwrap(), actual)
}

#[test]
fn f4_adding_up_costs_no_accuracy() {
    let (history, weeks) = (10 * HOUR_WEEK, 2);
    let series = workspace(7, history + (weeks + 1) * HOUR_WEEK);
    let panel = TrainingPanel {
        start: monday(),
        hour_of_week: hours_of_week(0, history),
        regressors: vec![],
        series: cut(&series, 0..history),
    };
    let options = TrainOptions {
        horizon_hours: HORIZON,
        ..TrainOptions::default()
    };
    let model = train(&panel, &options, &mut |_, _| ()).unwrap().model;
    let (mut alone, mut together) = (0.0, 0.0);
    for issue in (history..history + weeks * HOUR_WEEK).step_by(24) {
        let frame = ScoringFrame {
            start: monday() + foretide_domain::HOUR * issue as i32,
            hour_of_week: hours_of_week(issue, HORIZON),
            history_hour_of_week: hours_of_week(0, issue),
            regressors: vec![],
            series: cut(&series, 0..issue),
        };
        let inputs = model.schema.inputs(&frame).unwrap();
        let base = model.predict(&inputs).unwrap();
        let mut coherent = base.clone();
        Hierarchy::of(&frame.series)
            .unwrap()
            .reconcile(&mut coherent, HORIZON);
        assert_eq!(incoherence(&series, &coherent.mean, HORIZON), 0.0);
        for (position, one) in series.iter().enumerate() {
            for ahead in 0..HORIZON {
                let (row, actual) = (position * HORIZON + ahead, one.values[issue + ahead]);
                alone += loss(base.quantiles[row], actual);
                together += loss(coherent.quantiles[row], actual);
            }
        }
    }
    println!(
        "pinball loss, adding up against alone: {:.4}",
        together / alone
    );
    assert!(
        together <= 1.002 * alone,
        "adding up costs: {together} against {alone}"
    );
}

#[test]
fn tactics_and_uncovered_sums_are_left_alone() {
    let mut series = workspace(3, 48);
    // A product that has no cells of its own: the total is more than its cells.
    series[0].values[5] += 1.0;
    let hierarchy = Hierarchy::of(&series).unwrap();
    let positions: Vec<usize> = hierarchy.positions().collect();
    assert!(!positions.contains(&0), "the total is not covered");
    let tactic = series
        .iter()
        .position(|one| one.id.dimensions().contains_key(&Dimension::Tactic));
    assert!(!positions.contains(&tactic.unwrap()));
    assert_eq!(positions.len(), 12 + 3 + 4);
}

#[test]
fn separate_breakdowns_without_a_common_cell_do_not_add_up() {
    let series: Vec<PanelSeries> = workspace(3, 48)
        .into_iter()
        .filter(|one| one.id.dimensions().len() < 2)
        .collect();
    assert_eq!(Hierarchy::of(&series), None);
}

proptest! {
    #[test]
    fn f4_sums_are_exact_and_never_negative(
        rows in proptest::collection::vec((0.0..50.0_f64, 0.0..20.0_f64), 21 * 2),
    ) {
        let series = workspace(1, 24);
        let hours = 2;
        let mut prediction = PanelPrediction {
            quantiles: rows
                .iter()
                .map(|&(mean, spread)| {
                    [-2.0, -1.0, 0.0, 1.0, 2.0].map(|step: f64| (mean + step * spread).max(0.0))
                })
                .collect(),
            mean: rows.iter().map(|row| row.0).collect(),
            drivers: rows.iter().flat_map(|row| [row.0, 0.0, 0.0, 0.0, 0.0, 0.0]).collect(),
        };
        prop_assert_eq!(prediction.mean.len(), series.len() * hours);
        Hierarchy::of(&series).unwrap().reconcile(&mut prediction, hours);
        prop_assert_eq!(incoherence(&series, &prediction.mean, hours), 0.0);
        for (row, &mean) in prediction.mean.iter().enumerate() {
            prop_assert!(mean >= 0.0);
            prop_assert!(prediction.quantiles[row].is_sorted());
            prop_assert!(prediction.quantiles[row][0] >= 0.0);
            let drivers: f64 = prediction.drivers[row * 6..(row + 1) * 6].iter().sum();
            prop_assert!((drivers - mean).abs() <= 1e-9 * mean.max(1.0));
        }
    }
}
