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
    let xml = format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" AssertionConsumerServiceURL=\"{acs}\" \
         Destination=\"{destination}\"{force} ID=\"{id}\" IssueInstant=\"{now}\" \
         ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Version=\"2.0\"><saml:Issuer>{issuer}</saml:Issuer>{contexts}\
         </samlp:AuthnRequest>",
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
