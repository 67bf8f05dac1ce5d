//! A company's SAML identity provider, `login.corp.acme.example`, that people are sent to by a service: it checks the service's signed
//! request, shows a form, and sends the browser back with a signed assertion that has the person's GID. For browsers without the box's
//! proxy it answers at an address of this machine too.

use std::collections::HashMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::DeflateDecoder;

use crate::dsig::{RSA_SHA256, SigningKey, is_signed};
use crate::people::Person;
use crate::saml::post_page_with;
use crate::wire::{Breach, Reply, Request, breach, escape};
use crate::world::{World, hex, later, random, uuid, word};
use crate::xml::Element;

/// The host.
pub(crate) const HOST: &str = "login.corp.acme.example";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const DSIG: &str = crate::dsig::DSIG;
const COOKIE: &str = "corp_session";
/// How long an assertion is good, in seconds.
const LIFETIME: i64 = 300;

/// A service that people sign in to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    entity_id: String,
    acs: String,
    logout: Option<String>,
    certificates: Vec<Vec<u8>>,
}

/// Somebody on the way to a service.
#[derive(Debug, Clone)]
struct Pending {
    service: String,
    request: String,
    relay_state: Option<String>,
}

/// Somebody who has signed in.
#[derive(Debug, Clone)]
struct Session {
    email: String,
    at: jiff::Timestamp,
    index: String,
}

/// What the identity provider remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Made when it is first needed.
    key: Option<SigningKey>,
    services: Vec<Service>,
    pending: HashMap<String, Pending>,
    sessions: HashMap<String, Session>,
    /// Its address, if not the host's own.
    pub(crate) address: Option<String>,
    /// How far into the past an assertion is dated, in seconds.
    pub(crate) backdated: i64,
    /// How long ago whoever signs in now is said to have done so, in seconds.
    pub(crate) aged: i64,
}

impl State {
    fn base(&self) -> String {
        self.address.clone().unwrap_or_else(|| format!("https://{HOST}"))
    }

    fn entity_id(&self) -> String {
        format!("{}/saml/metadata", self.base())
    }

    fn key(&mut self) -> Result<&SigningKey, Breach> {
        if self.key.is_none() {
            self.key = SigningKey::new("login.corp.acme.example");
        }
        self.key.as_ref().ok_or_else(|| Breach("no key could be made".to_owned()))
    }

    /// What the identity provider says of itself.
    pub(crate) fn metadata(&mut self) -> Result<String, Breach> {
        let (entity_id, base) = (self.entity_id(), self.base());
        let certificate = STANDARD.encode(&self.key()?.certificate);
        let redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
        Ok(format!(
            "<?xml version=\"1.0\"?>\n<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\"><md:IDPSSODescriptor \
             WantAuthnRequestsSigned=\"true\" protocolSupportEnumeration=\"{PROTOCOL}\"><md:KeyDescriptor use=\"signing\">\
             <ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
             </md:KeyDescriptor><md:SingleLogoutService Binding=\"{redirect}\" Location=\"{base}/saml/slo\"/>\
             <md:SingleSignOnService Binding=\"{redirect}\" Location=\"{base}/saml/sso\"/></md:IDPSSODescriptor></md:EntityDescriptor>\n",
            escape(&entity_id)
        ))
    }

    /// The certificate that it signs with, in DER.
    pub(crate) fn certificate(&mut self) -> Result<Vec<u8>, Breach> {
        Ok(self.key()?.certificate.clone())
    }

    /// Takes a service in by its metadata, in place of an older one of that name.
    pub(crate) fn register(&mut self, metadata: &str) -> Result<(), String> {
        let root = Element::parse(metadata)?;
        let role = root.only(METADATA, "SPSSODescriptor")?;
        let entity_id = root.attribute("entityID").ok_or("no entity ID")?.to_owned();
        let acs = role.elements().find(|element| element.is(METADATA, "AssertionConsumerService")).ok_or("no address")?;
        let logout = role.elements().find(|element| element.is(METADATA, "SingleLogoutService"));
        let location = |element: &Element| element.attribute("Location").map(str::to_owned);
        let service = Service {
            acs: location(acs).ok_or("no address")?,
            logout: logout.and_then(location),
            certificates: certificates(role),
            entity_id,
        };
        self.services.retain(|known| known.entity_id != service.entity_id);
        self.services.push(service);
        Ok(())
    }
}

/// The certificates for signatures in a role of some metadata.
pub(crate) fn certificates(role: &Element) -> Vec<Vec<u8>> {
    let keys = role.elements().filter(|key| key.is(METADATA, "KeyDescriptor") && key.attribute("use") != Some("encryption"));
    let texts = keys.flat_map(Element::all).filter(|element| element.is(DSIG, "X509Certificate")).map(Element::text);
    texts.filter_map(|text| STANDARD.decode(text.split_whitespace().collect::<String>()).ok()).collect()
}

/// Answers for the identity provider.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["authorization"])?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/saml/metadata") => Ok(Reply::new(200, "application/samlmetadata+xml", world.corporate.metadata()?)),
        ("GET", "/saml/sso") => sign_in(world, request),
        ("POST", "/saml/login") => login(world, request),
        ("GET", "/saml/slo") => sign_out(world, request),
        (method, path) => breach(format!("no page for {method} {path}")),
    }
}

/// The message in the address, if the service that it names has signed the address.
fn message(world: &World, request: &Request) -> Result<(Element, Service, Option<String>), Breach> {
    let query = request.query_fields();
    query.exactly(&["SAMLRequest", "SigAlg", "Signature"], &["RelayState"])?;
    if query.get("SigAlg") != RSA_SHA256 {
        return breach("the request is not signed with RSA and SHA-256");
    }
    let packed = STANDARD.decode(query.get("SAMLRequest")).map_err(|_| Breach("the request is not base64".to_owned()))?;
    let mut xml = String::new();
    DeflateDecoder::new(packed.as_slice())
        .take(64 * 1024)
        .read_to_string(&mut xml)
        .map_err(|_| Breach("the request is not deflated".to_owned()))?;
    let root = Element::parse(&xml).map_err(Breach)?;
    let issuer = root.only(ASSERTION, "Issuer").map_err(Breach)?.text();
    let Some(service) = world.corporate.services.iter().find(|service| service.entity_id == issuer) else {
        return breach(format!("`{issuer}` is not a service that is known here"));
    };
    // What is signed are the parameters as they were sent, in this order.
    let sent = |name: &str| request.raw_query.split('&').find(|pair| pair.split('=').next() == Some(name));
    let signed: Vec<&str> = ["SAMLRequest", "RelayState", "SigAlg"].into_iter().filter_map(sent).collect();
    if !is_signed(signed.join("&").as_bytes(), query.get("Signature"), &service.certificates) {
        return breach("the request's signature is not the service's");
    }
    Ok((root, service.clone(), query.find("RelayState").map(str::to_owned)))
}

fn sign_in(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let (asked, service, relay_state) = message(world, request)?;
    let is_ours = asked.is(PROTOCOL, "AuthnRequest")
        && asked.attribute("Version") == Some("2.0")
        && asked.attribute("Destination") == Some(&format!("{}/saml/sso", world.corporate.base()))
        && asked.attribute("ProtocolBinding") == Some("urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST");
    if !is_ours || asked.attribute("AssertionConsumerServiceURL") != Some(&service.acs) {
        return breach("the request is not for this place, or not of that address");
    }
    let id = asked.attribute("ID").filter(|id| id.len() >= 20).ok_or_else(|| Breach("an ID that can be guessed".to_owned()))?;
    let at = asked.attribute("IssueInstant").and_then(|at| at.parse::<jiff::Timestamp>().ok());
    if at.is_none_or(|at| (at.as_second() - world.idp_now().as_second()).abs() > 120) {
        return breach("the request is not of now");
    }
    let pending = Pending { service: service.entity_id, request: id.to_owned(), relay_state };
    let session = request.cookie(COOKIE).and_then(|cookie| world.corporate.sessions.get(cookie)).cloned();
    if let Some(session) = session.filter(|_| asked.attribute("ForceAuthn") != Some("true")) {
        return respond(world, &pending, &session);
    }
    let ticket = word::<32>();
    world.corporate.pending.insert(ticket.clone(), pending);
    Ok(Reply::html(200, form(&ticket, "")))
}

fn form(ticket: &str, said: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Acme: sign in</title></head><body><h1>Acme</h1>\n<p>{said}</p>\n\
         <form method=\"post\" action=\"/saml/login\">\n<input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\n\
         <label>Address <input name=\"login\" autofocus></label>\n<label>Password <input type=\"password\" name=\"password\"></label>\n\
         <button>Sign in</button>\n</form></body></html>\n"
    )
}

fn login(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.no_query()?;
    let fields = request.form()?;
    fields.exactly(&["ticket", "login", "password"], &[])?;
    let ticket = fields.get("ticket");
    let person = world.directory.person(fields.get("login")).filter(|person| person.password == fields.get("password"));
    let Some(email) = person.map(|person| person.email.clone()) else {
        return Ok(Reply::html(200, form(&escape(ticket), "The address or the password is not right.")));
    };
    let Some(pending) = world.corporate.pending.remove(ticket) else {
        return Ok(Reply::html(400, "<!DOCTYPE html><title>Acme</title><p>This page is too old.</p>"));
    };
    let (cookie, index) = (word::<32>(), format!("_{}", hex(&random::<16>())));
    let session = Session { email, at: later(world.idp_now(), -world.corporate.aged), index };
    let reply = respond(world, &pending, &session)?;
    world.corporate.sessions.insert(cookie.clone(), session);
    Ok(reply.with("set-cookie", &format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax")))
}

/// The page that takes a signed response to the service.
fn respond(world: &mut World, pending: &Pending, session: &Session) -> Result<Reply, Breach> {
    let now = later(world.idp_now(), -world.corporate.backdated);
    let (issuer, services) = (world.corporate.entity_id(), &world.corporate.services);
    let service = services.iter().find(|service| service.entity_id == pending.service).cloned();
    let (Some(service), Some(person)) = (service, world.directory.person(&session.email).cloned()) else {
        return breach("the person or the service is gone");
    };
    let assertion = assertion(&person, &service, pending, session, &issuer, now);
    let signed = world.corporate.key()?.signed(&assertion).map_err(Breach)?;
    let response = format!(
        "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"_{id}\" Version=\"2.0\" IssueInstant=\"{now}\" \
         Destination=\"{acs}\" InResponseTo=\"{request}\"><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>{signed}</samlp:Response>",
        id = hex(&random::<16>()),
        acs = escape(&service.acs),
        request = escape(&pending.request),
        issuer = escape(&issuer),
    );
    let base64 = STANDARD.encode(response);
    world.secret(&base64);
    Ok(Reply::html(200, post_page_with(&service.acs, &base64, pending.relay_state.as_deref())))
}

fn assertion(
    person: &Person,
    service: &Service,
    pending: &Pending,
    session: &Session,
    issuer: &str,
    now: jiff::Timestamp,
) -> String {
    let attribute = |name: &str, value: &str| {
        format!(
            "<saml:Attribute Name=\"{name}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">\
             <saml:AttributeValue>{}</saml:AttributeValue></saml:Attribute>",
            escape(value)
        )
    };
    format!(
        "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"_{id}\" Version=\"2.0\" IssueInstant=\"{now}\"><saml:Issuer>{issuer}</saml:Issuer>\
         <saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">{name_id}</saml:NameID>\
         <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData InResponseTo=\"{request}\" \
         NotOnOrAfter=\"{end}\" Recipient=\"{acs}\"/></saml:SubjectConfirmation></saml:Subject>\
         <saml:Conditions NotBefore=\"{start}\" NotOnOrAfter=\"{end}\"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>\
         </saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant=\"{at}\" SessionIndex=\"{index}\"><saml:AuthnContext>\
         <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>\
         </saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>",
        id = uuid(),
        issuer = escape(issuer),
        name_id = name_id(&person.email),
        request = escape(&pending.request),
        end = later(now, LIFETIME),
        acs = escape(&service.acs),
        start = later(now, -60),
        audience = escape(&service.entity_id),
        at = session.at,
        index = session.index,
        attributes = attribute("gid", &person.gid()) + &attribute("mail", &person.email),
    )
}

/// What a service calls a person: the same each time, and nothing of them in it.
fn name_id(email: &str) -> String {
    hex(&ring::digest::digest(&ring::digest::SHA256, email.as_bytes()).as_ref()[..16])
}

fn sign_out(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    let (asked, service, relay_state) = message(world, request)?;
    let base = world.corporate.base();
    if !asked.is(PROTOCOL, "LogoutRequest") || asked.attribute("Destination") != Some(&format!("{base}/saml/slo")) {
        return breach("the request is not one to sign out here");
    }
    let name = asked.only(ASSERTION, "NameID").map_err(Breach)?.text();
    world.corporate.sessions.retain(|_, session| name_id(&session.email) != name);
    let Some(back) = service.logout else { return breach("the service has no address for the answer") };
    let xml = format!(
        "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"_{id}\" Version=\"2.0\" IssueInstant=\"{now}\" \
         Destination=\"{back}\" InResponseTo=\"{request}\"><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status></samlp:LogoutResponse>",
        id = hex(&random::<16>()),
        now = world.idp_now(),
        back = escape(&back),
        request = escape(asked.attribute("ID").unwrap_or_default()),
        issuer = escape(&world.corporate.entity_id()),
    );
    let mut packed = Vec::new();
    // Reading from memory does not fail.
    let _ = flate2::read::DeflateEncoder::new(xml.as_bytes(), flate2::Compression::default()).read_to_end(&mut packed);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("SAMLResponse", &STANDARD.encode(packed));
    if let Some(relay_state) = relay_state {
        query.append_pair("RelayState", &relay_state);
    }
    let query = query.append_pair("SigAlg", RSA_SHA256).finish();
    let signature = world.corporate.key()?.sign(query.as_bytes());
    let signature: String = url::form_urlencoded::byte_serialize(signature.as_bytes()).collect();
    Ok(Reply::redirect(&format!("{back}?{query}&Signature={signature}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Directory;
    use crate::wire::Payload;

    const SERVICE: &str = "https://cam.example/saml/metadata";
    const ACS: &str = "https://cam.example/saml/acs";

    fn metadata(key: &SigningKey) -> String {
        format!(
            "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{SERVICE}\"><md:SPSSODescriptor><md:KeyDescriptor use=\"signing\">\
             <k:KeyInfo xmlns:k=\"{DSIG}\"><k:X509Data><k:X509Certificate>{}</k:X509Certificate></k:X509Data></k:KeyInfo></md:KeyDescriptor>\
             <md:SingleLogoutService Binding=\"b\" Location=\"https://cam.example/saml/slo\"/>\
             <md:AssertionConsumerService Binding=\"b\" Location=\"{ACS}\" index=\"0\"/></md:SPSSODescriptor></md:EntityDescriptor>",
            STANDARD.encode(&key.certificate)
        )
    }

    /// A service's request, by its address.
    fn asks(key: &SigningKey, path: &str, xml: &str) -> Request {
        let mut packed = Vec::new();
        flate2::read::DeflateEncoder::new(xml.as_bytes(), flate2::Compression::default()).read_to_end(&mut packed).unwrap();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("SAMLRequest", &STANDARD.encode(packed))
            .append_pair("RelayState", "r&1")
            .append_pair("SigAlg", RSA_SHA256);
        let mut query = query.finish();
        let signature: String = url::form_urlencoded::byte_serialize(key.sign(query.as_bytes()).as_bytes()).collect();
        query += &format!("&Signature={signature}");
        Request {
            host: HOST.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            raw_query: query,
            ..Request::default()
        }
    }

    fn authn(world: &World, more: &str) -> String {
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"_0123456789012345678901\" Version=\"2.0\" \
             IssueInstant=\"{}\" Destination=\"https://{HOST}/saml/sso\" AssertionConsumerServiceURL=\"{ACS}\" \
             ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"{more}><saml:Issuer>{SERVICE}</saml:Issuer></samlp:AuthnRequest>",
            world.idp_now()
        )
    }

    fn body(reply: &Reply) -> String {
        match &reply.payload {
            Payload::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Payload::Huge(_) => String::new(),
        }
    }

    fn field(page: &str, name: &str) -> String {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
        rest.split('"').next().unwrap().replace("&amp;", "&")
    }

    fn login(ticket: &str, password: &str) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("ticket", ticket).append_pair("login", "alice@example.com").append_pair("password", password);
        Request {
            method: "POST".to_owned(),
            path: "/saml/login".to_owned(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: form.finish().into_bytes(),
            ..Request::default()
        }
    }

    #[test]
    fn a_person_is_vouched_for_to_a_service_that_asked() {
        let key = SigningKey::new("cam").unwrap();
        let mut world = World { directory: Directory::example(), ..World::default() };
        world.corporate.register(&metadata(&key)).unwrap();
        let asked = asks(&key, "/saml/sso", &authn(&world, ""));
        let page = body(&answer(&mut world, &asked).unwrap());
        let ticket = field(&page, "ticket");
        assert!(body(&answer(&mut world, &login(&ticket, "wrong")).unwrap()).contains("is not right"));
        let reply = answer(&mut world, &login(&ticket, "alice-correct-horse-battery")).unwrap();
        let page = body(&reply);
        assert!(page.contains(&format!("action=\"{ACS}\"")) && field(&page, "RelayState") == "r&1");
        let response = String::from_utf8(STANDARD.decode(field(&page, "SAMLResponse")).unwrap()).unwrap();
        let root = Element::parse(&response).unwrap();
        let assertion = root.only(ASSERTION, "Assertion").unwrap();
        crate::dsig::check(assertion, &[world.corporate.certificate().unwrap()]).unwrap();
        for text in ["<saml:AttributeValue>E-alice</saml:AttributeValue>", "InResponseTo=\"_0123456789012345678901\"", SERVICE] {
            assert!(response.contains(text), "{text}");
        }
        // Its session is good for the next service, unless that wants the password.
        let cookie = reply.headers.iter().find(|(name, _)| name == "set-cookie").unwrap().1.split(';').next().unwrap().to_owned();
        for (more, known) in [("", true), (" ForceAuthn=\"true\"", false)] {
            let mut asked = asks(&key, "/saml/sso", &authn(&world, more));
            asked.headers.push(("cookie".to_owned(), cookie.clone()));
            assert_eq!(body(&answer(&mut world, &asked).unwrap()).contains("SAMLResponse"), known, "{more}");
        }
        // It ends when a service says so.
        let name = assertion.only(ASSERTION, "Subject").unwrap().only(ASSERTION, "NameID").unwrap().text();
        let logout = format!(
            "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"_9\" Destination=\"https://{HOST}/saml/slo\">\
             <saml:Issuer>{SERVICE}</saml:Issuer><saml:NameID>{name}</saml:NameID></samlp:LogoutRequest>"
        );
        let asked = asks(&key, "/saml/slo", &logout);
        let reply = answer(&mut world, &asked).unwrap();
        assert!(reply.status == 302 && world.corporate.sessions.is_empty());
    }

    #[test]
    fn what_a_service_did_not_sign_is_refused() {
        let key = SigningKey::new("cam").unwrap();
        let mut world = World { directory: Directory::example(), ..World::default() };
        world.corporate.register(&metadata(&key)).unwrap();
        let good = authn(&world, "");
        let other = SigningKey::new("other").unwrap();
        for (signer, text, why) in [
            (&other, good.clone(), "the request's signature is not the service's"),
            (&key, good.replace(SERVICE, "https://other.example/"), "is not a service that is known here"),
            (&key, good.replace(ACS, "https://evil.example/acs"), "not of that address"),
            (&key, good.replace(HOST, "elsewhere.example"), "the request is not for this place"),
            (&key, good.replace("ID=\"_0123456789012345678901\"", "ID=\"_1\""), "an ID that can be guessed"),
        ] {
            let asked = asks(signer, "/saml/sso", &text);
            let Err(Breach(told)) = answer(&mut world, &asked) else { panic!("{why}") };
            assert!(told.contains(why), "{told}");
        }
        let mut asked = asks(&key, "/saml/sso", &good);
        asked.raw_query = asked.raw_query.replace("RelayState=r%261", "RelayState=r%262");
        assert!(answer(&mut world, &asked).is_err(), "what goes along is signed too");
    }
}
