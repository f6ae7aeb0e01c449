//! Which object holds what: told from its path alone.

use chrono::NaiveDate;
use foretide_domain::SentinelTable;

use crate::backfill::Origin;
use crate::config::FilesConfig;

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Start of the five minutes of a data export, or of the hour of an export job; milliseconds
    /// since 1970.
    pub(super) folder_time: Option<i64>,
    /// Who wrote it.
    pub(super) origin: Origin,
}

/// Tells what an object holds; nothing when it is none of ours.
pub(super) fn classify(path: &str, config: &FilesConfig) -> Option<Placed> {
    let (format, gzip) = format_of(path)?;
    let plain = |kind| Placed {
        kind,
        format,
        gzip,
        folder_time: None,
        origin: Origin::PlainFiles,
    };
    if let Some(at) = config.counts.iter().position(|counts| counts.path == path) {
        return Some(plain(Kind::Counts(at)));
    }
    if let Some(mapping) = config.mappings.get(path) {
        return Some(plain(Kind::Table(mapping.table)));
    }
    if let Some(job) = export_job(path) {
        let table = config.export_jobs.get(job.id).copied();
        let table = table.or_else(|| job.folder.and_then(table_of_folder))?;
        return Some(Placed {
            folder_time: job.hour,
            origin: Origin::ExportJob,
            ..plain(Kind::Table(table))
        });
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if rest.is_empty() {
        let stem = first.split('.').next().unwrap_or(first);
        return table_named(stem).map(|table| plain(Kind::Table(table)));
    }
    if let Some(table) = export_table(first) {
        return Some(Placed {
            folder_time: folder_time(rest),
            origin: Origin::DataExport,
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

/// What the path of an export job's object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExportJob<'a> {
    pub(super) id: &'a str,
    /// The first folder before `workspaceId`, if there is one.
    folder: Option<&'a str>,
    hour: Option<i64>,
}

/// Reads `[<folder>/]workspaceId/<id>/jobId/<id>/timestamp=<time>/<name>`, where the time is
/// `2026-11-23T10` or `year=2026/month=11/day=23/hour=10`.
pub(super) fn export_job(path: &str) -> Option<ExportJob<'_>> {
    let parts: Vec<&str> = path.split('/').collect();
    let is = |at: usize, name: &str| {
        let part = parts.get(at);
        part.is_some_and(|part| part.eq_ignore_ascii_case(name))
    };
    let at = (0..parts.len()).find(|at| is(*at, "workspaceId") && is(at + 2, "jobId"))?;
    let id = parts.get(at + 3).filter(|id| !id.is_empty())?;
    let times = parts.get(at + 4..parts.len() - 1)?;
    Some(ExportJob {
        id,
        folder: (at > 0).then(|| parts[0]),
        hour: job_hour(times),
    })
}

fn job_hour(folders: &[&str]) -> Option<i64> {
    let joined = folders.join("/");
    let text = joined.strip_prefix("timestamp=").unwrap_or(&joined);
    let (day, hour) = match text.split_once('T') {
        Some((day, hour)) => (day.parse::<NaiveDate>().ok()?, hour.parse().ok()?),
        None => {
            let mut parts = text.split('/');
            let mut part = |name: &str| -> Option<u32> {
                let (found, value) = parts.next()?.split_once('=')?;
                (found == name).then(|| value.parse().ok()).flatten()
            };
            let (year, month, day) = (part("year")?, part("month")?, part("day")?);
            let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
            (day, part("hour")?)
        }
    };
    Some(day.and_hms_opt(hour, 0, 0)?.and_utc().timestamp_millis())
}

fn table_of_folder(folder: &str) -> Option<SentinelTable> {
    export_table(folder).or_else(|| table_named(folder))
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
    fn an_export_job_is_recognised_with_its_hour() {
        let mut config = FilesConfig::default();
        let job = "4f0c";
        config
            .export_jobs
            .insert(job.to_owned(), SentinelTable::SigninLogs);
        for time in [
            "timestamp=2026-11-23T10",
            "timestamp=year=2026/month=11/day=23/hour=10",
            "year=2026/month=11/day=23/hour=10",
        ] {
            let path = format!("workspaceId/w/jobId/{job}/{time}/part-0.snappy.parquet");
            let placed = classify(&path, &config).expect("an export job");
            assert_eq!(placed.kind, Kind::Table(SentinelTable::SigninLogs));
            assert_eq!(placed.origin, Origin::ExportJob);
            assert_eq!(placed.folder_time, Some(1_795_428_000_000), "{time}");
        }
        let named = "am-securityalert/workspaceId/w/jobId/other/timestamp=x/a.parquet";
        let placed = classify(named, &config).expect("named by its folder");
        assert_eq!(placed.kind, Kind::Table(SentinelTable::SecurityAlert));
        assert_eq!(placed.folder_time, None);
        // whose rows these are nobody has said
        assert_eq!(
            classify("workspaceId/w/jobId/other/timestamp=x/a.parquet", &config),
            None
        );
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
        fn no_path_makes_it_panic(path in "(workspaceId/w/jobId/)?\\PC{0,80}") {
            placed(&path);
            folder_time(&path);
            export_job(&path);
        }
    }
}
