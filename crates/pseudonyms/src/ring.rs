//! Which keys are in force on a day.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::keys::EpochKeys;
use crate::pseudonym::{EntityKind, EpochId, Pseudonym};

/// An epoch whose keys have not been dropped.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// The first UTC day it is in force.
    pub starts_on: NaiveDate,
    /// Its keys.
    pub keys: EpochKeys,
}

/// The keys of all epochs that have not been dropped.
///
/// Which epoch is in force depends on the day a thing happened, never on when it was read: reading
/// the same rows again gives the same pseudonyms, and no day mixes two epochs, so that things which
/// are counted once a day or hour are counted once across a change of keys.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(BTreeMap<EpochId, Epoch>);

impl KeyRing {
    /// A ring of these epochs.
    #[must_use]
    pub fn new(epochs: impl IntoIterator<Item = (EpochId, Epoch)>) -> Self {
        Self(epochs.into_iter().collect())
    }

    /// The keys of an epoch, unless they were dropped.
    #[must_use]
    pub fn keys(&self, epoch: EpochId) -> Option<&EpochKeys> {
        self.0.get(&epoch).map(|epoch| &epoch.keys)
    }

    /// The newest epoch that has begun by the day. Of days before the oldest epoch that is left (the
    /// ones before it were dropped), that one.
    #[must_use]
    pub fn in_force(&self, day: NaiveDate) -> Option<(EpochId, &EpochKeys)> {
        let begun = self
            .0
            .iter()
            .rev()
            .find(|(_, epoch)| epoch.starts_on <= day);
        let (id, epoch) = begun.or_else(|| self.0.first_key_value())?;
        Some((*id, &epoch.keys))
    }

    /// Whether an epoch will be in force no more, today or later: only then may it be dropped.
    #[must_use]
    pub fn is_over(&self, epoch: EpochId, today: NaiveDate) -> bool {
        self.in_force(today)
            .is_some_and(|(newest, _)| epoch < newest)
    }

    /// The pseudonyms of a normalised value in all epochs, oldest first.
    pub fn pseudonyms(&self, kind: EntityKind, normal: &str) -> impl Iterator<Item = Pseudonym> {
        self.0
            .values()
            .map(move |epoch| epoch.keys.pseudonym(kind, normal))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::EpochSecret;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
    }

    fn ring(starts: &[(u32, u32)]) -> KeyRing {
        KeyRing::new(starts.iter().map(|(id, start)| {
            let id = EpochId(*id);
            let keys = EpochSecret::new([u8::try_from(id.0).unwrap(); 32]).keys(id);
            let starts_on = day(*start);
            (id, Epoch { starts_on, keys })
        }))
    }

    fn in_force(ring: &KeyRing, on: u32) -> Option<u32> {
        ring.in_force(day(on)).map(|(id, _)| id.0)
    }

    #[test]
    fn a_day_has_the_epoch_that_had_begun() {
        let ring = ring(&[(1, 1), (2, 10), (3, 20)]);
        let on = |day| in_force(&ring, day);
        assert_eq!(
            (on(9), on(10), on(19), on(20)),
            (Some(1), Some(2), Some(2), Some(3))
        );
        assert!(ring.is_over(EpochId(1), day(10)));
        assert!(!ring.is_over(EpochId(1), day(9)));
        assert!(!ring.is_over(EpochId(3), day(25)));
    }

    #[test]
    fn days_of_dropped_epochs_go_to_the_oldest_that_is_left() {
        assert_eq!(in_force(&ring(&[(2, 10), (3, 20)]), 5), Some(2));
        assert_eq!(in_force(&KeyRing::default(), 5), None);
    }

    #[test]
    fn a_change_at_once_overtakes_one_that_is_still_to_come() {
        let ring = ring(&[(1, 1), (2, 11), (3, 10)]);
        assert_eq!(in_force(&ring, 10), Some(3));
        assert_eq!(in_force(&ring, 12), Some(3));
        assert!(ring.is_over(EpochId(2), day(10)));
    }

    proptest! {
        #[test]
        fn what_is_over_is_never_in_force_again(
            starts in prop::collection::vec(1_u32..=28, 1..6), today in 1_u32..=28, later in 0_u32..10
        ) {
            let starts: Vec<_> = (1..).zip(starts).collect();
            let ring = ring(&starts);
            let then = day((today + later).min(28));
            for (id, _) in starts {
                if ring.is_over(EpochId(id), day(today)) {
                    prop_assert_ne!(ring.in_force(then).unwrap().0, EpochId(id));
                }
            }
        }
    }
}
