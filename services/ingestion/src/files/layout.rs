//! Which object holds what: told from its path alone.

use chrono::NaiveDate;
use foretide_domain::SentinelTable;

use crate::config::FilesConfig;

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated, the first record names the columns.
    Csv,
    /// Parquet.
    Parquet,
}

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows of a table.
    Table(SentinelTable),
    /// Ready-made counts: which entry of the configuration.
    Counts(usize),
}

/// What a path says about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) kind: Kind,
    pub(super) format: Format,
    pub(super) gzip: bool,
    /// Start of the export's five minutes, milliseconds since 1970.
    pub(super) folder_time: Option<i64>,
}

/// Tells what an object holds; nothing when it is none of ours.
pub(super) fn classify(path: &str, config: &FilesConfig) -> Option<Placed> {
    let (format, gzip) = format_of(path)?;
    let plain = |kind| Placed {
        kind,
        format,
        gzip,
        folder_time: None,
    };
    if let Some(at) = config.counts.iter().position(|counts| counts.path == path) {
        return Some(plain(Kind::Counts(at)));
    }
    if let Some(mapping) = config.mappings.get(path) {
        return Some(plain(Kind::Table(mapping.table)));
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if rest.is_empty() {
        let stem = first.split('.').next().unwrap_or(first);
        return table_named(stem).map(|table| plain(Kind::Table(table)));
    }
    if let Some(table) = export_table(first) {
        return Some(Placed {
            folder_time: folder_time(rest),
            ..plain(Kind::Table(table))
        });
    }
    table_named(first).map(|table| plain(Kind::Table(table)))
}

/// The table of an export's container, `am-securityincident`.
pub(super) fn export_table(container: &str) -> Option<SentinelTable> {
    let (prefix, name) = container.split_at_checked(3)?;
    if !prefix.eq_ignore_ascii_case("am-") {
        return None;
    }
    table_named(name)
}

fn table_named(name: &str) -> Option<SentinelTable> {
    SentinelTable::ALL
        .into_iter()
        .find(|table| table.name().eq_ignore_ascii_case(name))
}

fn format_of(path: &str) -> Option<(Format, bool)> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let (name, gzip) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let format = match name.rsplit_once('.')?.1 {
        "json" | "ndjson" | "jsonl" => Format::JsonLines,
        "csv" => Format::Csv,
        "parquet" if !gzip => Format::Parquet,
        _ => return None,
    };
    Some((format, gzip))
}

/// The moment of `.../y=2026/m=11/d=23/h=10/m=05/PT05M.json`; the second `m` is the minute.
fn folder_time(path: &str) -> Option<i64> {
    let mut parts = path.rsplit('/').skip(1);
    let mut part = |name: &str| -> Option<u32> {
        let (found, value) = parts.next()?.split_once('=')?;
        (found == name).then(|| value.parse().ok()).flatten()
    };
    let (minute, hour, day, month) = (part("m")?, part("h")?, part("d")?, part("m")?);
    let year = i32::try_from(part("y")?).ok()?;
    let time = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, 0)?;
    Some(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn placed(path: &str) -> Option<Placed> {
        classify(path, &FilesConfig::default())
    }

    #[test]
    fn an_export_is_recognised_in_any_case() {
        for container in [
            "am-securityincident",
            "am-SecurityIncident",
            "AM-SECURITYINCIDENT",
        ] {
            let path = format!(
                "{container}/WorkspaceResourceId=/subscriptions/s/y=2026/m=11/d=23/h=10/m=05/PT05M_1.json"
            );
            let placed = placed(&path).expect("an export");
            assert_eq!(placed.kind, Kind::Table(SentinelTable::SecurityIncident));
            assert_eq!(placed.folder_time, Some(1_795_428_300_000));
        }
    }

    #[test]
    fn plain_files_are_recognised() {
        let cases = [
            ("SecurityAlert.ndjson", Format::JsonLines, false),
            ("SecurityAlert/2026-11.csv.gz", Format::Csv, true),
            ("securityalert/a/b.parquet", Format::Parquet, false),
            ("SecurityAlert.json.gz", Format::JsonLines, true),
        ];
        for (path, format, gzip) in cases {
            let placed = placed(path).expect(path);
            assert_eq!((placed.format, placed.gzip), (format, gzip), "{path}");
            assert_eq!(
                placed.kind,
                Kind::Table(SentinelTable::SecurityAlert),
                "{path}"
            );
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for path in [
            "readme.md",
            "am-unknown/x.json",
            "SecurityAlert.txt",
            "x/SecurityAlert.csv",
            "",
            "am-",
            "SecurityAlert",
        ] {
            assert_eq!(placed(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "\\PC{0,80}") {
            placed(&path);
            folder_time(&path);
        }
    }
}
