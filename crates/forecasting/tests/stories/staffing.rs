//! A8: staffing numbers are the published ones; plans cover what is needed at the least cost.

use chrono::Duration;
use foretide_forecasting::staffing::{
    Performance, ShiftPattern, StaffingError, Target, Work, Workload, analysts_needed, erlang_b,
    erlang_c, hourly_needs, performance, plan_shifts,
};
use proptest::prelude::*;

use crate::support::{hours_of_week, monday};

/// A call centre in minutes, written in hours: 48 calls a minute of one minute each.
fn textbook(patience_minutes: Option<f64>) -> Work {
    Work {
        arrivals: 48.0 * 60.0,
        handling_hours: 1.0 / 60.0,
        patience_hours: patience_minutes.map(|minutes| minutes / 60.0),
    }
}

fn run(work: &Work, servers: u32) -> Performance {
    performance(work, servers, 0.25).unwrap()
}

fn day_shift(name: &str, start_hour: u8, hours: u8) -> ShiftPattern {
    ShiftPattern {
        name: name.to_owned(),
        start_hour,
        hours,
        days: [true; 7],
    }
}

#[test]
fn a8_erlang_c_of_ten_erlangs_and_fourteen_people_is_the_reference() {
    assert!((erlang_c(10.0, 14).unwrap() - 0.1741).abs() < 5e-5);
    let cases = [
        (0.0, 3, 0.0),
        (5.0, 5, 1.0),
        (9.0, 8, 1.0),
        (1.0, 2, 1.0 / 3.0),
    ];
    for (load, servers, expected) in cases {
        assert!((erlang_c(load, servers).unwrap() - expected).abs() < 1e-12);
    }
}

#[test]
fn a8_erlang_b_is_that_of_the_tables() {
    // Values of any Erlang-B table.
    let table = [
        (1.0, 1, 0.5),
        (10.0, 10, 0.2146),
        (20.0, 30, 0.0085),
        (100.0, 100, 0.0757),
    ];
    for (load, servers, blocked) in table {
        let got = erlang_b(load, servers).unwrap();
        assert!((got - blocked).abs() < 5e-5, "{load} {servers}: {got}");
    }
}

/// Gans, Koole and Mandelbaum, "Telephone call centers: tutorial, review, and research prospects"
/// (M&SOM 2003): 50 agents, average wait 20.8 s without and 3.7 s with patience of 2 minutes, 3.1%
/// of calls abandoned, agents busy 96% and 93% of the time.
#[test]
fn a8_patience_changes_a_queue_as_published() {
    let patient = run(&textbook(None), 50);
    assert!((patient.mean_wait_hours * 3600.0 - 20.8).abs() < 0.05);
    assert!((patient.occupancy - 0.96).abs() < 1e-9 && patient.dropped == 0.0);
    let impatient = run(&textbook(Some(2.0)), 50);
    assert!(
        (impatient.mean_wait_hours * 3600.0 - 3.7).abs() < 0.05,
        "{impatient:?}"
    );
    assert!((impatient.dropped - 0.031).abs() < 5e-4);
    assert!((impatient.occupancy - 0.93).abs() < 5e-3);
}

/// The steady state of the birth-and-death chain, summed state by state.
fn impatient_chain(work: &Work, servers: u32) -> (f64, f64) {
    let patience = work.patience_hours.unwrap();
    let (mut share, mut total, mut waiting, mut dropping) = (1.0_f64, 0.0, 0.0, 0.0);
    for state in 0..20_000_u32 {
        let queued = f64::from(state.saturating_sub(servers));
        total += share;
        if state >= servers {
            waiting += share;
        }
        dropping += share * queued / patience;
        let next_queued = f64::from((state + 1).saturating_sub(servers));
        let leaving =
            f64::from((state + 1).min(servers)) / work.handling_hours + next_queued / patience;
        share *= work.arrivals / leaving;
    }
    (waiting / total, dropping / total / work.arrivals)
}

#[test]
fn formulas_agree_with_the_chain_they_come_from() {
    for (arrivals, handling_hours, patience, servers) in [
        (4.0, 0.5, 1.0, 3),
        (30.0, 0.4, 0.2, 10),
        (12.0, 1.0, 8.0, 9),
        (3.0, 0.3, 0.5, 1),
    ] {
        let work = Work {
            arrivals,
            handling_hours,
            patience_hours: Some(patience),
        };
        let (waiting, dropped) = impatient_chain(&work, servers);
        let got = run(&work, servers);
        assert!(
            (got.wait_probability - waiting).abs() < 1e-9,
            "{got:?} {waiting}"
        );
        assert!((got.dropped - dropped).abs() < 1e-9, "{got:?} {dropped}");
    }
}

#[test]
fn endless_patience_is_erlang_c_and_a_hopeless_queue_stays_finite() {
    let work = |patience| Work {
        arrivals: 20.0,
        handling_hours: 0.5,
        patience_hours: patience,
    };
    let (c, a) = (run(&work(None), 14), run(&work(Some(1e5)), 14));
    assert!((c.wait_probability - 0.1741).abs() < 5e-5);
    assert!(
        (c.service_level - a.service_level).abs() < 1e-4,
        "{c:?} {a:?}"
    );
    let hopeless = run(&work(Some(1e4)), 2);
    assert!(
        (hopeless.dropped - 0.8).abs() < 1e-6,
        "two of ten are served: {hopeless:?}"
    );
    assert!(hopeless.service_level < 1e-6 && (hopeless.occupancy - 1.0).abs() < 1e-6);
    let alone = run(&work(Some(3.0)), 0);
    assert_eq!((alone.dropped, alone.service_level), (1.0, 0.0));
}

#[test]
fn questions_without_an_answer_say_what_to_change() {
    let work = Work {
        arrivals: 5.0,
        handling_hours: 0.5,
        patience_hours: None,
    };
    let refused =
        |work: Work, target: Target| analysts_needed(&work, &target).unwrap_err().to_string();
    let target = Target::default();
    assert_eq!(
        refused(
            Work {
                arrivals: -1.0,
                ..work
            },
            target
        ),
        "arrivals an hour must be from 0 to 1e9, got -1"
    );
    assert!(
        refused(
            Work {
                handling_hours: f64::NAN,
                ..work
            },
            target
        )
        .contains("handling time")
    );
    assert!(
        refused(
            Work {
                patience_hours: Some(0.0),
                ..work
            },
            target
        )
        .contains("patience")
    );
    assert!(
        refused(
            Work {
                arrivals: 1e9,
                ..work
            },
            target
        )
        .contains("load in erlangs")
    );
    assert!(
        refused(
            work,
            Target {
                share: 1.0,
                ..target
            }
        )
        .contains("target share")
    );
    assert!(
        refused(
            work,
            Target {
                most_occupancy: 0.0,
                ..target
            }
        )
        .contains("occupancy")
    );
    assert!(erlang_c(f64::INFINITY, 3).is_err() && erlang_b(1.0, u32::MAX).is_err());
    let crowded = Work {
        arrivals: 89_000.0,
        handling_hours: 1.0,
        ..work
    };
    let idle = Target {
        most_occupancy: 0.5,
        ..target
    };
    assert_eq!(
        analysts_needed(&crowded, &idle),
        Err(StaffingError::Unreachable)
    );
}

#[test]
fn a_surge_is_still_being_worked_on_after_it() {
    let mut quantiles = vec![[1.0, 2.0, 4.0, 6.0, 8.0]; 24];
    quantiles[8] = [20.0, 30.0, 40.0, 50.0, 60.0];
    let workload = Workload {
        handling_hours: 1.5,
        patience_hours: None,
        covering: 0.5,
        backlog: 6.0,
    };
    let needs = hourly_needs(&quantiles, &workload, &Target::default()).unwrap();
    assert!((needs[0].load - 6.0).abs() < 1e-9 && (needs[23].load - 6.0).abs() < 0.1);
    assert_eq!((needs[3].arrivals, needs[8].arrivals), (4.0, 40.0));
    assert!(needs[8].analysts > 2 * needs[7].analysts);
    assert!(needs[9].analysts > needs[12].analysts && needs[12].analysts >= needs[23].analysts);
    let cautious = Workload {
        covering: 0.9,
        ..workload
    };
    let more = hourly_needs(&quantiles, &cautious, &Target::default()).unwrap();
    assert!(
        more.iter()
            .zip(&needs)
            .all(|(more, needs)| more.analysts >= needs.analysts)
    );
    assert_eq!(
        hourly_needs(&[], &workload, &Target::default()),
        Err(StaffingError::Empty("the forecast"))
    );
    let crossing = [[3.0, 2.0, 1.0, 0.0, -1.0]];
    assert!(hourly_needs(&crossing, &workload, &Target::default()).is_err());
}

#[test]
fn a_week_is_covered_by_its_shifts() {
    let needed: Vec<u32> = (0..168)
        .map(|hour: u32| match (hour / 24, hour % 24) {
            (0..=4, 8..=17) => 6,
            (_, 6..=21) => 3,
            _ => 2,
        })
        .collect();
    let patterns = [
        day_shift("early", 6, 8),
        day_shift("day", 9, 8),
        day_shift("late", 14, 8),
        day_shift("night", 22, 8),
    ];
    let plan = plan_shifts(&needed, &hours_of_week(0, 168), monday(), &patterns).unwrap();
    assert!(
        plan.planned
            .iter()
            .zip(&plan.needed)
            .all(|(planned, needed)| planned >= needed)
    );
    let worked: u64 = plan
        .shifts
        .iter()
        .map(|s| u64::from(s.hours * s.analysts))
        .sum();
    assert_eq!(plan.person_hours, worked);
    assert!(
        plan.shifts.iter().any(|shift| shift.start < monday()),
        "Monday begins with a night"
    );
    assert!(plan.fewest_people(5) >= 6 && plan.fewest_people(5) * 5 * 8 >= worked);
    let again = plan_shifts(&needed, &hours_of_week(0, 168), monday(), &patterns).unwrap();
    assert_eq!(plan, again);
}

#[test]
fn shifts_go_by_local_time_when_clocks_change() {
    // The last Sunday of March: 02:00 is skipped; the last of October: 02:00 comes twice.
    let sunday = 6 * 24_u8;
    let spring: Vec<u8> = (0..24_u8)
        .filter(|hour| *hour != 2)
        .map(|hour| sunday + hour)
        .collect();
    let plan = plan_shifts(&[1; 23], &spring, monday(), &[day_shift("from two", 2, 24)]).unwrap();
    assert_eq!(plan.shifts.len(), 2);
    assert_eq!(plan.shifts[1].start, monday() + Duration::hours(2));
    let mut autumn: Vec<u8> = (0..24_u8).map(|hour| sunday + hour).collect();
    autumn.insert(2, sunday + 2);
    let mut needed = [0; 25];
    needed[3] = 1;
    let plan = plan_shifts(&needed, &autumn, monday(), &[day_shift("two", 2, 2)]).unwrap();
    assert_eq!(
        (plan.shifts.len(), plan.shifts[0].start),
        (1, monday() + Duration::hours(2))
    );
}

#[test]
fn plans_that_cannot_be_made_say_why() {
    let hours = hours_of_week(0, 24);
    let plan = |needed: &[u32], hours: &[u8], patterns: &[ShiftPattern]| {
        plan_shifts(needed, hours, monday(), patterns).unwrap_err()
    };
    let office = [day_shift("office", 9, 8)];
    let error = plan(&[1; 24], &hours, &office);
    assert_eq!(error, StaffingError::Uncovered { hour: 0, needed: 1 });
    assert_eq!(
        plan(&[], &[], &office),
        StaffingError::Empty("the hours, or their calendar,")
    );
    assert_eq!(
        plan(&[1; 24], &hours[..23], &office),
        StaffingError::Empty("the hours, or their calendar,")
    );
    assert_eq!(
        plan(&[1; 24], &hours, &[]),
        StaffingError::Empty("the list of shifts")
    );
    for wrong in [
        day_shift("x", 24, 8),
        day_shift("x", 3, 0),
        day_shift("x", 3, 25),
    ] {
        assert!(matches!(
            plan(&[0; 24], &hours, &[wrong]),
            StaffingError::BadShift { .. }
        ));
    }
    let never = ShiftPattern {
        days: [false; 7],
        ..office[0].clone()
    };
    assert!(matches!(
        plan(&[0; 24], &hours, &[never]),
        StaffingError::BadShift { .. }
    ));
    assert!(matches!(
        plan(&[200_000; 24], &hours, &office),
        StaffingError::TooMany { hour: 0, .. }
    ));
    assert!(matches!(
        plan(&[0; 1], &[168], &office),
        StaffingError::BadNumber { .. }
    ));
}

/// Fewest person-hours by trying everything: small cases only.
fn cheapest_by_trying(needed: &[u32], patterns: &[ShiftPattern]) -> u64 {
    fn rest(needed: &[u32], shifts: &[(usize, usize, u64)]) -> u64 {
        let Some((&(from, to, hours), others)) = shifts.split_first() else {
            return if needed.iter().all(|need| *need == 0) {
                0
            } else {
                u64::MAX / 2
            };
        };
        let most = needed[from..to].iter().copied().max().unwrap_or(0);
        (0..=most)
            .map(|count| {
                let mut left = needed.to_vec();
                for need in &mut left[from..to] {
                    *need = need.saturating_sub(count);
                }
                u64::from(count) * hours + rest(&left, others)
            })
            .min()
            .unwrap_or(0)
    }
    let last = needed.len() as i64;
    let mut shifts = Vec::new();
    for pattern in patterns {
        for day in -1..=0_i64 {
            let begins = day * 24 + i64::from(pattern.start_hour);
            let ends = begins + i64::from(pattern.hours);
            if ends > 0 && begins < last {
                shifts.push((
                    begins.max(0) as usize,
                    ends.min(last) as usize,
                    u64::from(pattern.hours),
                ));
            }
        }
    }
    rest(needed, &shifts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_people_and_less_work_never_hurt(
        arrivals in 0.01..200.0_f64,
        handling_hours in 0.05..3.0_f64,
        patience in proptest::option::of(0.05..50.0_f64),
        servers in 0..400_u32,
        within in 0.0..4.0_f64,
    ) {
        let work = Work { arrivals, handling_hours, patience_hours: patience };
        let now = performance(&work, servers, within).unwrap();
        let staffed = performance(&work, servers + 1, within).unwrap();
        prop_assert!(staffed.service_level >= now.service_level - 1e-12);
        prop_assert!(staffed.wait_probability <= now.wait_probability + 1e-12);
        prop_assert!(staffed.mean_wait_hours <= now.mean_wait_hours + 1e-12);
        let busier = Work { arrivals: arrivals * 1.1, ..work };
        let busier = performance(&busier, servers, within).unwrap();
        prop_assert!(busier.service_level <= now.service_level + 1e-12);
        for share in [now.wait_probability, now.service_level, now.dropped, now.occupancy] {
            prop_assert!((0.0..=1.0).contains(&share));
        }
        // Dropping incidents can only shorten the queue for the rest.
        let patient = performance(&Work { patience_hours: None, ..work }, servers, within).unwrap();
        prop_assert!(now.service_level >= patient.service_level - 1e-9);
    }

    #[test]
    fn the_fewest_who_meet_the_target_are_found(
        arrivals in 0.01..300.0_f64,
        handling_hours in 0.05..2.0_f64,
        patience in proptest::option::of(0.5..20.0_f64),
        share in 0.5..0.99_f64,
    ) {
        let work = Work { arrivals, handling_hours, patience_hours: patience };
        let target = Target { share, ..Target::default() };
        let meets = |servers| {
            let got = performance(&work, servers, target.within_hours).unwrap();
            got.service_level >= share && got.occupancy <= target.most_occupancy
        };
        let needed = analysts_needed(&work, &target).unwrap();
        prop_assert!(meets(needed));
        prop_assert!(needed == 0 || !meets(needed - 1));
        let busier = analysts_needed(&Work { arrivals: arrivals * 1.2, ..work }, &target).unwrap();
        prop_assert!(busier >= needed);
    }

    #[test]
    fn plans_are_the_cheapest_there_are(
        needed in proptest::collection::vec(0..4_u32, 24),
        starts in (0..8_u8, 8..16_u8, 16..24_u8),
        lengths in (8..13_u8, 8..13_u8, 8..13_u8),
    ) {
        let patterns = [
            day_shift("a", starts.0, lengths.0),
            day_shift("b", starts.1, lengths.1),
            day_shift("c", starts.2, lengths.2),
        ];
        let hours = hours_of_week(0, 24);
        match plan_shifts(&needed, &hours, monday(), &patterns) {
            Ok(plan) => {
                prop_assert!(plan.planned.iter().zip(&needed).all(|(planned, needed)| planned >= needed));
                prop_assert_eq!(plan.person_hours, cheapest_by_trying(&needed, &patterns));
            }
            Err(error) => {
                let is_uncovered = matches!(error, StaffingError::Uncovered { .. });
                prop_assert!(is_uncovered && cheapest_by_trying(&needed, &patterns) > 1_000_000);
            }
        }
    }
}
