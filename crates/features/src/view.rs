//! Declarations of features and views, and the views that come with Foretide.

use foretide_calendar::CalendarFeature;
use foretide_domain::Measure;
use serde::Serialize;

/// How a feature is computed. Hours are counted back from the hour the feature stands at, which is
/// itself never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// Sum over the last hours.
    SumOfLast {
        /// What is summed.
        measure: Measure,
        /// How many hours.
        hours: usize,
    },
    /// Value of the last full hour.
    LastHour(Measure),
    /// Value of the last full UTC day of a daily measure.
    LastDay(Measure),
    /// What was opened and not closed since the history began; never below zero.
    StillOpen {
        /// What opens.
        opened: Measure,
        /// What closes.
        closed: Measure,
    },
    /// Days, with fractions, since the end of the last hour with a count above zero; since the
    /// history began when there was none.
    DaysSinceLast(Measure),
    /// From the calendar.
    Calendar(CalendarFeature),
}

/// Where a feature's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Counts of hours that have passed.
    History,
    /// The calendar: known for any hour to come.
    KnownFuture,
}

impl FeatureKind {
    /// The kind's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::KnownFuture => "known_future",
        }
    }
}

/// One feature of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// Name of its column.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// Unit of its values.
    pub unit: &'static str,
    /// How it is computed.
    pub formula: Formula,
}

impl Feature {
    /// Where its values come from.
    #[must_use]
    pub fn kind(&self) -> FeatureKind {
        match self.formula {
            Formula::Calendar(_) => FeatureKind::KnownFuture,
            Formula::SumOfLast { .. }
            | Formula::LastHour(_)
            | Formula::LastDay(_)
            | Formula::StillOpen { .. }
            | Formula::DaysSinceLast(_) => FeatureKind::History,
        }
    }

    /// Whether it is computed for each series from the buckets that match it, rather than once for
    /// all series.
    #[must_use]
    pub fn is_per_series(&self) -> bool {
        self.measures().into_iter().any(carries_dimensions)
    }

    /// The measures it reads; none for calendar features.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        match self.formula {
            Formula::SumOfLast { measure, .. }
            | Formula::LastHour(measure)
            | Formula::LastDay(measure)
            | Formula::DaysSinceLast(measure) => vec![measure],
            Formula::StillOpen { opened, closed } => vec![opened, closed],
            Formula::Calendar(_) => vec![],
        }
    }
}

/// Whether the measure's buckets carry severity, product and tactic. A feature of a measure that
/// does is computed for each series from the matching buckets; of one that does not, it is the same
/// for all series.
#[must_use]
pub fn carries_dimensions(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Incidents | Measure::IncidentsClosed | Measure::Alerts
    )
}

/// The features of a use case, in the order of their columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureView {
    /// Name by which a use case refers to it.
    pub name: &'static str,
    /// Its features.
    pub features: Vec<Feature>,
}

impl FeatureView {
    /// All views.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![attack_volume_hourly(), risk_period_hourly()]
    }

    /// The view of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|view| view.name == name)
    }

    /// The same view with some of its features only.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Feature) -> bool) -> Self {
        let features = self
            .features
            .iter()
            .filter(|feature| wanted(feature))
            .cloned();
        Self {
            name: self.name,
            features: features.collect(),
        }
    }

    /// The measures that its features read, in the order of [`Measure::ALL`].
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        let read: Vec<_> = self.features.iter().flat_map(Feature::measures).collect();
        Measure::ALL
            .into_iter()
            .filter(|measure| read.contains(measure))
            .collect()
    }

    /// The calendar features that a model gets as regressors: those that are not already carried
    /// by its weekly season.
    #[must_use]
    pub fn regressors(&self) -> Vec<CalendarFeature> {
        self.features
            .iter()
            .filter_map(|feature| match feature.formula {
                Formula::Calendar(calendar_feature) => Some(calendar_feature),
                _ => None,
            })
            .filter(|feature| !feature.is_weekly())
            .collect()
    }
}

fn attack_volume_hourly() -> FeatureView {
    let mut features = history_features();
    features.push(sum_of_last(
        "incidents_last_24h",
        "Incidents created in the last 24 hours",
        "incidents",
        Measure::Incidents,
        24,
    ));
    features.extend(calendar_features());
    FeatureView {
        name: "attack_volume_hourly",
        features,
    }
}

fn risk_period_hourly() -> FeatureView {
    let mut features = history_features();
    features.push(sum_of_last(
        "incidents_last_8h",
        "Incidents created in the last 8 hours, the length of a shift",
        "incidents",
        Measure::Incidents,
        8,
    ));
    features.extend(calendar_features());
    FeatureView {
        name: "risk_period_hourly",
        features,
    }
}

fn history_features() -> Vec<Feature> {
    vec![
        sum_of_last(
            "alerts_last_24h",
            "Alerts in the last 24 hours",
            "alerts",
            Measure::Alerts,
            24,
        ),
        Feature {
            name: "incident_open_count",
            description: "Incidents created and not yet closed",
            unit: "incidents",
            formula: Formula::StillOpen {
                opened: Measure::Incidents,
                closed: Measure::IncidentsClosed,
            },
        },
        Feature {
            name: "unique_attacker_ips",
            description: "Distinct outside addresses that the firewall denied in the last full hour",
            unit: "addresses",
            formula: Formula::LastHour(Measure::UniqueAttackerIps),
        },
        Feature {
            name: "failed_logins_per_hour",
            description: "Failed sign-ins in the last full hour",
            unit: "sign-ins",
            formula: Formula::LastHour(Measure::FailedLogins),
        },
        Feature {
            name: "unique_source_ips_per_day",
            description: "Distinct source addresses of sign-ins on the last full UTC day",
            unit: "addresses",
            formula: Formula::LastDay(Measure::UniqueSourceIpsDaily),
        },
        Feature {
            name: "days_since_last_incident",
            description: "Days since the end of the last hour with an incident",
            unit: "days",
            formula: Formula::DaysSinceLast(Measure::Incidents),
        },
        sum_of_last(
            "ti_volume",
            "New threat indicators in the last 24 hours",
            "indicators",
            Measure::ThreatIndicators,
            24,
        ),
    ]
}

fn sum_of_last(
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    measure: Measure,
    hours: usize,
) -> Feature {
    Feature {
        name,
        description,
        unit,
        formula: Formula::SumOfLast { measure, hours },
    }
}

fn calendar_features() -> Vec<Feature> {
    CalendarFeature::ALL
        .into_iter()
        .map(|feature| Feature {
            name: feature.name(),
            description: match feature {
                CalendarFeature::DayOfWeek => "Local day of the week, 0 is Monday",
                CalendarFeature::IsBusinessHour => "Inside business hours of a working day",
                CalendarFeature::HolidayFlag => "Public holiday of the configured country",
                CalendarFeature::PatchTuesday => "Second Tuesday of the month",
                CalendarFeature::EndOfQuarter => "One of the last business days of a quarter",
                CalendarFeature::Campaign => "Inside a campaign of the configuration",
                CalendarFeature::OwnRuleChange => "Rule changes of one's own that are at work",
                CalendarFeature::ConnectorOnboarding => {
                    "Connectors added or removed that are at work"
                }
            },
            unit: match feature {
                CalendarFeature::DayOfWeek => "day",
                CalendarFeature::OwnRuleChange | CalendarFeature::ConnectorOnboarding => "changes",
                _ => "flag",
            },
            formula: Formula::Calendar(feature),
        })
        .collect()
}
