//! The pages that must keep up with the code.

use std::{fs, path::Path};

use foretide_test_support::repository_root;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names given to `Table::create().table("…")` in a migration's source.
fn tables_made(source: &str) -> Vec<String> {
    source
        .split("Table::create()")
        .skip(1)
        .filter_map(|rest| {
            let (_, after) = rest.split_once(".table(\"")?;
            after.split_once('"').map(|(name, _)| name.to_owned())
        })
        .collect()
}

#[test]
fn every_table_is_in_the_data_model() {
    let root = repository_root();
    let page = read(&root.join("docs/DATA_MODEL.md"));
    let mut seen = 0;
    for entry in fs::read_dir(root.join("migrations/src")).expect("the migrations are there") {
        let file = entry.expect("readable").path();
        for table in tables_made(&read(&file)) {
            seen += 1;
            assert!(
                page.contains(&format!("`{table}`")),
                "{table} ({}) is not in docs/DATA_MODEL.md",
                file.display()
            );
        }
    }
    assert!(
        seen > 15,
        "the migrations were not understood: {seen} tables"
    );
}

#[test]
fn every_service_has_its_page_and_every_link_leads_somewhere() {
    let docs = repository_root().join("docs");
    for service in [
        "ingestion",
        "feature-store",
        "trainer",
        "scorer",
        "auditor",
        "broker",
        "orchestrator",
        "console",
    ] {
        let page = docs.join(format!("specs/{service}.md"));
        assert!(page.is_file(), "{} is missing", page.display());
    }
    let mut folders = vec![docs];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                every_link_leads_somewhere(&folder, &path);
            }
        }
    }
}

fn every_link_leads_somewhere(folder: &Path, page: &Path) {
    for link in read(page).split("](").skip(1) {
        let target = link.split([')', '#']).next().unwrap_or_default();
        if target.is_empty() || target.contains("://") {
            continue;
        }
        assert!(
            folder.join(target).exists(),
            "{} links to {target}, which is not there",
            page.display()
        );
    }
}
