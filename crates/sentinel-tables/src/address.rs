//! IP addresses: one parser's rules, in KQL and over a row.

use std::net::{IpAddr, Ipv6Addr};

/// What an address looks like without port, brackets and zone, as a regular expression of KQL (RE2):
/// no leading zeros in IPv4, as they mean octal numbers to some.
pub(crate) const ADDRESS: &str = r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$";

/// Addresses inside, unset or for many, as a regular expression over what `parse_ipv6` gives.
pub(crate) const INTERNAL: &str = "^(0000:0000:0000:0000:0000:ffff:(0a|7f|a9fe|c0a8|ac1|e|0000:0000|ffff:ffff)|0000:0000:0000:0000:0000:0000:0000:000[01]$|f[cdf]|fe[89ab])";

/// The one way of writing an address: what `parse_ipv6` of KQL gives.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let address = match bare(text).parse().ok()? {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let groups = address.segments().map(|group| format!("{group:04x}"));
    Some(groups.join(":"))
}

/// Without brackets and what is behind them, without a port, without a zone.
fn bare(text: &str) -> &str {
    let text = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((bracketed, _)) => bracketed,
        None => text,
    };
    // one colon parts an IPv4 address from a port; IPv6 has more
    let text = match text.split_once(':') {
        Some((before, after)) if !after.contains(':') => before,
        _ => text,
    };
    text.split_once('%').map_or(text, |(before, _)| before)
}

/// Whether a canonical address is private, local, for many or unset.
pub(crate) fn is_internal(canonical: &str) -> bool {
    let Ok(address) = canonical.parse::<Ipv6Addr>() else {
        return false;
    };
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.octets()[0] == 127
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_unspecified()
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_of_writing_an_address_meet() {
        let documentation = "2001:0db8:0000:0000:0000:0000:0000:0001";
        let mapped = "0000:0000:0000:0000:0000:ffff:0808:0808";
        for (text, expected) in [
            ("2001:DB8::1", Some(documentation)),
            ("[2001:db8::1]:443", Some(documentation)),
            ("2001:db8::1%eth0", Some(documentation)),
            ("8.8.8.8", Some(mapped)),
            ("8.8.8.8:443", Some(mapped)),
            ("::ffff:8.8.8.8", Some(mapped)),
            ("01.2.3.4", None),
            ("1.2.3", None),
            ("999.1.1.1", None),
            ("2001:db8:::1", None),
            ("host.example", None),
            ("", None),
        ] {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn inside_is_what_no_one_outside_can_have() {
        for (text, expected) in [
            ("10.1.1.1", true),
            ("::ffff:10.1.1.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("127.0.0.1", true),
            ("169.254.1.1", true),
            ("224.0.0.1", true),
            ("239.1.1.1", true),
            ("240.0.0.1", false),
            ("255.255.255.255", true),
            ("0.0.0.0", true),
            ("0.0.0.1", false),
            ("::", true),
            ("::1", true),
            ("::2", false),
            ("fe80::1", true),
            ("fec0::1", false),
            ("fd00::1", true),
            ("ff02::1", true),
            ("2001:db8::1", false),
            ("8.8.8.8", false),
        ] {
            let canonical = canonical(text).unwrap();
            assert_eq!(is_internal(&canonical), expected, "{text}");
        }
    }
}
