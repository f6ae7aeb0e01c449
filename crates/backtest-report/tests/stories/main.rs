//! A report as its reader gets it.

use foretide_backtest_report::{About, Backtest, Fan, Path, ServedBy};

const SURE: [f64; 5] = [4.0, 6.0, 10.0, 14.0, 16.0];
const VAGUE: [f64; 5] = [0.0, 1.0, 9.0, 30.0, 60.0];

fn two_models_over_two_weeks() -> Backtest {
    let models = ["foretide", "seasonal_naive_24"].map(str::to_owned);
    let mut backtest = Backtest::new(models.into(), 24);
    for day in 0..14 {
        let weekdays = [day % 7; 24];
        let actuals: Vec<f64> = (0..24)
            .map(|hour| f64::from((hour * 7 + day) % 20))
            .collect();
        for (model, quantiles) in [SURE, VAGUE].into_iter().enumerate() {
            backtest.add(Path {
                series: "<script>alert(1)</script>",
                model,
                quantiles: &[quantiles; 24],
                actuals: &actuals,
                weekdays: &weekdays,
                mase_scale: Some(5.0),
            });
        }
    }
    backtest
}

fn page() -> String {
    let fan = Fan {
        series: "fire & flood".to_owned(),
        cutoff: "2026-01-31 23:00:00".to_owned(),
        known: vec![3.0; 48],
        quantiles: vec![SURE; 24],
        actuals: vec![9.0; 20],
    };
    let about = About {
        title: "Backtest of incidents.csv".to_owned(),
        facts: vec![("series".to_owned(), "1".to_owned())],
        served: vec![ServedBy {
            candidate: "climatology".to_owned(),
            forecasts: 14,
        }],
    };
    two_models_over_two_weeks().html(&about, &[fan])
}

#[test]
fn the_page_needs_nothing_from_outside_and_runs_no_script() {
    let page = page();
    for forbidden in [
        "<script", "http:", "https:", "src=", "url(", "@import", "<link",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert!(page.contains("fire &amp; flood"));
}

#[test]
fn every_plot_has_a_title_a_description_and_its_numbers_beside_it() {
    let page = page();
    let plots = page.matches("<svg").count();
    assert_eq!(plots, 5, "fan, coverage twice, reliability, error");
    for part in [
        "<title id=",
        "<desc id=",
        "role=\"img\"",
        "<details>",
        "<figcaption>",
    ] {
        assert_eq!(page.matches(part).count(), plots, "{part}");
    }
    assert!(!page.contains("NaN"));
}

#[test]
fn elements_are_closed_and_ids_are_unique() {
    let page = page();
    for element in [
        "svg", "table", "figure", "section", "details", "tr", "td", "main", "div",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            page.matches(&format!("</{element}>")).count(),
            "{element}"
        );
    }
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn the_sharper_model_scores_better() {
    let scores = two_models_over_two_weeks().scores();
    assert_eq!(scores[0].model, "foretide");
    assert!(scores[0].pinball < scores[1].pinball);
    assert!(scores[0].coverage_95 < scores[1].coverage_95);
    let page = page();
    assert!(page.contains(&format!("{:.1}%", scores[0].coverage_80 * 100.0)));
}
