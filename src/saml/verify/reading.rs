//! The one assertion, as our own parser reads it, and the comparison with what the verifier read.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::gate::Passed;
use super::tree::{Names as _, trimmed};
use super::{NameId, Refused};
use crate::saml::markup::ASSERTION;
use crate::types::Timestamp;

/// What an assertion says, before anybody asked whether it may.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) response_id: String,
    pub(super) response_issued: Option<String>,
    pub(super) response_issuer: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) in_response_to: Option<String>,
    pub(super) assertion_id: String,
    pub(super) assertion_issued: Option<String>,
    pub(super) issuer: String,
    pub(super) name_id: NameId,
    pub(super) confirmation: Confirmation,
    pub(super) not_before: Option<String>,
    pub(super) not_on_or_after: Option<String>,
    pub(super) audience: String,
    pub(super) authn: Authn,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// How the subject is confirmed.
#[derive(Debug)]
pub(super) struct Confirmation {
    pub(super) method: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) in_response_to: Option<String>,
    pub(super) not_before: Option<String>,
    pub(super) not_on_or_after: Option<String>,
}

/// How the person was known.
#[derive(Debug)]
pub(super) struct Authn {
    pub(super) instant: Option<String>,
    pub(super) session_index: Option<String>,
    pub(super) session_ends: Option<String>,
    pub(super) class: Option<String>,
}

fn own(node: Node<'_, '_>, name: &str) -> Option<String> {
    // By its plain name only: one of another vocabulary has a namespace.
    node.attribute(name).map(str::to_owned)
}

impl Reading {
    /// Reads what got through the gate.
    pub(super) fn of(passed: &Passed<'_, '_>) -> Result<Self, Refused> {
        let (response, assertion) = (passed.response, passed.assertion);
        let response_issuer = response.maybe(ASSERTION, "Issuer")?.map(|node| node.value()).transpose()?;
        let subject = assertion.one(ASSERTION, "Subject")?;
        let confirmed = subject.one(ASSERTION, "SubjectConfirmation")?;
        let data = confirmed.one(ASSERTION, "SubjectConfirmationData")?;
        let conditions = assertion.one(ASSERTION, "Conditions")?;
        let audience = conditions.one(ASSERTION, "AudienceRestriction")?.one(ASSERTION, "Audience")?.value()?;
        let statement = assertion.one(ASSERTION, "AuthnStatement")?;
        let class = statement.one(ASSERTION, "AuthnContext")?.maybe(ASSERTION, "AuthnContextClassRef")?;
        Ok(Self {
            response_id: own(response, "ID").unwrap_or_default(),
            response_issued: own(response, "IssueInstant"),
            response_issuer,
            destination: own(response, "Destination"),
            in_response_to: own(response, "InResponseTo"),
            assertion_id: own(assertion, "ID").unwrap_or_default(),
            assertion_issued: own(assertion, "IssueInstant"),
            issuer: assertion.one(ASSERTION, "Issuer")?.value()?,
            name_id: NameId::read(subject.one(ASSERTION, "NameID")?)?,
            confirmation: Confirmation {
                method: own(confirmed, "Method"),
                recipient: own(data, "Recipient"),
                in_response_to: own(data, "InResponseTo"),
                not_before: own(data, "NotBefore"),
                not_on_or_after: own(data, "NotOnOrAfter"),
            },
            not_before: own(conditions, "NotBefore"),
            not_on_or_after: own(conditions, "NotOnOrAfter"),
            audience,
            authn: Authn {
                instant: own(statement, "AuthnInstant"),
                session_index: own(statement, "SessionIndex"),
                session_ends: own(statement, "SessionNotOnOrAfter"),
                class: class.map(|node| node.value()).transpose()?,
            },
            attributes: attributes(assertion)?,
        })
    }

    /// Fails where the verifier read something else.
    pub(super) fn agrees(&self, other: &saml_rs::SsoSession) -> Result<(), Refused> {
        let alike = |what: &'static str, is_alike: bool| if is_alike { Ok(()) } else { Err(Refused::Differs(what)) };
        let text = |own: &Option<String>, other: Option<&str>| own.as_deref() == other;
        let time = |own: &Option<String>, other: Option<&str>| match (own, other) {
            (None, None) => true,
            (Some(own), Some(other)) => Timestamp::parse(own).is_some_and(|own| Timestamp::parse(other) == Some(own)),
            _ => false,
        };
        let name = other.name_id();
        alike("response's identity", self.response_id == other.response_id().as_str())?;
        alike("assertion's identity", self.assertion_id == other.assertion_id().as_str())?;
        alike("issuer", self.issuer == trimmed(other.issuer().as_str()))?;
        alike("request", text(&self.in_response_to, other.in_response_to().map(|id| id.as_str())))?;
        alike("subject", self.name_id.value == trimmed(name.value()))?;
        alike("kind of subject", text(&self.name_id.format, name.format().map(|format| format.as_uri())))?;
        let audiences: Vec<&str> = other.audience().iter().map(|audience| trimmed(audience.as_str())).collect();
        alike("audience", audiences == [self.audience.as_str()])?;
        alike("time of issue", time(&self.response_issued, Some(other.response_issue_instant().as_str())))?;
        alike("time of issue", time(&self.assertion_issued, Some(other.assertion_issue_instant().as_str())))?;
        alike("beginning", time(&self.not_before, other.not_before().map(|time| time.as_str())))?;
        alike("end", time(&self.not_on_or_after, other.not_on_or_after().map(|time| time.as_str())))?;
        let [session] = other.authn_sessions() else { return Err(Refused::Differs("session")) };
        alike("session", text(&self.authn.session_index, session.session_index().map(|index| index.as_str())))?;
        alike("sign-in", time(&self.authn.instant, session.authn_instant().map(|time| time.as_str())))?;
        alike("session's end", time(&self.authn.session_ends, session.not_on_or_after().map(|time| time.as_str())))?;
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for attribute in other.attributes().as_slice() {
            let values = attribute.values().iter().map(|value| trimmed(value.as_str()).to_owned());
            attributes.entry(attribute.name().to_owned()).or_default().extend(values);
        }
        alike("attributes", self.attributes == attributes)
    }
}

fn attributes(assertion: Node<'_, '_>) -> Result<BTreeMap<String, Vec<String>>, Refused> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in assertion.elements().filter(|node| node.is(ASSERTION, "AttributeStatement")) {
        for attribute in statement.elements() {
            let name = own(attribute, "Name").filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Refused::Shape("an attribute has no name".to_owned()))?;
            let values = attribute.elements().map(|value| value.value()).collect::<Result<Vec<_>, _>>()?;
            found.entry(name).or_default().extend(values);
        }
    }
    Ok(found)
}
