//! `~/.aliyun/config.json`: the profiles of Alibaba Cloud's tools.
//!
//! The mode is `StsToken`, which holds keys; or `CloudSSO`, which holds a session at the sign-in portal beside them. Only our profile's object is written anew, inside the text as it stands; its own unknown keys are kept too. Rules of the
//! file: <https://github.com/aliyun/aliyun-cli>, `config/`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::cloud::{Held, Store, StoreError};
use crate::types::{Credentials, PortalSession, ProfileName, Region, RoleArn, Secret, Timestamp, WebUrl};
use crate::world::file;

/// What belongs to one mode and another must not carry along: a stale second source of credentials, or its secrets.
const OTHER_MODES: &[&str] = &[
    "ram_role_name",
    "ram_role_arn",
    "ram_session_name",
    "external_id",
    "source_profile",
    "expired_seconds",
    "private_key",
    "key_pair_name",
    "process_command",
    "credentials_uri",
    "oidc_provider_arn",
    "oidc_token_file",
    "cloud_sso_sign_in_url",
    "cloud_sso_access_config",
    "cloud_sso_account_id",
    "access_token",
    "cloud_sso_access_token_expire",
    "oauth_access_token",
    "oauth_refresh_token",
    "oauth_access_token_expire",
    "oauth_refresh_token_expire",
    "oauth_site_type",
    "bearer_token",
    "bearer_token_header_key",
];

/// The mode of profiles that hold keys.
const KEYS: &str = "StsToken";
/// The mode of profiles that hold a session at the sign-in portal too.
const SESSION: &str = "CloudSSO";
const SIGN_IN_URL: &str = "cloud_sso_sign_in_url";
const TOKEN: &str = "access_token";
const TOKEN_EXPIRES: &str = "cloud_sso_access_token_expire";
/// `aliyun` takes the keys of a session for over this much before their end, in seconds.
const EARLY: i64 = 5;

/// The profiles of Alibaba Cloud's tools.
pub(super) struct Profiles {
    pub(super) path: PathBuf,
}

#[derive(Deserialize)]
struct Document<'t> {
    #[serde(default)]
    current: Option<String>,
    #[serde(borrow, default)]
    profiles: Option<Vec<&'t RawValue>>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

impl Profiles {
    fn broken(&self, why: impl std::fmt::Display) -> StoreError {
        StoreError::Broken { path: self.path.display().to_string(), what: "the JSON that `aliyun` reads", why: why.to_string() }
    }

    fn document<'t>(&self, text: &'t str) -> Result<Document<'t>, StoreError> {
        // A list would be read as the document's fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err(self.broken("it is no object"));
        }
        serde_json::from_str(text).map_err(|error| self.broken(error))
    }

    /// The profile of that name, as it stands in the text.
    fn find<'t>(&self, document: &Document<'t>, profile: &ProfileName) -> Option<&'t RawValue> {
        let is_it = |raw: &&RawValue| serde_json::from_str::<Named>(raw.get()).is_ok_and(|named| named.name == profile.as_str());
        document.profiles.iter().flatten().copied().find(is_it)
    }

    /// The file's text, if there is one to read.
    pub(super) fn text(&self) -> Result<Option<String>, StoreError> {
        Ok(file::read(&self.path)?.filter(|text| !is_leftover(text)))
    }

    pub(super) fn object(&self, text: &str, profile: &ProfileName) -> Result<Option<Map<String, Value>>, StoreError> {
        let document = self.document(text)?;
        let raw = self.find(&document, profile);
        raw.map(|raw| serde_json::from_str(raw.get()).map_err(|error| self.broken(error))).transpose()
    }

    fn check_before(&self, profile: &ProfileName, at: Option<&WebUrl>) -> Result<(), StoreError> {
        match file::read(&self.path)?.filter(|text| !is_leftover(text)) {
            Some(text) => check(self.object(&text, profile)?.as_ref(), profile, at),
            None => Ok(()),
        }
    }

    fn write(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        session: Option<&PortalSession>,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError> {
        file::edit(&self.path, |old| {
            let text = old.filter(|text| !is_leftover(text)).unwrap_or("{\"current\":\"\",\"profiles\":[],\"meta_path\":\"\"}");
            let old = self.object(text, profile)?;
            if !force {
                check(old.as_ref(), profile, session.map(|session| &session.token.start))?;
            }
            let object = written(old.unwrap_or_default(), profile, credentials, session, region);
            self.edited(text, profile, object).map(Some)
        })
    }

    /// The text with `profile` put in.
    fn edited(&self, text: &str, profile: &ProfileName, object: Map<String, Value>) -> Result<String, StoreError> {
        let document = self.document(text)?;
        let object = Value::Object(object);
        let mut edited = match (self.find(&document, profile), document.profiles.as_deref()) {
            (Some(raw), _) => {
                let start = offset(text, raw.get());
                format!("{}{}{}", &text[..start], pretty(&object, &indent_before(text, start)), &text[start + raw.get().len()..])
            }
            (None, Some([.., last])) => {
                let start = offset(text, last.get());
                let end = start + last.get().len();
                let indent = indent_before(text, start);
                format!("{},\n{indent}{}{}", &text[..end], pretty(&object, &indent), &text[end..])
            }
            // No profiles yet: nothing of anybody's to keep in place but the other keys.
            (None, _) => {
                let mut whole: Map<String, Value> = serde_json::from_str(text).map_err(|error| self.broken(error))?;
                whole.insert("profiles".to_owned(), json!([object]));
                pretty(&Value::Object(whole), "")
            }
        };
        // `aliyun` refuses every command while `current` names no profile; then, and only then, it is pointed at ours.
        let after = self.document(&edited)?;
        let current = after.current.as_deref().unwrap_or("default");
        let exists =
            after.profiles.iter().flatten().any(|raw| serde_json::from_str::<Named>(raw.get()).is_ok_and(|n| n.name == current));
        if !exists {
            let mut whole: Map<String, Value> = serde_json::from_str(&edited).map_err(|error| self.broken(error))?;
            whole.insert("current".to_owned(), profile.as_str().into());
            edited = pretty(&Value::Object(whole), "");
        }
        Ok(edited)
    }
}

/// The profile with these credentials in it, and the session that gave them if it is to hold that.
fn written(
    mut object: Map<String, Value>,
    profile: &ProfileName,
    credentials: &Credentials,
    session: Option<&PortalSession>,
    region: Option<&Region>,
) -> Map<String, Value> {
    let mode = if session.is_some() { SESSION } else { KEYS };
    if text_of(&object, "mode") != mode {
        OTHER_MODES.iter().for_each(|key| _ = object.shift_remove(*key));
    }
    let mut put = |key: &str, value: Value| _ = object.insert(key.to_owned(), value);
    put("name", profile.as_str().into());
    put("mode", mode.into());
    put("access_key_id", credentials.key_id.as_str().into());
    put("access_key_secret", credentials.secret.expose().as_str().into());
    put("sts_token", credentials.token.expose().as_str().into());
    let defaults = [
        ("region_id", credentials.home_region.as_ref().map_or("cn-hangzhou", Region::as_str)),
        ("output_format", "json"),
        ("language", "en"),
    ];
    for (key, value) in defaults {
        if text_of(&object, key).is_empty() {
            object.insert(key.to_owned(), value.into());
        }
    }
    let mut put = |key: &str, value: Value| _ = object.insert(key.to_owned(), value);
    if let Some(region) = region {
        put("region_id", region.as_str().into());
    }
    let Some(PortalSession { token, role_id }) = session else {
        put("sts_expiration", credentials.expires.unix().into());
        return object;
    };
    put("sts_expiration", (credentials.expires.unix() - EARLY).into());
    put(SIGN_IN_URL, token.start.expose().as_str().into());
    put("cloud_sso_account_id", credentials.role.account().as_str().into());
    put("cloud_sso_access_config", role_id.as_str().into());
    put(TOKEN, token.access.expose().as_str().into());
    put(TOKEN_EXPIRES, token.expires.unix().into());
    object
}

/// A file with this profile alone.
pub(super) fn document(credentials: &Credentials, profile: &ProfileName, region: Option<&Region>) -> Secret<String> {
    let object = written(Map::new(), profile, credentials, None, region);
    Secret::new(pretty(&json!({"current": profile.as_str(), "profiles": [object], "meta_path": ""}), ""))
}

/// Where `part`, a piece of `text`, begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

/// The blanks before the value at `start`, if it begins its line.
fn indent_before(text: &str, start: usize) -> String {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line..start];
    if before.chars().all(|c| matches!(c, ' ' | '\t')) {
        before.to_owned()
    } else {
        before.chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
    }
}

/// JSON with tabs, as `aliyun` writes it, below lines that are indented by `indent`.
fn pretty(value: &Value, indent: &str) -> String {
    use serde::Serialize as _;
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    // Writing a value into memory cannot fail.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter));
    String::from_utf8(out).unwrap_or_default().replace('\n', &format!("\n{indent}"))
}

pub(super) fn text_of<'m>(object: &'m Map<String, Value>, key: &str) -> &'m str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the profile holds a session at the portal with that sign-in URL.
fn is_at(object: &Map<String, Value>, at: &WebUrl) -> bool {
    let is_it = |url: &str| url.trim_end_matches('/') == at.expose().as_str().trim_end_matches('/');
    text_of(object, "mode") == SESSION && is_it(text_of(object, SIGN_IN_URL))
}

/// A profile in another mode gets its credentials in another way; `AK` with keys holds long-lived ones. One that will hold a session may
/// hold one of the same portal already.
fn check(object: Option<&Map<String, Value>>, profile: &ProfileName, at: Option<&WebUrl>) -> Result<(), StoreError> {
    let Some(object) = object else { return Ok(()) };
    if at.is_some_and(|at| is_at(object, at)) {
        return Ok(());
    }
    let holds = match text_of(object, "mode") {
        "StsToken" => return Ok(()),
        "" | "AK" if text_of(object, "access_key_id").is_empty() => return Ok(()),
        "" | "AK" => "holds long-lived access keys".to_owned(),
        mode => format!("has the mode `{}`", mode.escape_debug()),
    };
    Err(StoreError::NotOurs { profile: profile.clone(), holds })
}

/// saml2alibabacloud left `[profile]` in a file that should be JSON; there is nothing in that to keep.
fn is_leftover(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || (text.starts_with('[')
            && text.ends_with(']')
            && text.len() < 100
            && !text.contains(['{', '"', ',', '\n'])
            && text.len() > 2)
}

impl Store for Profiles {
    fn path(&self) -> &Path {
        &self.path
    }

    fn files(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn check(&self, profile: &ProfileName) -> Result<(), StoreError> {
        self.check_before(profile, None)
    }

    fn check_session(&self, profile: &ProfileName, at: &WebUrl) -> Result<(), StoreError> {
        self.check_before(profile, Some(at))
    }

    fn put(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError> {
        self.write(profile, credentials, None, region, force)
    }

    fn put_session(
        &self,
        profile: &ProfileName,
        credentials: &Credentials,
        session: &PortalSession,
        region: Option<&Region>,
        force: bool,
    ) -> Result<(), StoreError> {
        self.write(profile, credentials, Some(session), region, force)
    }

    fn forget_session(&self, profile: &ProfileName, at: &WebUrl) -> Result<(), StoreError> {
        let session = |text: &str| {
            let object = self.object(text, profile)?;
            Ok::<_, StoreError>(object.filter(|object| is_at(object, at) && object.contains_key(TOKEN)))
        };
        // A file without one is not touched.
        match file::read(&self.path)?.filter(|text| !is_leftover(text)) {
            Some(text) if session(&text)?.is_some() => {}
            _ => return Ok(()),
        }
        file::edit(&self.path, |old| {
            let Some(text) = old else { return Ok(None) };
            let Some(mut object) = session(text)? else { return Ok(None) };
            [TOKEN, TOKEN_EXPIRES].iter().for_each(|key| _ = object.shift_remove(*key));
            self.edited(text, profile, object).map(Some)
        })
    }

    /// The file does not say which role a profile's keys are of, so it is never a source.
    fn get(&self, _: &ProfileName, _: &RoleArn) -> Result<Option<Credentials>, StoreError> {
        Ok(None)
    }

    fn look(&self, profile: &ProfileName) -> Held {
        let Ok(Some(text)) = file::read(&self.path) else { return Held::default() };
        let Ok(Some(object)) = self.object(&text, profile) else { return Held::default() };
        let key_id = Some(text_of(&object, "access_key_id").to_owned()).filter(|id| !id.is_empty());
        let holds_session = text_of(&object, "mode") == SESSION;
        let session_until = || Timestamp::from_unix(object.get(TOKEN_EXPIRES).and_then(Value::as_i64).unwrap_or_default());
        Held {
            key_id,
            assumed: None,
            region: Region::parse(text_of(&object, "region_id")).ok(),
            session_until: if holds_session { session_until() } else { None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, name: &str) -> String {
        let profiles = Profiles { path: PathBuf::from("config.json") };
        let mut object = Map::new();
        object.insert("name".to_owned(), name.into());
        profiles.edited(text, &ProfileName::parse(name).unwrap(), object).unwrap()
    }

    #[test]
    fn only_our_object_changes() {
        let text = "{\"current\": \"a\",\n  \"profiles\": [\n    {\"name\": \"a\", \"big\": 1e999999, \"x\": [1,2]},\n    {\"name\":\"b\",\"k\":1.50}\n  ],\n\t\"future\": {}}\n";
        let replaced = edit(text, "b");
        assert_eq!(replaced, text.replace("{\"name\":\"b\",\"k\":1.50}", "{\n    \t\"name\": \"b\"\n    }"));
        let added = edit(text, "c");
        assert_eq!(added, text.replace("1.50}\n", "1.50},\n    {\n    \t\"name\": \"c\"\n    }\n"));
    }

    #[test]
    fn current_always_names_a_profile() {
        let current = |text: &str| serde_json::from_str::<Value>(&edit(text, "p")).unwrap()["current"].clone();
        assert_eq!(current("{\"profiles\":[]}"), "p");
        assert_eq!(current("{\"current\":\"\",\"profiles\":null}"), "p");
        assert_eq!(current("{\"current\":\"gone\",\"profiles\":[{\"name\":\"x\"}]}"), "p");
        assert_eq!(current("{\"current\":\"x\",\"profiles\":[{\"name\":\"x\"}]}"), "x");
        assert_eq!(current("{\"profiles\":[{\"name\":\"default\"}]}"), Value::Null);
    }

    #[test]
    fn knows_what_the_old_tool_left_behind() {
        for (text, left) in [
            ("[saml]", true),
            ("[my profile]\n", true),
            ("", true),
            ("[]", false),
            ("[{}]", false),
            ("[\"a\"]", false),
            ("{}", false),
        ] {
            assert_eq!(is_leftover(text), left, "{text}");
        }
    }
}
