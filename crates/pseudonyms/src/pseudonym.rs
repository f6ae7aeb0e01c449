//! What stands in place of a name.

use std::fmt;
use std::str::FromStr;

/// What an identifier names. The kinds are domains of their own: the same text gives another
/// pseudonym as a user than as a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityKind {
    /// An account of a person or a service.
    User,
    /// A machine.
    Host,
    /// An IP address.
    Address,
}

/// A word that is no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be user, host or address")]
pub struct UnknownKind;

impl EntityKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::User, Self::Host, Self::Address];

    /// The word that pseudonyms begin with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Host => "host",
            Self::Address => "address",
        }
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EntityKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or(UnknownKind)
    }
}

/// The keys under which a pseudonym was made; counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpochId(pub u32);

impl EpochId {
    /// The first epoch.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A keyed hash in place of an identifier, written `user-1-9f86d081884c7d65`: what it names, the
/// epoch of its keys, and 64 bits. Among ten million entities of an epoch two share one with a
/// probability of 3 in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym {
    /// What it names.
    pub kind: EntityKind,
    /// The keys it was made under.
    pub epoch: EpochId,
    /// The first 64 bits of the keyed hash.
    pub hash: u64,
}

/// A text that is no pseudonym. Says nothing of the text: it may be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a pseudonym like user-1-9f86d081884c7d65")]
pub struct MalformedPseudonym;

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:016x}", self.kind, self.epoch, self.hash)
    }
}

impl FromStr for Pseudonym {
    type Err = MalformedPseudonym;

    fn from_str(text: &str) -> Result<Self, MalformedPseudonym> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(MalformedPseudonym);
        let (kind, epoch, hash) = (part()?, part()?, part()?);
        let pseudonym = Self {
            kind: kind.parse().map_err(|_| MalformedPseudonym)?,
            epoch: EpochId(epoch.parse().map_err(|_| MalformedPseudonym)?),
            hash: u64::from_str_radix(hash, 16).map_err(|_| MalformedPseudonym)?,
        };
        // one text for one pseudonym: no signs, leading zeros or capitals
        if pseudonym.epoch.0 > 0 && pseudonym.to_string() == text {
            Ok(pseudonym)
        } else {
            Err(MalformedPseudonym)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pseudonym_comes_back_from_its_text(
            kind in prop::sample::select(EntityKind::ALL.to_vec()),
            epoch in 1_u32..,
            hash: u64,
        ) {
            let pseudonym = Pseudonym { kind, epoch: EpochId(epoch), hash };
            prop_assert_eq!(pseudonym.to_string().parse(), Ok(pseudonym));
        }

        #[test]
        fn only_its_own_text_is_a_pseudonym(text in "(user|host|address|User|ip)?-?[+0-9]{0,12}-[+0-9a-fA-F]{0,18}") {
            if let Ok(pseudonym) = text.parse::<Pseudonym>() {
                prop_assert_eq!(pseudonym.to_string(), text);
            }
        }

        #[test]
        fn hostile_text_is_refused_and_not_repeated(text in "\\PC{0,40}") {
            if let Err(error) = text.parse::<Pseudonym>() {
                prop_assert_eq!(error.to_string(), MalformedPseudonym.to_string());
            }
        }
    }

    #[test]
    fn near_misses_are_refused() {
        for text in [
            "",
            "user",
            "user-1",
            "user-0-9f86d081884c7d65",
            "user-01-9f86d081884c7d65",
            "user-1-9F86D081884C7D65",
            "user-1-9f86d081884c7d6",
            "user-1-9f86d081884c7d655",
            "user-4294967296-9f86d081884c7d65",
            "user-1-9f86d081884c7d65 ",
            "printer-1-9f86d081884c7d65",
        ] {
            assert_eq!(text.parse::<Pseudonym>(), Err(MalformedPseudonym), "{text}");
        }
    }
}
