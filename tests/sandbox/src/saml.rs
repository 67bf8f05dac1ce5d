//! SAML responses: issued here for the identity providers, and taken back here for the clouds.
//!
//! A response of these is not signed for real. Instead the clouds accept exactly the responses that the box has
//! issued, byte for byte, while they are good, and only for the roles that are listed in them. Responses of others, whom accounts were
//! told of by metadata, are in `federation`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::people::{Grant, Person};
use crate::wire::escape;
use crate::world::{World, hex, later, noise, random, uuid};

/// How long an assertion is good, in seconds.
const LIFETIME: i64 = 300;

/// A service provider: one sign-in address of a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    Aws,
    AwsChina,
    AwsGov,
    Alibaba,
    AlibabaInternational,
}

impl Site {
    /// The site that an application's name speaks of.
    pub(crate) fn of_app(app: &str) -> Option<Self> {
        // The longer names first, as each contains a shorter one.
        [
            ("aws-cn", Self::AwsChina),
            ("aws-us-gov", Self::AwsGov),
            ("aws", Self::Aws),
            ("alibaba-intl", Self::AlibabaInternational),
            ("alibaba", Self::Alibaba),
        ]
        .into_iter()
        .find(|(word, _)| app.contains(word))
        .map(|(_, site)| site)
    }

    /// Audience of assertions.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::Aws => "urn:amazon:webservices",
            Self::AwsChina => "urn:amazon:webservices:cn-north-1",
            Self::AwsGov => "urn:amazon:webservices:govcloud",
            Self::Alibaba => "urn:alibaba:cloudcomputing",
            Self::AlibabaInternational => "urn:alibaba:cloudcomputing:international",
        }
    }

    /// Address that takes responses.
    pub(crate) fn acs(self) -> &'static str {
        match self {
            Self::Aws => "https://signin.aws.amazon.com/saml",
            Self::AwsChina => "https://signin.amazonaws.cn/saml",
            Self::AwsGov => "https://signin.amazonaws-us-gov.com/saml",
            Self::Alibaba => "https://signin.aliyun.com/saml-role/sso",
            Self::AlibabaInternational => "https://signin.alibabacloud.com/saml-role/sso",
        }
    }

    /// Whether the site is Alibaba Cloud's.
    pub(crate) fn is_alibaba(self) -> bool {
        matches!(self, Self::Alibaba | Self::AlibabaInternational)
    }

    /// Start of the ARNs in the site's partition.
    pub(crate) fn arn_prefix(self) -> &'static str {
        match self {
            Self::Aws => "arn:aws:",
            Self::AwsChina => "arn:aws-cn:",
            Self::AwsGov => "arn:aws-us-gov:",
            Self::Alibaba | Self::AlibabaInternational => "acs:ram:",
        }
    }

    /// Start of the attributes' names.
    pub(crate) fn attributes(self) -> &'static str {
        match self.is_alibaba() {
            true => "https://www.aliyun.com/SAML-Role/Attributes/",
            false => "https://aws.amazon.com/SAML/Attributes/",
        }
    }
}

/// A response that an identity provider has issued.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// The whole response in base64.
    pub(crate) base64: String,
    /// Whom it is for.
    pub(crate) site: Site,
    /// Roles in it.
    pub(crate) grants: Vec<Grant>,
    /// Session name in it.
    pub(crate) session_name: String,
    /// Who vouches.
    pub(crate) issuer: String,
    /// Subject.
    pub(crate) subject: String,
    /// When it becomes good.
    pub(crate) not_before: Timestamp,
    /// When it stops being good.
    pub(crate) not_on_or_after: Timestamp,
    /// When a session that comes of it has to end.
    pub(crate) session_ends: Option<Timestamp>,
}

impl Issued {
    /// How long a session can last that is wished to last so many seconds.
    pub(crate) fn longest(&self, now: Timestamp, wished: u32) -> u32 {
        let left = self.session_ends.map(|end| u32::try_from(end.as_second() - now.as_second()).unwrap_or_default());
        left.map_or(wished, |left| left.min(wished))
    }
}

/// Why a cloud does not take a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The box did not issue it.
    Unknown,
    /// It was issued for another site.
    Audience,
    /// It is not good yet.
    Early,
    /// It is not good any more.
    Expired,
}

/// Issues a response about a person to a site and remembers it.
pub(crate) fn issue(world: &mut World, person: &Person, site: Site, issuer: &str) -> String {
    let now = world.idp_now();
    let mut issued = Issued {
        base64: String::new(),
        site,
        grants: person.grants.iter().filter(|grant| grant.role.starts_with(site.arn_prefix())).cloned().collect(),
        session_name: person.session_name.clone().unwrap_or_else(|| person.email.clone()),
        issuer: issuer.to_owned(),
        subject: person.email.clone(),
        not_before: later(now, -60),
        not_on_or_after: later(now, LIFETIME),
        session_ends: None,
    };
    issued.base64 = STANDARD.encode(document(&issued, person, later(now, 0)));
    let base64 = issued.base64.clone();
    world.secret(&base64);
    world.issued.push(issued);
    base64
}

/// Takes a response back, for one of these sites.
pub(crate) fn redeem(world: &mut World, base64: &str, sites: &[Site]) -> Result<Issued, Refusal> {
    // The clouds take base64 in lines too, as some clients send it.
    let base64: String = base64.split_whitespace().collect();
    let Some(issued) = world.issued.iter().find(|issued| issued.base64 == base64) else {
        return crate::federation::redeem(world, &base64, sites);
    };
    let now = world.cloud_now();
    if !sites.contains(&issued.site) {
        return Err(Refusal::Audience);
    }
    if now < issued.not_before {
        return Err(Refusal::Early);
    }
    if now >= issued.not_on_or_after {
        return Err(Refusal::Expired);
    }
    Ok(issued.clone())
}

/// A page that posts a response to an address by itself, as identity providers send it. The button has no
/// name, which has made login tools stumble.
pub(crate) fn post_page(acs: &str, response: &str) -> String {
    post_page_with(acs, response, Some(""))
}

/// The same with what goes along, if anything does.
pub(crate) fn post_page_with(acs: &str, response: &str, relay_state: Option<&str>) -> String {
    let relay_state = relay_state
        .map_or_else(String::new, |text| format!("<input type=\"hidden\" name=\"RelayState\" value=\"{}\"/>\n", escape(text)));
    format!(
        "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>Signing in</title></head>\n\
         <body onload=\"document.forms[0].submit()\">\n\
         <noscript><p>Your browser does not run scripts: press Continue once.</p></noscript>\n\
         <form method=\"post\" action=\"{}\">\n\
         <input type=\"hidden\" name=\"SAMLResponse\" value=\"{}\"/>\n\
         {relay_state}\
         <noscript><input type=\"submit\" value=\"Continue\"/></noscript>\n\
         </form>\n</body>\n</html>\n",
        escape(acs),
        escape(response)
    )
}

fn document(issued: &Issued, person: &Person, now: Timestamp) -> String {
    let site = issued.site;
    let acs = site.acs();
    let assertion_id = format!("_{}", hex(&random::<16>()));
    let end = issued.not_on_or_after;
    let mut values: Vec<String> = Vec::new();
    for (index, grant) in issued.grants.iter().enumerate() {
        // Either order occurs in the wild, so both occur here.
        values.push(match index % 2 {
            0 => format!("{},{}", grant.role, grant.provider),
            _ => format!("{},{}", grant.provider, grant.role),
        });
    }
    values.extend(person.stray_role_values.iter().cloned());
    let mut attributes = attribute(site, "Role", &values);
    attributes += &attribute(site, "RoleSessionName", std::slice::from_ref(&issued.session_name));
    if let Some(seconds) = person.session_duration {
        attributes += &attribute(site, "SessionDuration", &[seconds.to_string()]);
    }
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<saml2p:Response xmlns:saml2p="urn:oasis:names:tc:SAML:2.0:protocol" Destination="{acs}" ID="_{response_id}" IssueInstant="{now}" Version="2.0"><saml2:Issuer xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</saml2:Issuer><saml2p:Status><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></saml2p:Status><saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="{assertion_id}" IssueInstant="{now}" Version="2.0"><saml2:Issuer>{issuer}</saml2:Issuer>{signature}<saml2:Subject><saml2:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml2:NameID><saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml2:SubjectConfirmationData NotOnOrAfter="{end}" Recipient="{acs}"/></saml2:SubjectConfirmation></saml2:Subject><saml2:Conditions NotBefore="{start}" NotOnOrAfter="{end}"><saml2:AudienceRestriction><saml2:Audience>{audience}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions><saml2:AuthnStatement AuthnInstant="{now}" SessionIndex="{assertion_id}"><saml2:AuthnContext><saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement><saml2:AttributeStatement>{attributes}</saml2:AttributeStatement></saml2:Assertion></saml2p:Response>
"#,
        response_id = hex(&random::<16>()),
        issuer = escape(&issued.issuer),
        signature = signature(&assertion_id),
        subject = escape(&issued.subject),
        start = issued.not_before,
        audience = site.audience(),
    )
}

fn attribute(site: Site, name: &str, values: &[String]) -> String {
    let values: String = values
        .iter()
        .map(|value| {
            format!(
                "<saml2:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                 xsi:type=\"xs:string\">{}</saml2:AttributeValue>",
                escape(value)
            )
        })
        .collect();
    format!(
        "<saml2:Attribute Name=\"{}{name}\" \
         NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">{values}</saml2:Attribute>",
        site.attributes()
    )
}

/// The look of a signature, so that responses have a realistic size.
fn signature(id: &str) -> String {
    format!(
        r##"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:KeyName>{name}</ds:KeyName></ds:KeyInfo></ds:Signature>"##,
        digest = noise::<32>(),
        value = noise::<256>(),
        name = uuid(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Directory;

    fn with_alice() -> (World, Person) {
        let world = World { directory: Directory::example(), ..World::default() };
        let alice = world.directory.person("alice@example.com").cloned().unwrap();
        (world, alice)
    }

    #[test]
    fn names_of_applications() {
        assert_eq!(Site::of_app("acme-prod-aws-admin"), Some(Site::Aws));
        assert_eq!(Site::of_app("acme-aws-cn"), Some(Site::AwsChina));
        assert_eq!(Site::of_app("acme-prod-alibabacloud-admin"), Some(Site::Alibaba));
        assert_eq!(Site::of_app("acme-alibaba-intl"), Some(Site::AlibabaInternational));
        assert_eq!(Site::of_app("wiki"), None);
    }

    #[test]
    fn a_response_is_good_for_five_minutes_at_its_own_site() {
        let (mut world, alice) = with_alice();
        let response = issue(&mut world, &alice, Site::Aws, "https://idp.example");
        assert!(redeem(&mut world, &response, &[Site::Aws]).is_ok());
        let refusal = |world: &mut World, text: &str, site| redeem(world, text, &[site]).unwrap_err();
        assert_eq!(refusal(&mut world, &response, Site::Alibaba), Refusal::Audience);
        assert_eq!(refusal(&mut world, "PHNhbWw+", Site::Aws), Refusal::Unknown);
        world.cloud_clock = 301;
        assert_eq!(refusal(&mut world, &response, Site::Aws), Refusal::Expired);
        world.cloud_clock = -120;
        assert_eq!(refusal(&mut world, &response, Site::Aws), Refusal::Early);
        assert!(world.secrets.contains(&response));
    }

    #[test]
    fn a_response_lists_the_roles_of_its_partition_only() {
        let (mut world, _) = with_alice();
        let judy = world.directory.person("judy@example.com").cloned().unwrap();
        let response = issue(&mut world, &judy, Site::AwsChina, "https://idp.example");
        let text = String::from_utf8(STANDARD.decode(response).unwrap()).unwrap();
        assert!(text.contains("arn:aws-cn:iam::012345678987:role/Developer,arn:aws-cn:"));
        assert!(!text.contains("arn:aws:iam"));
        assert!(!text.contains("SessionDuration"));
        assert!(text.contains("Destination=\"https://signin.amazonaws.cn/saml\""));
    }
}
