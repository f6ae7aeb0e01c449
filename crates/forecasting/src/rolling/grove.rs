//! What the fits of a backtest learn from all series together, as of several moments: trees, and
//! what counts have in common.

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
use crate::counts::CountPrior;
use crate::effects::PanelEvents;
use crate::panel::{PanelSeries, Regressor, TrainingPanel};
use crate::structural::SeasonBasis;
use crate::trees::{TreesModel, TreesOptions, TreesSeries};

/// What is learned from all series as of several moments; nothing of it sees an hour after its own.
#[derive(Default)]
pub(super) struct Grove {
    /// By the moment up to which hours were seen.
    models: BTreeMap<DateTime<Utc>, Together>,
}

/// What is learned from all series together.
struct Together {
    trees: Option<TreesModel>,
    counts: CountPrior,
}

const WEEK_SECONDS: i64 = 7 * 86_400;

/// Moments at which is learned exactly; with more origins once a week.
const MOST_MOMENTS: usize = 12;

impl Grove {
    /// The newest trees that saw nothing after a moment.
    pub(super) fn trees_as_of(&self, moment: DateTime<Utc>) -> Option<&TreesModel> {
        self.as_of(moment)?.trees.as_ref()
    }

    /// What counts had in common, as the newest look before a moment saw it.
    pub(super) fn counts_as_of(&self, moment: DateTime<Utc>) -> Option<&CountPrior> {
        Some(&self.as_of(moment)?.counts)
    }

    fn as_of(&self, moment: DateTime<Utc>) -> Option<&Together> {
        let (_, learned) = self.models.range(..=moment).next_back()?;
        Some(learned)
    }
}

impl<'a> Work<'a> {
    /// Up to when may be learned for an origin: before its validation, and before itself.
    pub(super) fn learning_ends(&self, origin: Origin) -> (DateTime<Utc>, DateTime<Utc>) {
        let end = |hours: usize| self.histories[origin.series].start + HOUR * hours as i32;
        let known = origin.known_hours;
        (end(known - 24 * origin_days(known)), end(known))
    }

    /// What the fits at these origins need.
    pub(super) fn grove(&self, firsts: &[Origin]) -> Grove {
        let needs = [CandidateKind::Trees, CandidateKind::CountMixture];
        if self.histories.len() < 2 || !needs.into_iter().any(|kind| self.allows(kind)) {
            return Grove::default();
        }
        let ends = firsts.iter().map(|origin| self.learning_ends(*origin));
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
                    let learned = self.learn_together(moment);
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

    fn allows(&self, kind: CandidateKind) -> bool {
        let candidates = &self.options.candidates;
        candidates.is_empty() || candidates.contains(&kind)
    }

    fn learn_together(&self, moment: DateTime<Utc>) -> Together {
        let trees = self.allows(CandidateKind::Trees);
        let counts = if self.allows(CandidateKind::CountMixture) {
            self.learn_counts(moment)
        } else {
            CountPrior::default()
        };
        Together {
            trees: trees.then(|| self.learn_trees(moment)).flatten(),
            counts,
        }
    }

    /// What counts have in common in everything before a moment.
    fn learn_counts(&self, moment: DateTime<Utc>) -> CountPrior {
        let known = |history: &'_ HourlyHistory| {
            let hours = usize::try_from((moment - history.start).num_hours()).unwrap_or(0);
            let hours = hours.min(history.values.len());
            (hours, self.hours_of_week(history.start, hours))
        };
        let known: Vec<(usize, Vec<u8>)> = self.histories.iter().map(known).collect();
        let each: Vec<(&[f64], &[u8])> = self
            .histories
            .iter()
            .zip(&known)
            .map(|(history, (hours, grid))| (&history.values[..*hours], grid.as_slice()))
            .collect();
        CountPrior::of_panel(&each)
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
