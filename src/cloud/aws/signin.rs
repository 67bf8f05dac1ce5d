//! The sign-in page: where assertions are received, and what it knows of accounts' names.

use std::collections::BTreeMap;

use crate::saml::Reading;
use crate::types::{Assertion, CloudAccountId, Offer, WebUrl};
use crate::world::{Request, Transport};

/// The sign-in hosts of the partitions. Each also has one a region (`us-west-2.signin.aws.amazon.com`).
const HOSTS: &[&str] = &[
    "signin.aws.amazon.com",
    "signin.amazonaws.cn",
    "signin.amazonaws-us-gov.com",
    "signin.amazonaws.eu",
    "signin.amazonaws-eusc.eu",
];

/// Whether AWS receives assertions at this address:
/// <https://docs.aws.amazon.com/general/latest/gr/signin-service.html>.
pub(super) fn is_acs(url: &WebUrl) -> bool {
    let host = url.host();
    let is_ours = HOSTS.iter().any(|own| host == *own || host.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')));
    is_ours && url.expose().scheme() == "https" && (url.path() == "/saml" || url.path().starts_with("/saml/acs/"))
}

/// Asks the role page for the accounts' aliases. The page's layout changes without notice, so nothing depends on it.
pub(super) async fn aliases(offer: &Offer, net: &dyn Transport) -> Option<BTreeMap<CloudAccountId, String>> {
    let Assertion::Saml(response) = offer.assertion() else { return None };
    // The address stands in the message, which is not verified here: only AWS's own is used.
    let page = WebUrl::parse(&Reading::of(response).ok()?.destination?).ok().filter(is_acs)?;
    let answer = net.send(&Request::form(page, [("SAMLResponse", response.expose())])).await.ok()?;
    Some(read(answer.body.expose()))
}

/// `Account: my-alias (123456789012)`, as it stands in the page for each account that has an alias.
fn read(html: &str) -> BTreeMap<CloudAccountId, String> {
    html.split("Account: ")
        .skip(1)
        .filter_map(|rest| {
            let (alias, rest) = rest.split_once(" (")?;
            let (id, _) = rest.split_once(')')?;
            let good = !alias.is_empty() && alias.len() <= 63 && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            Some((CloudAccountId::parse(id).ok()?, good.then(|| alias.to_owned())?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_addresses() {
        let acs = |url: &str| WebUrl::parse(url).is_ok_and(|url| is_acs(&url));
        for own in [
            "https://signin.aws.amazon.com/saml",
            "https://us-west-2.signin.aws.amazon.com/saml",
            "https://signin.amazonaws.cn/saml",
            "https://signin.amazonaws-us-gov.com/saml?x=1",
            "https://eu-west-1.signin.aws.amazon.com/saml/acs/SAMLSP1",
        ] {
            assert!(acs(own), "{own}");
        }
        for other in [
            "https://signin.aws.amazon.com/",
            "https://signin.aws.amazon.com.evil.example/saml",
            "https://evilsignin.aws.amazon.com/saml",
            "https://signin.aws.amazon.com@evil.example/saml",
            "http://127.0.0.1/saml",
        ] {
            assert!(!acs(other), "{other}");
        }
    }

    #[test]
    fn reads_aliases_and_nothing_else() {
        let html = r#"<fieldset><div class="saml-account"><div class="saml-account-name">Account: account-alias (000000000001)</div></div>
            <div class="saml-account-name">Account: 000000000002</div>Account: <b>x</b> (3) Account: a b (4) Account: "#;
        assert_eq!(
            read(html).into_iter().map(|(id, alias)| format!("{id} {alias}")).collect::<Vec<_>>(),
            ["000000000001 account-alias"]
        );
    }
}
