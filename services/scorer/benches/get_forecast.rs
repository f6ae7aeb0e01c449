//! Latency of one `GetForecast` over loopback gRPC, authenticated, from SQLite: p50 and p99.
//!
//! `cargo bench -p foretide-scorer`. Printed rather than left to divan, whose tables have no p99.

use std::time::{Duration, Instant};

use foretide_api::scoring::v1::GetForecastRequest;

#[path = "../tests/blackbox/fakes.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the blackbox tests, which use all of it"
)]
mod fakes;
#[path = "../tests/blackbox/world.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the blackbox tests, which use all of it"
)]
mod world;

const CALLS: usize = 2_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let world = world::World::new().await;
    world.is_ready("attack_volume").await;
    let run = foretide_domain::RunId::new();
    world.score(run, "attack_volume").await.expect("a forecast");
    let mut client = world.client();
    let question = GetForecastRequest {
        use_case: "attack_volume".to_owned(),
        ..GetForecastRequest::default()
    };
    let mut took: Vec<Duration> = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        let found = client
            .get_forecast(question.clone())
            .await
            .expect("a forecast")
            .into_inner();
        took.push(began.elapsed());
        assert_eq!(found.series.expect("the total").points.len(), 72);
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "GetForecast, 72 hours, {CALLS} calls: p50 {:?}, p99 {:?}, slowest {:?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
