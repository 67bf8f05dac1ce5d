//! `AssumeRoleWithSAML` and `AssumeRoleWithWebIdentity`, one unsigned POST, and `AssumeRole`, one signed; one XML answer.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html>
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::sign::sign;
use crate::cloud::chain::{RoleCall, session_name};
use crate::cloud::{CloudError, Endpoint, Place, SessionWish};
use crate::text::xml;
use crate::types::{
    Assertion, Choice, CloudId, Credentials, OfferedRole, Partition, Region, RoleArn, Secret, Timestamp, Untrusted, WebUrl,
};
use crate::world::{Env, Request, Response, Transport};

/// Where to ask for a role: the account's or the environment's own address, else the role's partition, in the account's region
/// if that lies in it. (A region of another partition belongs to the tools, not to this role's sign-in.)
pub(super) fn endpoint(role: &RoleArn, place: &Place, env: &Env) -> Result<Endpoint, CloudError> {
    let from_env = || match env.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        true => None,
        false => env.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]).map(|(_, url)| url.to_owned()),
    };
    if let Some(text) = place.sts.clone().or_else(from_env) {
        let url = WebUrl::parse(&text).map_err(|why| CloudError::Endpoint { text, why: why.to_string() })?;
        let foreign = !Partition::owns(url.host());
        return Ok(Endpoint { url, foreign });
    }
    let partition = Partition::named(role.partition());
    let region = place.region.clone().filter(|region| Partition::of(region) == partition);
    let fips = env.is_on("AWS_USE_FIPS_ENDPOINT");
    let host = match (region, partition.name) {
        (Some(region), _) => Partition::host("sts", &region, fips, false),
        (None, "aws") if !fips => "sts.amazonaws.com".to_owned(),
        (None, _) => {
            let home = Region::parse(partition.home)
                .map_err(|why| CloudError::Endpoint { text: partition.home.into(), why: why.to_string() })?;
            Partition::host("sts", &home, fips, false)
        }
    };
    let url =
        WebUrl::parse(&format!("https://{host}/")).map_err(|why| CloudError::Endpoint { text: host, why: why.to_string() })?;
    Ok(Endpoint { url, foreign: false })
}

/// `region`, if it lies in the role's partition.
pub(super) fn own_region<'r>(role: &RoleArn, region: Option<&'r Region>) -> Option<&'r Region> {
    let partition = Partition::named(role.partition());
    region.filter(|region| Partition::of(region) == partition)
}

/// The call that the assertion is for.
pub(super) async fn assume(choice: &Choice, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
    let OfferedRole::Federated { role, idp } = choice.offered() else { return Err(CloudError::Mismatch) };
    let duration = wish.duration.to_string();
    let mut pairs = vec![
        ("Version".to_owned(), "2011-06-15"),
        ("RoleArn".to_owned(), role.as_str()),
        ("DurationSeconds".to_owned(), &duration),
    ];
    let own = match choice.assertion() {
        Assertion::Saml(response) => [
            ("Action", "AssumeRoleWithSAML"),
            ("PrincipalArn", idp.as_ref().map_or("", |idp| idp.as_str())),
            ("SAMLAssertion", response.expose()),
        ],
        Assertion::Oidc(token) => [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleSessionName", token.session_name().as_str()),
            ("WebIdentityToken", token.expose()),
        ],
        Assertion::Portal(_) => return Err(CloudError::Mismatch),
    };
    pairs.extend(own.map(|(name, value)| (name.to_owned(), value)));
    pairs.extend(limits(wish));
    let request = Request::form(wish.endpoint.clone(), pairs.iter().map(|(name, value)| (name.as_str(), *value)));
    let answer = net.send(&request).await?;
    read(&answer, role, wish)
}

/// What limits the keys further.
fn limits(wish: &SessionWish) -> impl Iterator<Item = (String, &str)> {
    let arns = wish.policy_arns.iter().enumerate();
    let arns = arns.map(|(index, arn)| (format!("PolicyArns.member.{}.arn", index + 1), arn.as_str()));
    wish.policy.as_deref().map(|policy| ("Policy".to_owned(), policy)).into_iter().chain(arns)
}

/// The call for a role with other keys.
pub(super) async fn assume_role(call: &RoleCall<'_>, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
    let hop = call.hop;
    let duration = wish.duration.to_string();
    let session = hop.session_name.clone().unwrap_or_else(|| session_name(call.session, "+=,.@_-"));
    let mut pairs = vec![
        ("Action".to_owned(), "AssumeRole"),
        ("Version".to_owned(), "2011-06-15"),
        ("RoleArn".to_owned(), hop.role.as_str()),
        ("RoleSessionName".to_owned(), &session),
        ("DurationSeconds".to_owned(), &duration),
    ];
    let optional = [
        ("ExternalId", hop.external_id.as_deref()),
        ("SourceIdentity", hop.source_identity.as_deref()),
        ("SerialNumber", hop.mfa_serial.as_deref().filter(|_| call.code.is_some())),
        ("TokenCode", call.code.map(|code| code.expose().as_str())),
    ];
    pairs.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    for (number, (key, value)) in (1..).zip(&hop.tags) {
        pairs.push((format!("Tags.member.{number}.Key"), key));
        pairs.push((format!("Tags.member.{number}.Value"), value));
    }
    pairs.extend((1..).zip(&hop.transitive).map(|(number, key)| (format!("TransitiveTagKeys.member.{number}"), key.as_str())));
    pairs.extend(limits(wish));
    let request = Request::form(wish.endpoint.clone(), pairs.iter().map(|(name, value)| (name.as_str(), *value)));
    let region = signing_region(&wish.endpoint, &hop.role, call.region);
    let answer = net.send(&sign(request, call.keys, &region, "sts", wish.now)).await?;
    read(&answer, &hop.role, wish)
}

/// The region that a signature is for: the one that the address names (`sts.REGION.amazonaws.com`, also a VPC's own), the home of the
/// one address for all, `us-east-1`; where the address does not tell, the wished one.
fn signing_region(endpoint: &WebUrl, role: &RoleArn, wished: Option<&Region>) -> String {
    let labels: Vec<&str> = endpoint.host().split('.').collect();
    let after_sts = labels.iter().position(|label| matches!(*label, "sts" | "sts-fips")).and_then(|at| labels.get(at + 1));
    let is_region = |label: &&&str| label.contains('-') && label.ends_with(|c: char| c.is_ascii_digit());
    if let Some(region) = after_sts.filter(is_region) {
        return (*region).to_owned();
    }
    let home = Partition::named(role.partition()).home;
    let wished = wished.filter(|_| !Partition::owns(endpoint.host())).map(Region::as_str);
    wished.unwrap_or(home).to_owned()
}

/// Reads the answer.
fn read(answer: &Response, role: &RoleArn, wish: &SessionWish) -> Result<Credentials, CloudError> {
    let garbled = |why: &str| CloudError::Garbled {
        host: wish.endpoint.host().to_owned(),
        status: answer.status,
        why: Untrusted::new(why),
    };
    let leaves = xml::leaves(answer.body.expose()).map_err(|_| garbled("it is not the XML that AWS sends"))?;
    let leaf = |path: &str| leaves.iter().find(|(p, _)| p.ends_with(path)).map(|(_, text)| text.as_str());
    if !answer.is_success() {
        let (Some(code), message) = (leaf("Error/Code"), leaf("Error/Message").unwrap_or_default()) else {
            return Err(garbled("it is an error without a code"));
        };
        return Err(CloudError::Refused {
            cloud: CloudId::Aws,
            status: answer.status,
            code: Untrusted::new(code),
            message: Untrusted::new(message),
            request_id: Untrusted::new(leaf("RequestId").unwrap_or_default()),
            too_long: code == "ValidationError"
                && message.contains("DurationSeconds")
                && (message.contains("MaxSessionDuration") || message.contains("session limit")),
        });
    }
    let word = |path: &str| leaf(path).and_then(Credentials::one_word);
    let (Some(key_id), Some(secret), Some(token), Some(expires)) = (
        word("Credentials/AccessKeyId"),
        word("Credentials/SecretAccessKey"),
        word("Credentials/SessionToken"),
        leaf("Credentials/Expiration").and_then(Timestamp::parse),
    ) else {
        return Err(garbled("it has no credentials in it"));
    };
    Ok(Credentials {
        key_id: key_id.to_owned(),
        secret: Secret::from(secret),
        token: Secret::from(token),
        expires,
        issued: wish.now,
        role: role.clone().into(),
        assumed: word("AssumedRoleUser/Arn").unwrap_or(role.as_str()).to_owned(),
        home_region: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(role: &str, region: Option<&str>, env: &[(&str, &str)]) -> String {
        let place = Place { region: region.map(|r| Region::parse(r).unwrap()), sts: None };
        match endpoint(&RoleArn::parse(role).unwrap(), &place, &Env::of(env.iter().copied())) {
            Ok(endpoint) => format!("{}{}", endpoint.url, if endpoint.foreign { " foreign" } else { "" }),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn asks_where_the_role_lives() {
        let (aws, cn, gov) = ("arn:aws:iam::1:role/a", "arn:aws-cn:iam::1:role/a", "arn:aws-us-gov:iam::1:role/a");
        assert_eq!(host(aws, None, &[]), "https://sts.amazonaws.com/");
        assert_eq!(host(aws, Some("eu-west-1"), &[]), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(host(aws, Some("cn-north-1"), &[]), "https://sts.amazonaws.com/");
        assert_eq!(host(cn, None, &[]), "https://sts.cn-north-1.amazonaws.com.cn/");
        assert_eq!(host(cn, Some("cn-northwest-1"), &[]), "https://sts.cn-northwest-1.amazonaws.com.cn/");
        assert_eq!(host(cn, Some("eu-west-1"), &[]), "https://sts.cn-north-1.amazonaws.com.cn/");
        assert_eq!(
            host(gov, Some("us-gov-east-1"), &[("AWS_USE_FIPS_ENDPOINT", "true")]),
            "https://sts.us-gov-east-1.amazonaws.com/"
        );
        assert_eq!(
            host(aws, Some("us-east-2"), &[("AWS_USE_FIPS_ENDPOINT", "true")]),
            "https://sts-fips.us-east-2.amazonaws.com/"
        );
        assert_eq!(host(aws, None, &[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1/")]), "http://127.0.0.1:1/ foreign");
        assert_eq!(
            host(aws, None, &[("AWS_ENDPOINT_URL", "https://sts.eu-west-1.amazonaws.com")]),
            "https://sts.eu-west-1.amazonaws.com/"
        );
        let ignored = [("AWS_ENDPOINT_URL", "https://x.example/"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        assert_eq!(host(aws, None, &ignored), "https://sts.amazonaws.com/");
        assert_eq!(
            host(aws, None, &[("AWS_ENDPOINT_URL_STS", "https://amazonaws.com.evil.example/")]),
            "https://amazonaws.com.evil.example/ foreign"
        );
        assert!(host(aws, None, &[("AWS_ENDPOINT_URL_STS", "http://x.example/")]).contains("only https"));
    }

    #[test]
    fn a_signature_is_for_the_region_that_is_asked() {
        let region = |url: &str, role: &str, wished: Option<&str>| {
            let wished = wished.map(|region| Region::parse(region).unwrap());
            signing_region(&WebUrl::parse(url).unwrap(), &RoleArn::parse(role).unwrap(), wished.as_ref())
        };
        let (aws, cn) = ("arn:aws:iam::1:role/a", "arn:aws-cn:iam::1:role/a");
        for (url, role, wished, is) in [
            ("https://sts.amazonaws.com/", aws, Some("cn-north-1"), "us-east-1"),
            ("https://sts.eu-west-1.amazonaws.com/", aws, Some("us-east-2"), "eu-west-1"),
            ("https://sts-fips.us-east-2.amazonaws.com/", aws, None, "us-east-2"),
            ("https://sts.us-gov-west-1.amazonaws.com/", "arn:aws-us-gov:iam::1:role/a", None, "us-gov-west-1"),
            ("https://sts.cn-northwest-1.amazonaws.com.cn/", cn, None, "cn-northwest-1"),
            ("https://vpce-0a-1b.sts.eu-west-1.vpce.amazonaws.com/", aws, None, "eu-west-1"),
            ("http://127.0.0.1:5000/", aws, None, "us-east-1"),
            ("http://127.0.0.1:5000/", cn, None, "cn-north-1"),
            ("http://127.0.0.1:5000/", aws, Some("eu-west-1"), "eu-west-1"),
        ] {
            assert_eq!(region(url, role, wished), is, "{url}");
        }
    }

    fn wish() -> SessionWish {
        SessionWish {
            duration: crate::types::SessionDuration::DEFAULT,
            endpoint: WebUrl::parse("https://sts.amazonaws.com/").unwrap(),
            policy: None,
            policy_arns: Vec::new(),
            now: Timestamp::from_unix(0).unwrap(),
        }
    }

    fn told(status: u16, body: &str) -> Result<Credentials, CloudError> {
        let answer = Response { status, headers: Vec::new(), body: body.into() };
        read(&answer, &RoleArn::parse("arn:aws:iam::1:role/a").unwrap(), &wish())
    }

    const GOOD: &str = r#"<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithSAMLResult>
        <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/a/me@example.com</Arn><AssumedRoleId>AROA:me</AssumedRoleId></AssumedRoleUser>
        <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/e+c</SecretAccessKey><SessionToken>t==</SessionToken>
        <Expiration>2026-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>"#;

    #[test]
    fn reads_the_answer() {
        let credentials = told(200, GOOD).unwrap();
        assert_eq!(
            (credentials.key_id.as_str(), credentials.secret.expose().as_str(), credentials.expires.utc().as_str()),
            ("ASIA1", "s/e+c", "2026-01-01T00:00:00Z")
        );
        assert_eq!(credentials.assumed, "arn:aws:sts::1:assumed-role/a/me@example.com");
    }

    #[test]
    fn says_what_is_wrong() {
        let refused = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ValidationError</Code>
            <Message>The requested DurationSeconds exceeds the MaxSessionDuration set for this role.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"#;
        let error = told(400, refused).unwrap_err();
        assert!(matches!(error, CloudError::Refused { too_long: true, .. }));
        assert_eq!(
            error.to_string(),
            "AWS refused the credentials: ValidationError: \"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.\" (request r-1)"
        );
        for (status, body) in [
            (200, "<html>"),
            (200, "<a/>"),
            (502, "Bad Gateway"),
            (400, "<ErrorResponse/>"),
            (200, &GOOD.replace("ASIA1", "A\n[x]")),
        ] {
            assert!(matches!(told(status, body), Err(CloudError::Garbled { .. })), "{status} {body}");
        }
    }
}
