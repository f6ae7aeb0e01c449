//! The use cases that come with Foretide.

use crate::series::Dimension;
use crate::table::Measure;
use crate::use_case::{
    ActionKind, ModelKind, SeriesSpec, Trigger, UseCase, UseCaseId, default_usual_share,
};

pub(crate) fn use_cases() -> Vec<UseCase> {
    vec![attack_volume(), risk_period()]
}

fn attack_volume() -> UseCase {
    UseCase {
        id: UseCaseId("attack_volume".to_owned()),
        description: "Incidents by hour, severity x product (adding up) and tactic".to_owned(),
        model: ModelKind::Forecast,
        of: None,
        series: SeriesSpec {
            measure: Measure::Incidents,
            by: vec![
                vec![Dimension::Severity],
                vec![Dimension::Product],
                vec![Dimension::Severity, Dimension::Product],
                vec![Dimension::Tactic],
            ],
        },
        feature_view: "attack_volume_hourly".to_owned(),
        horizon_hours: 72,
        trigger: None,
        actions: vec![],
    }
}

fn risk_period() -> UseCase {
    UseCase {
        id: UseCaseId("risk_period".to_owned()),
        description:
            "Periods 24 to 72 hours ahead in which incidents exceed the declared capacity or, \
             without one, the usual upper load"
                .to_owned(),
        model: ModelKind::Periods,
        of: Some(UseCaseId("attack_volume".to_owned())),
        series: SeriesSpec {
            measure: Measure::Incidents,
            by: vec![],
        },
        feature_view: "risk_period_hourly".to_owned(),
        horizon_hours: 72,
        trigger: Some(Trigger {
            from_hours: 24,
            to_hours: 72,
            window_hours: 8,
            probability: 0.5,
            capacity: None,
            usual_share: default_usual_share(),
        }),
        actions: vec![ActionKind::TeamsNotice, ActionKind::PlanningIncident],
    }
}
