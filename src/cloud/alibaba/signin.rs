//! The sign-in page: where assertions are received on both sites, and what it knows of accounts' names.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::saml::Reading;
use crate::types::{Assertion, CloudAccountId, Offer, Region, WebUrl};
use crate::world::{Request, Transport};

const CHINA: &str = "https://signin.aliyun.com/saml-role/sso";
const INTERNATIONAL: &str = "https://signin.alibabacloud.com/saml-role/sso";
/// The region that tools use at the China site when nobody names one.
const HOME_CHINA: &str = "cn-hangzhou";
/// The same at the international site.
pub(super) const HOME_INTERNATIONAL: &str = "ap-southeast-1";

/// Whether Alibaba Cloud receives assertions at this address. Identity providers write the last word in either case.
pub(super) fn is_acs(url: &WebUrl) -> bool {
    let address = url.to_string().to_ascii_lowercase();
    address == CHINA || address == INTERNATIONAL
}

/// The region that tools use when nobody names one: by the site that the assertion is for.
pub(super) fn home_region(reading: &Reading) -> Option<Region> {
    let international = reading.audiences.iter().any(|a| a.ends_with(":international"))
        || reading.destination.as_deref().is_some_and(|d| d.to_ascii_lowercase().starts_with("https://signin.alibabacloud.com/"));
    Region::parse(if international { HOME_INTERNATIONAL } else { HOME_CHINA }).ok()
}

/// The same by a token vending machine's word for the site.
pub(super) fn home_of(partition: &str) -> Option<Region> {
    let home = match partition {
        "alibaba" => HOME_CHINA,
        "alibaba-intl" => HOME_INTERNATIONAL,
        _ => return None,
    };
    Region::parse(home).ok()
}

#[derive(Deserialize)]
struct RolePage {
    #[serde(rename = "AccountAliasList", default)]
    aliases: BTreeMap<String, String>,
}

/// Asks the role page for the accounts' aliases. Nothing depends on it.
pub(super) async fn aliases(offer: &Offer, net: &dyn Transport) -> Option<BTreeMap<CloudAccountId, String>> {
    let Assertion::Saml(response) = offer.assertion() else { return None };
    // The address stands in the message, which is not verified here: only Alibaba Cloud's own are used.
    let page = WebUrl::parse(&Reading::of(response).ok()?.destination?).ok().filter(is_acs)?;
    let answer = net.send(&Request::form(page, [("SAMLResponse", response.expose())])).await.ok()?;
    Some(read(answer.body.expose()))
}

/// The JSON behind `ROLE_SSO_PAGE:` in the page's script.
fn read(html: &str) -> BTreeMap<CloudAccountId, String> {
    let json = html.split_once("ROLE_SSO_PAGE").map_or("", |(_, rest)| rest.trim_start_matches(['"', ':', '=', ' ']));
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<RolePage>();
    let Some(Ok(page)) = values.next() else { return BTreeMap::new() };
    let good = |alias: &str| {
        !alias.is_empty()
            && alias.len() <= 64
            && alias.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    page.aliases
        .into_iter()
        .filter(|(id, alias)| good(alias) && id != alias)
        .filter_map(|(id, alias)| CloudAccountId::parse(&id).ok().map(|id| (id, alias)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_addresses() {
        let acs = |url: &str| WebUrl::parse(url).is_ok_and(|url| is_acs(&url));
        for own in [CHINA, INTERNATIONAL, "https://signin.aliyun.com/saml-role/SSO"] {
            assert!(acs(own), "{own}");
        }
        for other in [
            "https://signin.aliyun.com/",
            "https://signin.aliyun.com.evil.example/saml-role/sso",
            "https://x.signin.aliyun.com/saml-role/sso",
        ] {
            assert!(!acs(other), "{other}");
        }
    }

    #[test]
    fn reads_aliases_and_nothing_else() {
        let html = r#"<script>window.X = {ROLE_SSO_PAGE: {"AccountAliasList":{"1000":"acme-prod","2000":"<b>","x":"y"},"RelayState":null}, other: 1}</script>"#;
        assert_eq!(read(html).into_iter().map(|(id, a)| format!("{id} {a}")).collect::<Vec<_>>(), ["1000 acme-prod"]);
        for broken in ["", "ROLE_SSO_PAGE", "ROLE_SSO_PAGE: {\"AccountAliasList\":[]}", "ROLE_SSO_PAGE: {{{"] {
            assert!(read(broken).is_empty());
        }
    }
}
