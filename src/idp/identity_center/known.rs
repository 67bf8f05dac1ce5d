//! The registration that the `aws` client keeps beside the tokens. It is as good as one of ours where it is for the same way to sign in, and
//! saves the person a page that asks whether they trust a program. It is read only: the client writes one file for both ways, we one for each.

use std::path::Path;

use serde::Deserialize;

use super::wire::{self, Client};
use crate::types::{Region, Secret, Timestamp};
use crate::world::file;

/// What a registration is for: all of it is in the name of its file.
pub(super) struct For<'f> {
    /// The start URL to the letter.
    pub(super) start: &'f str,
    pub(super) region: &'f Region,
    /// The name of the `sso-session`.
    pub(super) session: Option<&'f str>,
    pub(super) scopes: &'f [String],
    /// The way to sign in.
    pub(super) grant: &'f str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    client_id: String,
    client_secret: Secret<String>,
    expires_at: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    grant_types: Vec<String>,
}

/// The client's registration, if it has one that serves.
pub(super) fn registration(folder: &Path, wanted: &For<'_>) -> Option<Client> {
    // Scopes that nobody configured are not in the name, though they may be registered.
    [Some(wanted.scopes), None].into_iter().find_map(|scopes| {
        let text = Secret::new(file::read(&super::token::shared_file(folder, &name(wanted, scopes))).ok()??);
        let found: Registration = serde_json::from_str(text.expose()).ok()?;
        let is_by_browser = found.grant_types.iter().any(|grant| grant == wire::CODE);
        let has_scopes = wanted.scopes.iter().all(|scope| found.scopes.contains(scope));
        let expires = Timestamp::parse(&found.expires_at)?.unix();
        (has_scopes && is_by_browser == (wanted.grant == wire::CODE)).then_some(Client {
            id: found.client_id,
            secret: found.client_secret,
            expires,
        })
    })
}

/// What botocore makes the file's name of: Python's `json.dumps(…, sort_keys=True)`.
fn name(wanted: &For<'_>, scopes: Option<&[String]>) -> String {
    let scopes = match scopes {
        None => "null".to_owned(),
        Some(scopes) => format!("[{}]", scopes.iter().map(|scope| quoted(scope)).collect::<Vec<_>>().join(", ")),
    };
    let session = wanted.session.map_or_else(|| "null".to_owned(), quoted);
    let (region, start) = (quoted(wanted.region.as_str()), quoted(wanted.start));
    format!(r#"{{"region": {region}, "scopes": {scopes}, "session_name": {session}, "startUrl": {start}, "tool": "botocore"}}"#)
}

/// A text as Python writes it: in ASCII alone.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut units = [0; 2];
    json.chars()
        .map(|c| match c.is_ascii() {
            true => c.to_string(),
            false => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idp::identity_center::token::shared_file;

    fn wanted<'f>(region: &'f Region, session: Option<&'f str>, scopes: &'f [String], grant: &'f str) -> For<'f> {
        For { start: "https://d-1234567890.awsapps.com/start", region, session, scopes, grant }
    }

    /// The names that botocore gives, computed with it.
    #[test]
    fn files_are_named_as_botocore_names_them() {
        let region = Region::parse("us-east-1").unwrap();
        let scopes = ["sso:account:access".to_owned()];
        for (session, with_scopes, digest) in [
            (Some("my-sso"), true, "a8343d65418848d0bc13a5f25cbb32508ceec5d1"),
            (Some("my-sso"), false, "8b2cedd020fb181ad4cf906d1d27b232fd31557e"),
            (None, false, "365414a68be7c9bfc776c660981dbdbd942acea4"),
            (Some("équipe"), true, "6a570cfca0944b4a563c97f7600f102ce2fa2755"),
        ] {
            let name = name(&wanted(&region, session, &scopes, wire::CODE), with_scopes.then_some(&scopes[..]));
            assert_eq!(shared_file(Path::new("/c"), &name), Path::new("/c").join(format!("{digest}.json")), "{name}");
        }
    }

    #[test]
    fn one_for_the_other_way_or_with_less_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let region = Region::parse("us-east-1").unwrap();
        let scopes = ["sso:account:access".to_owned()];
        let found = |text: &str, grant| {
            file::replace(&folder.path().join("a8343d65418848d0bc13a5f25cbb32508ceec5d1.json"), text).unwrap();
            registration(folder.path(), &wanted(&region, Some("my-sso"), &scopes, grant)).map(|client| client.expires)
        };
        let of = |more: &str| format!(r#"{{"clientId":"i","clientSecret":"s","expiresAt":"2026-04-01T00:00:00Z"{more}}}"#);
        let scoped = r#","scopes":["sso:account:access"]"#;
        let by_browser = format!(r#"{scoped},"grantTypes":["authorization_code","refresh_token"]"#);
        let expires = Timestamp::parse("2026-04-01T00:00:00Z").map(Timestamp::unix);
        assert_eq!((found(&of(&by_browser), wire::CODE), found(&of(&by_browser), wire::DEVICE)), (expires, None));
        assert_eq!((found(&of(scoped), wire::CODE), found(&of(scoped), wire::DEVICE)), (None, expires));
        assert_eq!((found(&of(""), wire::DEVICE), found("{", wire::CODE), found("{}", wire::CODE)), (None, None, None));
    }
}
