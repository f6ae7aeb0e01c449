//! Writes Contoso's export into a folder: `cargo run -p foretide-synthetic-workspace --example write_contoso -- FOLDER`.

use std::path::Path;
use std::time::Instant;

use chrono::NaiveDate;
use foretide_synthetic_workspace::{Plan, Workspace, write_export};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("name the folder to write into")?;
    let start = NaiveDate::from_ymd_opt(2026, 7, 1).ok_or("not a date")?;
    let began = Instant::now();
    let workspace = Workspace::generate(&Plan::contoso(7, start))?;
    println!("generated in {:?}", began.elapsed());
    write_export(&workspace, Path::new(&folder), &mut |_| {})?;
    println!("generated and written in {:?}", began.elapsed());
    for table in workspace.tables() {
        let rows = workspace.rows(table);
        let bytes: usize = rows.iter().map(|row| row.line.len() + 1).sum();
        println!("{table}: {} rows, {bytes} bytes", rows.len());
    }
    for event in workspace.events() {
        println!("{event:?}");
    }
    Ok(())
}
