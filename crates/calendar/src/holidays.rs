//! Public holidays, from the kept file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;

/// Where the holidays come from; part of a feature view's specification.
pub const HOLIDAYS_SOURCE: &str = "pypi:holidays==0.109";

/// The years for which holidays are known.
pub const HOLIDAY_YEARS: RangeInclusive<i32> = 2020..=2035;

const FILE: &str = include_str!("../data/holidays.csv");

/// The holidays of one country.
#[derive(Debug, Clone)]
pub(crate) struct Holidays(BTreeMap<NaiveDate, &'static str>);

impl Holidays {
    /// The holidays of a country by its ISO 3166 code, or nothing when the country is not known.
    pub(crate) fn of(country: &str) -> Option<Self> {
        let dates: BTreeMap<_, _> = rows()
            .filter(|row| row.country == country)
            .map(|row| (row.date, row.name))
            .collect();
        (!dates.is_empty()).then_some(Self(dates))
    }

    pub(crate) fn name(&self, date: NaiveDate) -> Option<&'static str> {
        self.0.get(&date).copied()
    }
}

/// ISO 3166 codes of the countries whose holidays are known, sorted.
#[must_use]
pub fn known_countries() -> Vec<&'static str> {
    let mut countries: Vec<_> = rows().map(|row| row.country).collect();
    countries.dedup();
    countries
}

struct Row {
    country: &'static str,
    date: NaiveDate,
    name: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    FILE.lines()
        .skip(1)
        .map(|line| parse_row(line).expect("the kept file is checked by a test"))
}

/// A name that holds a comma stands in quotes; no name holds a quote.
fn parse_row(line: &'static str) -> Option<Row> {
    let (country, rest) = line.split_once(',')?;
    let (date, name) = rest.split_once(',')?;
    Some(Row {
        country,
        date: date.parse().ok()?,
        name: name.trim_matches('"'),
    })
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn every_line_of_the_kept_file_can_be_read_and_is_in_order() {
        let mut previous = ("", NaiveDate::MIN);
        for line in FILE.lines().skip(1) {
            let row = parse_row(line).unwrap_or_else(|| panic!("line {line:?}"));
            assert!(
                !row.name.is_empty() && !row.name.contains('"'),
                "line {line:?}"
            );
            assert!(HOLIDAY_YEARS.contains(&row.date.year()), "line {line:?}");
            assert!(
                previous < (row.country, row.date),
                "line {line:?} is out of order"
            );
            previous = (row.country, row.date);
        }
    }

    #[test]
    fn every_country_has_holidays_in_every_year() {
        for country in known_countries() {
            let holidays = Holidays::of(country).unwrap();
            for year in HOLIDAY_YEARS {
                let found = holidays.0.keys().filter(|date| date.year() == year).count();
                assert!(found >= 3, "{country} has {found} holidays in {year}");
            }
        }
    }

    #[test]
    fn the_named_source_is_the_one_the_generator_pins() {
        let generator = include_str!("../data/generate.py");
        let version = HOLIDAYS_SOURCE.rsplit("==").next().unwrap();
        assert!(generator.contains(&format!("PINNED_VERSION = \"{version}\"")));
    }
}
