//! The declarations against the table reference of Azure Monitor, where that lies beside the
//! repository.

use std::fs;
use std::path::Path;

use foretide_domain::SentinelTable;
use foretide_sentinel_tables::table;
use serde_json::Value;

#[test]
fn columns_exist_with_the_types_that_the_reference_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/fetched/schemas/tables.json");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: no table reference at {}", path.display());
        return;
    };
    let reference: Value = serde_json::from_str(&text).unwrap();
    for name in SentinelTable::ALL {
        let known = reference["tables"][name.name()]["columns"]
            .as_array()
            .unwrap_or_else(|| panic!("{name} is not in the reference"));
        for column in table(name).columns {
            let kind = known
                .iter()
                .find(|known| known["name"] == column.name)
                .unwrap_or_else(|| panic!("{name} has no column {}", column.name));
            assert_eq!(kind["type"], column.kind.kql(), "{name}.{}", column.name);
        }
    }
}
