//! Where a request came from, and to whom it was sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::server::health::is_probe;
use crate::server::settings::Networks;
use crate::types::WebUrl;

/// The other end of the connection. The listener puts it there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// The caller's address: the other end's, or what a trusted proxy says. Proxies append, so the last address that is not a proxy itself is the
/// first that was not made up.
pub(super) fn address(peer: Option<Peer>, headers: &HeaderMap, proxies: &Networks) -> IpAddr {
    let Some(Peer(peer)) = peer else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let mut address = peer.ip().to_canonical();
    let said: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in said.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !proxies.hold(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            // What is no address says nothing; the proxy that said it is all that is known.
            Err(_) => break,
        }
    }
    address
}

/// Who may speak plain HTTP to a service without a certificate of its own: this machine, and the proxies that speak TLS in front of it.
pub(super) fn may_speak_plainly(peer: Option<Peer>, proxies: &Networks) -> bool {
    peer.is_none_or(|Peer(peer)| {
        let address = peer.ip().to_canonical();
        address.is_loopback() || proxies.hold(address)
    })
}

/// What counts as one caller: an IPv4 address, or the /64 that an IPv6 host has to itself.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Whether the request names this service. Health checks of a load balancer name whatever they like.
pub(super) fn is_our_host(request: &Request, url: &WebUrl) -> bool {
    if is_probe(request.uri().path()) {
        return true;
    }
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(HOST).and_then(|value| value.to_str().ok()),
    };
    let ours = url.expose();
    let with_port = |port: u16| format!("{}:{port}", url.host());
    named.is_some_and(|named| {
        let named = named.to_ascii_lowercase();
        match ours.port() {
            Some(port) => named == with_port(port),
            None => named == url.host() || ours.port_or_known_default().is_some_and(|port| named == with_port(port)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, said: &[&str], proxies: &[&str]) -> String {
        let proxies: Vec<String> = proxies.iter().map(|&text| text.to_owned()).collect();
        let proxies = Networks::parse(&proxies).unwrap();
        let mut headers = HeaderMap::new();
        for line in said {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        address(Some(Peer(SocketAddr::new(peer.parse().unwrap(), 1))), &headers, &proxies).to_string()
    }

    #[test]
    fn plain_http_is_for_this_machine_and_the_proxies() {
        let proxies = Networks::parse(&["192.0.2.0/24".to_owned()]).unwrap();
        for (address, may) in
            [("127.0.0.1", true), ("::1", true), ("::ffff:192.0.2.7", true), ("192.0.2.7", true), ("198.51.100.7", false)]
        {
            let peer = Some(Peer(SocketAddr::new(address.parse().unwrap(), 1)));
            assert_eq!(may_speak_plainly(peer, &proxies), may, "{address}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_came_from() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(from("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(from("10.0.0.2", &["198.51.100.7"], &["10.0.0.0/8"]), "198.51.100.7");
        // What the caller wrote itself stands to the left of what the proxy added.
        assert_eq!(from("10.0.0.2", &["1.1.1.1, 198.51.100.7"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(from("10.0.0.2", &["1.1.1.1", "198.51.100.7, 10.0.0.3"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(from("10.0.0.2", &["garbage"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(from("10.0.0.2", &[], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(from("::ffff:10.0.0.2", &["2001:db8::1"], &["10.0.0.0/8"]), "2001:db8::1");
    }

    #[test]
    fn one_host_of_ipv6_is_one_caller() {
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6".parse().unwrap()).to_string(), "2001:db8:1:2::");
        assert_eq!(network_of("192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }

    #[test]
    fn a_request_names_this_service() {
        let asks = |url: &str, host: &str| {
            let request = Request::builder().uri("/x").header(HOST, host).body(axum::body::Body::empty()).unwrap();
            is_our_host(&request, &WebUrl::parse(url).unwrap())
        };
        assert!(asks("https://cam.example/", "cam.example") && asks("https://cam.example/", "CAM.example:443"));
        assert!(asks("http://127.0.0.1:8443/", "127.0.0.1:8443") && asks("http://[::1]:1/", "[::1]:1"));
        for wrong in ["evil.example", "cam.example.evil", "cam.example:80", "", "cam.example@evil"] {
            assert!(!asks("https://cam.example/", wrong), "{wrong}");
        }
        assert!(!asks("http://127.0.0.1:8443/", "127.0.0.1"));
    }
}
