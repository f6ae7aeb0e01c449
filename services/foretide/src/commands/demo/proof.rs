//! What the demo proves: every planted event of the replay beside the warnings, as the auditor has
//! settled them. Only here does the truth meet what was predicted.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use foretide_api::governance::v1::{self as wire, HourlyRecord};
use foretide_api::moment;
use foretide_domain::TimeSpan;
use foretide_forecasting::risk::{ROLLING_2SD, SettledWindow, Warnings, track_record};
use foretide_service_runtime::Peers;
use foretide_synthetic_workspace::PlantedEvent;

use crate::commands::track_record::with_windows;
use crate::render::table;

/// A window that is over: as one forecast judged it.
#[derive(Debug, Clone, Copy)]
struct Judged {
    settled: SettledWindow,
    span: TimeSpan,
}

/// A window that is over, all forecasts of it together.
#[derive(Debug, Clone, Copy)]
struct Window {
    span: TimeSpan,
    /// When it was first warned of, if it was.
    warned_at: Option<DateTime<Utc>>,
    /// Highest probability that was predicted.
    probability: f64,
    baseline_warned: bool,
    exceeded: bool,
    /// Whether something announced touches it: then it says nothing about what was not.
    is_announced: bool,
}

impl Window {
    fn belongs_to(&self, event: &PlantedEvent) -> bool {
        overlap(self.span, event.span) && self.is_announced == event.is_announced()
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// No window of its own is over.
    Open,
    /// No window went over its capacity.
    Carried,
    /// A window of it was rightly warned of so many hours before it began.
    WarnedAhead(i64),
    /// Windows were rightly warned of, but only once it ran.
    WarnedLate,
    Missed,
}

/// Prints what was planted, what was warned of, and how the baselines did. Nothing before a window
/// is over.
pub(super) async fn print(peers: &Peers, events: &[PlantedEvent]) -> anyhow::Result<()> {
    let answer = with_windows(peers, "risk_period").await?;
    let judged: Vec<_> = answer.windows.iter().map(read).collect::<Result<_, _>>()?;
    let hours = with_windows(peers, "attack_volume").await?.track_record;
    let hours = hours.and_then(|record| record.hours);
    print!("{}", text(&judged, events, hours.as_ref()));
    Ok(())
}

fn read(window: &wire::SettledWindow) -> anyhow::Result<Judged> {
    let span = foretide_api::span("span", window.span).context("a settled window has no span")?;
    Ok(Judged {
        settled: SettledWindow {
            issued_at: moment("issued_at", window.issued_at)?,
            start: span.start,
            probability: window.probability,
            was_raised: window.raised,
            baseline_raised: window.baseline_raised,
            has_exceeded: window.exceeded,
        },
        span,
    })
}

fn text(judged: &[Judged], events: &[PlantedEvent], hours: Option<&HourlyRecord>) -> String {
    let windows = windows(judged, events);
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return String::new();
    };
    let settled = TimeSpan {
        start: first.span.start,
        end: last.span.end,
    };
    let replayed: Vec<_> = events
        .iter()
        .filter(|event| event.span.end > settled.start)
        .collect();
    let mut parts = vec![
        format!(
            "planted, and what was warned of ({} windows of {} to {} UTC are over; \
             one that an announced event touches counts for that event only)\n{}",
            windows.len(),
            minute(settled.start),
            minute(settled.end),
            planted(&windows, &replayed)
        ),
        false_alarms(&windows, &replayed),
        announced(&replayed),
        surprises(&windows, &replayed),
        scores(judged, events),
    ];
    parts.extend(hours.filter(|hours| hours.hours > 0).map(of_hours));
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("\n{}\n", parts.join("\n\n"))
}

fn windows(judged: &[Judged], events: &[PlantedEvent]) -> Vec<Window> {
    let mut windows: BTreeMap<DateTime<Utc>, Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        windows.entry(one.span.start).or_default().push(one);
    }
    let together = |judgements: Vec<&Judged>| {
        let newest = judgements.iter().max_by_key(|one| one.settled.issued_at)?;
        let warned = judgements.iter().filter(|one| one.settled.was_raised);
        Some(Window {
            span: newest.span,
            warned_at: warned.map(|one| one.settled.issued_at).min(),
            probability: judgements
                .iter()
                .map(|one| one.settled.probability)
                .fold(0.0, f64::max),
            baseline_warned: judgements
                .iter()
                .any(|one| one.settled.baseline_raised == Some(true)),
            exceeded: newest.settled.has_exceeded,
            is_announced: is_announced(newest.span, events),
        })
    };
    windows.into_values().filter_map(together).collect()
}

fn overlap(one: TimeSpan, other: TimeSpan) -> bool {
    one.start < other.end && other.start < one.end
}

fn is_announced(span: TimeSpan, events: &[PlantedEvent]) -> bool {
    let mut announced = events.iter().filter(|event| event.is_announced());
    announced.any(|event| overlap(span, event.span))
}

fn exceeded_in<'a>(
    windows: &'a [Window],
    event: &'a PlantedEvent,
) -> impl Iterator<Item = &'a Window> {
    let own = windows.iter().filter(|window| window.belongs_to(event));
    own.filter(|window| window.exceeded)
}

fn fate(windows: &[Window], event: &PlantedEvent) -> Fate {
    if !windows.iter().any(|window| window.belongs_to(event)) {
        return Fate::Open;
    }
    if exceeded_in(windows, event).next().is_none() {
        return Fate::Carried;
    }
    let warned = exceeded_in(windows, event).filter_map(|window| window.warned_at);
    match warned.min() {
        None => Fate::Missed,
        Some(at) if at <= event.span.start => {
            Fate::WarnedAhead((event.span.start - at).num_hours())
        }
        Some(_) => Fate::WarnedLate,
    }
}

/// A line for each planted event, and one for what exceeded by season and chance.
fn planted(windows: &[Window], events: &[&PlantedEvent]) -> String {
    let line = |event: &&PlantedEvent| {
        let fate = fate(windows, event);
        let said = match fate {
            Fate::Open => "no window to judge".to_owned(),
            Fate::Carried => "stayed under the capacity".to_owned(),
            Fate::WarnedAhead(hours) => format!("yes, {hours} h ahead"),
            Fate::WarnedLate => "only once it ran".to_owned(),
            Fate::Missed => "missed".to_owned(),
        };
        let over: Vec<_> = exceeded_in(windows, event).collect();
        let mut cells = vec![
            format!("{}: {}", event.kind.title(), event.name),
            minute(event.span.start),
            format!("{} h", event.span.hours()),
            if event.is_announced() { "yes" } else { "no" }.to_owned(),
            said,
        ];
        cells.extend(counts(&over));
        cells
    };
    let mut rows: Vec<_> = events.iter().map(line).collect();
    let others: Vec<_> = windows
        .iter()
        .filter(|window| window.exceeded && !is_planted(window, events))
        .collect();
    let mut cells: Vec<_> = ["nothing planted: season and chance", "", "", "", ""]
        .map(str::to_owned)
        .into();
    cells.extend(counts(&others));
    rows.push(cells);
    let header = [
        "event",
        "from (UTC)",
        "for",
        "announced",
        "warned of",
        "windows over",
        "warned",
        ROLLING_2SD,
    ];
    table(&header, rows).to_string()
}

fn is_planted(window: &Window, events: &[&PlantedEvent]) -> bool {
    events.iter().any(|event| overlap(window.span, event.span))
}

/// Windows over their capacity, those warned of, and those that the baseline warned of.
fn counts(over: &[&Window]) -> [String; 3] {
    let warned = over.iter().filter(|window| window.warned_at.is_some());
    let baseline = over.iter().filter(|window| window.baseline_warned);
    [over.len(), warned.count(), baseline.count()].map(|count| count.to_string())
}

fn false_alarms(windows: &[Window], events: &[&PlantedEvent]) -> String {
    let rows: Vec<_> = windows
        .iter()
        .filter(|window| !window.exceeded)
        .filter_map(|window| {
            let during = events
                .iter()
                .filter(|event| overlap(window.span, event.span))
                .map(|event| event.kind.title());
            Some(vec![
                minute(window.span.start),
                minute(window.span.end),
                format!("{:.0}%", window.probability * 100.0),
                minute(window.warned_at?),
                during.collect::<Vec<_>>().join(", "),
            ])
        })
        .collect();
    if rows.is_empty() {
        return "false alarms: none".to_owned();
    }
    let header = [
        "from (UTC)",
        "to",
        "P(load > capacity)",
        "first warned of",
        "while there ran",
    ];
    format!("false alarms: {}\n{}", rows.len(), table(&header, rows))
}

fn announced(events: &[&PlantedEvent]) -> String {
    let named: Vec<_> = events
        .iter()
        .filter(|event| event.is_announced())
        .map(|event| format!("{} from {}", event.name, minute(event.span.start)))
        .collect();
    match named.len() {
        0 => "Nothing was announced.".to_owned(),
        _ => format!(
            "Announced: {}. This stood in the SOC's calendar: a warning of it shows that the calendar \
             is used, not that anything was predicted that nobody knew. No other event stood there.",
            named.join("; ")
        ),
    }
}

fn surprises(windows: &[Window], events: &[&PlantedEvent]) -> String {
    let unannounced = events.iter().filter(|event| !event.is_announced());
    let fates: Vec<_> = unannounced.map(|event| fate(windows, event)).collect();
    let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
    let ahead = count(|fate| matches!(fate, Fate::WarnedAhead(_)));
    let late = count(|fate| *fate == Fate::WarnedLate);
    let misses = count(|fate| *fate == Fate::Missed);
    let mut sentence = format!(
        "Of {} unannounced events that exceeded the capacity, warned of before they began: {ahead}; only \
         once they ran: {late}; not at all: {misses}.",
        ahead + late + misses
    );
    let carried = count(|fate| *fate == Fate::Carried);
    if carried > 0 {
        sentence.push_str(&format!(" {carried} more stayed under the capacity."));
    }
    sentence
}

/// Warnings beside the baselines, over all windows and over those that nobody was told of.
fn scores(judged: &[Judged], events: &[PlantedEvent]) -> String {
    let all: Vec<_> = judged.iter().map(|one| one.settled).collect();
    let unannounced: Vec<_> = judged
        .iter()
        .filter(|one| !is_announced(one.span, events))
        .map(|one| one.settled)
        .collect();
    let mut rows = Vec::new();
    for (what, settled) in [("all windows", &all), ("not announced", &unannounced)] {
        let record = track_record(settled);
        let line = |who: &str, windows: u32, warnings: Warnings, brier: String| {
            vec![
                what.to_owned(),
                who.to_owned(),
                windows.to_string(),
                warnings.hits.to_string(),
                warnings.misses.to_string(),
                warnings.false_alarms.to_string(),
                threat_score(warnings).map_or("-".to_owned(), |score| format!("{score:.2}")),
                brier,
            ]
        };
        let brier = |score: f64| format!("{score:.3}");
        let no_warnings = Warnings {
            misses: record.warnings.hits + record.warnings.misses,
            ..Warnings::default()
        };
        rows.push(line(
            "Foretide",
            record.windows,
            record.warnings,
            brier(record.brier),
        ));
        rows.push(line(
            ROLLING_2SD,
            record.baseline_windows,
            record.baseline,
            "-".to_owned(),
        ));
        rows.push(line(
            "base rate",
            record.windows,
            no_warnings,
            brier(record.base_rate_brier),
        ));
    }
    let header = [
        "over",
        "",
        "windows",
        "hits",
        "misses",
        "false alarms",
        "threat score",
        "Brier",
    ];
    let record = track_record(&unannounced);
    let Warnings { hits, misses, .. } = record.warnings;
    format!(
        "{}\nWithout what was announced, {hits} of {} windows over their capacity were warned of. \
         Threat score against {ROLLING_2SD}: {}. Brier score against the base rate: {}.",
        table(&header, rows),
        hits + misses,
        verdict(
            threat_score(record.baseline).unwrap_or(0.0),
            threat_score(record.warnings).unwrap_or(0.0)
        ),
        verdict(record.brier, record.base_rate_brier),
    )
}

/// Hits among hits, misses and false alarms (critical success index); nothing where there is none.
fn threat_score(warnings: Warnings) -> Option<f64> {
    let Warnings {
        hits,
        misses,
        false_alarms,
    } = warnings;
    let all = hits + misses + false_alarms;
    (all > 0).then(|| f64::from(hits) / f64::from(all))
}

/// Of two numbers of which the smaller is better.
fn verdict(own: f64, other: f64) -> &'static str {
    if own < other {
        "better"
    } else if own > other {
        "worse"
    } else {
        "equal"
    }
}

fn of_hours(hours: &HourlyRecord) -> String {
    format!(
        "Hours: {} settled, coverage {:.0}% of 80% and {:.0}% of 95%; pinball loss {:.3} against {:.3} of \
         seasonal naive, the one baseline that is settled by the hour: {}.",
        hours.hours,
        hours.coverage_80 * 100.0,
        hours.coverage_95 * 100.0,
        hours.pinball,
        hours.naive_pinball,
        verdict(hours.pinball, hours.naive_pinball)
    )
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%a %m-%d %H:%M").to_string()
}
