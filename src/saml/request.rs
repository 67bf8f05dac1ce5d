//! What a service provider sends to its identity provider, and hears from it about signing out: the HTTP redirect binding
//! (<https://docs.oasis-open.org/security/saml/v2.0/saml-bindings-2.0-os.pdf> §3.4). The message is deflated into the address, and the
//! address is signed.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use url::form_urlencoded::byte_serialize;

use super::markup::{self, ASSERTION, PROTOCOL, RSA_SHA256, SUCCESS, Unwritable};
use super::signer::{SignError, Signer};
use super::verify::NameId;
use crate::types::{BadUrl, Timestamp, WebUrl};

/// The longest message that an address may unfold to.
const LONGEST: u64 = 64 * 1024;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A value does not fit.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The identity provider's address is none that a person is sent to.
    #[error("the identity provider's address cannot be used: {0}")]
    Address(#[from] BadUrl),
}

/// A request to sign a person in.
#[derive(Debug, Clone, Copy)]
pub struct AuthnRequest<'r> {
    /// Its identity: begins with a letter or `_`, and nobody can guess it.
    pub id: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// The identity provider's address for requests.
    pub destination: &'r str,
    /// Our address for the response.
    pub acs: &'r str,
    /// Whether the person is asked who they are even where the identity provider knows already.
    pub force_authn: bool,
    /// The authentication contexts of which one is wanted, by their URIs; any, where there are none.
    pub authn_contexts: &'r [String],
    /// Comes back with the response.
    pub relay_state: &'r str,
}

/// The address to send a person's browser to.
///
/// # Errors
/// [`RequestError`].
pub async fn authn(request: &AuthnRequest<'_>, signer: &dyn Signer, now: Timestamp) -> Result<WebUrl, RequestError> {
    let force = if request.force_authn { " ForceAuthn=\"true\"" } else { "" };
    let contexts = match request.authn_contexts {
        [] => String::new(),
        contexts => {
            let class =
                |uri: &String| Ok(format!("<saml:AuthnContextClassRef>{}</saml:AuthnContextClassRef>", markup::text(uri)?));
            let classes = contexts.iter().map(class).collect::<Result<String, Unwritable>>()?;
            format!("<samlp:RequestedAuthnContext Comparison=\"exact\">{classes}</samlp:RequestedAuthnContext>")
        }
    };
    // Whoever signs in for the first time may get a name there that lasts; without this word some identity providers refuse (SAML core, 3.4.1.1).
    let xml = format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" AssertionConsumerServiceURL=\"{acs}\" \
         Destination=\"{destination}\"{force} ID=\"{id}\" IssueInstant=\"{now}\" \
         ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Version=\"2.0\"><saml:Issuer>{issuer}</saml:Issuer>\
         <samlp:NameIDPolicy AllowCreate=\"true\"/>{contexts}</samlp:AuthnRequest>",
        acs = markup::attribute(request.acs)?,
        destination = markup::attribute(request.destination)?,
        id = markup::attribute(request.id)?,
        issuer = markup::text(request.issuer)?,
    );
    send(Field::Request, &xml, request.destination, Some(request.relay_state), signer).await
}

/// A request to sign a person out.
#[derive(Debug, Clone, Copy)]
pub struct LogoutRequest<'r> {
    /// Its identity.
    pub id: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// The identity provider's address for signing out.
    pub destination: &'r str,
    /// Whom.
    pub name_id: &'r NameId,
    /// Which of their sessions.
    pub session_index: Option<&'r str>,
    /// Comes back with the answer.
    pub relay_state: Option<&'r str>,
}

/// The address to send a person's browser to, to be signed out at the identity provider too.
///
/// # Errors
/// [`RequestError`].
pub async fn logout(request: &LogoutRequest<'_>, signer: &dyn Signer, now: Timestamp) -> Result<WebUrl, RequestError> {
    let optional = |name: &str, value: &Option<String>| match value {
        Some(value) => Ok(format!(" {name}=\"{}\"", markup::attribute(value)?)),
        None => Ok::<_, Unwritable>(String::new()),
    };
    let session = match request.session_index {
        Some(index) => format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", markup::text(index)?),
        None => String::new(),
    };
    let xml = format!(
        "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" Destination=\"{destination}\" ID=\"{id}\" \
         IssueInstant=\"{now}\" Version=\"2.0\"><saml:Issuer>{issuer}</saml:Issuer><saml:NameID{format}{qualifier}{sp}>{name}</saml:NameID>\
         {session}</samlp:LogoutRequest>",
        destination = markup::attribute(request.destination)?,
        id = markup::attribute(request.id)?,
        issuer = markup::text(request.issuer)?,
        format = optional("Format", &request.name_id.format)?,
        qualifier = optional("NameQualifier", &request.name_id.name_qualifier)?,
        sp = optional("SPNameQualifier", &request.name_id.sp_name_qualifier)?,
        name = markup::text(&request.name_id.value)?,
    );
    send(Field::Request, &xml, request.destination, request.relay_state, signer).await
}

/// An answer to the identity provider, which asked for a person to be signed out here.
#[derive(Debug, Clone, Copy)]
pub struct LogoutResponse<'r> {
    /// Its identity.
    pub id: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// The identity provider's address for such answers.
    pub destination: &'r str,
    /// Which request it answers.
    pub in_response_to: &'r str,
    /// What came with the request.
    pub relay_state: Option<&'r str>,
}

/// The address to send the browser back to.
///
/// # Errors
/// [`RequestError`].
pub async fn logout_answer(answer: &LogoutResponse<'_>, signer: &dyn Signer, now: Timestamp) -> Result<WebUrl, RequestError> {
    let xml = format!(
        "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" Destination=\"{destination}\" ID=\"{id}\" \
         InResponseTo=\"{request}\" IssueInstant=\"{now}\" Version=\"2.0\"><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>\
         <samlp:StatusCode Value=\"{SUCCESS}\"/></samlp:Status></samlp:LogoutResponse>",
        destination = markup::attribute(answer.destination)?,
        id = markup::attribute(answer.id)?,
        request = markup::attribute(answer.in_response_to)?,
        issuer = markup::text(answer.issuer)?,
    );
    send(Field::Response, &xml, answer.destination, answer.relay_state, signer).await
}

/// Which of the two parameters holds the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Request,
    Response,
}

impl Field {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

async fn send(
    field: Field,
    xml: &str,
    destination: &str,
    relay_state: Option<&str>,
    signer: &dyn Signer,
) -> Result<WebUrl, RequestError> {
    let percent = |value: &str| byte_serialize(value.as_bytes()).collect::<String>();
    let mut query = format!("{}={}", field.name(), percent(&STANDARD.encode(deflate(xml))));
    if let Some(relay_state) = relay_state {
        query += &format!("&RelayState={}", percent(relay_state));
    }
    query += &format!("&SigAlg={}", percent(RSA_SHA256));
    let signature = signer.sign(query.as_bytes()).await?;
    query += &format!("&Signature={}", percent(&STANDARD.encode(signature)));
    // The address may have parameters of its own, which are not signed.
    let mark = if destination.contains('?') { '&' } else { '?' };
    Ok(WebUrl::parse(&format!("{destination}{mark}{query}"))?)
}

fn deflate(xml: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(xml.as_bytes());
    encoder.finish().unwrap_or_default()
}

/// Unfolds a message; nothing where it is none, or longer than any.
pub(super) fn inflate(packed: &[u8]) -> Option<String> {
    let mut xml = String::new();
    let mut reader = DeflateDecoder::new(packed).take(LONGEST + 1);
    reader.read_to_string(&mut xml).ok()?;
    (xml.len() as u64 <= LONGEST).then_some(xml)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::saml::logout::{self, ExpectedLogout, LogoutMessage};
    use crate::saml::testing::{TestSigner, hand_out, wait};
    use crate::saml::verify::Refused;

    const SLO: &str = "https://cam.corp.example/saml/slo?own=1";
    const IDP: &str = "https://idp.corp.example/saml";

    fn now() -> Timestamp {
        Timestamp::parse("2027-01-02T03:04:05Z").unwrap()
    }

    fn query(url: &WebUrl) -> String {
        url.expose().query().unwrap().to_owned()
    }

    fn message(url: &WebUrl, field: &str) -> String {
        let (_, value) = url.expose().query_pairs().find(|(name, _)| name == field).unwrap();
        inflate(&STANDARD.decode(&*value).unwrap()).unwrap()
    }

    /// Reads what was sent as the other side would.
    fn read(query: &str) -> Result<LogoutMessage, Refused> {
        let certificates = [TestSigner::new().certificate().to_vec()];
        let skew = Duration::from_secs(60);
        let expected = ExpectedLogout { destination: SLO, idp: IDP, certificates: &certificates, allow_sha1: false, skew };
        logout::read(query, &expected, now())
    }

    #[test]
    fn a_request_says_what_is_wanted_and_is_signed() {
        let contexts = ["urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI".to_owned(), "urn:x?a=1&b=2".to_owned()];
        let request = AuthnRequest {
            id: "_id",
            issuer: "https://cam.corp.example/saml",
            destination: "https://idp.corp.example/sso?tenant=a&b=1",
            acs: "https://cam.corp.example/saml/acs",
            force_authn: true,
            authn_contexts: &contexts,
            relay_state: "r +/&=",
        };
        let url = wait(authn(&request, &TestSigner::new(), now())).unwrap();
        assert!(url.expose().as_str().starts_with("https://idp.corp.example/sso?tenant=a&b=1&SAMLRequest="));
        let xml = message(&url, "SAMLRequest");
        let document = roxmltree::Document::parse(&xml).unwrap();
        let root = document.root_element();
        assert!(root.has_tag_name((PROTOCOL, "AuthnRequest")));
        let attributes: Vec<&str> = ["ID", "Destination", "AssertionConsumerServiceURL", "ForceAuthn", "IssueInstant", "Version"]
            .iter()
            .map(|name| root.attribute(*name).unwrap())
            .collect();
        assert_eq!(attributes, ["_id", request.destination, request.acs, "true", "2027-01-02T03:04:05Z", "2.0"]);
        let classes: Vec<&str> = root
            .descendants()
            .filter(|node| node.has_tag_name((ASSERTION, "AuthnContextClassRef")))
            .filter_map(|n| n.text())
            .collect();
        assert_eq!(classes, contexts);
        // What is signed is the query as it stands, up to the signature.
        let own = query(&url).split("&SAMLRequest").nth(1).map(|rest| format!("SAMLRequest{rest}")).unwrap();
        let (signed, signature) = own.split_once("&Signature=").unwrap();
        assert!(signed.contains("&RelayState=r+%2B%2F%26%3D&SigAlg=http%3A%2F%2Fwww.w3.org"));
        let signature =
            url::form_urlencoded::parse(format!("x={signature}").as_bytes()).next().map(|(_, value)| value.into_owned());
        hand_out("query", "authn.signed", signed);
        hand_out("query", "authn.signature", &signature.unwrap());
        let plain = AuthnRequest { force_authn: false, authn_contexts: &[], ..request };
        let xml = message(&wait(authn(&plain, &TestSigner::new(), now())).unwrap(), "SAMLRequest");
        assert!(!xml.contains("ForceAuthn") && !xml.contains("RequestedAuthnContext"));
        assert!(wait(authn(&AuthnRequest { destination: "http://idp.example/", ..request }, &TestSigner::new(), now())).is_err());
        assert!(wait(authn(&AuthnRequest { issuer: "a\nb", ..request }, &TestSigner::new(), now())).is_err());
    }

    fn name_id() -> NameId {
        NameId {
            value: "E<1>&".to_owned(),
            format: Some("urn:f".to_owned()),
            name_qualifier: None,
            sp_name_qualifier: Some("sp".to_owned()),
        }
    }

    fn sent() -> String {
        let request = LogoutRequest {
            id: "_out",
            issuer: IDP,
            destination: SLO,
            name_id: &name_id(),
            session_index: Some("_session"),
            relay_state: Some("back"),
        };
        query(&wait(logout(&request, &TestSigner::new(), now())).unwrap())
    }

    #[test]
    fn signing_out_is_heard_and_answered() {
        let LogoutMessage::Request { id, name_id: whom, session_indexes, relay_state } = read(&sent()).unwrap() else { panic!() };
        assert_eq!((id.as_str(), whom, relay_state.as_deref()), ("_out", name_id(), Some("back")));
        assert_eq!(session_indexes, ["_session"]);
        let answer = LogoutResponse { id: "_answer", issuer: IDP, destination: SLO, in_response_to: "_out", relay_state: None };
        let query = query(&wait(logout_answer(&answer, &TestSigner::new(), now())).unwrap());
        let LogoutMessage::Response { in_response_to, is_success, relay_state } = read(&query).unwrap() else { panic!() };
        assert_eq!((in_response_to.as_deref(), is_success, relay_state), (Some("_out"), true, None));
    }

    #[test]
    fn whatever_is_changed_about_it_is_noticed() {
        let sent = sent();
        let code = |query: &str| read(query).map_or_else(|refused| refused.code(), |_| "fine");
        assert_eq!(code(&sent), "fine");
        assert_eq!(code(&format!("?{sent}&further=1")), "fine");
        assert_eq!(code(&sent.replace("RelayState=back", "RelayState=front")), "signature");
        assert_eq!(code(&sent.replace("&RelayState=back", "")), "signature");
        assert_eq!(code(&sent.replace("rsa-sha256", "rsa-sha512")), "signature");
        assert_eq!(code(&sent.replace("xmldsig-more%23rsa-sha256", "xmldsig%23rsa-sha1")), "signature");
        assert_eq!(code(sent.split("&Signature=").next().unwrap()), "signature");
        assert_eq!(code(sent.split("&SigAlg=").next().unwrap()), "signature");
        // Twice, or under another writing of the name: which of the two is read must not matter.
        assert_eq!(code(&format!("{sent}&RelayState=front")), "shape");
        assert_eq!(code(&format!("SAMLRequest=x&{sent}")), "shape");
        assert_eq!(code(&format!("{sent}&SAMLResponse=x")), "shape");
        assert_eq!(code(&sent.replace("RelayState=", "Relay%53tate=")), "shape");
        assert_eq!(code(&sent.replace("SAMLRequest=", "SAMLResponse=")), "signature");
        assert_eq!(code(""), "shape");
        let at = |seconds: u64, later: bool| {
            let certificates = [TestSigner::new().certificate().to_vec()];
            let expected = ExpectedLogout {
                destination: SLO,
                idp: IDP,
                certificates: &certificates,
                allow_sha1: false,
                skew: Duration::from_secs(60),
            };
            let offset = Duration::from_secs(seconds);
            let then = if later { now().after(offset) } else { now().before(offset) };
            logout::read(&sent, &expected, then).map_or_else(|refused| refused.code(), |_| "fine")
        };
        assert_eq!([at(60, false), at(61, false), at(659, true), at(660, true)], ["fine", "too_early", "fine", "expired"]);
        let of = |issuer: &str, destination: &str| {
            let request =
                LogoutRequest { id: "_out", issuer, destination, name_id: &name_id(), session_index: None, relay_state: None };
            code(&query(&wait(logout(&request, &TestSigner::new(), now())).unwrap()))
        };
        assert_eq!(
            [of(IDP, SLO), of("https://evil.example", SLO), of(IDP, "https://evil.example/")],
            ["fine", "issuer", "destination"]
        );
    }

    #[test]
    fn a_bomb_does_not_unfold() {
        let bomb = deflate(&" ".repeat(50_000_000));
        assert!(bomb.len() < 60_000);
        assert_eq!(inflate(&bomb), None);
        assert_eq!(inflate(b"no deflate"), None);
    }
}
