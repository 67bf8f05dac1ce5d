//! The way to addresses that somebody configured and that must not lead back into the own network: what a name resolves to is looked at, and
//! that very address is connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::net::{HttpTransport, Tls, Transport, TransportError, client, init_tls};
use crate::types::WebUrl;

/// Which private addresses may be reached all the same.
pub type Listed = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Whether an address belongs to the internet at large.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public_v4(v4),
            // Global unicast, without the ranges in it that stand for something else (IPv4 in it, documentation, benchmarks, Teredo, 6to4).
            None => {
                let [first, second, ..] = v6.segments();
                let is_special = first == 0x2001 && (second < 0x0200 || second == 0x0db8) || first == 0x2002 || first == 0x3fff;
                first & 0xe000 == 0x2000 && !is_special
            }
        },
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special && a < 224
}

/// A transport to `url` alone: no redirects, no proxies, and no private address unless it is listed. `http` is for an address of this machine
/// that is written as one.
///
/// # Errors
/// The address is one that is not reached from here.
pub fn open_outbound(url: &WebUrl, listed: Listed) -> Result<Box<dyn Transport>, TransportError> {
    let refused = || TransportError::Unreachable { host: url.host().to_owned(), why: PRIVATE.to_owned() };
    let literal = url.host().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let on_loopback = url.expose().scheme() == "http";
    if let Some(address) = literal
        && !(is_public(address) || listed(address) || (on_loopback && address.is_loopback()))
    {
        return Err(refused());
    }
    if literal.is_none() && on_loopback {
        return Err(refused());
    }
    init_tls();
    let built = client(&Tls::default()).no_proxy().dns_resolver(Arc::new(Guard(listed))).build();
    Ok(Box::new(HttpTransport(built.map_err(|error| TransportError::Setup(error.to_string()))?)))
}

const PRIVATE: &str = "it is an address of a private network, and not one that the configuration lists";

struct Guard(Listed);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let listed = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among public ones is one too many: whoever answers for the name chooses which is taken.
            if found.is_empty() || found.iter().any(|socket| !is_public(socket.ip()) && !listed(socket.ip())) {
                return Err(PRIVATE.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_address_is_refused_before_anybody_is_asked() {
        let open = |text: &str, listed: bool| {
            open_outbound(&WebUrl::parse(text).unwrap(), Arc::new(move |_| listed)).map(|_| ()).map_err(|error| error.to_string())
        };
        for bad in [
            "https://169.254.169.254/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://127.0.0.1/",
        ] {
            assert!(open(bad, false).unwrap_err().contains("private network"), "{bad}");
            assert_eq!(open(bad, true), Ok(()), "{bad}");
        }
        assert!(open("http://localhost:1/", true).is_err(), "a name is not an address");
        assert_eq!(open("http://127.0.0.1:1/", false), Ok(()));
        assert_eq!(open("https://hooks.example/", false), Ok(()));
    }
}
