//! An account without a file: what flags and variables say is enough where a token and a role are all there is, as in the jobs of a
//! pipeline and in the pods of a cluster.

use super::{ConfigError, Draft, Found, Key, role_cloud, variable};
use crate::types::{AccountName, CloudId};
use crate::world::Env;

/// The provider that it is for.
const PROVIDER: &str = "OIDC";

/// The variables by which each cloud's own tools take on a role with a token.
struct Theirs {
    cloud: CloudId,
    role: &'static str,
    /// All of them have to be there, beside the role.
    others: &'static [&'static str],
}

const THEIRS: &[Theirs] = &[
    Theirs { cloud: CloudId::Aws, role: "AWS_ROLE_ARN", others: &["AWS_WEB_IDENTITY_TOKEN_FILE"] },
    Theirs {
        cloud: CloudId::Alibaba,
        role: "ALIBABA_CLOUD_ROLE_ARN",
        others: &["ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"],
    },
];

/// The account that flags (`overlay`) and variables make up: where one of them says where a token comes from, or where there is no
/// default account and the variables of a cloud's own tools are complete. Nothing where neither is so.
///
/// # Errors
/// [`ConfigError::NoCloud`] when nothing tells the cloud.
pub fn without_account(
    env: &Env,
    wished: Option<CloudId>,
    overlay: &Draft,
    has_default: bool,
) -> Result<Option<Found>, ConfigError> {
    let from_env = |name| variable(env, wished, name).is_some();
    let is_asked = ["oidc_source", "oidc_token_file"].iter().any(|key| overlay.other(key).is_some())
        || ["OIDC_SOURCE", "OIDC_TOKEN_FILE"].into_iter().any(from_env);
    let complete: Vec<&Theirs> =
        THEIRS.iter().filter(|t| env.get(t.role).is_some() && t.others.iter().all(|name| env.get(name).is_some())).collect();
    if !is_asked && (has_default || complete.is_empty()) {
        return Ok(None);
    }
    let name = AccountName::parse("default")?;
    let given = role_cloud(overlay).or_else(|| role_cloud(&Draft::from_env(env, wished)));
    // With a role named, the variables of the other cloud are somebody else's business.
    let told = wished.or(given).or_else(|| {
        let roles = THEIRS.iter().filter(|t| env.get(t.role).is_some()).map(|t| t.cloud);
        match (complete.as_slice(), roles.collect::<Vec<_>>().as_slice()) {
            ([one], _) => Some(one.cloud),
            ([], [one]) => Some(*one),
            _ => None,
        }
    });
    let cloud = told.ok_or_else(|| ConfigError::NoCloud(name.to_string()))?;
    let mut draft = Draft::default();
    draft.set(Key::Provider, PROVIDER);
    if let Some(role) = THEIRS.iter().find(|t| t.cloud == cloud).and_then(|t| env.get(t.role)) {
        draft.set(Key::Role, role);
    }
    Ok(Some(Found { name, cloud, draft, file: Found::NOWHERE, is_foreign: false, on_top: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "arn:aws:iam::1:role/a";
    const ALIBABA: &str = "acs:ram::1:role/a";

    fn told(vars: &[(&str, &str)], source: Option<&str>, role: Option<&str>, has_default: bool) -> String {
        let mut overlay = Draft::default();
        if let Some(source) = source {
            overlay.set_other("oidc_source", source);
        }
        if let Some(role) = role {
            overlay.set(Key::Role, role);
        }
        match without_account(&Env::of(vars.iter().copied()), None, &overlay, has_default) {
            Ok(Some(found)) => format!("{} {}", found.cloud, found.draft.get(Key::Role).unwrap_or_default()),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_makes_an_account() {
        let aws = [("AWS_ROLE_ARN", AWS), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
        let alibaba = [
            ("ALIBABA_CLOUD_ROLE_ARN", ALIBABA),
            ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/t"),
        ];
        let both: Vec<(&str, &str)> = aws.iter().chain(&alibaba).copied().collect();
        assert_eq!(told(&[], None, None, false), "none");
        assert_eq!(told(&aws, None, None, false), format!("aws {AWS}"));
        assert_eq!(told(&aws, None, None, true), "none", "an account that was made is meant");
        assert_eq!(told(&aws[..1], None, None, false), "none");
        assert_eq!(told(&alibaba, None, None, false), format!("alibaba {ALIBABA}"));
        assert_eq!(told(&alibaba[..2], None, None, false), "none");
        assert!(told(&both, None, None, false).contains("nothing says which cloud"));
        assert_eq!(told(&both, None, Some(ALIBABA), false), format!("alibaba {ALIBABA}"));
        assert_eq!(told(&[], Some("github"), Some(AWS), true), "aws ");
        assert_eq!(told(&[("SAML2CLOUD_ROLE", ALIBABA)], Some("github"), None, false), "alibaba ");
        assert_eq!(told(&[("SAML2CLOUD_OIDC_SOURCE", "github"), ("AWS_ROLE_ARN", AWS)], None, None, false), format!("aws {AWS}"));
        assert!(told(&[], Some("github"), None, false).contains("nothing says which cloud"));
    }
}
