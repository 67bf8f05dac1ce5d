//! The start URL: which addresses are AWS's own, and the region that a portal lives in.

use crate::types::{Partition, Region, WebUrl};

/// What the hosts of portals end with, as the `aws` client has it.
const PORTALS: &[&str] = &[
    ".awsapps.com",
    ".awsapps.cn",
    ".app.aws",
    ".portal.amazonaws.com",
    ".portal.amazonaws.com.cn",
    ".app.amazonwebservices.com.cn",
    ".portal.amazonaws.eu",
    ".api.amazonwebservices.eu",
];
/// Hosts of issuer URLs.
const ISSUERS: &[&str] = &[
    "identitycenter.amazonaws.com",
    "identitycenter.amazonaws.com.cn",
    "identitycenter.amazonaws.eu",
    "identitycenter.us-gov.amazonaws.com",
];
/// Hosts with the region in their name: what stands before it behind the portal's ID, and what behind it.
const WITH_REGION: &[(&str, &str)] = &[
    ("portal.", ".app.aws"),
    ("", ".portal.amazonaws.com"),
    ("", ".portal.amazonaws.com.cn"),
    ("portal.", ".app.amazonwebservices.com.cn"),
    ("", ".portal.amazonaws.eu"),
    ("portal.", ".api.amazonwebservices.eu"),
];

/// Whether a start or issuer URL is on one of AWS's own hosts.
pub(super) fn is_own(url: &WebUrl) -> bool {
    let host = url.host();
    url.expose().scheme() == "https"
        && (ISSUERS.contains(&host) || PORTALS.iter().any(|end| host.strip_suffix(end).is_some_and(|rest| !rest.is_empty())))
}

/// Whether a browser may be sent to this address although a server chose it.
pub(super) fn may_open(url: &WebUrl) -> bool {
    let host = url.host();
    let plain = url.expose().username().is_empty() && url.expose().password().is_none() && url.expose().port().is_none();
    plain && url.expose().scheme() == "https" && (is_own(url) || Partition::owns(host) || host.ends_with(".signin.aws"))
}

/// Whether a portal is one of those that only the newer hosts know, which answer IPv6 too.
pub(super) fn is_dual_stack(start: &WebUrl) -> bool {
    start.host().ends_with(".app.aws")
}

/// The region in a portal's host name, where it has one.
pub(super) fn region_of(start: &WebUrl) -> Option<Region> {
    WITH_REGION.iter().find_map(|(before, after)| {
        let (_id, rest) = start.host().strip_suffix(after)?.split_once('.')?;
        let region = rest.strip_prefix(before)?;
        (!region.is_empty() && !region.contains('.')).then(|| Region::parse(region).ok()).flatten()
    })
}

/// The region that a portal's start page names: `<meta name="region" content="us-east-1"/>`.
pub(super) fn region_in_page(html: &str) -> Option<Region> {
    html.split("<meta").skip(1).find_map(|rest| {
        let tag = rest.split('>').next()?;
        let value = |name: &str| {
            let text = tag.split_once(&format!("{name}="))?.1;
            let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            text[1..].split(quote).next()
        };
        (value("name")? == "region").then(|| Region::parse(value("content")?).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebUrl {
        WebUrl::parse(text).unwrap()
    }

    #[test]
    fn regions_of_hosts() {
        let of = |text: &str| region_of(&url(text)).map(|region| region.to_string());
        for (start, region) in [
            ("https://ssoins-1234.portal.us-east-1.app.aws", Some("us-east-1")),
            ("https://ssoins-1234.eu-west-1.portal.amazonaws.com/", Some("eu-west-1")),
            ("https://d-1.cn-north-1.portal.amazonaws.com.cn/start", Some("cn-north-1")),
            ("https://d-1.portal.cn-north-1.app.amazonwebservices.com.cn", Some("cn-north-1")),
            ("https://d-1.eusc-de-east-1.portal.amazonaws.eu", Some("eusc-de-east-1")),
            ("https://d-1234567890.awsapps.com/start", None),
            ("https://identitycenter.amazonaws.com/ssoins-1234", None),
            ("https://a.b.c.portal.amazonaws.com/", None),
            ("https://us-east-1.app.aws.evil.example/", None),
        ] {
            assert_eq!(of(start).as_deref(), region, "{start}");
        }
    }

    #[test]
    fn only_its_own_addresses_are_opened() {
        for own in [
            "https://d-1234567890.awsapps.com/start/#/device?user_code=ABCD-EFGH",
            "https://device.sso.us-east-1.amazonaws.com/?user_code=ABCD-EFGH",
            "https://us-east-1.signin.aws/platform/authorize?request_uri=x",
            "https://oidc.us-east-1.api.aws/authorize?x=1",
            "https://identitycenter.amazonaws.com/ssoins-1",
        ] {
            assert!(may_open(&url(own)), "{own}");
        }
        for other in [
            "https://awsapps.com.evil.example/start",
            "https://evilawsapps.com/start",
            "https://evil.example/?x=.awsapps.com",
            "http://127.0.0.1/device",
            "https://d-1.awsapps.com@evil.example/start",
            "https://me@d-1.awsapps.com/start",
            "https://d-1.awsapps.com:8443/start",
        ] {
            assert!(!may_open(&url(other)), "{other}");
        }
        assert!(is_own(&url("https://d-1.awsapps.com/start")) && !is_own(&url("https://sso.acme.example/")));
    }

    #[test]
    fn regions_of_pages() {
        let of = |html: &str| region_in_page(html).map(|region| region.to_string());
        assert_eq!(
            of(r#"<head><meta charset="utf-8"><meta name="region" content="us-east-1"/></head>"#).as_deref(),
            Some("us-east-1")
        );
        assert_eq!(of(r#"<META name="region" content="us-east-1">"#), None);
        assert_eq!(of(r"<meta name='region' content='eu-west-1'>").as_deref(), Some("eu-west-1"));
        for bad in [
            "",
            "<meta name=\"region\">",
            r#"<meta name="region" content="evil.example/">"#,
            r#"<meta name="x" content="us-east-1">"#,
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
