//! What queries cost, and when they have cost enough.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use foretide_domain::{SentinelTable, floor_day};
use serde::Deserialize;

const GIGABYTE: f64 = 1e9;

/// How a table is kept in the workspace, which decides what querying it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Analytics: queries are part of the price of ingestion.
    #[default]
    Analytics,
    /// Basic: queries are charged by what they scan.
    Basic,
    /// Auxiliary, or the data lake: queries are charged by what they scan.
    Auxiliary,
}

impl Plan {
    /// The plan's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Basic => "basic",
            Self::Auxiliary => "auxiliary",
        }
    }
}

/// Prices and limits of queries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostConfig {
    /// Currency of prices and limits; only shown.
    pub currency: String,
    /// Price of scanning a GB (10^9 bytes), by plan. A plan that is not named costs nothing.
    pub price_per_gb: BTreeMap<Plan, f64>,
    /// Plans of tables; analytics when not named.
    pub plans: BTreeMap<SentinelTable, Plan>,
    /// What may be spent. Nothing set: no limit.
    pub budget: Budget,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            currency: "EUR".to_owned(),
            price_per_gb: BTreeMap::new(),
            plans: BTreeMap::new(),
            budget: Budget::default(),
        }
    }
}

/// Limits by UTC day and calendar month. Reaching one ends queries until it is over.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Money a day.
    pub money_a_day: Option<f64>,
    /// Money a month.
    pub money_a_month: Option<f64>,
    /// GB scanned a day.
    pub gigabytes_a_day: Option<f64>,
    /// GB scanned a month.
    pub gigabytes_a_month: Option<f64>,
}

/// What was spent in a time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Queries asked.
    pub queries: u64,
    /// Bytes scanned.
    pub bytes: u64,
    /// Price.
    pub price: f64,
}

/// A limit that has been reached.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the query budget {key} of {limit} {unit} is spent ({spent:.2}): no more queries before {until}; \
     raise log_analytics.cost.budget.{key} to go on"
)]
pub struct BudgetSpent {
    /// The key in the configuration.
    pub key: &'static str,
    /// The limit.
    pub limit: f64,
    /// What was spent.
    pub spent: f64,
    /// Currency, or GB.
    pub unit: String,
    /// When queries go on.
    pub until: DateTime<Utc>,
}

/// A limit beside what is spent of it.
struct Limit<'a> {
    key: &'static str,
    limit: f64,
    spent: f64,
    unit: &'a str,
    is_of_day: bool,
}

impl CostConfig {
    /// The plan of a table.
    #[must_use]
    pub fn plan(&self, table: SentinelTable) -> Plan {
        self.plans.get(&table).copied().unwrap_or_default()
    }

    /// The price of scanning so many bytes of a table.
    #[must_use]
    pub fn price(&self, table: SentinelTable, bytes: u64) -> f64 {
        let per_gb = self.price_per_gb.get(&self.plan(table)).copied();
        per_gb.unwrap_or_default() * gigabytes(bytes)
    }

    /// Whether another query may be asked.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn allow(&self, now: DateTime<Utc>, day: &Spent, month: &Spent) -> Result<(), BudgetSpent> {
        for limit in self.limits(day, month, (0, 0.0)) {
            let until = if limit.is_of_day {
                floor_day(now) + TimeDelta::days(1)
            } else {
                next_month(now)
            };
            if limit.spent >= limit.limit {
                return Err(BudgetSpent {
                    key: limit.key,
                    limit: limit.limit,
                    spent: limit.spent,
                    unit: limit.unit.to_owned(),
                    until,
                });
            }
        }
        Ok(())
    }

    /// The limits that so many bytes more, at such a price, would go beyond, in words.
    #[must_use]
    pub fn beyond(&self, day: &Spent, month: &Spent, bytes: u64, price: f64) -> Vec<String> {
        let more = (bytes, price);
        self.limits(day, month, more)
            .into_iter()
            .filter(|limit| limit.spent > limit.limit)
            .map(|limit| {
                let Limit {
                    key,
                    limit,
                    spent,
                    unit,
                    ..
                } = limit;
                format!("{key} is {limit} {unit}, and with it {spent:.2} would be spent")
            })
            .collect()
    }

    /// The limits that are set, beside what is spent of them when so many bytes more are scanned, at
    /// such a price.
    fn limits(&self, day: &Spent, month: &Spent, more: (u64, f64)) -> Vec<Limit<'_>> {
        let budget = &self.budget;
        let (bytes, price) = more;
        let money = self.currency.as_str();
        let scanned = |spent: &Spent| gigabytes(spent.bytes.saturating_add(bytes));
        [
            (
                "money_a_day",
                budget.money_a_day,
                day.price + price,
                money,
                true,
            ),
            (
                "money_a_month",
                budget.money_a_month,
                month.price + price,
                money,
                false,
            ),
            (
                "gigabytes_a_day",
                budget.gigabytes_a_day,
                scanned(day),
                "GB",
                true,
            ),
            (
                "gigabytes_a_month",
                budget.gigabytes_a_month,
                scanned(month),
                "GB",
                false,
            ),
        ]
        .into_iter()
        .filter_map(|(key, limit, spent, unit, is_of_day)| {
            Some(Limit {
                key,
                limit: limit?,
                spent,
                unit,
                is_of_day,
            })
        })
        .collect()
    }

    /// A key whose value cannot be, with that value.
    pub(crate) fn problem(&self) -> Option<(&'static str, f64)> {
        let budget = &self.budget;
        let limits = [
            ("cost.budget.money_a_day", budget.money_a_day),
            ("cost.budget.money_a_month", budget.money_a_month),
            ("cost.budget.gigabytes_a_day", budget.gigabytes_a_day),
            ("cost.budget.gigabytes_a_month", budget.gigabytes_a_month),
        ];
        let prices = self
            .price_per_gb
            .values()
            .map(|price| ("cost.price_per_gb", Some(*price)));
        limits
            .into_iter()
            .chain(prices)
            .find_map(|(key, value)| Some((key, value.filter(|v| !v.is_finite() || *v < 0.0)?)))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown and compared, never counted"
)]
pub(crate) fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / GIGABYTE
}

/// The first moment of the month of a moment.
pub(crate) fn month_start(moment: DateTime<Utc>) -> DateTime<Utc> {
    floor_day(moment) - TimeDelta::days(i64::from(moment.day0()))
}

fn next_month(moment: DateTime<Utc>) -> DateTime<Utc> {
    month_start(month_start(moment) + TimeDelta::days(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn config() -> CostConfig {
        CostConfig {
            price_per_gb: BTreeMap::from([(Plan::Basic, 0.005)]),
            plans: BTreeMap::from([(SentinelTable::CommonSecurityLog, Plan::Basic)]),
            budget: Budget {
                money_a_day: Some(1.0),
                gigabytes_a_month: Some(500.0),
                ..Budget::default()
            },
            ..CostConfig::default()
        }
    }

    #[test]
    fn a_price_follows_the_plan_of_the_table() {
        let config = config();
        let terabyte = 1_000_000_000_000;
        assert!((config.price(SentinelTable::CommonSecurityLog, terabyte) - 5.0).abs() < 1e-9);
        assert!(config.price(SentinelTable::SigninLogs, terabyte).abs() < 1e-9);
    }

    #[test]
    fn a_reached_limit_says_which_and_until_when() {
        let spent = |price, bytes| Spent {
            queries: 1,
            bytes,
            price,
        };
        let now = at("2026-12-31T23:00:00Z");
        let config = config();
        assert_eq!(config.allow(now, &spent(0.99, 0), &spent(7.0, 0)), Ok(()));
        let day = config
            .allow(now, &spent(1.0, 0), &spent(1.0, 0))
            .unwrap_err();
        assert_eq!(
            (day.key, day.until),
            ("money_a_day", at("2027-01-01T00:00:00Z"))
        );
        let month = config
            .allow(
                at("2026-11-30T10:00:00Z"),
                &spent(0.0, 0),
                &spent(0.0, 500_000_000_000),
            )
            .unwrap_err();
        assert_eq!(month.key, "gigabytes_a_month");
        assert_eq!(month.until, at("2026-12-01T00:00:00Z"));
        assert!(month.to_string().contains("gigabytes_a_month"));
    }

    #[test]
    fn what_would_go_beyond_a_limit_is_named_with_it() {
        let spent = Spent {
            queries: 1,
            bytes: 400_000_000_000,
            price: 0.5,
        };
        let config = config();
        assert!(
            config
                .beyond(&spent, &spent, 100_000_000_000, 0.5)
                .is_empty()
        );
        let beyond = config.beyond(&spent, &spent, 100_000_000_001, 0.51);
        assert_eq!(beyond.len(), 2);
        assert!(beyond[0].contains("money_a_day is 1 EUR"), "{beyond:?}");
        assert!(
            beyond[1].contains("gigabytes_a_month is 500 GB"),
            "{beyond:?}"
        );
    }

    #[test]
    fn limits_that_cannot_be_are_found() {
        assert_eq!(config().problem(), None);
        let mut negative = config();
        negative.budget.money_a_month = Some(-1.0);
        assert_eq!(
            negative.problem(),
            Some(("cost.budget.money_a_month", -1.0))
        );
    }
}
