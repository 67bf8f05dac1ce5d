//! SAML responses that are kept from one sign-in to the next, for people who want several roles from one: until the response's own end,
//! with the passwords or in a file that the account names. A cache that fails is told and stops nothing.

use std::time::Duration;

use super::{Error, Event, Run};
use crate::cloud::{self, Configured};
use crate::config::{Account, Responses};
use crate::idp::Memory;
use crate::saml::Reading;
use crate::types::{Assertion, Offer, SamlResponse, Secret, Timestamp, WebUrl};
use crate::vault::Kind;
use crate::world::file::{self, FileError};

/// What must be left of a response's life: it has to reach the cloud.
const MARGIN: Duration = Duration::from_secs(10);

/// What the kept response grants, if there is one that is still good for this account.
pub(super) fn recall(run: &Run<'_>, account: &Account, memory: &dyn Memory) -> Option<Offer> {
    let text = match &account.responses {
        Responses::Nowhere => return None,
        Responses::Vault => memory.recall(Kind::Assertion)?,
        Responses::File(path) => {
            let text = file::read(&run.world.paths.expand(path)).unwrap_or_else(|error| {
                tell(run, error.to_string());
                None
            });
            Secret::new(text?)
        }
    };
    let response = SamlResponse::new(text.expose());
    let Ok(until) = end(account, &response, run.world.clock.now()) else {
        forget(run, account, memory);
        return None;
    };
    let offer = cloud::find(account.cloud).offer(Assertion::Saml(response), &Configured::default()).ok()?;
    run.witness.tell(&Event::UsingResponse { until });
    Some(offer)
}

/// Keeps the response behind `offer`, if the account wishes so.
pub(super) fn keep(run: &Run<'_>, account: &Account, memory: &dyn Memory, offer: &Offer) {
    if account.responses == Responses::Nowhere {
        return;
    }
    // Whatever else proves who somebody is has its own rules for how long it is kept.
    let Assertion::Saml(response) = offer.assertion() else { return };
    if let Err(why) = end(account, response, run.world.clock.now()) {
        return tell(run, why.to_owned());
    }
    match &account.responses {
        Responses::Nowhere => {}
        Responses::Vault => {
            memory.keep(Kind::Assertion, &Secret::from(response.expose()));
            if memory.recall(Kind::Assertion).is_none() {
                tell(run, "no keychain took it; `--cache-file FILE` keeps it in a file".to_owned());
            }
        }
        Responses::File(path) => {
            let kept = file::edit(&run.world.paths.expand(path), |_| Ok::<_, FileError>(Some(response.expose().to_owned())));
            if let Err(error) = kept {
                tell(run, with_cause(&error));
            }
        }
    }
}

/// Drops a response that is of no more use.
pub(super) fn forget(run: &Run<'_>, account: &Account, memory: &dyn Memory) {
    match &account.responses {
        Responses::Nowhere => {}
        Responses::Vault => memory.forget(Kind::Assertion),
        Responses::File(path) => {
            if let Err(error) = file::remove(&run.world.paths.expand(path)) {
                tell(run, with_cause(&error));
            }
        }
    }
}

/// Whether a failure may be the kept response's, so that a fresh one is worth a sign-in.
pub(super) fn is_to_blame(error: &Error) -> bool {
    match error {
        Error::Cloud(refused @ cloud::CloudError::Refused { too_long: false, .. }) => !refused.is_passing(),
        Error::Unchosen { why, .. } => *why != crate::types::Unchosen::Ambiguous,
        _ => false,
    }
}

fn tell(run: &Run<'_>, why: String) {
    run.witness.tell(&Event::ResponseNotKept { why });
}

fn with_cause(error: &FileError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Until when a response is good, or why it is not to be kept or taken: whoever holds it can be this person at the cloud that it is for,
/// so one for somebody else is left alone.
fn end(account: &Account, response: &SamlResponse, now: Timestamp) -> Result<Timestamp, &'static str> {
    let reading = Reading::of(response).map_err(|_| "it cannot be read")?;
    let until = reading.not_on_or_after.ok_or("it does not say until when it is good")?;
    if until <= now.after(MARGIN) {
        return Err("it is not good for long enough");
    }
    if !reading.audiences.iter().any(|audience| is_ours(account, audience)) {
        return Err("it does not say that it is for this cloud");
    }
    Ok(until)
}

/// Whether an audience is the account's cloud: the entity ID of the account, else any of the cloud's, or an address where it receives
/// responses, which AWS takes for its name too.
fn is_ours(account: &Account, audience: &str) -> bool {
    let sp = cloud::find(account.cloud).service_provider(None, None);
    if let Some(urn) = account.idp.urn.as_ref().filter(|urn| **urn != sp.entity_id) {
        return audience == urn;
    }
    let is_part = |rest: &str| rest.is_empty() || rest.starts_with(':');
    audience.strip_prefix(&sp.entity_id).is_some_and(is_part) || WebUrl::parse(audience).is_ok_and(|url| (sp.is_acs)(&url))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::types::CloudId;

    fn until(cloud: CloudId, urn: &str, audience: &str, now: &str) -> Result<String, &'static str> {
        let key = if cloud == CloudId::Aws { "aws_urn" } else { "alibabacloud_urn" };
        let settings = [("url", "https://idp.example/"), ("provider", "Form"), (key, urn)];
        let account = crate::config::account_of(&settings, cloud).unwrap();
        let xml = format!(
            "<Response><Assertion><Subject><SubjectConfirmation><SubjectConfirmationData NotOnOrAfter=\"2026-01-01T00:05:00Z\"/>\
             </SubjectConfirmation></Subject><Conditions><AudienceRestriction>{audience}</AudienceRestriction></Conditions></Assertion></Response>"
        );
        let response = SamlResponse::new(&base64::engine::general_purpose::STANDARD.encode(xml));
        end(&account, &response, Timestamp::parse(now).unwrap()).map(Timestamp::utc)
    }

    #[test]
    fn good_for_the_accounts_own_cloud_alone() {
        const NOW: &str = "2026-01-01T00:00:00Z";
        let good = |cloud, urn: &str, audience: &str| until(cloud, urn, &format!("<Audience>{audience}</Audience>"), NOW).is_ok();
        let (aws, alibaba) = ("urn:amazon:webservices", "urn:alibaba:cloudcomputing");
        for (cloud, urn, audience, is_good) in [
            (CloudId::Aws, "", aws, true),
            (CloudId::Aws, aws, aws, true),
            (CloudId::Aws, "", "urn:amazon:webservices:cn-north-1", true),
            (CloudId::Aws, "", "https://signin.aws.amazon.com/saml", true),
            (CloudId::Aws, "", "urn:amazon:webservicesX", false),
            (CloudId::Aws, "", alibaba, false),
            (CloudId::Aws, "", "https://signin.aws.amazon.com.example/saml", false),
            (CloudId::Aws, "urn:amazon:webservices:cn-north-1", aws, false),
            (CloudId::Aws, "urn:ours", "urn:ours", true),
            (CloudId::Alibaba, "", alibaba, true),
            (CloudId::Alibaba, "", "urn:alibaba:cloudcomputing:international", true),
            (CloudId::Alibaba, "", aws, false),
        ] {
            assert_eq!(good(cloud, urn, audience), is_good, "{cloud} {urn} {audience}");
        }
        assert!(until(CloudId::Aws, "", "", NOW).unwrap_err().contains("for this cloud"));
        assert!(until(CloudId::Aws, "", &format!("<Audience>urn:other</Audience><Audience>{aws}</Audience>"), NOW).is_ok());
    }

    #[test]
    fn good_until_its_own_end() {
        let at = |now| until(CloudId::Aws, "", "<Audience>urn:amazon:webservices</Audience>", now);
        assert_eq!(at("2026-01-01T00:04:49Z").as_deref(), Ok("2026-01-01T00:05:00Z"));
        assert_eq!(at("2026-01-01T00:04:50Z"), Err("it is not good for long enough"));
        assert_eq!(at("2027-01-01T00:00:00Z"), Err("it is not good for long enough"));
    }
}
