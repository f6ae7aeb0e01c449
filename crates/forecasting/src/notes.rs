//! Plain words about what is served for a series.

use chrono::{DateTime, Utc};

use crate::candidate::CandidateKind;
use crate::contest::Decision;
use crate::counts::LevelShift;

/// Hours left out that are named.
const MOST_NAMED: usize = 3;

/// What is served, and why, for a series of these live hours.
pub(crate) fn what_is_served(live: &[f64], decision: &Decision) -> String {
    let served = served(decision);
    let reason = never_changed(live).or_else(|| nothing_learnable(decision).map(str::to_owned));
    if let Some(reason) = reason {
        return format!("{reason}: {served}");
    }
    let baseline = decision.baseline;
    let percent = (100.0 * decision.gain).round();
    if percent >= 1.0 {
        format!("{served}: pinball loss {percent}% below that of {baseline}, the best baseline")
    } else {
        format!("{served}: no better than {baseline}, the best baseline")
    }
}

fn served(decision: &Decision) -> String {
    let weights = decision.each_weight();
    if let [(CandidateKind::CountMixture, _)] = weights.as_slice() {
        return "the count mixture is served".to_owned();
    }
    if let [(kind, _)] = weights.as_slice() {
        return format!("{kind} is served");
    }
    let heaviest = weights.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let kind = heaviest.map_or(decision.champion, |(kind, _)| *kind);
    let count = weights.len();
    format!("an ensemble of {count} is served, {kind} weighing most")
}

/// What is said of a series that has been the same all along.
fn never_changed(live: &[f64]) -> Option<String> {
    let first = live.first()?;
    let is_constant = live.iter().all(|value| value == first);
    is_constant.then(|| match first {
        0.0 => "nothing has happened yet".to_owned(),
        value => format!("constant at {value} so far"),
    })
}

/// What of a history was not believed, oldest first, if anything: absurd hours, and empty ones of a
/// source that was silent.
pub(crate) fn left_out(
    hours: &[(usize, f64)],
    moment: impl Fn(usize) -> DateTime<Utc>,
) -> Option<String> {
    let mut hours = hours.to_vec();
    hours.sort_by_key(|(hour, _)| *hour);
    let at = |hour: usize| moment(hour).format("%F %H:%M").to_string();
    let (silent, absurd): (Vec<_>, Vec<_>) = hours.into_iter().partition(|(_, seen)| *seen <= 0.0);
    let named = absurd.iter().take(MOST_NAMED);
    let named = named.map(|(hour, value)| format!("{value} at {}", at(*hour)));
    let named = named.collect::<Vec<_>>().join(", ");
    let mut sentences = Vec::new();
    match absurd.len() {
        0 => {}
        1 => sentences.push(format!("an hour beyond all others is left out ({named})")),
        count => sentences.push(format!(
            "{count} hours beyond all others are left out ({named})"
        )),
    }
    if let [.., (last, _)] = silent.as_slice() {
        let count = silent.len();
        sentences.push(format!(
            "{count} empty hours of a busy source are taken for not observed (the last at {})",
            at(*last)
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// That the level shifted, when, and by how much.
pub(crate) fn shifted(shift: LevelShift, since: DateTime<Utc>) -> String {
    let percent = (100.0 * (shift.ratio - 1.0)).round();
    let by = if percent >= 100.0 {
        format!("to {:.1} times what it was", shift.ratio)
    } else {
        format!("by {percent:+}%")
    };
    format!("the level shifted {by} at {}", since.format("%F %H:%M"))
}

/// Where the contest found nothing beyond a baseline: why.
fn nothing_learnable(decision: &Decision) -> Option<&'static str> {
    match decision.without_counts {
        CandidateKind::Climatology if decision.climatology_variant.0 >= 1.0 => {
            Some("no learnable season")
        }
        CandidateKind::Climatology => {
            Some("no learnable season beyond level and hour-of-week profile")
        }
        CandidateKind::SeasonalNaive => Some("nothing learnable beyond the same hour of last week"),
        _ => None,
    }
}
