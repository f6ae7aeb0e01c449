//! No order of operations gets an effect without someone else's approval, or two of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use chrono::{DateTime, TimeDelta, Utc};
use foretide_audit_chain::CanonicalJson;
use foretide_domain::{ActionKind, Phase, Principal, Role};
use foretide_policy::{
    ExecutionPermit, PayloadHash, Progress, Proposal, Refusal, Rules, Standing, State, same_person,
};
use proptest::prelude::*;

fn start() -> DateTime<Utc> {
    "2026-01-05T06:00:00Z".parse().unwrap()
}

fn hash_of(title: &str) -> PayloadHash {
    let payload = CanonicalJson::of(&serde_json::json!({"title": title}));
    PayloadHash::of(
        ActionKind::TeamsNotice,
        &payload,
        None,
        &Rules::default().version(),
    )
}

fn proposed_by(name: &str) -> Proposal {
    Proposal {
        proposed_by: name.to_owned(),
        payload_hash: hash_of("busy night"),
        expires_at: start() + TimeDelta::hours(24),
        state: State::Waiting,
        approvals: vec![],
    }
}

fn approver(name: &str) -> Principal {
    Principal {
        name: name.to_owned(),
        roles: vec![Role::Viewer, Role::Approver],
    }
}

fn standing() -> Standing {
    Standing {
        now: start(),
        content: hash_of("busy night"),
        phase: Phase::Assisted,
        kill_switch: false,
        quorum: 1,
    }
}

fn refusal(
    caller: &Principal,
    proposal: &Proposal,
    presented: PayloadHash,
    at: &Standing,
) -> Refusal {
    proposal.clone().approve(caller, presented, at).unwrap_err()
}

#[test]
fn each_refusal_has_its_name() {
    let hash = hash_of("busy night");
    let proposal = proposed_by("ada");
    let grace = approver("grace");
    let now = standing();

    let service = Principal::service("orchestrator");
    assert_eq!(
        refusal(&service, &proposal, hash, &now),
        Refusal::ServiceCannotApprove
    );
    let both = Principal {
        name: "x".to_owned(),
        roles: vec![Role::Service, Role::Approver],
    };
    assert_eq!(
        refusal(&both, &proposal, hash, &now),
        Refusal::ServiceCannotApprove
    );
    let operator = Principal {
        name: "bob".to_owned(),
        roles: vec![Role::Operator],
    };
    assert_eq!(
        refusal(&operator, &proposal, hash, &now),
        Refusal::NotApprover
    );
    assert_eq!(
        refusal(&approver(" \u{200b}"), &proposal, hash, &now),
        Refusal::NotApprover
    );
    assert_eq!(
        refusal(&approver("ada"), &proposal, hash, &now),
        Refusal::SelfApproval
    );
    assert_eq!(
        refusal(&approver(" ADA\t"), &proposal, hash, &now),
        Refusal::SelfApproval
    );
    assert_eq!(
        refusal(&approver("a\u{200b}da"), &proposal, hash, &now),
        Refusal::SelfApproval
    );
    assert_eq!(
        refusal(&grace, &proposal, hash_of("other"), &now),
        Refusal::AlteredPayload
    );
    let altered = Standing {
        content: hash_of("other"),
        ..now
    };
    assert_eq!(
        refusal(&grace, &proposal, hash, &altered),
        Refusal::AlteredPayload
    );
    let late = Standing {
        now: proposal.expires_at,
        ..now
    };
    assert_eq!(refusal(&grace, &proposal, hash, &late), Refusal::Expired);
    let killed = Standing {
        kill_switch: true,
        ..now
    };
    assert_eq!(
        refusal(&grace, &proposal, hash, &killed),
        Refusal::KillSwitch
    );
    let shadow = Standing {
        phase: Phase::Shadow,
        ..now
    };
    assert_eq!(
        refusal(&grace, &proposal, hash, &shadow),
        Refusal::PhaseForbids
    );

    let mut superseded = proposal.clone();
    assert!(superseded.supersede());
    assert_eq!(
        refusal(&grace, &superseded, hash, &now),
        Refusal::Superseded
    );
    let mut rejected = proposal.clone();
    rejected.reject(&grace, now.now).unwrap();
    assert_eq!(
        refusal(&grace, &rejected, hash, &now),
        Refusal::AlreadyDecided
    );
}

#[test]
fn a_quorum_needs_different_people() {
    let mut proposal = proposed_by("ada");
    let two = Standing {
        quorum: 2,
        ..standing()
    };
    let hash = proposal.payload_hash;
    let first = proposal.approve(&approver("grace"), hash, &two).unwrap();
    assert_eq!(first, Progress::Counted { missing: 1 });
    assert_eq!(proposal.begin(&two).unwrap_err(), Refusal::NotApproved);
    let again = proposal
        .approve(&approver("Grace "), hash, &two)
        .unwrap_err();
    assert_eq!(again, Refusal::AlreadyDecided);
    let second = proposal.approve(&approver("edsger"), hash, &two).unwrap();
    assert_eq!(second, Progress::QuorumReached);
    let permit = proposal.begin(&two).unwrap();
    proposal.finish(&permit, true);
    assert_eq!(proposal.state, State::Executed);
}

#[test]
fn an_interrupted_execution_goes_on_once() {
    let mut proposal = proposed_by("service:broker");
    let now = standing();
    proposal
        .approve(&approver("grace"), proposal.payload_hash, &now)
        .unwrap();
    drop(proposal.begin(&now).unwrap());
    assert_eq!(proposal.begin(&now).unwrap_err(), Refusal::AlreadyDecided);
    let killed = Standing {
        kill_switch: true,
        ..now
    };
    assert_eq!(proposal.resume(&killed).unwrap_err(), Refusal::KillSwitch);
    drop(proposal.resume(&now).unwrap());
    assert_eq!(proposal.resume(&now).unwrap_err(), Refusal::TooManyAttempts);
    assert!(proposal.stop());
    assert_eq!(proposal.state, State::Failed);
}

#[test]
fn what_was_approved_but_not_begun_in_time_expires() {
    let mut proposal = proposed_by("ada");
    let now = standing();
    proposal
        .approve(&approver("grace"), proposal.payload_hash, &now)
        .unwrap();
    let late = Standing {
        now: proposal.expires_at,
        ..now
    };
    assert_eq!(proposal.begin(&late).unwrap_err(), Refusal::Expired);
    assert!(proposal.expire(late.now));
    assert_eq!(proposal.state, State::Expired);
}

#[derive(Debug, Clone)]
enum Operation {
    Approve {
        by: &'static str,
        roles: Vec<Role>,
        right_hash: bool,
    },
    Reject {
        by: &'static str,
    },
    Begin,
    Finish {
        succeeded: bool,
    },
    Crash,
    Resume,
    Stop,
    Supersede,
    Expire,
    HoursPass(i64),
    KillSwitch(bool),
    Phase(Phase),
    AlterContent(bool),
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let names = || prop::sample::select(vec!["ada", " Ada", "grace", "GRACE", "edsger", ""]);
    let phases = vec![Phase::Shadow, Phase::Assisted, Phase::Proactive];
    let roles = vec![Role::Operator, Role::Approver, Role::Service];
    prop_oneof![
        4 => (names(), prop::sample::subsequence(roles, 0..=3), prop::bool::weighted(0.8))
            .prop_map(|(by, roles, right_hash)| Operation::Approve { by, roles, right_hash }),
        4 => names().prop_map(|by| Operation::Approve { by, roles: vec![Role::Approver], right_hash: true }),
        1 => names().prop_map(|by| Operation::Reject { by }),
        6 => Just(Operation::Begin),
        2 => any::<bool>().prop_map(|succeeded| Operation::Finish { succeeded }),
        2 => Just(Operation::Crash),
        3 => Just(Operation::Resume),
        1 => Just(Operation::Stop),
        1 => Just(Operation::Supersede),
        1 => Just(Operation::Expire),
        1 => (0i64..20).prop_map(Operation::HoursPass),
        1 => any::<bool>().prop_map(Operation::KillSwitch),
        1 => prop::sample::select(phases).prop_map(Operation::Phase),
        1 => any::<bool>().prop_map(Operation::AlterContent),
    ]
}

/// A process that executes: it holds a permit until it finishes or crashes.
struct World {
    proposal: Proposal,
    standing: Standing,
    permit: Option<ExecutionPermit>,
    effects: u32,
    crashes: u32,
    successes: u32,
}

impl World {
    fn take(&mut self, permit: Result<ExecutionPermit, Refusal>) -> Result<(), TestCaseError> {
        let Ok(permit) = permit else { return Ok(()) };
        prop_assert!(self.permit.is_none(), "two permits at a time");
        prop_assert!(!self.standing.kill_switch && self.standing.phase != Phase::Shadow);
        prop_assert_eq!(self.standing.content, self.proposal.payload_hash);
        let approvals = &self.proposal.approvals;
        let by_another = approvals.iter().filter(|approval| {
            approval.payload_hash == self.proposal.payload_hash
                && !same_person(&approval.by, &self.proposal.proposed_by)
        });
        prop_assert!(by_another.count() >= self.standing.quorum as usize);
        self.effects += 1;
        self.permit = Some(permit);
        Ok(())
    }

    fn run(&mut self, operation: Operation) -> Result<(), TestCaseError> {
        let standing = self.standing;
        match operation {
            Operation::Approve {
                by,
                roles,
                right_hash,
            } => {
                let hash = if right_hash {
                    self.proposal.payload_hash
                } else {
                    hash_of("other")
                };
                let caller = Principal {
                    name: by.to_owned(),
                    roles,
                };
                self.proposal.approve(&caller, hash, &standing).ok();
            }
            Operation::Reject { by } => {
                self.proposal.reject(&approver(by), standing.now).ok();
            }
            Operation::Begin => {
                let permit = self.proposal.begin(&standing);
                self.take(permit)?;
            }
            Operation::Resume if self.permit.is_none() => {
                let permit = self.proposal.resume(&standing);
                self.take(permit)?;
            }
            Operation::Resume => {}
            Operation::Finish { succeeded } => {
                if let Some(permit) = self.permit.take() {
                    self.proposal.finish(&permit, succeeded);
                    self.successes += u32::from(self.proposal.state == State::Executed);
                }
            }
            Operation::Crash => {
                self.crashes += u32::from(self.permit.take().is_some());
            }
            Operation::Stop => {
                self.proposal.stop();
            }
            Operation::Supersede => {
                self.proposal.supersede();
            }
            Operation::Expire => {
                self.proposal.expire(standing.now);
            }
            Operation::HoursPass(hours) => self.standing.now += TimeDelta::hours(hours),
            Operation::KillSwitch(engaged) => self.standing.kill_switch = engaged,
            Operation::Phase(phase) => self.standing.phase = phase,
            Operation::AlterContent(altered) => {
                self.standing.content = hash_of(if altered { "other" } else { "busy night" });
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn nothing_is_done_unapproved_or_twice(
        operations in prop::collection::vec(any_operation(), 0..60), quorum in 1u32..3,
    ) {
        let mut world = World {
            proposal: proposed_by("ada"),
            standing: Standing { quorum, ..standing() },
            permit: None,
            effects: 0,
            crashes: 0,
            successes: 0,
        };
        for operation in operations {
            world.run(operation)?;
            prop_assert!(world.effects <= 1 + world.crashes, "a second effect without a crash");
            prop_assert!(world.effects <= 2 && world.successes <= 1);
            let executed = world.proposal.state == State::Executed;
            prop_assert!(!executed || world.effects > 0, "executed without a permit");
        }
    }
}
