//! Lists of addresses and networks.

use std::net::IpAddr;

/// Some addresses and networks (RFC 4632, RFC 4291 §2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    /// Reads each; the first that is none comes back.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| one(text).ok_or_else(|| text.clone())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is among them. An IPv4 address that came as IPv6 is that IPv4 address.
    pub fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, length)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u128::from(network.to_bits()), u128::from(address.to_bits()), 32 - u32::from(*length))
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128 - u32::from(*length)),
            _ => false,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether two addresses are the same but for the last `free` bits.
fn same(a: u128, b: u128, free: u32) -> bool {
    (a ^ b).checked_shr(free).unwrap_or_default() == 0
}

fn one(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(longest);
    (length <= longest).then_some((address, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        let texts = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"].map(str::to_owned);
        let networks = Networks::parse(&texts).unwrap();
        for inside in ["10.255.0.1", "192.0.2.7", "2001:db8:1::2", "::1", "::ffff:10.0.0.1"] {
            assert!(networks.hold(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::", "::2", "127.0.0.1"] {
            assert!(!networks.hold(outside.parse().unwrap()), "{outside}");
        }
        let all = Networks::parse(&["0.0.0.0/0".to_owned()]).unwrap();
        assert!(all.hold("8.8.8.8".parse().unwrap()) && !all.hold("::1".parse().unwrap()));
        for bad in ["10.0.0.0/33", "x", "", "10.0.0.0/-1", "::/129"] {
            assert_eq!(Networks::parse(&[bad.to_owned()]), Err(bad.to_owned()));
        }
    }
}
