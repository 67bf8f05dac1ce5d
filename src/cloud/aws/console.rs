//! Console sign-in: keys are exchanged for a sign-in token, which a browser takes to the same host for a session.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html>
//!
//! The keys go in the body of a `POST`, which the endpoint takes as well as a `GET`: no proxy's log sees them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::sts;
use crate::cloud::console::said;
use crate::cloud::{CloudError, ConsoleLink, ConsoleWish};
use crate::types::{CloudId, Credentials, Partition, Region, Role, Secret, Untrusted, WebUrl};
use crate::world::{Request, Response, Transport, is_busy};

/// How long the address is good, says the page above.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// Where a partition's console is.
struct Place {
    partition: &'static str,
    signin: &'static str,
    console: &'static str,
    /// Whether the sign-in has a host in each region, too.
    is_regional: bool,
    /// The region to name where there is none without.
    home: Option<&'static str>,
}

/// The isolated partitions are missing: nothing public describes their federation endpoint.
/// <https://docs.aws.amazon.com/general/latest/gr/signin-service.html>
const PLACES: &[Place] = &[
    Place { partition: "aws", signin: "signin.aws.amazon.com", console: "console.aws.amazon.com", is_regional: true, home: None },
    Place { partition: "aws-cn", signin: "signin.amazonaws.cn", console: "console.amazonaws.cn", is_regional: false, home: None },
    Place {
        partition: "aws-us-gov",
        signin: "signin.amazonaws-us-gov.com",
        console: "console.amazonaws-us-gov.com",
        is_regional: false,
        home: None,
    },
    Place {
        partition: "aws-eusc",
        signin: "signin.amazonaws-eusc.eu",
        console: "console.amazonaws-eusc.eu",
        is_regional: true,
        home: Some("eusc-de-east-1"),
    },
];

/// The role's place, and the region there that is wished. A portal's role has no ARN that would name its partition; its region does.
fn place<'w>(role: &Role, wish: &ConsoleWish<'w>) -> Result<(&'static Place, Option<&'w str>), CloudError> {
    let (partition, region) = match role.arn() {
        Some(role) => (role.partition(), sts::own_region(role, wish.region)),
        None => (wish.region.map_or("aws", |region| Partition::of(region).name), wish.region),
    };
    let place = PLACES.iter().find(|place| place.partition == partition);
    let place = place.ok_or_else(|| CloudError::NoConsole { partition: partition.to_owned() })?;
    Ok((place, region.map(Region::as_str).or(place.home)))
}

/// Where keys are presented.
pub(super) fn endpoint(role: &Role, wish: &ConsoleWish<'_>) -> Result<WebUrl, CloudError> {
    let (place, region) = place(role, wish)?;
    let host = match region.filter(|_| place.is_regional) {
        Some(region) => format!("{region}.{}", place.signin),
        None => place.signin.to_owned(),
    };
    WebUrl::parse(&format!("https://{host}/federation")).map_err(|why| CloudError::Endpoint { text: host, why: why.to_string() })
}

/// The page that the browser ends at.
fn destination(role: &Role, wish: &ConsoleWish<'_>) -> Result<String, CloudError> {
    let (place, region) = place(role, wish)?;
    Ok(match (wish.page, region) {
        (Some(page), _) => page.to_owned(),
        (None, Some(region)) => format!("https://{region}.{}/console/home?region={region}", place.console),
        (None, None) => format!("https://{}/", place.console),
    })
}

/// The call.
pub(super) async fn sign_in(
    credentials: &Credentials,
    wish: &ConsoleWish<'_>,
    net: &dyn Transport,
) -> Result<ConsoleLink, CloudError> {
    let endpoint = endpoint(&credentials.role, wish)?;
    let destination = destination(&credentials.role, wish)?;
    let session = Secret::new(
        json!({
            "sessionId": credentials.key_id,
            "sessionKey": credentials.secret.expose(),
            "sessionToken": credentials.token.expose(),
        })
        .to_string(),
    );
    let duration = wish.duration.map(|duration| duration.to_string());
    let mut pairs = vec![("Action", "getSigninToken"), ("Session", session.expose())];
    // Without it the session lasts as long as the keys do.
    pairs.extend(duration.as_deref().map(|duration| ("SessionDuration", duration)));
    let request = Request::form(endpoint.clone(), pairs).header("accept", "application/json");
    let signin_token = read(&net.send(&request).await?, &endpoint)?;
    let url = endpoint.with_query([
        ("Action", "login"),
        ("Issuer", wish.return_to.expose().as_str()),
        ("Destination", &destination),
        ("SigninToken", signin_token.expose()),
    ]);
    Ok(ConsoleLink { url, good_for: GOOD_FOR, once: false })
}

#[derive(Deserialize)]
struct Success {
    #[serde(rename = "SigninToken")]
    signin_token: Secret<String>,
}

/// Reads the answer.
fn read(answer: &Response, endpoint: &WebUrl) -> Result<Secret<String>, CloudError> {
    // What a refusal looks like is not documented; 400 is what is seen for keys and for a duration alike.
    if (400..500).contains(&answer.status) && !is_busy(answer.status) {
        return Err(CloudError::ConsoleRefused {
            cloud: CloudId::Aws,
            status: answer.status,
            code: Untrusted::new(""),
            message: said(answer.body.expose()),
            of_keys: matches!(answer.status, 400 | 401 | 403),
        });
    }
    let success = serde_json::from_str::<Success>(answer.body.expose()).ok().filter(|_| answer.is_success());
    success
        .map(|success| success.signin_token)
        .filter(|signin_token| !signin_token.expose().is_empty())
        .ok_or_else(|| CloudError::NoSigninToken { host: endpoint.host().to_owned(), status: answer.status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RoleArn;

    fn places(role: &str, region: Option<&str>) -> String {
        let role = Role::from(RoleArn::parse(&format!("arn:{role}:iam::1:role/a")).unwrap());
        let region = region.map(|region| Region::parse(region).unwrap());
        let idp = WebUrl::parse("https://idp.example/").unwrap();
        let wish = ConsoleWish { region: region.as_ref(), page: None, duration: None, return_to: &idp, urn: None };
        match (endpoint(&role, &wish), destination(&role, &wish)) {
            (Ok(endpoint), Ok(destination)) => format!("{} {destination}", endpoint.host()),
            (Err(error), _) | (_, Err(error)) => error.to_string(),
        }
    }

    #[test]
    fn each_partition_has_its_console() {
        assert_eq!(places("aws", None), "signin.aws.amazon.com https://console.aws.amazon.com/");
        assert_eq!(
            places("aws", Some("eu-west-1")),
            "eu-west-1.signin.aws.amazon.com https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"
        );
        // A region of another world belongs to the tools.
        assert_eq!(places("aws", Some("cn-north-1")), "signin.aws.amazon.com https://console.aws.amazon.com/");
        assert_eq!(places("aws-cn", None), "signin.amazonaws.cn https://console.amazonaws.cn/");
        assert_eq!(places("aws-cn", Some("eu-west-1")), "signin.amazonaws.cn https://console.amazonaws.cn/");
        assert_eq!(
            places("aws-cn", Some("cn-northwest-1")),
            "signin.amazonaws.cn https://cn-northwest-1.console.amazonaws.cn/console/home?region=cn-northwest-1"
        );
        assert_eq!(
            places("aws-us-gov", Some("us-gov-east-1")),
            "signin.amazonaws-us-gov.com https://us-gov-east-1.console.amazonaws-us-gov.com/console/home?region=us-gov-east-1"
        );
        assert_eq!(
            places("aws-eusc", None),
            "eusc-de-east-1.signin.amazonaws-eusc.eu https://eusc-de-east-1.console.amazonaws-eusc.eu/console/home?region=eusc-de-east-1"
        );
        assert_eq!(places("aws-iso", None), "no console sign-in is known for AWS's partition `aws-iso`");
    }

    #[test]
    fn an_answer_has_a_sign_in_token_or_is_an_error() {
        let endpoint = WebUrl::parse("https://signin.aws.amazon.com/federation").unwrap();
        let told = |status: u16, body: &str| {
            read(&Response { status, headers: Vec::new(), body: body.into() }, &endpoint).map(|token| token.expose().clone())
        };
        assert_eq!(told(200, r#"{"SigninToken":"VCQgs5qZ","more":1}"#).unwrap(), "VCQgs5qZ");
        for (status, body) in
            [(200, "{}"), (200, r#"{"SigninToken":""}"#), (200, "<html>"), (302, ""), (500, r#"{"SigninToken":"x"}"#)]
        {
            assert!(matches!(told(status, body), Err(CloudError::NoSigninToken { .. })), "{status} {body}");
        }
        let error = told(400, "<html><h1>Bad request</h1></html>").unwrap_err();
        assert_eq!(error.to_string(), "AWS gives no console sign-in for these keys (HTTP 400): \"Bad request\"");
        assert!(told(503, "").unwrap_err().is_passing() && !error.is_passing());
    }
}
