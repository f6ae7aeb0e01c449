//! Writes the scores of every file of the Numenta Anomaly Benchmark, as its scorers read them.
//!
//! ```sh
//! cargo run --release -p foretide-anomalies --example nab -- ../shared/bench/nab > scores.csv
//! ```

#[path = "../tests/stories/nab_files.rs"]
mod nab_files;

use std::error::Error;
use std::path::Path;

use foretide_anomalies::{DetectorOptions, detect};

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args()
        .nth(1)
        .ok_or("give the benchmark's folder")?;
    println!("file,timestamp,score");
    for file in nab_files::read(Path::new(&root))? {
        let points = file.points.iter().copied();
        for observation in detect(points, DetectorOptions::default())? {
            let at = observation.at.format("%Y-%m-%d %H:%M:%S");
            println!("{},{at},{}", file.name, observation.score);
        }
    }
    Ok(())
}
