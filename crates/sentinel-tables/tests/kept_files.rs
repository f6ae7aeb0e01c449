//! The queries, the schema and the page in the repository are those that the declarations give.
//! `FORETIDE_WRITE_KEPT=1 cargo test -p foretide-sentinel-tables` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use foretide_sentinel_tables::{incidents_created_query, schema_json, statements, tables_page};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn expect_kept(path: &Path, text: &str) {
    if std::env::var_os("FORETIDE_WRITE_KEPT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        kept,
        text,
        "{} is not what the declarations give: run this test with FORETIDE_WRITE_KEPT=1",
        path.display()
    );
}

#[test]
fn every_query_lies_in_its_file_and_no_other_file_is_there() {
    let mut expected = BTreeSet::new();
    for statement in statements() {
        let path = here().join("kql").join(format!("{}.kql", statement.name));
        expect_kept(&path, &statement.text);
        expected.insert(path);
    }
    let mut present = BTreeSet::new();
    for folder in ["counts", "arrivals", "newest"] {
        for entry in fs::read_dir(here().join("kql").join(folder)).unwrap() {
            present.insert(entry.unwrap().path());
        }
    }
    assert_eq!(present, expected);
}

#[test]
fn the_schema_and_the_page_are_kept() {
    expect_kept(&here().join("kql/schema.json"), &schema_json());
    let page: PathBuf = here().join("../../docs/TABLES.md");
    expect_kept(&page, &tables_page());
}

#[test]
fn the_content_pack_counts_incidents_by_the_declared_conditions() {
    let summary = here().join("../sentinel-content/kql/summary/incidents_created.kql");
    expect_kept(&summary, &incidents_created_query());
}
