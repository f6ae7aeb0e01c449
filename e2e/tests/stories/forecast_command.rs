//! Forecasting a file, as somebody does who has nothing but the binary and a file.

use std::fmt::Write;

use crate::desk::{Desk, HOURS, history, office, refuses, stamp};

#[tokio::test]
async fn a_file_is_forecast_hour_by_hour_with_the_columns_of_the_scorers() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["alerts", "logins"], HOURS))?;
    let said = desk
        .runs("forecast --history history.csv --horizon 48 --output f.csv --jobs 2")
        .await?
        .success()?;
    let rows = desk.rows("f.csv")?;
    assert_eq!(
        rows.header.join(","),
        "unique_id,ds,mean,lo80,hi80,lo95,hi95,expected"
    );
    assert_eq!(rows.rows.len(), 96);
    assert_eq!(rows.column("ds")[0], stamp(HOURS));
    assert_eq!(rows.column("ds")[95], stamp(HOURS + 47));
    let names = ["lo95", "lo80", "mean", "hi80", "hi95"];
    let quantiles: Vec<_> = names.into_iter().map(|name| rows.numbers(name)).collect();
    for row in 0..96 {
        let ends: Vec<f64> = quantiles.iter().map(|column| column[row]).collect();
        assert!(ends[0] >= 0.0 && ends.is_sorted(), "row {row}: {ends:?}");
    }
    let median = rows.numbers("mean");
    let error: f64 = (0..48)
        .map(|at| (median[at] - office(HOURS + at)).abs())
        .sum();
    let level: f64 = (0..48).map(|at| office(HOURS + at)).sum();
    assert!(
        error < 0.25 * level,
        "the season was not learned: {error} of {level}"
    );
    for word in [
        "candidate",
        "no learnable season: 0 of 2",
        "96 rows",
        "2 series",
        "f.csv",
    ] {
        assert!(said.stdout.contains(word), "no {word:?} in {}", said.stdout);
    }
    Ok(())
}

#[tokio::test]
async fn forecasts_at_cutoffs_know_nothing_of_what_came_after() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (early, late) = (stamp(5 * 168 - 1), stamp(6 * 168 - 1));
    desk.put(
        "cutoffs.csv",
        format!("unique_id,cutoff\na,{early}\na,{late}\n"),
    )?;
    desk.put("history.csv", history(&["a", "unasked"], HOURS))?;
    let command = "forecast --history history.csv --cutoffs cutoffs.csv --horizon 24 --output";
    desk.runs(&format!("{command} f.csv")).await?.success()?;
    let rows = desk.rows("f.csv")?;
    assert_eq!(rows.rows.len(), 48);
    assert!(rows.column("unique_id").iter().all(|id| *id == "a"));
    assert_eq!(rows.column("cutoff")[0], early);
    assert_eq!(rows.column("ds")[0], stamp(5 * 168));
    assert_eq!(rows.column("cutoff")[47], late);

    // The same, when everything after the later cutoff is different.
    let mut changed = history(&["a"], 6 * 168);
    for at in 6 * 168..HOURS {
        writeln!(changed, "a,{},99999", stamp(at))?;
    }
    desk.put("history.csv", changed)?;
    desk.runs(&format!("{command} again.csv"))
        .await?
        .success()?;
    assert_eq!(desk.text("f.csv")?, desk.text("again.csv")?);
    Ok(())
}

#[tokio::test]
async fn an_explained_forecast_adds_up_and_says_what_carried_it() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a"], HOURS))?;
    let mut drills = "ds,drill\n".to_owned();
    for at in 0..HOURS + 24 {
        writeln!(drills, "{},{}", stamp(at), u8::from(at % 100 < 4))?;
    }
    desk.put("drills.csv", drills)?;
    desk.runs(
        "forecast --history history.csv --horizon 24 --output f.csv --explain --holidays de,US \
         --regressors drills.csv --time-zone Europe/Berlin --capacity 30",
    )
    .await?
    .success()?;
    let rows = desk.rows("f.csv")?;
    let drivers: Vec<_> = rows
        .header
        .iter()
        .filter(|name| name.starts_with("driver_"))
        .map(|name| rows.numbers(name))
        .collect();
    for name in [
        "driver_holiday_DE",
        "driver_holiday_US",
        "driver_drill",
        "driver_level",
    ] {
        assert!(rows.header.iter().any(|column| column == name), "{name}");
    }
    for (row, expected) in rows.numbers("expected").into_iter().enumerate() {
        let sum: f64 = drivers.iter().map(|driver| driver[row]).sum();
        assert!(
            (sum - expected).abs() < 1e-3 * (1.0 + expected),
            "{sum} and {expected}"
        );
    }
    assert!(rows.column("served_by").iter().all(|name| !name.is_empty()));
    assert!(rows.column("note").iter().all(|note| !note.is_empty()));
    let p = rows.numbers("p");
    assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(
        p[3] < 0.05 && p[10] > 0.5,
        "night {} and day {}",
        p[3],
        p[10]
    );
    Ok(())
}

#[tokio::test]
async fn capacity_and_threshold_give_the_chance_of_exceeding() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a"], HOURS))?;
    for option in ["--capacity auto", "--threshold-sd 2"] {
        let line = format!("forecast --history history.csv --horizon 24 --output f.csv {option}");
        desk.runs(&line).await?.success()?;
        let p = desk.rows("f.csv")?.numbers("p");
        assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{option}: {p:?}");
        assert!(p[2] < 0.05, "{option} by night: {p:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_season_can_be_ruled_out() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    // The last day known is a Thursday.
    desk.put("history.csv", history(&["a"], HOURS - 72))?;
    let mut medians = Vec::new();
    for season in ["none", "24", "168"] {
        let line = "forecast --history history.csv --horizon 168 --output f.csv --season";
        desk.runs(&format!("{line} {season}")).await?.success()?;
        medians.push(desk.rows("f.csv")?.numbers("mean"));
    }
    let [none, day, week] = &medians[..] else {
        anyhow::bail!("three forecasts were made");
    };
    let spread = |hours: &[f64]| {
        hours.iter().copied().fold(0.0, f64::max) - hours.iter().copied().fold(1e9, f64::min)
    };
    assert!(spread(none) < 5.0, "a level goes up and down: {none:?}");
    assert!(spread(&day[..24]) > 20.0, "no day was learned: {day:?}");
    // Saturday noon against Friday noon.
    assert!(day[36] > 0.6 * day[12], "a weekend was learned: {day:?}");
    assert!(
        week[36] < 0.6 * week[12],
        "no weekend was learned: {week:?}"
    );
    Ok(())
}

#[tokio::test]
async fn parquet_in_and_out_says_the_same_as_csv() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a"], HOURS))?;
    desk.runs("forecast --history history.csv --horizon 24 --output f.parquet")
        .await?
        .success()?;
    let bytes = std::fs::read(desk.path("f.parquet"))?;
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    desk.runs("forecast --history history.csv --horizon 24 --output f.csv.gz")
        .await?
        .success()?;
    let bytes = std::fs::read(desk.path("f.csv.gz"))?;
    assert!(bytes.starts_with(&[0x1f, 0x8b]));
    Ok(())
}

#[tokio::test]
async fn data_that_cannot_be_used_ends_with_65_and_says_what_to_do() -> anyhow::Result<()> {
    let good = history(&["a"], HOURS);
    let with = |at: usize, line: &str| {
        let mut lines: Vec<&str> = good.lines().collect();
        lines[at] = line;
        lines.join("\n")
    };
    let without = |at: usize| {
        let lines = good.lines().enumerate();
        let kept: Vec<&str> = lines
            .filter(|(line, _)| *line != at)
            .map(|(_, l)| l)
            .collect();
        kept.join("\n")
    };
    let negative = format!("a,{},-3", stamp(9));
    let wordy = format!("a,{},lots", stamp(9));
    let nothing = format!("a,{},", stamp(9));
    let copy = format!("a,{},1", stamp(8));
    let half = format!("a,{},1", stamp(9).replace(":00:00", ":30:00"));
    let zoned = format!("a,{}Z,1", stamp(9).replace(' ', "T"));
    for (text, said) in [
        (
            without(10),
            vec!["history.csv, line 10", "1 hour is missing", "--fill-gaps"],
        ),
        (with(10, &copy), vec!["line 11", "stands twice", "keep one"]),
        (
            with(10, &negative),
            vec!["line 11, column y", "-3 is negative"],
        ),
        (
            with(10, &wordy),
            vec!["line 11, column y", "\"lots\" is not a number"],
        ),
        (with(10, &nothing), vec!["line 11, column y", "is empty"]),
        (with(10, &half), vec!["line 11, column ds", "hourly"]),
        (
            with(10, &zoned),
            vec!["line 11, column ds", "offset", "the same way"],
        ),
        (
            with(0, "unique_id,y,ds"),
            vec!["line 2, column ds", "time stamp", "--time-column"],
        ),
        (String::new(), vec!["is empty", "header"]),
        (
            history(&["a"], 100),
            vec!["\"a\" has only 100 hours", "at least 336"],
        ),
    ] {
        let desk = Desk::new()?;
        desk.put("history.csv", text)?;
        let output = desk
            .runs("forecast --history history.csv --output f.csv")
            .await?;
        refuses(&output, 65, &said);
        assert!(!desk.has("f.csv"), "something was written");
    }
    Ok(())
}

#[tokio::test]
async fn cutoffs_and_regressors_are_checked_against_the_history() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a"], HOURS))?;
    let command = "forecast --history history.csv --output f.csv";
    for (cutoff, said) in [
        (
            format!("b,{}", stamp(500)),
            vec!["cutoffs.csv, line 2", "no series of history.csv"],
        ),
        (format!("a,{}", stamp(HOURS)), vec!["after the history"]),
        (
            "a,2020-01-01 00:00:00".to_owned(),
            vec!["before the history"],
        ),
        (
            format!("a,{}", stamp(200)),
            vec!["only 201 hours", "at least 336"],
        ),
        (
            format!("a,{}", stamp(500).replace(":00:00", ":10:00")),
            vec!["not one of its hours"],
        ),
    ] {
        desk.put("cutoffs.csv", format!("unique_id,cutoff\n{cutoff}\n"))?;
        let output = desk
            .runs(&format!("{command} --cutoffs cutoffs.csv"))
            .await?;
        refuses(&output, 65, &said);
    }
    desk.put("r.csv", format!("ds,drill\n{},1\n", stamp(0)))?;
    let output = desk.runs(&format!("{command} --regressors r.csv")).await?;
    refuses(&output, 65, &["r.csv", "\"drill\"", "must cover"]);
    let output = desk
        .runs("forecast --history nowhere.csv --output f.csv")
        .await?;
    refuses(&output, 65, &["nowhere.csv", "cannot be read"]);
    Ok(())
}

#[tokio::test]
async fn a_gap_is_filled_when_one_says_with_what() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let text = history(&["a"], HOURS);
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("-11 03:"))
        .collect();
    desk.put("history.csv", kept.join("\n"))?;
    let said = desk
        .runs("forecast --history history.csv --output f.csv --fill-gaps zero")
        .await?
        .success()?;
    assert!(
        said.stdout.contains("2 missing hours filled in"),
        "{}",
        said.stdout
    );
    Ok(())
}

#[tokio::test]
async fn short_series_can_be_left_out() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let long = history(&["long"], HOURS);
    let short = history(&["short"], 200);
    let rows = short.split_once('\n').map(|(_, rows)| rows);
    desk.put("history.csv", format!("{long}{}", rows.unwrap_or_default()))?;
    let line = "forecast --history history.csv --output f.csv --horizon 24";
    refuses(&desk.runs(line).await?, 65, &["\"short\" has only 200"]);
    let said = desk
        .runs(&format!("{line} --skip-short"))
        .await?
        .success()?;
    let left_out = "left out, as they cannot be forecast: 1: short (200 hours)";
    assert!(said.stdout.contains(left_out), "{}", said.stdout);
    let forecasts = desk.rows("f.csv")?;
    assert_eq!(forecasts.rows.len(), 24);
    assert!(forecasts.column("unique_id").iter().all(|id| *id == "long"));

    desk.put("history.csv", short)?;
    let output = desk
        .runs("forecast --history history.csv --output none.csv --skip-short")
        .await?;
    refuses(&output, 65, &["history.csv", "--skip-short leaves nothing"]);
    assert!(!desk.path("none.csv").exists());
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_read_is_written_over() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (kept, cutoffs) = (
        history(&["a"], HOURS),
        format!("unique_id,cutoff\na,{}\n", stamp(900)),
    );
    desk.put("history.csv", kept.clone())?;
    desk.put("cutoffs.csv", cutoffs.clone())?;
    for line in [
        "forecast --history history.csv --output history.csv",
        "forecast --history history.csv --output ./history.csv",
        "forecast --history history.csv --cutoffs cutoffs.csv --output cutoffs.csv",
        "backtest --history history.csv --html history.csv",
        "backtest --history history.csv --output history.csv",
        "anomalies --history history.csv --output history.csv",
        "staffing --forecast history.csv --handling-minutes 5 --output history.csv",
    ] {
        refuses(&desk.runs(line).await?, 65, &["would be written over"]);
    }
    assert_eq!(desk.text("history.csv")?, kept);
    assert_eq!(desk.text("cutoffs.csv")?, cutoffs);
    let output = desk
        .runs("forecast --history history.csv --output no/f.csv")
        .await?;
    refuses(&output, 65, &["no/f.csv", "there is no folder no"]);
    let output = desk
        .runs("backtest --history history.csv --html one.csv --output one.csv")
        .await?;
    refuses(&output, 1, &["the same file"]);
    Ok(())
}

#[tokio::test]
async fn wrong_usage_says_what_is_allowed() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    for (line, said) in [
        ("forecast --output f.csv", vec!["--history"]),
        (
            "forecast --history h --output f --horizon 0",
            vec!["1..=336"],
        ),
        (
            "forecast --history h --output f --time-zone Berlin",
            vec!["Europe/Berlin"],
        ),
        (
            "forecast --history h --output f --holidays XX",
            vec!["holidays are known for", "DE"],
        ),
        (
            "forecast --history h --output f --capacity -1",
            vec!["--capacity", "a number from 0 on"],
        ),
        (
            "forecast --history h --output f --capacity 1 --threshold-sd 2",
            vec!["cannot be used"],
        ),
        (
            "forecast --history h --output f --fill-gaps mean",
            vec!["zero", "previous"],
        ),
        (
            "anomalies --history h --output f --threshold 7",
            vec!["up to 1"],
        ),
        ("backtest --history h --origins 0", vec!["1..=2000"]),
    ] {
        refuses(&desk.runs(line).await?, 2, &said);
    }
    desk.put("history.csv", history(&["a"], HOURS))?;
    let output = desk
        .runs("forecast --history history.csv --output f.xlsx")
        .await?;
    refuses(&output, 65, &["f.xlsx", ".parquet"]);
    let help = desk.runs("forecast --help").await?.success()?;
    for word in ["MEDIAN", "expected", "foretide run", "65"] {
        assert!(help.stdout.contains(word), "no {word} in the help");
    }
    Ok(())
}
