//! `staffing`: from arrivals, or a forecast file, to the people that they ask for. A draft.

use std::path::Path;

use anyhow::Context;
use chrono::{TimeDelta, TimeZone, Timelike};
use foretide_calendar::{Calendar, CalendarConfig};
use foretide_forecasting::staffing::{
    HourlyNeed, ShiftPattern, StaffingPlan, Target, Work, Workload, analysts_needed, hourly_needs,
    performance, plan_shifts,
};
use foretide_series_files::{
    ColumnKind, SeriesFileError, TableWriter, Value, WrittenForecast, check_output, read_forecasts,
};

use crate::arguments::{Shift, StaffingArgs};
use crate::terminal::{Screen, table};

const MINUTES: f64 = 60.0;

/// Prints what is needed, and writes it hour by hour where that was asked for.
pub(crate) fn run(args: &StaffingArgs) -> anyhow::Result<()> {
    let target = Target {
        share: args.answered,
        within_hours: args.within_minutes / MINUTES,
        most_occupancy: args.occupancy,
    };
    if let Some(arrivals) = args.arrivals {
        return steady(args, arrivals, &target);
    }
    let path = args.forecast.as_ref().context("--forecast or --arrivals")?;
    if let Some(output) = &args.output {
        check_output(output, &[path])?;
    }
    let forecasts = read_forecasts(path)?;
    planned(args, chosen(args, path, &forecasts)?, &target)
}

/// The forecast that is planned for.
fn chosen<'a>(
    args: &StaffingArgs,
    path: &Path,
    forecasts: &'a [WrittenForecast],
) -> Result<&'a WrittenForecast, SeriesFileError> {
    let refuse = |problem: String| {
        let example = forecasts.first().map_or("ID", |forecast| &forecast.id);
        let advice = format!("say which with --series, e.g. --series {example}");
        SeriesFileError::of_file(path, problem, advice)
    };
    match (&args.series, forecasts) {
        (None, [only]) => Ok(only),
        (None, several) => Err(refuse(format!("holds {} series", several.len()))),
        (Some(wanted), all) => all
            .iter()
            .find(|forecast| forecast.id == *wanted)
            .ok_or_else(|| refuse(format!("holds no series {wanted:?}"))),
    }
}

/// An hour like every other: how a few more or fewer people would do.
fn steady(args: &StaffingArgs, arrivals: f64, target: &Target) -> anyhow::Result<()> {
    let work = Work {
        arrivals,
        handling_hours: args.handling_minutes / MINUTES,
        patience_hours: args.patience_minutes.map(|minutes| minutes / MINUTES),
    };
    let needed = analysts_needed(&work, target)?;
    let mut rows = Vec::new();
    for analysts in needed.saturating_sub(2).max(1)..=needed + 2 {
        let expected = performance(&work, analysts, target.within_hours)?;
        rows.push(vec![
            if analysts == needed {
                format!("{analysts} needed")
            } else {
                analysts.to_string()
            },
            percent(expected.wait_probability),
            percent(expected.service_level),
            minutes(expected.mean_wait_hours),
            percent(expected.dropped),
            percent(expected.occupancy),
        ]);
    }
    println!("load {:.2} erlangs", work.load());
    let header = [
        "analysts",
        "have to wait",
        "in time",
        "mean wait",
        "dropped",
        "busy",
    ];
    println!("{}", table(&header, rows));
    Ok(())
}

/// A forecast, hour by hour, and the shifts that cover it.
fn planned(args: &StaffingArgs, forecast: &WrittenForecast, target: &Target) -> anyhow::Result<()> {
    let workload = Workload {
        handling_hours: args.handling_minutes / MINUTES,
        patience_hours: args.patience_minutes.map(|minutes| minutes / MINUTES),
        covering: args.covering,
        backlog: 0.0,
    };
    let needs = hourly_needs(&forecast.quantiles, &workload, target)?;
    let needed: Vec<u32> = needs.iter().map(|need| need.analysts).collect();
    let calendar = Calendar::new(CalendarConfig {
        timezone: args.time_zone.name().to_owned(),
        ..CalendarConfig::default()
    })?;
    let week = calendar.hours_of_week(forecast.start, needed.len());
    let patterns: Vec<ShiftPattern> = args.shifts.iter().map(pattern).collect();
    let plan = plan_shifts(&needed, &week, forecast.start, &patterns)?;
    let local = |moment: chrono::DateTime<chrono::Utc>| {
        let local = args.time_zone.from_utc_datetime(&moment.naive_utc());
        format!("{} {:02}:00", local.format("%a %Y-%m-%d"), local.hour())
    };
    let rows = plan.shifts.iter().map(|shift| {
        vec![
            local(shift.start),
            shift.name.clone(),
            format!("{} h", shift.hours),
            shift.analysts.to_string(),
        ]
    });
    let screen = Screen::beside(args.output.as_deref());
    screen.say(table(&["begins", "shift", "length", "analysts"], rows));
    let most = needed.iter().max().copied().unwrap_or(0);
    screen.say(format_args!(
        "{}: {} hours, at most {most} analysts at once, {} person-hours. A draft for people to decide on",
        forecast.id,
        needed.len(),
        plan.person_hours
    ));
    if let Some(path) = &args.output {
        let mut columns = vec![("ds".to_owned(), ColumnKind::Time)];
        let numbers = ["arrivals", "load", "needed", "planned"];
        columns.extend(numbers.map(|name| (name.to_owned(), ColumnKind::Number)));
        let writer = TableWriter::create(path, columns)?;
        write(writer, forecast, &needs, &plan)?;
    }
    Ok(())
}

fn write(
    mut writer: TableWriter,
    forecast: &WrittenForecast,
    needs: &[HourlyNeed],
    plan: &StaffingPlan,
) -> anyhow::Result<()> {
    for (hour, (need, planned)) in (0..).zip(needs.iter().zip(&plan.planned)) {
        let at = forecast.start + TimeDelta::hours(hour);
        writer.row(&[
            Value::Time(at, &forecast.render(at)),
            Value::Number(need.arrivals),
            Value::Number(need.load),
            Value::Number(f64::from(need.analysts)),
            Value::Number(f64::from(*planned)),
        ])?;
    }
    Ok(writer.finish()?)
}

fn pattern(shift: &Shift) -> ShiftPattern {
    ShiftPattern {
        name: shift.name.clone(),
        start_hour: shift.start_hour,
        hours: shift.hours,
        days: [true; 7],
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn minutes(hours: f64) -> String {
    if hours.is_finite() {
        format!("{:.1} min", hours * MINUTES)
    } else {
        "without end".to_owned()
    }
}
