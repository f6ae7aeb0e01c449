//! How values read.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use foretide_api::Timestamp;
use foretide_domain::SeriesId;

/// A moment, for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, for `<time datetime>`.
    pub(crate) machine: String,
    /// E.g. `Sat 7 Nov 2026 06:00`; the pages say that times are UTC.
    pub(crate) human: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(moment: DateTime<Utc>) -> Self {
        Self {
            machine: moment.to_rfc3339_opts(SecondsFormat::Millis, true),
            human: moment.format("%a %-d %b %Y %H:%M").to_string(),
        }
    }
}

/// A moment of a message, if it is there and sensible.
pub(crate) fn moment(timestamp: Option<Timestamp>) -> Option<Moment> {
    timestamp.and_then(Timestamp::to_moment).map(Moment::from)
}

/// A count: no decimals where there are none, else one.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 {
        format!("{rounded:.0}")
    } else {
        format!("{rounded:.1}")
    }
}

/// A small quantity, with three decimals.
pub(crate) fn score(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.3}")
    } else {
        "n/a".to_owned()
    }
}

/// A share of 1.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.0}%", share * 100.0)
    } else {
        "n/a".to_owned()
    }
}

/// A contribution, with its sign.
pub(crate) fn signed(value: f64) -> String {
    if value.is_finite() {
        format!("{value:+.1}")
    } else {
        "n/a".to_owned()
    }
}

/// How long something took.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.num_milliseconds().max(0);
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..120_000 => format!("{:.1} s", millis as f64 / 1000.0),
        120_000..7_200_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

/// A series as people call it: `severity High, product Microsoft Defender`.
pub(crate) fn series(id: &str) -> String {
    let Ok(id) = id.parse::<SeriesId>() else {
        return id.to_owned();
    };
    if id.is_total() {
        return "all together".to_owned();
    }
    let parts = id
        .dimensions()
        .iter()
        .map(|(dimension, value)| format!("{} {value}", dimension.name()));
    parts.collect::<Vec<_>>().join(", ")
}

/// A snake_case name as words.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// JSON with line breaks, or the text as it is.
pub(crate) fn pretty_json(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        assert_eq!(number(12.0), "12");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(f64::NAN), "n/a");
        assert_eq!(percent(0.824), "82%");
        assert_eq!(signed(-3.0), "-3.0");
        assert_eq!(duration(Duration::milliseconds(950)), "950 ms");
        assert_eq!(duration(Duration::seconds(90)), "90.0 s");
        assert_eq!(series("attack_volume/total"), "all together");
        assert_eq!(series("attack_volume/severity=High"), "severity High");
        assert_eq!(series("<script>"), "<script>");
        assert_eq!(pretty_json("not json"), "not json");
        let moment: DateTime<Utc> = "2026-11-07T06:00:00Z".parse().expect("a moment");
        assert_eq!(Moment::from(moment).human, "Sat 7 Nov 2026 06:00");
    }
}
