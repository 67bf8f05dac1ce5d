//! What items are called: ours, and the old tools', which are read and never written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Key, Kind};
use crate::types::Secret;

/// The service that our items belong to, where a keychain has services.
pub(super) const SERVICE: &str = "saml2cloud";
/// The item that holds the key of the encrypted file.
pub(super) const FILE_KEY: &str = "vault-key";
/// A longer name does not fit everywhere (Windows: 513) and becomes a digest.
const LONGEST: usize = 400;

/// The name of our item for `key`. Two keys never share one; the cloud is no part of it.
pub(super) fn item(key: &Key) -> String {
    let name = serde_json::json!([key.kind.word(), key.url, key.username]).to_string();
    if name.len() <= LONGEST {
        return name;
    }
    let hex: String = digest(&SHA256, name.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} sha256:{hex}", key.kind.word())
}

/// What a person sees who looks through the keychain.
pub(super) fn label(key: &Key) -> String {
    format!("saml2cloud: {} of {} at {}", key.kind.word(), key.username, key.url)
}

/// The addresses by which the old tools may have named the same secret. Both tools and all their accounts share one item for an address.
pub(super) fn old_addresses(key: &Key) -> Vec<String> {
    let bare = key.url.trim_end_matches('/');
    match key.kind {
        // As typed back then: with or without the slash at the end.
        Kind::Password if bare == key.url => vec![key.url.clone(), format!("{bare}/")],
        Kind::Password => vec![key.url.clone(), bare.to_owned()],
        Kind::IdpSession => vec![format!("{bare}/sessionCookie")],
        Kind::Device | Kind::Assertion | Kind::Portal => Vec::new(),
    }
}

/// What an old tool's item on macOS is found by, besides the account: an internet password for host, port and path.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "asked for on macOS, and tried everywhere"))]
pub(super) struct InternetItem {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
    pub(super) is_http: bool,
}

/// The item for an address, if that is one.
#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "asked for on macOS, and tried everywhere"))]
pub(super) fn internet_item(address: &str) -> Option<InternetItem> {
    let url = url::Url::parse(address).ok()?;
    Some(InternetItem {
        host: url.host_str()?.to_owned(),
        port: url.port(),
        path: url.path().to_owned(),
        is_http: url.scheme() == "http",
    })
}

/// An item of the keyring library that the old tools use on Linux.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OldItem {
    key: String,
    data: Secret<String>,
}

/// What the old tools put into it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OldData {
    #[serde(rename = "ServerURL")]
    server_url: String,
    username: String,
    secret: Secret<String>,
}

/// The secret in an old tool's item, if it is for this address and this person. Other programs name items the same way.
pub(super) fn read_old_item(bytes: &[u8], address: &str, username: &str) -> Option<Secret<String>> {
    let item: OldItem = serde_json::from_slice(bytes).ok()?;
    let data = Zeroizing::new(STANDARD.decode(item.data.expose()).ok()?);
    let data: OldData = serde_json::from_slice(&data).ok()?;
    (item.key == address && data.server_url == address && data.username == username && !data.secret.expose().is_empty())
        .then_some(data.secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::CloudId;

    fn key(url: &str, username: &str, kind: Kind) -> Key {
        Key { url: url.to_owned(), username: username.to_owned(), cloud: CloudId::Aws, kind }
    }

    #[test]
    fn no_two_keys_share_a_name() {
        let keys = [
            key("https://a", "b", Kind::Password),
            key("https://a", "b", Kind::Device),
            key("https://a\",\"b", "", Kind::Password),
            key("https://a b", "c", Kind::Password),
            key("https://a", "b c", Kind::Password),
            key(&"x".repeat(900), "b", Kind::Password),
            key(&"x".repeat(901), "b", Kind::Password),
        ];
        let names: std::collections::HashSet<String> = keys.iter().map(item).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|name| name.len() <= LONGEST && name != FILE_KEY));
        let other = Key { cloud: CloudId::Alibaba, ..keys[0].clone() };
        assert_eq!(item(&other), item(&keys[0]));
    }

    /// On macOS by host, port and path, whatever the query; on Windows by the address itself.
    #[test]
    fn old_items_of_other_systems() {
        let item = |address: &str| internet_item(address).map(|item| (item.host, item.port, item.path, item.is_http));
        let found = item("https://accounts.google.com/o/saml2/initsso?idpid=C1&spid=2#x").unwrap();
        assert_eq!(found, ("accounts.google.com".to_owned(), None, "/o/saml2/initsso".to_owned(), false));
        assert_eq!(item("http://127.0.0.1:8080").unwrap(), ("127.0.0.1".to_owned(), Some(8080), "/".to_owned(), true));
        assert_eq!((item("acme"), item("mailto:a@b.c")), (None, None));
        let okta = key("https://acme.okta.com/app", "a", Kind::IdpSession);
        let addresses = old_addresses(&okta);
        assert_eq!(item(&addresses[0]).unwrap().2, "/app/sessionCookie");
    }

    #[test]
    fn old_items() {
        let url = "https://sso.example.com/saml2/aws";
        assert_eq!(old_addresses(&key(url, "a", Kind::Password)), [url, "https://sso.example.com/saml2/aws/"]);
        assert_eq!(
            old_addresses(&key("https://acme.okta.com/", "a", Kind::Password)),
            ["https://acme.okta.com/", "https://acme.okta.com"]
        );
        assert_eq!(old_addresses(&key("https://acme.okta.com", "a", Kind::IdpSession)), ["https://acme.okta.com/sessionCookie"]);
        assert!(old_addresses(&key(url, "a", Kind::Device)).is_empty());

        let wrap = |inner: &str, name: &str| {
            format!(r#"{{"Key":"{name}","Data":"{}","Label":"saml2aws Credentials","Description":""}}"#, STANDARD.encode(inner))
                .into_bytes()
        };
        let inner = format!(r#"{{"ServerURL":"{url}","Username":"alice@example.com","Secret":"s3cr\"et"}}"#);
        let found = read_old_item(&wrap(&inner, url), url, "alice@example.com");
        assert_eq!(found.unwrap().expose(), "s3cr\"et");
        assert!(read_old_item(&wrap(&inner, url), url, "bob@example.com").is_none(), "another person");
        assert!(read_old_item(&wrap(&inner, "https://other"), url, "alice@example.com").is_none(), "another item");
        assert!(read_old_item(&wrap(&inner, url), "https://other", "alice@example.com").is_none(), "another address");
        let empty = format!(r#"{{"ServerURL":"{url}","Username":"alice@example.com","Secret":""}}"#);
        assert!(read_old_item(&wrap(&empty, url), url, "alice@example.com").is_none(), "an empty one is none");
        for odd in ["", "{", "[]", r#"{"Key":1}"#, r#"{"Key":"k","Data":"%%"}"#] {
            assert!(read_old_item(odd.as_bytes(), url, "alice@example.com").is_none(), "{odd}");
        }
    }
}
