//! Trees for the fits of a backtest: learned from all series, as of several moments.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use foretide_domain::HOUR;

use super::check::check_covers;
use super::{HourlyHistory, Origin, RegressorTrack, Work};
use crate::candidate::CandidateKind;
use crate::contest::origin_days;
use crate::effects::PanelEvents;
use crate::panel::{PanelSeries, Regressor, TrainingPanel};
use crate::structural::SeasonBasis;
use crate::trees::{TreesModel, TreesOptions, TreesSeries};

/// Trees learned from all series as of several moments; none sees an hour after its own.
#[derive(Default)]
pub(super) struct Grove {
    /// By the moment up to which hours were seen.
    models: BTreeMap<DateTime<Utc>, Option<TreesModel>>,
}

const WEEK_SECONDS: i64 = 7 * 86_400;

/// Moments at which trees are learned exactly; with more origins they are learned once a week.
const MOST_MOMENTS: usize = 12;

impl Grove {
    /// The newest trees that saw nothing after a moment.
    pub(super) fn as_of(&self, moment: DateTime<Utc>) -> Option<&TreesModel> {
        let (_, model) = self.models.range(..=moment).next_back()?;
        model.as_ref()
    }
}

impl<'a> Work<'a> {
    /// Up to when trees may see for an origin: before its validation, and before itself.
    pub(super) fn trees_ends(&self, origin: Origin) -> (DateTime<Utc>, DateTime<Utc>) {
        let end = |hours: usize| self.histories[origin.series].start + HOUR * hours as i32;
        let known = origin.known_hours;
        (end(known - 24 * origin_days(known)), end(known))
    }

    /// The trees that the fits at these origins need.
    pub(super) fn grove(&self, firsts: &[Origin]) -> Grove {
        let may_learn = self.options.candidates.is_empty()
            || self.options.candidates.contains(&CandidateKind::Trees);
        if self.histories.len() < 2 || !may_learn {
            return Grove::default();
        }
        let ends = firsts.iter().map(|origin| self.trees_ends(*origin));
        let mut moments: Vec<_> = ends.flat_map(|(early, late)| [early, late]).collect();
        moments.sort_unstable();
        moments.dedup();
        if moments.len() > MOST_MOMENTS {
            let week = |moment: &DateTime<Utc>| moment.timestamp().div_euclid(WEEK_SECONDS);
            moments.dedup_by_key(|moment| week(moment));
        }
        let next = AtomicUsize::new(0);
        let models = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            let run = || {
                while let Some(&moment) = moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let learned = self.learn_trees(moment);
                    let mut models = models.lock().expect("no thread panics while it holds it");
                    models.insert(moment, learned);
                }
            };
            for _ in 1..self.options.threads.min(moments.len()) {
                scope.spawn(run);
            }
            run();
        });
        let models = models.into_inner();
        Grove {
            models: models.expect("no thread panics while it holds it"),
        }
    }

    /// Trees from everything before a moment.
    fn learn_trees(&self, moment: DateTime<Utc>) -> Option<TreesModel> {
        let basis = SeasonBasis::new();
        let known: Vec<(Cow<'_, [f64]>, Vec<u8>)> = self
            .histories
            .iter()
            .filter_map(|history| {
                let hours = usize::try_from((moment - history.start).num_hours()).ok()?;
                let hours = hours.min(history.values.len());
                self.quiet(&basis, history, hours)
            })
            .collect();
        let series: Vec<TreesSeries<'_>> = known
            .iter()
            .map(|(values, hour_of_week)| TreesSeries {
                values,
                hour_of_week,
            })
            .collect();
        let options = TreesOptions {
            horizon_hours: self.options.horizon_hours,
            ..TreesOptions::default()
        };
        TreesModel::fit(&series, &options)
    }

    /// The first hours of a history as they would have been without events, unless a regressor does
    /// not reach so far; and their hours of the week.
    fn quiet(
        &self,
        basis: &SeasonBasis,
        history: &'a HourlyHistory,
        hours: usize,
    ) -> Option<(Cow<'a, [f64]>, Vec<u8>)> {
        let values = &history.values[..hours];
        if self.regressors.is_empty() {
            let hour_of_week = self.hours_of_week(history.start, hours);
            return Some((Cow::Borrowed(values), hour_of_week));
        }
        let panel = TrainingPanel {
            start: history.start,
            hour_of_week: self.hours_of_week(history.start, hours),
            regressors: self.regressors_if_covered(history.start, hours)?,
            series: vec![PanelSeries {
                id: history.id.clone(),
                values: values.to_vec(),
            }],
        };
        let events = PanelEvents::learn(&panel, basis, 1, |hours, _| hours);
        let columns = panel.regressor_columns();
        let quiet = events.on(0).without_events(values, &columns);
        Some((quiet, panel.hour_of_week))
    }

    /// The regressors over a history, unless one does not reach so far: such a series is not among
    /// the origins.
    fn regressors_if_covered(&self, start: DateTime<Utc>, hours: usize) -> Option<Vec<Regressor>> {
        let covers = |track: &RegressorTrack| check_covers(track, start, hours).is_ok();
        self.regressors
            .iter()
            .all(covers)
            .then(|| self.regressors_over(start, hours))
    }
}
