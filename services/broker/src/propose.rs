//! From a forecast's risk windows, or a person's words, to proposals.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_audit_chain::CanonicalJson;
use foretide_domain::{
    ActionKind, CapacityKind, Phase, Principal, ProposalId, RunId, UseCase, UseCaseId,
};
use foretide_policy::{
    PayloadHash, State, Validity, Withheld, approval_needed, may_propose, severity_of_period,
};
use foretide_sentinel_arm::PlanningIncident;
use foretide_teams::{Fact, NoticeDriver, RiskNotice};
use uuid::Uuid;

use crate::error::BrokerError;
use crate::events::{self, BROKER};
use crate::model::{
    Execution, IssuedForecast, PhaseState, ProposalRecord, ProposeOutcome, RiskWindow,
};
use crate::service::Broker;
use crate::storage::NewProposals;

/// What is turned into proposals.
#[derive(Debug, Clone)]
pub(crate) struct ProposeRequest {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) as_of: DateTime<Utc>,
}

/// A notice in a person's words.
#[derive(Debug, Clone)]
pub(crate) struct HandWritten {
    pub(crate) use_case: UseCaseId,
    pub(crate) title: String,
    pub(crate) message: String,
}

/// Told about each stage.
pub(crate) type Progress<'p> = &'p (dyn Fn(&str, usize, usize) + Send + Sync);

impl Broker {
    /// Proposes a notice for each risk window of the run's forecast, if the policy allows.
    pub(crate) async fn propose(
        &self,
        caller: &Principal,
        request: &ProposeRequest,
        progress: Progress<'_>,
    ) -> Result<ProposeOutcome, BrokerError> {
        let use_case = self.declared(&request.use_case)?;
        let mut outcome = ProposeOutcome {
            expired: self.expire_overdue().await?,
            ..ProposeOutcome::default()
        };
        progress("reading the phase", 0, 0);
        let phase = self.phases.phase(&request.use_case).await?;
        let kill_switch = self.storage.kill_switch().await?.engaged;
        let allowed = |validity| self.allowed(phase.phase, use_case, validity, kill_switch);
        if let Err(withheld) = allowed(None) {
            outcome.reason = withheld.to_string();
            return Ok(outcome);
        }
        progress("reading the forecast", 0, 0);
        let Some(forecast) = self.newest_of_run(request).await? else {
            outcome.reason = "a newer forecast has taken the place of this run's".to_owned();
            return Ok(outcome);
        };
        let kinds = match allowed(Some(forecast.validity)) {
            Ok(kinds) => kinds,
            Err(withheld) => {
                outcome.reason = withheld.to_string();
                return Ok(outcome);
            }
        };
        progress("reading risk windows", 0, 0);
        let mut windows = self
            .forecasts
            .risk_windows(&request.use_case, forecast.id)
            .await?;
        windows.retain(|window| window.acts && window.span.end > request.as_of);
        windows.sort_by_key(|window| window.span.start);
        if windows.is_empty() {
            outcome.reason = "the forecast has no high-risk period".to_owned();
        }
        let planned = plans(&windows, &kinds);
        self.store_proposals(caller, request, &forecast, phase, &planned, &mut outcome)
            .await?;
        progress("proposing", planned.len(), planned.len());
        Ok(outcome)
    }

    /// The kinds of action that may be proposed now, of those that can be done.
    fn allowed(
        &self,
        phase: Phase,
        use_case: &UseCase,
        validity: Option<Validity>,
        kill_switch: bool,
    ) -> Result<Vec<ActionKind>, Withheld> {
        let mut kinds = vec![ActionKind::TeamsNotice];
        if self.planner.is_some() {
            kinds.push(ActionKind::PlanningIncident);
        }
        let mut allowed = Vec::new();
        let mut first = None;
        for kind in kinds {
            match may_propose(phase, kind, use_case, validity, kill_switch) {
                Ok(()) => allowed.push(kind),
                Err(withheld) => {
                    first.get_or_insert(withheld);
                }
            }
        }
        match first {
            Some(withheld) if allowed.is_empty() => Err(withheld),
            _ => Ok(allowed),
        }
    }

    /// The run's forecast, unless another run has issued a newer one.
    async fn newest_of_run(
        &self,
        request: &ProposeRequest,
    ) -> Result<Option<IssuedForecast>, BrokerError> {
        let issued = self
            .forecasts
            .issued_around(&request.use_case, request.as_of)
            .await?;
        let newest = issued.iter().map(|forecast| forecast.issued_at).max();
        let own = issued
            .into_iter()
            .find(|forecast| forecast.run_id == request.run_id);
        let own = own.ok_or_else(|| BrokerError::NoForecast {
            run_id: request.run_id,
            use_case: request.use_case.clone(),
        })?;
        Ok((Some(own.issued_at) == newest).then_some(own))
    }

    async fn store_proposals(
        &self,
        caller: &Principal,
        request: &ProposeRequest,
        forecast: &IssuedForecast,
        phase: PhaseState,
        planned: &[(&RiskWindow, ActionKind)],
        outcome: &mut ProposeOutcome,
    ) -> Result<(), BrokerError> {
        let now = self.clock.now();
        // Whoever triggers a proposal by hand has proposed it, and cannot approve it.
        let proposed_by = if caller.is_person() {
            &caller.name
        } else {
            BROKER
        };
        let mut proposals = Vec::with_capacity(planned.len());
        for (window, kind) in planned {
            let record = self.proposal_for(*kind, request, forecast, window, proposed_by, now)?;
            let needed = approval_needed(phase.phase, phase.since, now);
            let event = events::proposed(&record, Some(needed));
            outcome.proposals.push(record.id);
            proposals.push((record, event));
        }
        let new = NewProposals {
            use_case: request.use_case.clone(),
            forecast_id: forecast.id,
            proposals,
        };
        let stored = self.storage.propose(&new, now, events::superseded).await?;
        outcome.superseded = stored.superseded;
        for _ in &stored.inserted {
            self.metrics.proposal("waiting");
        }
        self.audit.wake();
        Ok(())
    }

    fn proposal_for(
        &self,
        kind: ActionKind,
        request: &ProposeRequest,
        forecast: &IssuedForecast,
        window: &RiskWindow,
        proposed_by: &str,
        now: DateTime<Utc>,
    ) -> Result<ProposalRecord, BrokerError> {
        let name = format!("{}/{}", window.id, kind.name());
        let id = ProposalId::from(Uuid::new_v5(&request.run_id.as_uuid(), name.as_bytes()));
        let proposed = match kind {
            ActionKind::TeamsNotice => {
                Proposed::notice(&self.notice_of(id, request, forecast, window))?
            }
            ActionKind::PlanningIncident => {
                Proposed::incident(&incident_of(request, forecast, window))
            }
        };
        let mut record = self.record(id, &request.use_case, proposed, proposed_by, now);
        record.run_id = Some(request.run_id);
        record.forecast_id = Some(forecast.id);
        record.risk_window_id = Some(window.id);
        // A notice about a period that is over helps nobody.
        record.life.expires_at = record.life.expires_at.min(window.span.end);
        record.life.payload_hash = PayloadHash::of(
            kind,
            &record.payload,
            record.forecast_id,
            &record.policy_version,
        );
        Ok(record)
    }

    fn notice_of(
        &self,
        id: ProposalId,
        request: &ProposeRequest,
        forecast: &IssuedForecast,
        window: &RiskWindow,
    ) -> RiskNotice {
        let period = period(window);
        let percent = percent(window);
        let mut drivers: Vec<NoticeDriver> = window
            .drivers
            .iter()
            .map(|driver| NoticeDriver {
                name: driver.name.clone(),
                contribution: driver.contribution,
            })
            .collect();
        drivers.sort_by(|left, right| {
            let [left, right] = [left, right].map(|driver| driver.contribution.abs());
            right.total_cmp(&left)
        });
        RiskNotice {
            title: format!("High-risk period: {period}"),
            summary: summary(window),
            facts: vec![
                Fact::new("When", period),
                Fact::new("Probability", format!("{percent}%")),
                Fact::new("Expected incidents", format!("{:.1}", window.expected)),
                Fact::new("Capacity", capacity(window)),
                Fact::new("Raised by", window.trigger.as_str()),
                Fact::new("Model", forecast.model.as_str()),
                Fact::new(
                    "Forecast of",
                    forecast.issued_at.format("%Y-%m-%d %H:%M UTC").to_string(),
                ),
                Fact::new("Run", request.run_id.to_string()),
                Fact::new("Proposal", id.to_string()),
            ],
            drivers,
            review_url: self.review_url(id),
        }
    }

    /// Proposes a notice in a person's words.
    pub(crate) async fn create(
        &self,
        caller: &Principal,
        written: HandWritten,
    ) -> Result<ProposalRecord, BrokerError> {
        if !caller.is_person() {
            return Err(BrokerError::NotAPerson);
        }
        let use_case = self.declared(&written.use_case)?;
        let phase = self.phases.phase(&written.use_case).await?;
        let kill_switch = self.storage.kill_switch().await?.engaged;
        may_propose(
            phase.phase,
            ActionKind::TeamsNotice,
            use_case,
            None,
            kill_switch,
        )?;
        let now = self.clock.now();
        let id = ProposalId::new();
        let notice = RiskNotice {
            title: written.title,
            summary: written.message,
            facts: vec![
                Fact::new("Use case", written.use_case.as_str()),
                Fact::new("Proposed by", caller.name.as_str()),
                Fact::new("Proposal", id.to_string()),
            ],
            drivers: vec![],
            review_url: self.review_url(id),
        };
        let proposed = Proposed::notice(&notice)?;
        let record = self.record(id, &written.use_case, proposed, &caller.name, now);
        let needed = approval_needed(phase.phase, phase.since, now);
        let event = events::proposed(&record, Some(needed));
        self.storage.insert(&record, &event, now).await?;
        self.metrics.proposal("waiting");
        self.audit.wake();
        Ok(record)
    }

    fn record(
        &self,
        id: ProposalId,
        use_case: &UseCaseId,
        proposed: Proposed,
        proposed_by: &str,
        now: DateTime<Utc>,
    ) -> ProposalRecord {
        let Proposed {
            kind,
            title,
            payload,
        } = proposed;
        let policy_version = self.config.policy.version();
        let payload_hash = PayloadHash::of(kind, &payload, None, &policy_version);
        let waits = TimeDelta::hours(i64::from(self.config.policy.expires_after_hours));
        ProposalRecord {
            id,
            run_id: None,
            use_case: use_case.clone(),
            forecast_id: None,
            risk_window_id: None,
            kind,
            title,
            payload,
            policy_version,
            proposed_at: now,
            life: foretide_policy::Proposal {
                proposed_by: proposed_by.to_owned(),
                payload_hash,
                expires_at: now + waits,
                state: State::Waiting,
                approvals: vec![],
            },
            decisions: vec![],
            execution: Execution::default(),
        }
    }

    fn review_url(&self, id: ProposalId) -> url::Url {
        self.config.console_page(["proposals", &id.to_string()])
    }
}

/// What would be done, byte for byte.
struct Proposed {
    kind: ActionKind,
    title: String,
    payload: CanonicalJson,
}

impl Proposed {
    fn notice(notice: &RiskNotice) -> Result<Self, BrokerError> {
        let message = notice.message()?;
        Ok(Self {
            kind: ActionKind::TeamsNotice,
            title: notice.title.clone(),
            payload: message
                .as_json()
                .parse()
                .expect("a message is made as JSON"),
        })
    }

    fn incident(incident: &PlanningIncident) -> Self {
        let payload = serde_json::to_value(incident).expect("texts and moments are JSON");
        Self {
            kind: ActionKind::PlanningIncident,
            title: incident.title.clone(),
            payload: CanonicalJson::of(&payload),
        }
    }
}

/// What is proposed of which window: every kind of each, but one incident a scope, about its next
/// window. Windows come in order of time.
fn plans<'w>(windows: &'w [RiskWindow], kinds: &[ActionKind]) -> Vec<(&'w RiskWindow, ActionKind)> {
    let mut planned: Vec<(&RiskWindow, ActionKind)> = Vec::new();
    for window in windows {
        for kind in kinds {
            let is_planned = |(earlier, of): &(&RiskWindow, ActionKind)| {
                *of == ActionKind::PlanningIncident && earlier.scope == window.scope
            };
            if *kind == ActionKind::PlanningIncident && planned.iter().any(is_planned) {
                continue;
            }
            planned.push((window, *kind));
        }
    }
    planned
}

fn incident_of(
    request: &ProposeRequest,
    forecast: &IssuedForecast,
    window: &RiskWindow,
) -> PlanningIncident {
    let detail = |name: &str, value: String| (name.to_owned(), value);
    let mut details = vec![
        detail("Scope", window.scope.clone()),
        detail("Probability", format!("{}%", percent(window))),
        detail("Expected", format!("{:.1}", window.expected)),
        detail("Capacity", format!("{:.1}", window.capacity)),
        detail("CapacityKind", window.capacity_kind.name().to_owned()),
        detail("Rule", window.trigger.clone()),
        detail("Model", forecast.model.clone()),
        detail("Run", request.run_id.to_string()),
    ];
    let drivers = window.drivers.iter();
    details.extend(drivers.map(|driver| {
        let name = format!("Driver {}", driver.name);
        (name, format!("{:+.1}", driver.contribution))
    }));
    PlanningIncident {
        scope: window.scope.clone(),
        title: format!("Foretide: predicted surge {}", period(window)),
        description: summary(window),
        severity: severity_of_period(window.probability),
        starts: window.span.start,
        ends: window.span.end,
        details,
        reference: format!("forecast {}", forecast.id),
    }
}

/// The number and where it comes from: `20.0 (declared capacity)`.
fn capacity(window: &RiskWindow) -> String {
    format!("{:.1} ({})", window.capacity, window.capacity_kind.title())
}

/// P(load of the period > its capacity) in whole percent.
fn percent(window: &RiskWindow) -> f64 {
    (window.probability * 100.0).round()
}

fn summary(window: &RiskWindow) -> String {
    let (hours, percent) = (window.span.hours(), percent(window));
    let compared = match window.capacity_kind {
        CapacityKind::Declared => "the declared capacity is",
        CapacityKind::Usual => "the usual upper load, learned from earlier weeks, is",
    };
    format!(
        "{:.1} incidents are expected in these {hours} hours; {compared} {:.1}. \
         Their number exceeds that with a probability of {percent}%.",
        window.expected, window.capacity
    )
}

/// `Sat 10 Jan 08:00 to 16:00 UTC`, with the second date where it is another.
fn period(window: &RiskWindow) -> String {
    let (start, end) = (window.span.start, window.span.end);
    let from = start.format("%a %-d %b %H:%M");
    if start.date_naive() == end.date_naive() {
        format!("{from} to {} UTC", end.format("%H:%M"))
    } else {
        format!("{from} to {} UTC", end.format("%a %-d %b %H:%M"))
    }
}
