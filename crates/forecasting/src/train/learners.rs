//! What learns from whole histories: trees over all series, and the Prophet kinds of one.

use std::borrow::Cow;

use super::TrainOptions;
use crate::candidate::CandidateKind;
use crate::contest::{Structurals, trees_days};
use crate::effects::PanelEvents;
use crate::panel::{PanelSeries, TrainingPanel};
use crate::structural::{Design, Link, fit};
use crate::trees::{TreesModel, TreesOptions, TreesSeries};
use crate::vetting::onset;

/// Trees for the origins of all series, as of several moments; with the hours each has seen. They
/// pay where they see more than one series.
pub(super) fn early_trees(
    panel: &TrainingPanel,
    events: &PanelEvents,
    options: &TrainOptions,
) -> Vec<(usize, TreesModel)> {
    let is_wanted = options.trees && options.allows(CandidateKind::Trees);
    if !is_wanted || panel.series.len() < 2 {
        return vec![];
    }
    let active = |series: &PanelSeries| panel.hours() - onset(&series.values);
    let longest = panel.series.iter().map(active).max().unwrap_or(0);
    let learned = |days: usize| {
        let hours = panel.hours() - 24 * days;
        Some((hours, trees(panel, events, options, hours)?))
    };
    let days = trees_days(longest).into_iter();
    days.filter_map(learned).collect()
}

/// Trees learned from the first hours of all series.
pub(super) fn trees(
    panel: &TrainingPanel,
    events: &PanelEvents,
    options: &TrainOptions,
    hours: usize,
) -> Option<TreesModel> {
    let columns = panel.regressor_columns();
    let quiet: Vec<Cow<'_, [f64]>> = panel
        .series
        .iter()
        .enumerate()
        .map(|(index, one)| {
            events
                .on(index)
                .without_events(&one.values[..hours], &columns)
        })
        .collect();
    let all: Vec<TreesSeries<'_>> = quiet
        .iter()
        .zip(&panel.series)
        .map(|(values, series)| {
            let onset = onset(&series.values).min(hours);
            TreesSeries {
                values: &values[onset..],
                hour_of_week: &panel.hour_of_week[onset..],
            }
        })
        .collect();
    TreesModel::fit(
        &all,
        &TreesOptions {
            horizon_hours: options.horizon_hours,
            ..TreesOptions::default()
        },
    )
}

/// Hours of history that a Prophet kind needs: four weeks.
const STRUCTURAL_HOURS: usize = 672;

/// Hours it is fitted to at most: thirteen weeks.
const STRUCTURAL_WINDOW: usize = 13 * 168;

/// The wanted Prophet kinds, fitted to the hours of a design.
pub(super) fn structurals(
    design: &Design<'_>,
    quiet: &[f64],
    onset: usize,
    is_wanted: impl Fn(CandidateKind) -> bool,
) -> Structurals {
    let onset = onset.max(design.hours.saturating_sub(STRUCTURAL_WINDOW));
    let is_long = design.hours >= onset + STRUCTURAL_HOURS;
    let fitted = |kind, link| {
        let is_fitted = is_long && is_wanted(kind);
        is_fitted.then(|| fit(link, design, quiet, onset)).flatten()
    };
    Structurals {
        additive: fitted(CandidateKind::ProphetAdditive, Link::Identity),
        multiplicative: fitted(CandidateKind::ProphetMultiplicative, Link::Log),
        trained_to: design.hours,
    }
}
