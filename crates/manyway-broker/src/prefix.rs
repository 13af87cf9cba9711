//! Address prefixes, and which destinations are always reached directly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A set of addresses with a common start, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// Whether the prefix covers the address. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.length))
                    .unwrap_or(0);
                ours.to_bits() & mask == theirs.to_bits() & mask
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.length))
                    .unwrap_or(0);
                ours.to_bits() & mask == theirs.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The text is not an address prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address prefix: expected for example 10.0.0.0/8 or 2001:db8::/32")]
pub struct ParsePrefixError {
    text: String,
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    /// Reads `ADDRESS/LENGTH`, or an address alone, which stands for itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParsePrefixError {
            text: text.to_owned(),
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length
            .map_or(Ok(longest), str::parse)
            .map_err(|_| wrong())?;
        if length > longest {
            return Err(wrong());
        }
        Ok(Self { address, length })
    }
}

/// Whether the address can have no broker worth asking: this host, this link only, or many hosts at once.
pub(crate) fn is_always_direct(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_always_direct_v4(address),
        IpAddr::V6(address) => is_always_direct_v6(address),
    }
}

fn is_always_direct_v4(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
}

fn is_always_direct_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unicast_link_local()
        || address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(prefix: &str, address: &str) -> bool {
        prefix
            .parse::<Prefix>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_prefix_covers_its_addresses_and_no_others() {
        assert!(covers("10.0.0.0/8", "10.255.0.1"));
        assert!(!covers("10.0.0.0/8", "11.0.0.1"));
        assert!(covers("192.0.2.7", "192.0.2.7"));
        assert!(!covers("192.0.2.7", "192.0.2.8"));
        assert!(covers("2001:db8::/32", "2001:db8:1::1"));
        assert!(!covers("2001:db8::/32", "2001:db9::1"));
    }

    #[test]
    fn length_zero_covers_the_whole_family_only() {
        assert!(covers("0.0.0.0/0", "203.0.113.1"));
        assert!(!covers("0.0.0.0/0", "2001:db8::1"));
        assert!(covers("::/0", "2001:db8::1"));
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address() {
        assert!(covers("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(is_always_direct("::ffff:127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "host/8",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn this_host_this_link_and_groups_are_always_direct() {
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.1.1",
            "224.0.0.251",
            "::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_always_direct(text.parse().unwrap()), "{text}");
        }
        for text in ["10.0.0.1", "192.0.2.1", "2001:db8::1"] {
            assert!(!is_always_direct(text.parse().unwrap()), "{text}");
        }
    }
}
