//! What the series usually does at this time of day and of week.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::robust::median;

/// Earlier values kept for each place in the season: enough for a median that one anomaly cannot
/// move, few enough to follow a season that changes.
const KEPT_PER_PLACE: usize = 7;

/// A season whose length is known: a day or a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// The same time of day.
    Day,
    /// The same time of the same weekday.
    Week,
}

impl Season {
    pub(crate) fn seconds(self) -> i64 {
        match self {
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
        }
    }

    /// Width of a place in the season: a quarter of an hour of a day, an hour of a week.
    fn place_seconds(self) -> i64 {
        match self {
            Self::Day => 900,
            Self::Week => 3_600,
        }
    }
}

/// The mean of each earlier visit to each place in the season.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeasonalProfile {
    season: Season,
    places: Vec<VecDeque<f64>>,
    visit: Option<Visit>,
}

/// The place the series is in now; what it says is not part of the profile until it is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Visit {
    number: i64,
    sum: f64,
    count: u32,
}

impl SeasonalProfile {
    pub(crate) fn new(season: Season) -> Self {
        let places = (season.seconds() / season.place_seconds()) as usize;
        Self {
            season,
            places: vec![VecDeque::new(); places],
            visit: None,
        }
    }

    fn place(&self, number: i64) -> usize {
        number.rem_euclid(self.places.len() as i64) as usize
    }

    /// The median of the earlier visits, or nothing if there were none.
    pub(crate) fn expect(&self, at: DateTime<Utc>) -> Option<f64> {
        let place = self.place(at.timestamp().div_euclid(self.season.place_seconds()));
        median(self.places[place].iter().copied())
    }

    pub(crate) fn learn(&mut self, at: DateTime<Utc>, value: f64) {
        let number = at.timestamp().div_euclid(self.season.place_seconds());
        match &mut self.visit {
            Some(visit) if visit.number == number => {
                visit.sum += value;
                visit.count += 1;
            }
            _ => {
                let left = self.visit.replace(Visit {
                    number,
                    sum: value,
                    count: 1,
                });
                if let Some(visit) = left {
                    let place = self.place(visit.number);
                    let kept = &mut self.places[place];
                    if kept.len() == KEPT_PER_PLACE {
                        kept.pop_front();
                    }
                    kept.push_back(visit.sum / f64::from(visit.count));
                }
            }
        }
    }
}
