//! What else can be done with files: backtests, anomalies, drafts of shifts.

use std::fmt::Write;
use std::path::Path;

use chrono::{NaiveDateTime, TimeDelta};

use crate::desk::{Desk, HOURS, history, refuses, stamp};

#[tokio::test]
async fn a_backtest_reports_scores_and_a_page() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a", "b<i>"], HOURS))?;
    let said = desk
        .runs(
            "backtest --history history.csv --horizon 24 --origins 5 --every 24 --html report.html \
             --output scores.csv",
        )
        .await?
        .success()?;
    for word in [
        "foretide",
        "seasonal_naive_168",
        "climatology_168",
        "10 forecasts of 2 series",
    ] {
        assert!(said.stdout.contains(word), "no {word:?} in {}", said.stdout);
    }
    let scores = desk.rows("scores.csv")?;
    assert_eq!(scores.rows.len(), 3 * 4, "all, a and b, by four models");
    let (models, series) = (scores.column("model"), scores.column("series"));
    let (wql, hours) = (scores.numbers("wql"), scores.numbers("hours"));
    let of = |model: &str| {
        let row = (0..models.len()).find(|row| models[*row] == model && series[*row].is_empty());
        row.unwrap_or_else(|| panic!("no row of {model}"))
    };
    assert_eq!(hours[of("foretide")], 240.0);
    assert!(wql[of("foretide")] < wql[of("climatology_168")]);
    let page = desk.text("report.html")?;
    assert!(page.contains("Backtest of history.csv") && page.contains("b&lt;i&gt;"));
    assert!(!page.contains("<script") && !page.contains("http:") && !page.contains("https:"));
    assert_eq!(
        page.matches("<svg").count(),
        page.matches("<title id").count()
    );

    desk.put("history.csv", history(&["a"], 340))?;
    let output = desk
        .runs("backtest --history history.csv --horizon 24")
        .await?;
    refuses(&output, 65, &["no hour to score", "at least 360"]);
    let output = desk
        .runs("backtest --history history.csv --horizon 2 --html no/where.html")
        .await?;
    refuses(&output, 65, &["no/where.html", "no folder no"]);
    Ok(())
}

#[tokio::test]
async fn anomalies_are_found_in_a_folder_of_files() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let folder = desk.path("cpu");
    std::fs::create_dir_all(folder.join("eu"))?;
    let begin = "2014-04-01T00:00:00".parse::<NaiveDateTime>()?;
    let quiet = |at: usize| 40.0 + ((at * 7919) % 13) as f64;
    let write = |path: &Path, spike: Option<usize>| {
        let mut text = "timestamp,value\n".to_owned();
        for at in 0..2000_usize {
            let value = if spike == Some(at) { 400.0 } else { quiet(at) };
            let time = begin + TimeDelta::minutes(5 * at as i64);
            writeln!(text, "{time},{value}").expect("writing to a text");
        }
        std::fs::write(path, text)
    };
    write(&folder.join("calm.csv"), None)?;
    write(&folder.join("eu/spiky.csv"), Some(1500))?;
    let said = desk
        .runs("anomalies --history cpu --output scores.csv")
        .await?
        .success()?;
    assert!(said.stdout.contains("4000 points"), "{}", said.stdout);
    let scores = desk.rows("scores.csv")?;
    let (files, alerts) = (scores.column("file"), scores.numbers("alert"));
    assert_eq!((files[0], files[2000]), ("calm.csv", "eu/spiky.csv"));
    assert_eq!(alerts[3500], 1.0, "the spike raised no alert");
    assert!(
        scores
            .numbers("score")
            .iter()
            .all(|score| (0.0..=1.0).contains(score))
    );
    assert!(scores.column("reasons")[3500].contains("high_value"));

    desk.put("history.csv", history(&["a"], HOURS))?;
    desk.runs("anomalies --history history.csv --output one.csv --threshold 0.9")
        .await?
        .success()?;
    assert_eq!(desk.rows("one.csv")?.column("timestamp")[1], stamp(1));

    let output = desk.runs("anomalies --history cpu --output x.txt").await?;
    refuses(&output, 65, &["x.txt", ".csv"]);
    let output = desk
        .runs("anomalies --history cpu --output cpu/scores.csv")
        .await?;
    refuses(&output, 65, &["cpu/scores.csv", "lies in cpu"]);
    std::fs::create_dir_all(desk.path("empty"))?;
    let output = desk
        .runs("anomalies --history empty --output x.csv")
        .await?;
    refuses(&output, 65, &["empty", "holds no table"]);
    Ok(())
}

#[tokio::test]
async fn a_forecast_becomes_a_draft_of_shifts() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("history.csv", history(&["a", "b"], HOURS))?;
    desk.runs("forecast --history history.csv --horizon 48 --output f.csv")
        .await?
        .success()?;
    let command = "staffing --forecast f.csv --handling-minutes 15";
    let said = desk
        .runs(&format!("{command} --series a --output needs.csv"))
        .await?
        .success()?;
    for word in ["early", "late", "person-hours", "draft"] {
        assert!(said.stdout.contains(word), "no {word:?} in {}", said.stdout);
    }
    let needs = desk.rows("needs.csv")?;
    let (needed, planned) = (needs.numbers("needed"), needs.numbers("planned"));
    assert_eq!(needed.len(), 48);
    assert!(
        needed
            .iter()
            .zip(&planned)
            .all(|(needed, planned)| planned >= needed)
    );
    assert!(
        needed[11] > needed[2],
        "a busy hour needs no more than a quiet one"
    );

    // The reference values of A8: 10 erlangs and 14 servers, 17.41% wait.
    let said = desk
        .runs("staffing --arrivals 10 --handling-minutes 60")
        .await?
        .success()?;
    assert!(
        said.stdout.contains("load 10.00 erlangs"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("17.4%"), "{}", said.stdout);

    refuses(&desk.runs(command).await?, 65, &["2 series", "--series"]);
    let output = desk.runs(&format!("{command} --series c")).await?;
    refuses(&output, 65, &["no series \"c\"", "--series a"]);
    let output = desk
        .runs(&format!("{command} --series a --shifts day=08-16"))
        .await?;
    refuses(&output, 65, &["no shift covers it"]);
    refuses(
        &desk.runs("staffing --handling-minutes 5").await?,
        2,
        &["--forecast"],
    );
    refuses(
        &desk.runs(&format!("{command} --shifts x")).await?,
        2,
        &["night=22-06"],
    );
    Ok(())
}
