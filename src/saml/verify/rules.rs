//! The checks of SAML itself (core §2.5, profiles §4.1.4.3): from whom, for whom, where, when, and how the person was known.

use std::time::Duration;

use super::reading::Reading;
use super::{Expected, Login, Refused, WIDEST_SKEW};
use crate::saml::markup::BEARER;
use crate::types::{Timestamp, Untrusted};

/// How long ago a message may have been issued. What it says of its own end counts besides.
const OLDEST: Duration = Duration::from_secs(600);

fn moment(text: Option<&str>, what: &'static str) -> Result<Timestamp, Refused> {
    // Only UTC, as SAML wants it (core §1.3.3).
    let read = text.filter(|text| text.ends_with('Z') && text.trim() == *text).and_then(Timestamp::parse);
    read.ok_or_else(|| Refused::Shape(format!("its {what} is missing, or no time in UTC")))
}

/// It was issued a short while ago, and not in the future.
pub(super) fn issued(text: Option<&str>, skew: Duration, now: Timestamp) -> Result<Timestamp, Refused> {
    let issued = not_before(text, "time of issue", skew, now)?;
    if now >= issued.after(OLDEST).after(skew) {
        return Err(Refused::Expired("time of issue"));
    }
    Ok(issued)
}

/// A moment that has come.
pub(super) fn not_before(text: Option<&str>, what: &'static str, skew: Duration, now: Timestamp) -> Result<Timestamp, Refused> {
    let start = moment(text, what)?;
    if now.after(skew) < start { Err(Refused::TooEarly(what)) } else { Ok(start) }
}

/// An end that has not come.
pub(super) fn before(text: Option<&str>, what: &'static str, skew: Duration, now: Timestamp) -> Result<Timestamp, Refused> {
    let end = moment(text, what)?;
    if now >= end.after(skew) { Err(Refused::Expired(what)) } else { Ok(end) }
}

/// All checks, one after another, on what was read.
pub(super) fn check(reading: Reading, expected: &Expected<'_>, now: Timestamp) -> Result<Login, Refused> {
    let skew = expected.skew.min(WIDEST_SKEW);
    let untrusted = |text: Option<String>| Untrusted::new(text.unwrap_or_default());
    if reading.issuer != expected.idp {
        return Err(Refused::Issuer(Untrusted::new(reading.issuer)));
    }
    if reading.response_issuer.as_ref().is_some_and(|issuer| issuer != expected.idp) {
        return Err(Refused::Issuer(untrusted(reading.response_issuer)));
    }
    if reading.destination.as_deref() != Some(expected.acs) {
        return Err(Refused::Destination(untrusted(reading.destination)));
    }
    if reading.audience != expected.entity_id {
        return Err(Refused::Audience(Untrusted::new(reading.audience)));
    }
    issued(reading.response_issued.as_deref(), skew, now)?;
    issued(reading.assertion_issued.as_deref(), skew, now)?;
    if reading.not_before.is_some() {
        not_before(reading.not_before.as_deref(), "beginning", skew, now)?;
    }
    let end = before(reading.not_on_or_after.as_deref(), "end", skew, now)?;
    let confirmed = confirmed(&reading, expected, skew, now)?;
    let authn = &reading.authn;
    let authn_at = not_before(authn.instant.as_deref(), "sign-in", skew, now)?;
    if expected.max_authn_age.is_some_and(|age| now > authn_at.after(age).after(skew)) {
        return Err(Refused::AuthnStale);
    }
    let session_ends = match authn.session_ends.as_deref() {
        Some(end) => Some(before(Some(end), "session", skew, now)?),
        None => None,
    };
    let is_wanted = |class: &String| expected.authn_contexts.contains(class);
    if !expected.authn_contexts.is_empty() && !authn.class.as_ref().is_some_and(is_wanted) {
        return Err(Refused::AuthnContext(untrusted(reading.authn.class)));
    }
    Ok(Login {
        issuer: reading.issuer,
        assertion_id: reading.assertion_id,
        in_response_to: reading.confirmation.in_response_to,
        valid_until: end.max(confirmed).after(skew),
        name_id: reading.name_id,
        session_index: reading.authn.session_index,
        authn_context: reading.authn.class,
        authn_at,
        session_ends,
        attributes: reading.attributes,
    })
}

/// The subject is confirmed as a bearer, here, for a while (profiles §4.1.4.2). Until when.
fn confirmed(reading: &Reading, expected: &Expected<'_>, skew: Duration, now: Timestamp) -> Result<Timestamp, Refused> {
    let confirmation = &reading.confirmation;
    if confirmation.method.as_deref() != Some(BEARER) {
        return Err(Refused::Confirmation("not as a bearer"));
    }
    if confirmation.recipient.as_deref() != Some(expected.acs) {
        return Err(Refused::Recipient(Untrusted::new(confirmation.recipient.clone().unwrap_or_default())));
    }
    if confirmation.not_before.is_some() {
        return Err(Refused::Confirmation("a bearer's confirmation has no beginning"));
    }
    // The response's own word need not be signed; the assertion's is.
    if confirmation.in_response_to != reading.in_response_to {
        return Err(Refused::Confirmation("response and assertion do not answer the same request"));
    }
    before(confirmation.not_on_or_after.as_deref(), "confirmation", skew, now)
}
