//! Profiles of `~/.aws/config` that sign in by themselves: at IAM Identity Center, in both forms, with keys of their own and with an
//! `sso-session`; and with a token in a file. What counts, what is missing and the words for it are botocore's:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>.

use super::{ConfigError, Draft, Found};
use crate::text::ini::Ini;
use crate::types::{AccountName, CloudId};

/// The keys that are known; others that begin like them are mistyped.
const KNOWN: &[&str] = &[
    "sso_start_url",
    "sso_region",
    "sso_account_id",
    "sso_role_name",
    "sso_session",
    "sso_registration_scopes",
    "sso_auto_populated",
];

/// A profile that signs in.
#[derive(Debug)]
pub struct SsoProfile {
    /// What it says, as an account.
    pub found: Found,
    /// What is worth a word: keys that nobody reads.
    pub notes: Vec<String>,
}

/// Reads the profile `name` of the text of a configuration; nothing if there is none, or it has neither `sso_…` keys nor a token in a file.
///
/// # Errors
/// [`ConfigError::SsoProfile`] in the words of the `aws` client.
pub fn profile_that_signs_in(text: &str, path: &str, name: &str) -> Result<Option<SsoProfile>, ConfigError> {
    let config = Ini::parse(text);
    let Some(section) = config.sections().into_iter().find(|section| titled(section, "profile").as_deref() == Some(name)) else {
        return Ok(None);
    };
    let own = pairs(&config, section);
    if let Some(found) = by_token(&config, name, &own)? {
        return Ok(Some(SsoProfile { found, notes: Vec::new() }));
    }
    if !own.iter().any(|(key, _)| key.starts_with("sso_")) {
        return Ok(None);
    }
    let line = text.lines().position(|line| line.trim_start().starts_with('[') && line.contains(section)).unwrap_or_default() + 1;
    let bad = |why: String| ConfigError::SsoProfile { why, path: path.to_owned(), line };
    let shown = name.escape_debug();
    if let Some(setting) = another_address(&config, &own) {
        return Err(bad(format!(
            "The profile \"{shown}\" has another address for sign-ins by {setting}, which is not followed here; \
             `AWS_ENDPOINT_URL_SSO` and `AWS_ENDPOINT_URL_SSO_OIDC` are"
        )));
    }
    let session = value(&own, "sso_session");
    let mut all = own.clone();
    let mut notes = mistyped(&own, &format!("profile `{shown}`"));
    if let Some(session) = &session {
        let is_it = |section: &&str| titled(section, "sso-session").as_deref() == Some(session);
        let Some(section) = config.sections().into_iter().find(is_it) else {
            return Err(bad(format!(
                "The specified sso-session does not exist: \"{}\", which profile \"{shown}\" names",
                session.escape_debug()
            )));
        };
        for (key, given) in pairs(&config, section) {
            match value(&own, &key).filter(|own| *own != given) {
                Some(own) => {
                    return Err(bad(format!(
                        "The value for {key} is inconsistent between profile ({}) and sso-session ({}), in profile \"{shown}\" and \
                         sso-session \"{}\"",
                        own.escape_debug(),
                        given.escape_debug(),
                        session.escape_debug()
                    )));
                }
                None => all.push((key, given)),
            }
        }
        notes.extend(mistyped(&pairs(&config, section), &format!("sso-session `{}`", session.escape_debug())));
    }
    let (start, region) = (value(&all, "sso_start_url"), value(&all, "sso_region"));
    let (account, role) = (value(&all, "sso_account_id"), value(&all, "sso_role_name"));
    let mut missing: Vec<&str> =
        [("sso_start_url", &start), ("sso_region", &region)].iter().filter(|(_, v)| v.is_none()).map(|(key, _)| *key).collect();
    // One of the two without the other names no role; without both, the profile is for a sign-in alone.
    missing.extend((account.is_none() && role.is_some()).then_some("sso_account_id"));
    missing.extend((account.is_some() && role.is_none()).then_some("sso_role_name"));
    if !missing.is_empty() {
        return Err(bad(format!(
            "The profile \"{shown}\" is configured to use SSO but is missing required configuration: {}",
            missing.join(", ")
        )));
    }
    let mut said = vec![
        ("provider", "IdentityCenter".to_owned()),
        ("url", start.unwrap_or_default()),
        ("aws_profile", name.to_owned()),
        ("sso_region", region.unwrap_or_default()),
    ];
    said.extend(account.zip(role).map(|(account, role)| ("role_arn", format!("{account}/{role}"))));
    said.extend(session.map(|session| ("sso_session", session)));
    said.extend(value(&all, "sso_registration_scopes").map(|scopes| ("sso_registration_scopes", scopes)));
    said.extend(value(&all, "region").map(|region| ("region", region)));
    let found = Found {
        name: AccountName::parse(name)?,
        cloud: CloudId::Aws,
        draft: Draft::from_pairs(said),
        file: Found::NOWHERE,
        is_foreign: true,
        on_top: None,
    };
    Ok(Some(SsoProfile { found, notes }))
}

fn value(pairs: &[(String, String)], key: &str) -> Option<String> {
    pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}

/// A role and a file with a token for it: as an account with the provider `OIDC`.
fn by_token(config: &Ini, name: &str, own: &[(String, String)]) -> Result<Option<Found>, ConfigError> {
    let (Some(role), Some(file)) = (value(own, "role_arn"), value(own, "web_identity_token_file")) else { return Ok(None) };
    let mut said = vec![
        ("provider", "OIDC".to_owned()),
        ("oidc_source", "file".to_owned()),
        ("oidc_token_file", file),
        ("role_arn", role),
        ("aws_profile", name.to_owned()),
    ];
    said.extend(address(config, own, "sts").map(|(url, _)| ("sts_endpoint", url)));
    for (theirs, ours) in
        [("role_session_name", "oidc_session_name"), ("region", "region"), ("duration_seconds", "aws_session_duration")]
    {
        said.extend(value(own, theirs).map(|value| (ours, value)));
    }
    Ok(Some(Found {
        name: AccountName::parse(name)?,
        cloud: CloudId::Aws,
        draft: Draft::from_pairs(said),
        file: Found::NOWHERE,
        is_foreign: true,
        on_top: None,
    }))
}

/// The setting by which a profile has the portal or its sign-in service at another address. The answers hold tokens, so an address that
/// is not followed is not passed over either.
fn another_address(config: &Ini, own: &[(String, String)]) -> Option<String> {
    ["sso", "sso_oidc"].iter().find_map(|service| address(config, own, service)).map(|(_, setting)| setting)
}

/// The address that a profile says for a service, and the setting that does: its section of services comes first.
fn address(config: &Ini, own: &[(String, String)], service: &str) -> Option<(String, String)> {
    if value(own, "ignore_configured_endpoint_urls").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return None;
    }
    let in_services = || {
        let services = value(own, "services")?;
        let nested = config.nested(&format!("services {services}"), service).into_iter();
        let url =
            nested.filter(|(key, url)| key.eq_ignore_ascii_case("endpoint_url") && !url.is_empty()).map(|(_, url)| url).next()?;
        Some((url.to_owned(), format!("`{service}` of `[services {}]`", services.escape_debug())))
    };
    in_services().or_else(|| value(own, "endpoint_url").map(|url| (url, "`endpoint_url`".to_owned())))
}

/// The name in a header of that kind: `profile NAME`, `sso-session NAME`, perhaps in quotes. Only the profile `default` goes without the word.
fn titled(section: &str, kind: &str) -> Option<String> {
    match section.strip_prefix(kind).filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(rest) => Some(rest.trim().trim_matches(['"', '\'']).to_owned()),
        None => (kind == "profile" && section == "default").then(|| section.to_owned()),
    }
}

fn pairs(config: &Ini, section: &str) -> Vec<(String, String)> {
    config.pairs(section).into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned())).collect()
}

/// Keys that look like ours and are nobody's.
fn mistyped(pairs: &[(String, String)], place: &str) -> Vec<String> {
    let unknown = |key: &str| key.starts_with("sso_") && !KNOWN.contains(&key);
    let note = |key: &str| {
        let near = KNOWN.iter().find(|known| known.starts_with(key) || key.starts_with(*known));
        let meant = near.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        format!("`{}` in {place} is read by nobody{meant}", key.escape_debug())
    };
    pairs.iter().filter(|(key, _)| unknown(key)).map(|(key, _)| note(key)).collect()
}

#[cfg(test)]
mod tests;
