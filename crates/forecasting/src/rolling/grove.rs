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
use crate::contest::{origin_days, trees_days};
use crate::counts::CountPrior;
use crate::effects::{PanelEvents, whole_again};
use crate::panel::{PanelSeries, Regressor, TrainingPanel};
use crate::structural::SeasonBasis;
use crate::trees::{TreesModel, TreesOptions, TreesSeries};
use crate::vetting::believed;

/// What is learned from all series as of several moments; nothing of it sees an hour after its own.
#[derive(Default)]
pub(super) struct Grove {
    /// By the moment up to which hours were seen.
    trees: BTreeMap<DateTime<Utc>, Option<TreesModel>>,
    counts: BTreeMap<DateTime<Utc>, CountPrior>,
}

const DAY_SECONDS: i64 = 86_400;

/// With many origins, days that trees are kept for: they are dear, and hardly age.
const DAYS_OF_TREES: i64 = 7;

/// With many origins, days that what counts have in common is kept for.
const DAYS_OF_COUNTS: i64 = 4;

/// Moments at which is learned exactly; with more origins once in so many days.
const MOST_MOMENTS: usize = 12;

/// Hours of a history without events, and their hours of the week.
type Quiet<'a> = (Cow<'a, [f64]>, Vec<u8>);

impl Grove {
    /// The newest trees that saw nothing after a moment.
    pub(super) fn trees_as_of(&self, moment: DateTime<Utc>) -> Option<&TreesModel> {
        newest(&self.trees, moment)?.as_ref()
    }

    /// What counts had in common, as the newest look before a moment saw it.
    pub(super) fn counts_as_of(&self, moment: DateTime<Utc>) -> Option<&CountPrior> {
        newest(&self.counts, moment)
    }
}

fn newest<T>(learned: &BTreeMap<DateTime<Utc>, T>, moment: DateTime<Utc>) -> Option<&T> {
    let (_, newest) = learned.range(..=moment).next_back()?;
    Some(newest)
}

/// The moments to learn at: all, or of many the first in so many days.
fn moments_apart(mut moments: Vec<DateTime<Utc>>, days: i64) -> Vec<DateTime<Utc>> {
    if moments.len() > MOST_MOMENTS {
        let span = |moment: &DateTime<Utc>| moment.timestamp().div_euclid(days * DAY_SECONDS);
        moments.dedup_by_key(|moment| span(moment));
    }
    moments
}

/// Hours up to which trees are learned for the validation before an origin.
pub(super) fn trees_hours(origin: Origin) -> Vec<usize> {
    let known = origin.known_hours;
    let days = trees_days(known).into_iter();
    days.map(|days| known - 24 * days).collect()
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
        let is_needed = |kind| self.histories.len() > 1 && self.allows(kind);
        let ends = firsts.iter().map(|origin| self.learning_ends(*origin));
        let mut moments: Vec<_> = ends.flat_map(|(early, late)| [early, late]).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut grove = Grove::default();
        if is_needed(CandidateKind::Trees) {
            let start = |origin: &Origin| self.histories[origin.series].start;
            let between = |origin: &'_ Origin| {
                let start = start(origin);
                let hours = trees_hours(*origin).into_iter();
                hours.map(move |hours| start + HOUR * hours as i32)
            };
            let mut moments = moments.clone();
            moments.extend(firsts.iter().flat_map(between));
            moments.sort_unstable();
            moments.dedup();
            let moments = moments_apart(moments, DAYS_OF_TREES);
            grove.trees = self.learn_at(&moments, |moment| self.learn_trees(moment));
        }
        if is_needed(CandidateKind::CountMixture) {
            let moments = moments_apart(moments, DAYS_OF_COUNTS);
            grove.counts = self.learn_at(&moments, |moment| self.learn_counts(moment));
        }
        grove
    }

    /// What is learned as of each moment.
    fn learn_at<T: Send>(
        &self,
        moments: &[DateTime<Utc>],
        learn: impl Fn(DateTime<Utc>) -> T + Sync,
    ) -> BTreeMap<DateTime<Utc>, T> {
        let next = AtomicUsize::new(0);
        let models = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            let run = || {
                while let Some(&moment) = moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let learned = learn(moment);
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
        models.expect("no thread panics while it holds it")
    }

    fn allows(&self, kind: CandidateKind) -> bool {
        let candidates = &self.options.candidates;
        candidates.is_empty() || candidates.contains(&kind)
    }

    /// What counts have in common in everything before a moment.
    fn learn_counts(&self, moment: DateTime<Utc>) -> CountPrior {
        let known: Vec<(Vec<f64>, Vec<u8>)> = self
            .histories
            .iter()
            .zip(self.known_quiet(moment))
            .filter_map(|(history, known)| {
                let (quiet, hours) = known?;
                let whole = whole_again(&history.values, &quiet);
                let (first, live) = believed(&whole);
                Some((live.into_owned(), hours[first..].to_vec()))
            })
            .collect();
        let each: Vec<(&[f64], &[u8])> = known
            .iter()
            .map(|(values, hours)| (values.as_slice(), hours.as_slice()))
            .collect();
        CountPrior::of_panel(&each)
    }

    /// What was known of each history, without events.
    fn known_quiet(&self, moment: DateTime<Utc>) -> Vec<Option<Quiet<'_>>> {
        let basis = SeasonBasis::new();
        let known = |history: &'a HourlyHistory| {
            let hours = usize::try_from((moment - history.start).num_hours()).ok()?;
            self.quiet(&basis, history, hours.min(history.values.len()))
        };
        self.histories.iter().map(known).collect()
    }

    /// Trees from everything before a moment.
    fn learn_trees(&self, moment: DateTime<Utc>) -> Option<TreesModel> {
        let known = self.known_quiet(moment);
        let live = |(values, hours): &'_ Quiet<'_>| {
            let (first, live) = believed(values);
            (live.into_owned(), hours[first..].to_vec())
        };
        let live: Vec<(Vec<f64>, Vec<u8>)> = known.iter().flatten().map(live).collect();
        let series: Vec<TreesSeries<'_>> = live
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
    ) -> Option<Quiet<'a>> {
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
