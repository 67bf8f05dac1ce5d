//! The signature, judged by saml-rs: against the pinned certificates only, with every check of its own that it has.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saml_rs::{
    AcsEndpoint, AssertionSignaturePolicy, AudienceValidationPolicy, BrowserInput, ClockSkew, EntityId, FormField, IdpDescriptor,
    MessageId, MetadataTrustPolicy, PendingAuthnRequest, RelayStateParam, ReplayPolicy, Saml, SamlError, SamlValidationContext,
    SpConfig, SpValidationPolicy, SsoResponse, SsoResponseBinding, SsoSession, VerifiedXmlSignatureCoverage, XmlSignatureProfile,
};

use super::gate::Passed;
use super::pinned::{Method, Pinned};
use super::{Expected, Refused, WIDEST_SKEW};
use crate::saml::markup::{DSIG, METADATA, PROTOCOL, attribute};
use crate::types::{Timestamp, Untrusted};

/// Judges the response. `in_response_to` is the request that it says it answers.
pub(super) fn judge(
    xml: &str,
    passed: &Passed<'_, '_>,
    in_response_to: Option<&str>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<SsoSession, Refused> {
    let pinned = Pinned::usable(expected.certificates)?;
    let fits = |pinned: &&Pinned<'_>| passed.methods.iter().any(|method| method.suits(pinned.kind));
    let suitable: Vec<&Pinned<'_>> = pinned.iter().filter(fits).collect();
    if suitable.is_empty() {
        return Err(Refused::Signature("no pinned certificate is of the kind of key that made it".to_owned()));
    }
    let session = ask(xml, &suitable, passed, in_response_to, expected, now).map_err(|error| said(&error))?;
    covered(&session, passed)?;
    Ok(session)
}

fn ask(
    xml: &str,
    pinned: &[&Pinned<'_>],
    passed: &Passed<'_, '_>,
    in_response_to: Option<&str>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<SsoSession, SamlError> {
    let is_rsa_sha2 = |method: &Method| matches!(method, Method::RsaSha256 | Method::RsaSha384 | Method::RsaSha512);
    let policy = SpValidationPolicy {
        assertions: match expected.response_signature_is_enough {
            true => AssertionSignaturePolicy::AllowUnsignedForCompatibility,
            false => AssertionSignaturePolicy::RequireSigned,
        },
        // The stricter of its two profiles knows no elliptic curves; the gate has looked at algorithms already.
        xml_signatures: match passed.methods.iter().all(is_rsa_sha2) && !expected.allow_sha1 {
            true => XmlSignatureProfile::StrictRsaSha2,
            false => XmlSignatureProfile::AllowProviderSupportedForCompatibility,
        },
        audience: AudienceValidationPolicy::Validate,
        ..SpValidationPolicy::recommended()
    };
    let config = SpConfig::builder(EntityId::try_new(expected.entity_id)?)
        .acs_endpoint(AcsEndpoint::post(expected.acs)?)
        .validation(policy)
        .build()?;
    let sp = Saml::sp(config)?;
    let idp_id = EntityId::try_new(expected.idp)?;
    let metadata = metadata(expected.idp, pinned).ok_or_else(|| SamlError::Invalid("the entity ID".to_owned()))?;
    // Not a document of somebody's: it is made here, of what is pinned.
    let idp = IdpDescriptor::from_metadata_xml_for(idp_id.clone(), &metadata, MetadataTrustPolicy::UnsignedForCompatibility)?;
    let input = BrowserInput::<SsoResponse>::post(vec![FormField::new("SAMLResponse", STANDARD.encode(xml))]);
    let skew = i64::try_from(expected.skew.min(WIDEST_SKEW).as_millis()).unwrap_or_default();
    let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
    // Replays are found in the database, in one transaction with the session that follows.
    let context = SamlValidationContext::new(
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis),
        ReplayPolicy::DisabledForCompatibility,
    )
    .with_clock_skew(ClockSkew::from_millis(-skew, skew));
    match in_response_to {
        Some(id) => {
            let pending = PendingAuthnRequest::try_new(
                MessageId::try_new(id)?,
                RelayStateParam::absent(),
                AcsEndpoint::post(expected.acs)?,
                SsoResponseBinding::Post,
                idp_id,
            )?;
            sp.finish_sso(&idp, &pending, input, context)
        }
        None => sp.accept_unsolicited_sso(&idp, input, context),
    }
}

/// Every signature in the response held, and they cover what is read.
fn covered(session: &SsoSession, passed: &Passed<'_, '_>) -> Result<(), Refused> {
    let verified = session.verified_xml_signatures();
    if verified.len() != passed.methods.len() {
        return Err(Refused::Signature("not all of those in the response hold".to_owned()));
    }
    let direct = |coverage| {
        matches!(
            coverage,
            VerifiedXmlSignatureCoverage::ConsumedAssertion | VerifiedXmlSignatureCoverage::ResponseRootAndConsumedAssertion
        )
    };
    if passed.assertion_is_signed && !verified.iter().any(|signature| direct(signature.coverage())) {
        return Err(Refused::Signature("the assertion's own does not cover it".to_owned()));
    }
    Ok(())
}

/// The identity provider, as the verifier wants to be told of it.
fn metadata(idp: &str, pinned: &[&Pinned<'_>]) -> Option<String> {
    let key = |pinned: &&Pinned<'_>| {
        format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
            STANDARD.encode(pinned.der)
        )
    };
    Some(format!(
        "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\"><md:IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\">{}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://idp.invalid/\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        attribute(idp).ok()?,
        pinned.iter().map(key).collect::<String>()
    ))
}

/// Its refusals in our words, as far as they matter to whoever reads the trail.
fn said(error: &SamlError) -> Refused {
    let words = Untrusted::new(error.to_string()).to_string();
    match error {
        SamlError::StatusNotSuccess { top, .. } => Refused::Status(Untrusted::new(top.clone())),
        SamlError::TimeWindowInvalid { .. } => Refused::Expired("time"),
        SamlError::AudienceMismatch { .. } => Refused::Audience(Untrusted::new(words)),
        _ => Refused::Signature(words),
    }
}
