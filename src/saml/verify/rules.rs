//! The checks of SAML itself (core §2.5, profiles §4.1.4.3): from whom, for whom, where, when, and how the person was known.

use std::time::Duration;

use super::Refused;
use crate::types::Timestamp;

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
