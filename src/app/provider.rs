//! For administrators: what a cloud has to be told about an identity provider, and whether what it was told still holds.

pub use crate::cloud::trust::{BadTrust, Fingerprint, Form, Role};

use super::Error;
use crate::cloud;
use crate::cloud::trust::{Certificate, Metadata, Oidc, Proof, Trust};
use crate::http::Browser;
use crate::types::{CloudId, Secret, SessionDuration, Untrusted, WebUrl};
use crate::world::{self, Tls, World};

/// With fewer days than this left, a certificate is worth a word.
const SOON: i64 = 60;

/// An identity provider, as an administrator names it.
#[derive(Debug, Clone)]
pub enum Subject {
    /// By its issuer.
    Oidc {
        /// The issuer.
        issuer: String,
        /// Audiences.
        audiences: Vec<String>,
        /// Subjects.
        subjects: Vec<String>,
        /// Fingerprints; where there is none and one is needed, the issuer is asked.
        fingerprints: Vec<Fingerprint>,
    },
    /// By its metadata.
    Saml {
        /// The file.
        metadata: String,
        /// Where responses are for, if not the cloud's usual sign-in page.
        recipients: Vec<String>,
    },
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Export {
    /// For which cloud.
    pub cloud: CloudId,
    /// The provider's name there.
    pub provider: String,
    /// The roles that trust it.
    pub roles: Vec<Role>,
    /// Their longest session.
    pub longest: SessionDuration,
    /// The provider.
    pub subject: Subject,
    /// The form.
    pub form: Form,
}

/// How one thing that was looked at is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Good(String),
    /// It will not stay so.
    Soon(String),
    /// It is not.
    Wrong(String),
}

/// The code, and what was seen on the way.
#[derive(Debug)]
pub struct Exported {
    /// The code.
    pub code: String,
    /// What was seen.
    pub findings: Vec<Finding>,
}

/// Writes the code.
///
/// # Errors
/// [`Error`].
pub async fn export(world: &World<'_>, export: Export) -> Result<Exported, Error> {
    let mut findings = Vec::new();
    let proof = match export.subject {
        Subject::Oidc { issuer, audiences, subjects, fingerprints } => {
            let mut oidc = Oidc::check(&issuer, &audiences, &subjects, fingerprints)?;
            // The role's template is for a provider that is there; AWS finds the certificate by itself.
            let is_needed = export.cloud == CloudId::Alibaba && export.form != Form::RosRole;
            if is_needed && oidc.fingerprints.is_empty() {
                let chain = chain(&issuer).await?;
                let seen = authority(&chain, &issuer, world, &mut findings)?;
                oidc.fingerprints.push(seen);
            }
            Proof::Oidc(oidc)
        }
        Subject::Saml { metadata, recipients } => {
            let metadata = read_metadata(world, &metadata)?;
            look_at_signing(&metadata, world, &mut findings);
            let sp = cloud::find(export.cloud).service_provider(None, None);
            let other = |text: &&String| !WebUrl::parse(text).is_ok_and(|url| (sp.is_acs)(&url));
            if let Some(other) = recipients.iter().find(other) {
                return Err(BadTrust::Recipient { recipient: other.clone(), cloud: export.cloud.title() }.into());
            }
            Proof::Saml { metadata, recipients }
        }
    };
    let trust = Trust::check(&export.provider, export.roles, export.longest, proof)?;
    Ok(Exported { code: cloud::find(export.cloud).trust(&trust, export.form)?, findings })
}

/// Looks whether what a cloud was told still holds. `token` is one that should be taken.
///
/// # Errors
/// [`Error`] where it could not be looked at.
pub async fn check(world: &World<'_>, subject: &Subject, token: Option<&Secret<String>>) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    match subject {
        Subject::Saml { metadata, .. } => {
            let metadata = read_metadata(world, metadata)?;
            findings.push(Finding::Good(format!("the entity ID is {}", Untrusted::new(metadata.entity_id.as_str()))));
            look_at_signing(&metadata, world, &mut findings);
        }
        Subject::Oidc { issuer, audiences, subjects, fingerprints } => {
            look_at_issuer(world, issuer, &mut findings).await?;
            let chain = chain(issuer).await?;
            if fingerprints.is_empty() {
                authority(&chain, issuer, world, &mut findings)?;
            } else {
                compare(&chain, fingerprints, world, &mut findings);
            }
            if let Some(token) = token {
                look_at_token(token.expose(), issuer, audiences, subjects, world, &mut findings)?;
            }
        }
    }
    Ok(findings)
}

/// Reads a token from a file.
///
/// # Errors
/// [`Error`].
pub fn token(world: &World<'_>, path: &str) -> Result<Secret<String>, Error> {
    let text = world::file::read(&world.paths.expand(path)).map_err(crate::config::ConfigError::File)?;
    Ok(Secret::new(text.ok_or_else(|| BadTrust::NoFile(path.to_owned()))?))
}

fn read_metadata(world: &World<'_>, path: &str) -> Result<Metadata, Error> {
    let file = world.paths.expand(path);
    let text = world::file::read(&file).map_err(crate::config::ConfigError::File)?;
    Ok(Metadata::parse(text.ok_or_else(|| BadTrust::NoFile(path.to_owned()))?)?)
}

/// How long each of the certificates is good that the provider signs with.
fn look_at_signing(metadata: &Metadata, world: &World<'_>, findings: &mut Vec<Finding>) {
    for certificate in &metadata.signing {
        findings.push(age("the provider's certificate", certificate, world));
    }
}

fn age(what: &str, certificate: &Certificate, world: &World<'_>) -> Finding {
    let now = world.clock.now();
    let days = certificate.days_left(now);
    let until = certificate.ends.utc();
    if certificate.ends <= now {
        Finding::Wrong(format!("{what} ({}) ended on {until}", certificate.subject))
    } else if certificate.begins > now {
        Finding::Wrong(format!("{what} ({}) begins only on {}", certificate.subject, certificate.begins.utc()))
    } else if days < SOON {
        Finding::Soon(format!("{what} ({}) is good for {days} more days, until {until}", certificate.subject))
    } else {
        Finding::Good(format!("{what} ({}) is good until {until}", certificate.subject))
    }
}

/// The certificates that the issuer shows, its own first.
async fn chain(issuer: &str) -> Result<Vec<Certificate>, Error> {
    let bad = |why: String| BadTrust::Issuer { issuer: issuer.escape_debug().to_string(), why };
    let description = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = WebUrl::parse(&description).map_err(|error| bad(error.to_string()))?;
    let shown = world::certificates(&url).await?;
    let chain: Vec<Certificate> = shown.iter().filter_map(|der| Certificate::read(der)).collect();
    if chain.is_empty() || chain.len() < shown.len() {
        return Err(bad("it shows a certificate that cannot be read".to_owned()).into());
    }
    Ok(chain)
}

/// The fingerprint that the clouds mean: of the last certificate that the issuer shows, which is the one of the authority nearest to
/// the root (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>).
fn authority(chain: &[Certificate], issuer: &str, world: &World<'_>, findings: &mut Vec<Finding>) -> Result<Fingerprint, Error> {
    let Some(last) = chain.last() else {
        return Err(BadTrust::Issuer { issuer: issuer.to_owned(), why: "it shows no certificate".to_owned() }.into());
    };
    findings.push(Finding::Good(format!("the fingerprint of the authority ({}) is {}", last.subject, last.fingerprint)));
    if chain.len() == 1 {
        findings.push(Finding::Soon(
            "the issuer shows its own certificate alone: the fingerprint is of that one, and changes whenever it is renewed"
                .to_owned(),
        ));
    }
    findings.push(age("the authority's certificate", last, world));
    Ok(last.fingerprint.clone())
}

fn compare(chain: &[Certificate], fingerprints: &[Fingerprint], world: &World<'_>, findings: &mut Vec<Finding>) {
    match chain.iter().position(|shown| fingerprints.contains(&shown.fingerprint)) {
        None => {
            let shown: Vec<String> = chain.iter().map(|c| format!("{} ({})", c.fingerprint, c.subject)).collect();
            findings.push(Finding::Wrong(format!(
                "none of the fingerprints is of a certificate that the issuer shows: {}",
                shown.join(", ")
            )));
        }
        Some(0) if chain.len() > 1 => findings.push(Finding::Soon(format!(
            "the fingerprint {} is of the issuer's own certificate, and changes whenever it is renewed; its authority's is {}",
            chain[0].fingerprint,
            chain[chain.len() - 1].fingerprint
        ))),
        Some(at) => {
            findings.push(Finding::Good(format!("the fingerprint {} is of {}", chain[at].fingerprint, chain[at].subject)));
            findings.push(age("its certificate", &chain[at], world));
        }
    }
}

/// Whether the issuer calls itself as it is called.
async fn look_at_issuer(world: &World<'_>, issuer: &str, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let bad = |why: String| BadTrust::Issuer { issuer: issuer.escape_debug().to_string(), why };
    let url = WebUrl::parse(issuer).map_err(|error| bad(error.to_string()))?;
    let transport = world.network.open(&Tls::default())?;
    let mut browser = Browser::new(&*transport);
    match crate::oidc::discover(&mut browser, &url).await {
        // A token's `iss` is compared to the letter.
        Ok(found) if found.issuer == issuer => {
            findings.push(Finding::Good(format!("the issuer calls itself {}", Untrusted::new(issuer))))
        }
        Ok(found) => findings.push(Finding::Wrong(format!(
            "the issuer calls itself {}, which is not the same to the letter",
            Untrusted::new(found.issuer)
        ))),
        Err(crate::oidc::OidcError::Issuer { why, .. }) => findings.push(Finding::Wrong(format!("the issuer: {why}"))),
        Err(other) => return Err(crate::idp::SignInError::Oidc(other).into()),
    }
    Ok(())
}

/// Whether a token is one that the trust policy takes.
fn look_at_token(
    token: &str,
    issuer: &str,
    audiences: &[String],
    subjects: &[String],
    world: &World<'_>,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let claims = crate::oidc::read_jwt(token.trim()).map_err(|error| BadTrust::Token(error.to_string()))?;
    let mut say =
        |fits: bool, good: String, wrong: String| findings.push(if fits { Finding::Good(good) } else { Finding::Wrong(wrong) });
    let said = |claim: &Option<Untrusted>| claim.as_ref().map_or_else(|| "not said".to_owned(), ToString::to_string);
    let raw = |claim: &Option<Untrusted>| claim.as_ref().map(|text| text.raw().to_owned()).unwrap_or_default();
    say(
        raw(&claims.iss) == issuer,
        "the token is of this issuer".to_owned(),
        format!("the token's issuer is {}", said(&claims.iss)),
    );
    let aud: Vec<String> = claims.aud.iter().map(ToString::to_string).collect();
    if !audiences.is_empty() {
        let fits = claims.aud.iter().any(|a| audiences.iter().any(|wanted| wanted == a.raw()));
        say(
            fits,
            format!("the token is for {}", aud.join(", ")),
            format!("the token is for {}, which is none of the audiences", aud.join(", ")),
        );
    }
    if !subjects.is_empty() {
        let fits = subjects.iter().any(|pattern| is_like(pattern, &raw(&claims.sub)));
        let sub = said(&claims.sub);
        say(
            fits,
            format!("the token's subject is {sub}"),
            format!("the token's subject is {sub}, which none of the subjects fits"),
        );
    }
    if let Some(ends) = claims.exp {
        say(
            ends > world.clock.now(),
            format!("the token is good until {}", ends.utc()),
            format!("the token ended on {}", ends.utc()),
        );
    }
    Ok(())
}

/// Whether a text fits a pattern, as `StringLike` has it: `*` is any text, `?` any one sign.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // fits[t]: the pattern so far fits the first t signs.
    let mut fits: Vec<bool> = (0..=text.len()).map(|t| t == 0).collect();
    for sign in pattern {
        let mut next = vec![false; fits.len()];
        for t in 0..fits.len() {
            next[t] = match sign {
                '*' => fits[t] || (t > 0 && next[t - 1]),
                '?' => t > 0 && fits[t - 1],
                sign => t > 0 && fits[t - 1] && text[t - 1] == sign,
            };
        }
        fits = next;
    }
    fits.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true),
            ("repo:acme/*", "repo:acme/app:pull_request", true),
            ("repo:acme/*", "repo:acme2/app", false),
            ("*:x", "a:b:x", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(is_like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
