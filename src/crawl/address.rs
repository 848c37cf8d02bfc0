//! Which network addresses a crawl may connect to: public ones, and this machine only where a profile says so.
//!
//! [`Guard`] decides; [`GuardedResolver`] lets only such addresses reach the connector, so that a name
//! cannot be pointed elsewhere between check and use. Hosts written as addresses never meet the
//! resolver, so [`Guard::check_host`] looks at every URL too.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 64;

/// A host whose address is not public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is at {address}, which is not a public address: a profile for this machine needs allow_loopback = true"
)]
pub struct PrivateAddress {
    /// The host as the URL names it.
    pub host: String,
    /// The address it stands for.
    pub address: IpAddr,
}

/// Says which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guard {
    /// Whether addresses of this machine are allowed too.
    pub allow_loopback: bool,
    /// Whether those of private networks are (RFC 1918, RFC 4193): only for a host that the settings name.
    pub allow_private: bool,
}

impl Guard {
    /// Whether `address` may be connected to.
    pub fn admits(self, address: IpAddr) -> bool {
        is_public(address)
            || (self.allow_loopback && address.to_canonical().is_loopback())
            || (self.allow_private && is_private(address))
    }

    /// Refuses a URL whose host is written as an address that may not be connected to.
    ///
    /// # Errors
    /// When it is such an address.
    pub fn check_host(self, url: &Url) -> Result<(), PrivateAddress> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if self.admits(address) {
            return Ok(());
        }
        Err(PrivateAddress { host: url.host_str().unwrap_or_default().to_owned(), address })
    }
}

/// IPv4 ranges that are not public (IANA's registry of special addresses), as first address and prefix length.
const SPECIAL_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared address space; also the metadata service of a large cloud.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local; also metadata services.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// IPv6 ranges inside the global unicast space that are not public.
const SPECIAL_V6: [(Ipv6Addr, u32); 6] = [
    // Protocol assignments, with Teredo, benchmarking and ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4: relays to the IPv4 address inside.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one that networks give out inside.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Whether an address is reachable by everyone.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|&(first, bits)| within(v4.to_bits(), first.to_bits(), 32 - bits)),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Only global unicast (2000::/3) is public; translated addresses are as public as what they embed.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public(IpAddr::V4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low))));
    }
    address.segments()[0] & 0xe000 == 0x2000
        && !SPECIAL_V6.iter().any(|&(first, bits)| {
            let shift = 128 - bits;
            address.to_bits() >> shift == first.to_bits() >> shift
        })
}

fn within(address: u32, first: u32, shift: u32) -> bool {
    address >> shift == first >> shift
}

/// Looks names up and hands over only addresses the guard admits.
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    guard: Guard,
    fixed: Arc<BTreeMap<String, IpAddr>>,
    /// A host that may be at any address: a proxy's.
    trusted: Option<String>,
}

impl GuardedResolver {
    /// A resolver that knows the hosts of `fixed` without asking.
    pub fn new(guard: Guard, fixed: Arc<BTreeMap<String, IpAddr>>) -> Self {
        Self { guard, fixed, trusted: None }
    }

    /// The same, for which `host` may be at any address.
    #[must_use]
    pub fn trusting(mut self, host: Option<String>) -> Self {
        self.trusted = host;
        self
    }

    fn admitted(self, host: &str, found: impl Iterator<Item = IpAddr>) -> Result<Addrs, PrivateAddress> {
        let mut refused = None;
        let mut admitted = Vec::new();
        for address in found.take(MAX_ADDRESSES) {
            if self.guard.admits(address) || self.trusted.as_deref() == Some(host) {
                admitted.push(SocketAddr::new(address, 0));
            } else {
                refused = Some(address);
            }
        }
        match refused {
            Some(address) if admitted.is_empty() => Err(PrivateAddress { host: host.to_owned(), address }),
            _ => Ok(Box::new(admitted.into_iter())),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            if let Some(&address) = this.fixed.get(&host) {
                return Ok(this.admitted(&host, std::iter::once(address))?);
            }
            let found: Vec<IpAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.map(|found| found.ip()).collect();
            Ok(this.admitted(&host, found.into_iter())?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTSIDE: Guard = Guard { allow_loopback: false, allow_private: false };
    const DEMO: Guard = Guard { allow_loopback: true, allow_private: false };

    #[test]
    fn no_spelling_of_a_private_address_is_admitted() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0xa9fea9fe",
            "100.100.100.200",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[fec0::1]",
            "[100::1]",
            "[3fff::1]",
            "[5f00::1]",
            "１２７.0.0.1",
            "%31%32%37.0.0.1",
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert!(OUTSIDE.check_host(&url).is_err(), "{host} became {url}");
        }
    }

    #[test]
    fn public_addresses_are_admitted() {
        for host in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "223.5.5.5",
            "[2606:4700::1111]",
            "[2400:3200::1]",
            "[64:ff9b::101:101]",
            "shop.example",
        ] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert!(OUTSIDE.check_host(&url).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_profile_for_this_machine_reaches_it_and_no_other_private_address() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("10.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(DEMO.check_host(&url).is_ok(), expected, "{host}");
        }
    }

    #[test]
    fn a_named_host_reaches_private_networks_and_no_metadata_service() {
        let named = Guard { allow_loopback: false, allow_private: true };
        for (host, expected) in [
            ("10.0.0.1", true),
            ("192.168.1.1", true),
            ("[fd00::1]", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(named.check_host(&url).is_ok(), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn names_of_private_addresses_are_refused_and_mixed_ones_filtered() {
        let fixed = Arc::new(BTreeMap::from([("inside.example".to_owned(), IpAddr::from([10, 0, 0, 1]))]));
        let resolver = GuardedResolver::new(OUTSIDE, fixed);
        for name in ["inside.example", "INSIDE.example.", "localhost"] {
            let Err(error) = resolver.resolve(name.parse().unwrap()).await else { panic!("{name} was resolved") };
            assert!(error.downcast_ref::<PrivateAddress>().is_some(), "{name}: {error}");
        }
        let mixed = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([1, 1, 1, 1])];
        let left: Vec<SocketAddr> = resolver.admitted("h", mixed.into_iter()).unwrap().collect();
        assert_eq!(left, [SocketAddr::from(([1, 1, 1, 1], 0))]);
    }
}
