//! What learns from whole histories: trees over all series, and the Prophet kinds of one.

use std::borrow::Cow;

use super::TrainOptions;
use crate::candidate::CandidateKind;
use crate::contest::Structurals;
use crate::effects::PanelEvents;
use crate::panel::TrainingPanel;
use crate::structural::{Design, Link, fit};
use crate::trees::{TreesModel, TreesOptions, TreesSeries};

/// Trees pay where they see more than one series.
pub(super) fn learns_trees(panel: &TrainingPanel, options: &TrainOptions) -> bool {
    options.trees && panel.series.len() > 1 && options.allows(CandidateKind::Trees)
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
        .map(|values| TreesSeries {
            values,
            hour_of_week: &panel.hour_of_week,
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
