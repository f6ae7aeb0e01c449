//! One way of writing for one entity.

use std::net::IpAddr;

use crate::pseudonym::EntityKind;

/// The one way of writing under which a value is hashed and kept; nothing when it names nothing.
///
/// - Everything is trimmed and in lower case; Windows and Entra ID tell no cases apart.
/// - **users**: `DOMAIN\name`, `name@domain` and object ids stay as they are otherwise. Which UPN
///   belongs to which `DOMAIN\name` only a directory knows, so they are different entities here.
/// - **hosts**: without the dot that ends a fully qualified name and without the `$` of a machine
///   account. `ws01` and `ws01.contoso.example` are different: the short name may exist twice.
/// - **addresses**: without port, brackets and zone; IPv6 in its canonical form (RFC 5952);
///   IPv4 that is mapped into IPv6 (`::ffff:198.51.100.7`) as IPv4. What is no address is text.
#[must_use]
pub fn normalised(kind: EntityKind, value: &str) -> Option<String> {
    let value = value.trim();
    let text = match kind {
        EntityKind::User => value.to_lowercase(),
        EntityKind::Host => {
            let name = value.strip_suffix('.').unwrap_or(value);
            name.strip_suffix('$').unwrap_or(name).to_lowercase()
        }
        EntityKind::Address => match address(value) {
            Some(address) => address.to_canonical().to_string(),
            None => value.to_lowercase(),
        },
    };
    (!text.is_empty()).then_some(text)
}

fn address(value: &str) -> Option<IpAddr> {
    let bare = match value.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        // one colon parts an IPv4 address from a port; IPv6 has more
        None => match value.split_once(':') {
            Some((before, after)) if !after.contains(':') => before,
            _ => value,
        },
    };
    let without_zone = bare.split_once('%').map_or(bare, |(before, _)| before);
    without_zone.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ways_of_writing_meet() {
        for (kind, values, normal) in [
            (
                EntityKind::User,
                &["Ada@Contoso.Example", " ada@contoso.example "][..],
                "ada@contoso.example",
            ),
            (
                EntityKind::User,
                &["CONTOSO\\Ada", "contoso\\ada"],
                "contoso\\ada",
            ),
            (
                EntityKind::Host,
                &["WS01.contoso.example.", "ws01.Contoso.Example"],
                "ws01.contoso.example",
            ),
            (EntityKind::Host, &["WS01$", "ws01"], "ws01"),
            (
                EntityKind::Address,
                &[
                    "198.51.100.7",
                    "198.51.100.7:443",
                    "::ffff:198.51.100.7",
                    "[::FFFF:c633:6407]:80",
                ],
                "198.51.100.7",
            ),
            (
                EntityKind::Address,
                &[
                    "2001:DB8:0:0:0:0:0:1",
                    "2001:db8::1",
                    "[2001:db8::1]:443",
                    "2001:db8::1%eth0",
                ],
                "2001:db8::1",
            ),
            (EntityKind::Address, &["Not-An-Address"], "not-an-address"),
        ] {
            for value in values {
                assert_eq!(normalised(kind, value).as_deref(), Some(normal), "{value}");
            }
        }
        assert_eq!(normalised(EntityKind::Host, " . "), None);
        assert_eq!(normalised(EntityKind::User, "\t"), None);
    }

    proptest! {
        #[test]
        fn an_address_has_one_way_of_writing(bits: u128) {
            let address = std::net::Ipv6Addr::from(bits);
            let segments = address.segments().map(|segment| format!("{segment:04X}")).join(":");
            prop_assert_eq!(
                normalised(EntityKind::Address, &segments),
                normalised(EntityKind::Address, &format!("[{address}]:8443"))
            );
        }

        #[test]
        fn no_text_makes_it_fail(value in "\\PC{0,60}") {
            for kind in EntityKind::ALL {
                if let Some(normal) = normalised(kind, &value) {
                    prop_assert!(!normal.is_empty());
                }
            }
        }
    }
}
