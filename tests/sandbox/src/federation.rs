//! Identity providers that cloud accounts were told of by metadata, and their assertions: signed for real, and checked for real, with
//! everything that the clouds' pages say of them (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html>,
//! <https://www.alibabacloud.com/help/en/ram/user-guide/saml-assertions-for-role-based-sso>), and some things more: one role, a short life,
//! and never the same one twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::corporate::certificates;
use crate::dsig;
use crate::people::Grant;
use crate::saml::{Issued, Refusal, Site};
use crate::world::World;
use crate::xml::Element;

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// The longest life of an assertion, in seconds.
const LONGEST: i64 = 300;
/// How far clocks may differ, in seconds.
const SKEW: i64 = 60;

/// A cloud account's entry of an identity provider.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    arn: String,
    entity_id: String,
    certificates: Vec<Vec<u8>>,
}

impl Provider {
    /// The entry, by the identity provider's metadata.
    pub(crate) fn new(arn: &str, metadata: &str) -> Result<Self, String> {
        let root = Element::parse(metadata)?;
        let certificates = certificates(root.only(METADATA, "IDPSSODescriptor")?);
        if certificates.is_empty() {
            return Err("no certificate".to_owned());
        }
        let entity_id = root.attribute("entityID").ok_or("no entity ID")?.to_owned();
        Ok(Self { arn: arn.to_owned(), entity_id, certificates })
    }

    /// Its full name.
    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }
}

/// What an assertion says.
struct Said {
    id: String,
    issued: Issued,
    role: String,
    provider: String,
}

/// Takes a response of a registered identity provider, for one of these sites. What breaks a rule is on record, with why.
pub(crate) fn redeem(world: &mut World, base64: &str, sites: &[Site]) -> Result<Issued, Refusal> {
    let refused = |world: &mut World, refusal: Refusal, why: String| {
        world.violations.push(format!("an assertion was refused: {why}"));
        Err(refusal)
    };
    let xml = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(root) = xml.and_then(|xml| Element::parse(&xml).ok()) else { return Err(Refusal::Unknown) };
    let said = match read(world, &root, sites) {
        Ok(said) => said,
        // Nobody's: not worth a word more than that it is not known.
        Err(why) if why == NOBODY => return Err(Refusal::Unknown),
        Err(why) => return refused(world, Refusal::Unknown, why),
    };
    let now = world.cloud_now();
    if now < said.issued.not_before {
        return Err(Refusal::Early);
    }
    if now >= said.issued.not_on_or_after {
        return Err(Refusal::Expired);
    }
    let trusted = world.federated.iter().find(|grant| grant.role == said.role && grant.provider == said.provider).cloned();
    let Some(grant) = trusted else {
        return refused(world, Refusal::Unknown, format!("{} does not trust {}", said.role, said.provider));
    };
    if !world.nonces.insert(format!("assertion {}", said.id)) {
        return refused(world, Refusal::Unknown, "it was used before".to_owned());
    }
    Ok(Issued { grants: vec![grant], ..said.issued })
}

const NOBODY: &str = "it is nobody's";

fn read(world: &World, root: &Element, sites: &[Site]) -> Result<Said, String> {
    if !root.is(PROTOCOL, "Response") {
        return Err(NOBODY.to_owned());
    }
    let issuer = root.only(ASSERTION, "Issuer").map(Element::text).unwrap_or_default();
    let providers: Vec<&Provider> = world.providers.iter().filter(|provider| provider.entity_id == issuer).collect();
    if providers.is_empty() {
        return Err(NOBODY.to_owned());
    }
    let all = root.all();
    let mut ids: Vec<&str> = all.iter().filter_map(|element| element.attribute("ID")).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("an ID stands twice".to_owned());
    }
    if all.iter().filter(|element| element.is(ASSERTION, "Assertion")).count() != 1 {
        return Err("not exactly one assertion".to_owned());
    }
    let status = root.only(PROTOCOL, "Status")?.only(PROTOCOL, "StatusCode")?.attribute("Value");
    if status != Some("urn:oasis:names:tc:SAML:2.0:status:Success") || root.attribute("InResponseTo").is_some() {
        return Err("it is not an unasked success".to_owned());
    }
    let assertion = root.only(ASSERTION, "Assertion")?;
    if assertion.only(ASSERTION, "Issuer")?.text() != issuer {
        return Err("response and assertion are of two issuers".to_owned());
    }
    let subject = assertion.only(ASSERTION, "Subject")?;
    let confirmation = subject.only(ASSERTION, "SubjectConfirmation")?;
    let data = confirmation.only(ASSERTION, "SubjectConfirmationData")?;
    let conditions = assertion.only(ASSERTION, "Conditions")?;
    let audience = conditions.only(ASSERTION, "AudienceRestriction")?.only(ASSERTION, "Audience")?.text();
    let site = sites.iter().copied().find(|site| site.audience() == audience);
    let site = site.ok_or_else(|| format!("the audience is `{audience}`"))?;
    let recipient = data.attribute("Recipient").unwrap_or_default();
    let takes = |address: &str| address == site.acs() || Some(address) == world.front_acs(site).as_deref();
    if !takes(recipient) || root.attribute("Destination") != Some(recipient) {
        return Err(format!("the recipient is `{recipient}`"));
    }
    if confirmation.attribute("Method") != Some("urn:oasis:names:tc:SAML:2.0:cm:bearer")
        || data.attribute("InResponseTo").is_some()
    {
        return Err("it is not for whoever brings it".to_owned());
    }
    let one = |name: &str| attribute(assertion, &format!("{}{name}", site.attributes()));
    let pair = one("Role")?;
    let (role, provider) = pair.split_once(',').ok_or_else(|| format!("`{pair}` is no pair of a role and a provider"))?;
    let provider =
        providers.iter().find(|entry| entry.arn == provider).ok_or_else(|| format!("`{provider}` is not of that issuer"))?;
    let grant = Grant { role: role.to_owned(), provider: provider.arn.clone(), max_session: 0 };
    let account_of = |arn: &str| Grant { role: arn.to_owned(), ..grant.clone() }.account().to_owned();
    if !role.starts_with(site.arn_prefix()) || account_of(role) != account_of(&provider.arn) {
        return Err(format!("`{role}` and `{}` are of two accounts", provider.arn));
    }
    dsig::check(assertion, &provider.certificates)?;
    let session_name = one("RoleSessionName")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(is_name) {
        return Err(format!("`{session_name}` is no name for a session"));
    }
    let seconds = one("SessionDuration")?;
    if !seconds.parse::<u32>().is_ok_and(|seconds| (900..=43_200).contains(&seconds)) {
        return Err(format!("`{seconds}` is no length of a session"));
    }
    let time = |element: &Element, name: &str| -> Result<Timestamp, String> {
        element.attribute(name).and_then(|text| text.parse().ok()).ok_or_else(|| format!("no time `{name}`"))
    };
    let issued_at = time(assertion, "IssueInstant")?;
    let end = time(conditions, "NotOnOrAfter")?.min(time(data, "NotOnOrAfter")?);
    if end.as_second() - issued_at.as_second() > LONGEST || (issued_at.as_second() - world.cloud_now().as_second()) > SKEW {
        return Err("it is good for too long, or of the future".to_owned());
    }
    let statement = assertion.only(ASSERTION, "AuthnStatement")?;
    Ok(Said {
        id: assertion.attribute("ID").unwrap_or_default().to_owned(),
        issued: Issued {
            base64: String::new(),
            site,
            grants: Vec::new(),
            session_name,
            issuer: issuer.clone(),
            subject: subject.only(ASSERTION, "NameID")?.text(),
            not_before: time(conditions, "NotBefore")?,
            not_on_or_after: end,
            session_ends: Some(time(statement, "SessionNotOnOrAfter")?),
        },
        role: role.to_owned(),
        provider: provider.arn.clone(),
    })
}

/// The only value of an attribute that stands once.
fn attribute(assertion: &Element, name: &str) -> Result<String, String> {
    let statement = assertion.only(ASSERTION, "AttributeStatement")?;
    let mut found = statement.elements().filter(|attribute| attribute.attribute("Name") == Some(name));
    match (found.next(), found.next()) {
        (Some(attribute), None) => Ok(attribute.only(ASSERTION, "AttributeValue")?.text()),
        _ => Err(format!("attribute `{name}` does not stand once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsig::SigningKey;
    use crate::world::later;

    const ISSUER: &str = "https://cam.example/idp/aws";
    const ROLE: &str = "arn:aws:iam::012345678987:role/CamRole";
    const ENTRY: &str = "arn:aws:iam::012345678987:saml-provider/cam";

    fn metadata(key: &SigningKey) -> String {
        format!(
            "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{ISSUER}\"><md:IDPSSODescriptor><md:KeyDescriptor use=\"signing\">\
             <k:KeyInfo xmlns:k=\"{}\"><k:X509Data><k:X509Certificate>{}</k:X509Certificate></k:X509Data></k:KeyInfo></md:KeyDescriptor>\
             </md:IDPSSODescriptor></md:EntityDescriptor>",
            dsig::DSIG,
            STANDARD.encode(&key.certificate)
        )
    }

    fn assertion(now: Timestamp) -> String {
        let value = |name: &str, value: &str| {
            format!(
                "<saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/{name}\"><saml:AttributeValue>{value}</saml:AttributeValue>\
                 </saml:Attribute>"
            )
        };
        format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"_a\" Version=\"2.0\" IssueInstant=\"{now}\"><saml:Issuer>{ISSUER}</saml:Issuer>\
             <saml:Subject><saml:NameID>E-1</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData NotOnOrAfter=\"{end}\" Recipient=\"https://signin.aws.amazon.com/saml\"/></saml:SubjectConfirmation>\
             </saml:Subject><saml:Conditions NotBefore=\"{start}\" NotOnOrAfter=\"{end}\"><saml:AudienceRestriction>\
             <saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{now}\" SessionNotOnOrAfter=\"{session}\"/><saml:AttributeStatement>{role}{name}{length}\
             </saml:AttributeStatement></saml:Assertion>",
            end = later(now, 120),
            start = later(now, -60),
            session = later(now, 1800),
            role = value("Role", &format!("{ROLE},{ENTRY}")),
            name = value("RoleSessionName", "E-1"),
            length = value("SessionDuration", "1800"),
        )
    }

    fn response(signed: &str) -> String {
        let text = format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"_r\" Version=\"2.0\" \
             Destination=\"https://signin.aws.amazon.com/saml\"><saml:Issuer>{ISSUER}</saml:Issuer><samlp:Status>\
             <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>{signed}</samlp:Response>"
        );
        STANDARD.encode(text)
    }

    fn world(key: &SigningKey) -> World {
        let grant = Grant { role: ROLE.to_owned(), provider: ENTRY.to_owned(), max_session: 3600 };
        World { providers: vec![Provider::new(ENTRY, &metadata(key)).unwrap()], federated: vec![grant], ..World::default() }
    }

    #[test]
    fn an_assertion_of_a_known_provider_is_good_once() {
        let key = SigningKey::new("cam").unwrap();
        let mut world = world(&key);
        let now = world.cloud_now();
        let base64 = response(&key.signed(&assertion(now)).unwrap());
        assert_eq!(redeem(&mut world, &base64, &[Site::AwsChina]).unwrap_err(), Refusal::Unknown);
        world.violations.clear();
        let issued = redeem(&mut world, &base64, &[Site::Aws]).unwrap();
        assert_eq!(
            (issued.grants[0].role.as_str(), issued.grants[0].max_session, issued.session_name.as_str()),
            (ROLE, 3600, "E-1")
        );
        assert!((1790..=1800).contains(&issued.longest(now, 3600)) && issued.longest(now, 900) == 900);
        assert!(world.violations.is_empty());
        assert_eq!(redeem(&mut world, &base64, &[Site::Aws]).unwrap_err(), Refusal::Unknown);
        assert_eq!(world.violations, ["an assertion was refused: it was used before"]);
    }

    #[test]
    fn every_rule_counts() {
        let key = SigningKey::new("cam").unwrap();
        let now = world(&key).cloud_now();
        let good = assertion(now);
        for (from, to, why) in [
            ("urn:amazon:webservices", "urn:alibaba:cloudcomputing", "the audience is `urn:alibaba:cloudcomputing`"),
            (
                "Recipient=\"https://signin.aws.amazon.com",
                "Recipient=\"https://evil.example",
                "the recipient is `https://evil.example/saml`",
            ),
            ("role/CamRole,arn", "role/Other,arn", "role/Other does not trust "),
            ("role/CamRole,arn:aws:iam::0", "role/CamRole,arn:aws:iam::1", "is not of that issuer"),
            (":012345678987:role/CamRole,", ":112345678987:role/CamRole,", "are of two accounts"),
            ("<saml:AttributeValue>E-1<", "<saml:AttributeValue>E 1<", "`E 1` is no name for a session"),
            ("<saml:AttributeValue>1800<", "<saml:AttributeValue>60<", "`60` is no length of a session"),
            (
                "Attributes/RoleSessionName",
                "Attributes/Role",
                "attribute `https://aws.amazon.com/SAML/Attributes/Role` does not stand once",
            ),
            ("SessionNotOnOrAfter", "SomethingElse", "no time `SessionNotOnOrAfter`"),
            ("cm:bearer", "cm:sender-vouches", "it is not for whoever brings it"),
        ] {
            assert!(good.contains(from), "{from}");
            let mut world = world(&key);
            let base64 = response(&key.signed(&good.replacen(from, to, 1)).unwrap());
            assert_eq!(redeem(&mut world, &base64, &[Site::Aws]).unwrap_err(), Refusal::Unknown);
            assert!(world.violations.concat().contains(why), "{why}: {:?}", world.violations);
        }
        // A signature of another key, none, one on something else, two assertions.
        let signed = key.signed(&good).unwrap();
        let other = SigningKey::new("cam").unwrap().signed(&good).unwrap();
        let wrapped = good.replace("_a", "_b").replace("CamRole", "Admin") + &signed;
        for (text, why) in [
            (other, "the signature is of another key"),
            (good.clone(), "no Signature in "),
            (signed.replace("CamRole", "Admin"), "the digest is of something else"),
            (wrapped, "not exactly one assertion"),
            (signed.replace("ID=\"_a\"", "ID=\"_r\""), "an ID stands twice"),
        ] {
            let mut world = world(&key);
            assert_eq!(redeem(&mut world, &response(&text), &[Site::Aws]).unwrap_err(), Refusal::Unknown);
            assert!(world.violations.concat().contains(why), "{why}: {:?}", world.violations);
        }
        let mut world = world(&key);
        world.cloud_clock = 121;
        assert_eq!(redeem(&mut world, &response(&signed), &[Site::Aws]).unwrap_err(), Refusal::Expired);
        world.cloud_clock = -100;
        assert_eq!(redeem(&mut world, &response(&signed), &[Site::Aws]).unwrap_err(), Refusal::Unknown);
        assert!(world.violations.concat().contains("of the future"));
    }
}
