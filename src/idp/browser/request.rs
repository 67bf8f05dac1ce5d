//! What a page's request carries, and whether it may go on. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::saml::Reading;
use crate::types::{SamlResponse, Secret, ServiceProvider, WebUrl};

/// The form that a request carries.
pub(super) enum Body {
    /// None: a page is opened, not posted to.
    None,
    /// This.
    There(Secret<String>),
    /// One that has to be asked for.
    Elsewhere,
}

/// Reads `Network.Request`.
pub(super) fn body(request: &Value) -> Body {
    if !request["method"].as_str().is_some_and(|method| method.eq_ignore_ascii_case("POST")) {
        return Body::None;
    }
    if let Some(text) = request["postData"].as_str() {
        return Body::There(Secret::from(text));
    }
    if !request["hasPostData"].as_bool().unwrap_or_default() {
        return Body::None;
    }
    let mut bytes = Vec::new();
    let entries = request["postDataEntries"].as_array().map(Vec::as_slice).unwrap_or_default();
    for entry in entries {
        match entry["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok()) {
            Some(part) => bytes.extend(part),
            // A file, which only the browser can read.
            None => return Body::Elsewhere,
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.is_empty() => Body::There(Secret::new(text)),
        _ => Body::Elsewhere,
    }
}

/// What becomes of a posted form.
pub(super) enum Judgement {
    /// It is none of ours: the user name, the password, or a response for somebody on the way who signs again.
    GoOn,
    /// The response for the cloud, at the cloud's door.
    Ours(SamlResponse),
    /// At the cloud's door, and no response to be found in it: it may be there in another writing, so it is not let in either.
    Unreadable,
    /// A response for a cloud, on its way to somebody else.
    Stolen {
        /// Where to, without its query.
        target: String,
    },
}

/// Whether `url` is where the cloud receives responses.
pub(super) fn is_acs(url: &str, sp: &ServiceProvider) -> bool {
    WebUrl::parse(url).is_ok_and(|url| sp.receives_at(&url))
}

/// Judges a form that is posted to `url`. `start` is any address that is no cloud's.
pub(super) fn judge(url: &str, body: &Secret<String>, sp: &ServiceProvider, start: &WebUrl) -> Judgement {
    let mut fields = url::form_urlencoded::parse(body.expose().as_bytes());
    let response =
        fields.find(|(name, value)| name == "SAMLResponse" && !value.is_empty()).map(|(_, value)| SamlResponse::new(&value));
    let response = match (response, is_acs(url, sp)) {
        (Some(response), true) => return Judgement::Ours(response),
        (None, true) => return Judgement::Unreadable,
        (None, false) => return Judgement::GoOn,
        (Some(response), false) => response,
    };
    // Other than a page that is only read, one in a browser may hand on what we cannot read: an encrypted response for a broker.
    let address = WebUrl::parse(url);
    let audiences = Reading::of(&response).map(|reading| reading.audiences).unwrap_or_default();
    let is_clouds = |audience: &str| audience == sp.entity_id || (sp.is_clouds)(address.as_ref().unwrap_or(start), audience);
    if is_clouds("") || audiences.iter().any(|audience| is_clouds(audience)) {
        let target = address.map_or_else(|_| "an address that is not used".to_owned(), |address| address.to_string());
        return Judgement::Stolen { target };
    }
    Judgement::GoOn
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(request: Value) -> String {
        match body(&request) {
            Body::None => "none".to_owned(),
            Body::There(text) => text.expose().clone(),
            Body::Elsewhere => "elsewhere".to_owned(),
        }
    }

    #[test]
    fn forms_in_every_shape_that_a_browser_tells_them() {
        assert_eq!(read(json!({ "method": "GET", "postData": "a=1" })), "none");
        assert_eq!(read(json!({ "method": "POST" })), "none");
        assert_eq!(read(json!({ "method": "POST", "hasPostData": true, "postData": "a=1" })), "a=1");
        let entries = json!([{ "bytes": "YT0x" }, { "bytes": "JmI9Mg==" }]);
        assert_eq!(read(json!({ "method": "POST", "hasPostData": true, "postDataEntries": entries })), "a=1&b=2");
        for entries in
            [json!([{ "bytes": "YT0x" }, {}]), json!([{ "bytes": "?" }]), json!([{ "bytes": "/w==" }]), json!(null), json!([])]
        {
            assert_eq!(read(json!({ "method": "POST", "hasPostData": true, "postDataEntries": entries })), "elsewhere");
        }
    }

    fn judged(url: &str, response: &str) -> String {
        let sp = ServiceProvider {
            entity_id: "urn:amazon:webservices".into(),
            is_acs: |url| url.to_string() == "https://signin.aws.amazon.com/saml",
            is_clouds: |url, audience| url.host() == "signin.other.example" || audience == "urn:other:cloud",
            target: WebUrl::parse("https://aws.acme.example/saml").ok(),
            web_identity: crate::idp::NO_WEB_IDENTITY,
        };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("RelayState", "x")
            .append_pair("SAMLResponse", response)
            .finish();
        match judge(url, &Secret::new(form), &sp, &WebUrl::parse("https://idp.example/").unwrap()) {
            Judgement::GoOn => "goes on".to_owned(),
            Judgement::Ours(response) => response.expose().to_owned(),
            Judgement::Unreadable => "unreadable".to_owned(),
            Judgement::Stolen { target } => format!("stolen by {target}"),
        }
    }

    fn response_for(audience: &str) -> String {
        STANDARD.encode(format!(
            "<p:Response xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol' xmlns:a='urn:oasis:names:tc:SAML:2.0:assertion'><p:Status>\
             <p:StatusCode Value='urn:oasis:names:tc:SAML:2.0:status:Success'/></p:Status><a:Assertion><a:Conditions><a:AudienceRestriction>\
             <a:Audience>{audience}</a:Audience></a:AudienceRestriction></a:Conditions></a:Assertion></p:Response>"
        ))
    }

    #[test]
    fn a_response_is_the_clouds_or_nobodys() {
        let ours = response_for("urn:amazon:webservices");
        assert_eq!(judged("https://signin.aws.amazon.com/saml?x=1", &ours), ours);
        assert_eq!(judged("https://signin.aws.amazon.com/saml", "PHNhbWw+"), "PHNhbWw+");
        assert_eq!(judged("https://aws.acme.example/saml", &ours), ours);
        assert_eq!(judged("https://signin.aws.amazon.com/saml", ""), "unreadable");
        assert_eq!(judged("https://idp.example/login", ""), "goes on");
        assert_eq!(judged("https://evil.example/saml?x=1", &ours), "stolen by https://evil.example/saml");
        assert_eq!(judged("http://signin.aws.amazon.com/saml", &ours), "stolen by an address that is not used");
        assert_eq!(judged("https://evil.example/saml", &response_for("urn:other:cloud")), "stolen by https://evil.example/saml");
        assert_eq!(judged("https://signin.other.example/x", "PHNhbWw+"), "stolen by https://signin.other.example/x");
        // Somebody on the way, who signs again.
        assert_eq!(judged("https://broker.example/acs", &response_for("https://broker.example")), "goes on");
        assert_eq!(judged("https://broker.example/acs", "encrypted"), "goes on");
    }
}
