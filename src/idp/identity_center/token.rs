//! Tokens at rest: in the files that the `aws` client and the SDKs share, `~/.aws/sso/cache/<sha1 of the key>.json`, or in the vault.
//!
//! The key is the name of the `sso-session`, else the start URL to the letter. Members that are not ours stay; dates are written as
//! the strictest reader of them wants (`Z`, whole seconds) and read as any of them writes.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::wire::{Client, Granted};
use crate::types::{Region, Secret, Timestamp};
use crate::world::file::{self, FileError};

/// The access token is renewed when less than this is left, as the `aws` client does; until its end the old one still serves.
const RENEW: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// A token with what renews it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The start URL that it is of, if that is told.
    pub(super) start: Option<String>,
    pub(super) access: Secret<String>,
    pub(super) expires: Timestamp,
    pub(super) region: Option<Region>,
    pub(super) refresh: Option<Secret<String>>,
    pub(super) client: Option<Client>,
}

/// What a held token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// As it is.
    Good,
    /// As it is, but it should be renewed.
    Ending,
    /// Only to be renewed.
    Over,
    /// Nothing.
    Dead,
}

impl Held {
    /// What the token is good for now. `refused` are access tokens that the portal refused in this run.
    pub(super) fn state(&self, now: Timestamp, refused: &[Secret<String>]) -> State {
        let renewable = self.refresh.is_some() && self.client.as_ref().is_some_and(|client| client.expires > now.unix());
        // One refusal costs a renewal; a renewed one that is refused too costs a sign-in.
        let is_refused = refused.contains(&self.access);
        match () {
            () if is_refused && refused.len() > 1 => State::Dead,
            () if (is_refused || self.expires <= now) && renewable => State::Over,
            () if is_refused || self.expires <= now => State::Dead,
            () if self.expires <= now.after(RENEW) && renewable => State::Ending,
            () => State::Good,
        }
    }

    /// Whether it is of that portal: the name of a session may have been given to another one since.
    pub(super) fn is_of(&self, start: &str) -> bool {
        self.start.as_ref().is_none_or(|own| own.trim_end_matches('/') == start.trim_end_matches('/'))
    }

    /// What a grant gives. An answer without a refresh token leaves the old one good.
    pub(super) fn of(granted: Granted, client: &Client, region: &Region, now: Timestamp, before: Option<&Self>) -> Self {
        Self {
            start: None,
            expires: granted.expires(now),
            access: granted.access_token,
            region: Some(region.clone()),
            refresh: granted.refresh_token.or_else(|| before.and_then(|held| held.refresh.clone())),
            client: Some(client.clone()),
        }
    }

    /// Reads the text of a file; nothing if there is no token in it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let map: Map<String, Value> = serde_json::from_str(text).ok()?;
        let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let secret = |name: &str| text(name).map(Secret::from);
        let client = || {
            Some(Client {
                id: text("clientId")?.to_owned(),
                secret: secret("clientSecret")?,
                expires: moment(text("registrationExpiresAt")?)?.unix(),
            })
        };
        Some(Self {
            start: text("startUrl").map(str::to_owned),
            access: secret("accessToken")?,
            expires: moment(text("expiresAt")?)?,
            region: text("region").and_then(|text| Region::parse(text).ok()),
            refresh: secret("refreshToken"),
            client: client(),
        })
    }

    /// The text of a file: `old` with our members in it, whatever else it has.
    pub(super) fn written(&self, old: Option<&str>, start: &str) -> Secret<String> {
        let mut map: Map<String, Value> = old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
        let mut put = |name: &str, value: Option<String>| match value {
            Some(value) => _ = map.insert(name.to_owned(), Value::String(value)),
            None => _ = map.shift_remove(name),
        };
        put("startUrl", Some(start.to_owned()));
        put("region", self.region.as_ref().map(ToString::to_string));
        put("accessToken", Some(self.access.expose().clone()));
        put("expiresAt", Some(self.expires.utc()));
        put("clientId", self.client.as_ref().map(|client| client.id.clone()));
        put("clientSecret", self.client.as_ref().map(|client| client.secret.expose().clone()));
        let registered = self.client.as_ref().and_then(|client| Timestamp::from_unix(client.expires));
        put("registrationExpiresAt", registered.map(Timestamp::utc));
        put("refreshToken", self.refresh.as_ref().map(|token| token.expose().clone()));
        Secret::new(Value::Object(map).to_string())
    }
}

/// A date as any of the clients writes it: RFC 3339, or with `UTC` at its end.
fn moment(text: &str) -> Option<Timestamp> {
    match text.strip_suffix("UTC") {
        Some(rest) => Timestamp::parse(&format!("{rest}Z")),
        None => Timestamp::parse(text),
    }
}

/// The file that the `aws` client and the SDKs share for that key.
pub(super) fn shared_file(folder: &Path, key: &str) -> PathBuf {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("{hex}.json"))
}

/// What a shared file holds.
pub(super) enum Shared {
    /// A token.
    Token(Held),
    /// Nothing that is a token.
    Nothing,
    /// Half of something: the `aws` client empties a file before it writes it, so it is worth another look.
    Half,
}

/// Reads a shared file.
pub(super) fn read_shared(path: &Path) -> Result<Shared, FileError> {
    let Some(text) = file::read(path)?.map(Secret::new) else { return Ok(Shared::Nothing) };
    Ok(match Held::read(text.expose()) {
        Some(held) => Shared::Token(held),
        None if serde_json::from_str::<serde::de::IgnoredAny>(text.expose()).is_ok() => Shared::Nothing,
        None => Shared::Half,
    })
}

/// Writes a token into a shared file, whole, under the file's own lock.
pub(super) fn write_shared(path: &Path, held: &Held, start: &str) -> Result<(), FileError> {
    file::edit(path, |old| Ok(Some(held.written(old, start).expose().clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The names that botocore gives, computed with it.
    #[test]
    fn files_are_named_as_the_aws_client_names_them() {
        for (key, name) in [
            ("https://d-1234567890.awsapps.com/start", "7487b5b67d5fa1132cf33fa93ae51ef38cc37752"),
            ("https://d-1234567890.awsapps.com/start/", "ae4321de83751a696d13fbefb87d776773c41e1c"),
            ("my-sso", "0ad374308c5a4e22f723adf10145eafad7c4031c"),
            ("équipe", "e85e3a0d6d7c5e4114d817fccf50b403c11e9b7f"),
        ] {
            assert_eq!(shared_file(Path::new("/c"), key), PathBuf::from(format!("/c/{name}.json")));
        }
    }

    const WHOLE: &str = r#"{"startUrl":"https://d-1.awsapps.com/start","region":"us-east-1","accessToken":"a","expiresAt":"2026-01-01T01:00:00Z","clientId":"i","clientSecret":"s","registrationExpiresAt":"2026-04-01T00:00:00Z","refreshToken":"r","theirs":{"x":1}}"#;

    #[test]
    fn what_is_not_ours_stays() {
        let held = Held::read(WHOLE).unwrap();
        assert_eq!(held.written(Some(WHOLE), "https://d-1.awsapps.com/start").expose(), WHOLE);
        let bare = Held { refresh: None, client: None, ..held };
        let text = bare.written(Some(WHOLE), "https://d-1.awsapps.com/start");
        assert!(!text.expose().contains("refreshToken") && text.expose().contains(r#""theirs":{"x":1}"#), "{text:?}");
        assert!(Held::read(bare.written(Some("{ broken"), "x").expose()).is_some());
        assert!(bare.is_of("https://d-1.awsapps.com/start/") && !bare.is_of("https://d-2.awsapps.com/start"));
    }

    #[test]
    fn dates_of_every_client_are_read() {
        for date in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00UTC"] {
            let held = Held::read(&format!(r#"{{"accessToken":"a","expiresAt":"{date}"}}"#)).unwrap();
            assert_eq!(held.expires, at("2026-01-01T00:00:00Z"), "{date}");
            assert!(held.client.is_none());
        }
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"accessToken":"a"}"#,
            r#"{"accessToken":"a","expiresAt":"soon"}"#,
            r#"{"accessToken":"","expiresAt":"2026-01-01T00:00:00Z"}"#,
        ] {
            assert!(Held::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let held = Held::read(WHOLE).unwrap();
        let plain = Held { refresh: None, ..held.clone() };
        let unregistered = at("2026-04-01T00:00:01Z");
        let refused = [held.access.clone()];
        let twice = [Secret::from("older"), held.access.clone()];
        for (now, refused, renewable, bare) in [
            (at("2026-01-01T00:44:00Z"), &[][..], State::Good, State::Good),
            (at("2026-01-01T00:45:00Z"), &[], State::Ending, State::Good),
            (at("2026-01-01T01:00:00Z"), &[], State::Over, State::Dead),
            (unregistered, &[], State::Dead, State::Dead),
            (at("2026-01-01T00:00:00Z"), &refused, State::Over, State::Dead),
            (at("2026-01-01T00:00:00Z"), &twice, State::Dead, State::Dead),
        ] {
            assert_eq!((held.state(now, refused), plain.state(now, refused)), (renewable, bare), "{now}");
        }
    }
}
