//! Files as people have them, forecast by the binary alone.

use std::path::Path;

use crate::desk::{Desk, HOURS, Rows, history, refuses};

/// Files of others, as they stand beside the tests of the reader.
fn field_case(name: &str) -> anyhow::Result<Vec<u8>> {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/series-files/tests/inputs");
    Ok(std::fs::read(inputs.join(name))?)
}

#[tokio::test]
async fn files_as_people_have_them_give_the_same_forecast() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let mut forecasts = Vec::new();
    for (name, read_as) in [
        (
            "24_prophet_ds_y.csv.gz",
            "the file's name \"24_prophet_ds_y\"",
        ),
        (
            "23_log_analytics_portal.csv.gz",
            "time is \"TimeGenerated [UTC]\", value is \"Count\", series are told apart by \"Severity\", \
             dates with the month first",
        ),
        ("51_excel.xlsx", ""),
    ] {
        desk.put(name, field_case(name)?)?;
        let said = desk
            .runs(&format!(
                "forecast --history {name} --horizon 24 --output f.csv"
            ))
            .await?
            .success()?;
        assert!(said.stderr.contains(read_as), "{}", said.stderr);
        let rows = desk.rows("f.csv")?;
        forecasts.push((rows.numbers("mean"), rows.column("ds")[0].to_owned()));
    }
    let (plain, portal, sheet) = (&forecasts[0], &forecasts[1], &forecasts[2]);
    assert_eq!((&plain.0, &plain.0), (&portal.0, &sheet.0));
    assert_eq!(plain.1, "2026-07-31 00:00:00");
    assert_eq!(portal.1, "7/31/2026, 12:00:00.000 AM");

    let piped = desk
        .pipes(
            field_case("10b_semicolon_hourly.csv.gz")?,
            "forecast --history - --horizon 24 --output -",
        )
        .await?
        .success()?;
    let rows = Rows::of(&piped.stdout);
    assert_eq!(rows.rows.len(), 24, "{}", piped.stdout);
    assert_eq!(rows.numbers("mean"), plain.0);
    assert!(piped.stderr.contains("candidate"), "{}", piped.stderr);

    let broken = desk
        .pipes(
            b"unique_id,ds,y\na,b,1\n".to_vec(),
            "forecast --history - --output -",
        )
        .await?;
    refuses(&broken, 65, &["standard input, line 2, column ds"]);
    assert_eq!(broken.stdout, "");
    Ok(())
}

#[tokio::test]
async fn a_series_without_values_is_named_and_left_out_when_one_says_so() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.put("nan.csv.gz", field_case("46_all_nan_series.csv.gz")?)?;
    let line = "forecast --history nan.csv.gz --horizon 24 --output f.csv";
    refuses(
        &desk.runs(line).await?,
        65,
        &["is empty in series \"nan\"", "--skip-short"],
    );
    let said = desk
        .runs(&format!("{line} --skip-short"))
        .await?
        .success()?;
    let left_out = "left out, as they cannot be forecast: 1: nan (series \"nan\" has no value";
    assert!(said.stdout.contains(left_out), "{}", said.stdout);
    assert!(
        desk.rows("f.csv")?
            .column("unique_id")
            .iter()
            .all(|id| *id == "ok")
    );
    Ok(())
}

#[tokio::test]
async fn years_without_known_holidays_are_told_and_forecast() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let old = history(&["a"], HOURS).replace("2026-0", "2014-0");
    desk.put("history.csv", old)?;
    let said = desk
        .runs("forecast --history history.csv --horizon 24 --output f.csv --holidays DE")
        .await?
        .success()?;
    for word in ["note: history.csv", "holidays are known from 2020 to 2035"] {
        assert!(said.stderr.contains(word), "{}", said.stderr);
    }
    assert_eq!(desk.rows("f.csv")?.rows.len(), 24);
    Ok(())
}
