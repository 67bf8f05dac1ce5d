//! `AssumeRoleWithSAML` and `AssumeRoleWithOIDC`: one anonymous POST, one JSON answer. The business parameters are in the body, so that the
//! assertion is in no URL and no log. <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithsaml>,
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc>
//!
//! And `AssumeRole`, the same with a signature. Why there is no SDK here: docs/decisions/own-alibaba-client.md.

use serde::Deserialize;

use super::sign::{VERSION, sign};
use super::signin;
use crate::cloud::chain::{RoleCall, session_name};
use crate::cloud::{CloudError, Endpoint, Place, SessionWish};
use crate::saml::Reading;
use crate::types::{Assertion, Choice, CloudId, Credentials, OfferedRole, Region, RoleArn, Secret, Timestamp, Untrusted, WebUrl};
use crate::world::{Env, Request, Response, Transport};

/// Where to ask, as Alibaba's SDKs decide it: an address that was named, else `sts[-vpc].REGION` where a region *for STS* was
/// named (`ALIBABA_CLOUD_STS_REGION`), else the one address for all. The account's `region` belongs to the tools.
pub(super) fn endpoint(place: &Place, env: &Env) -> Result<Endpoint, CloudError> {
    let named = place.sts.clone().or_else(|| env.get("ALIBABA_CLOUD_STS_ENDPOINT").map(str::to_owned));
    if let Some(text) = named {
        let address = if text.contains("://") { text.clone() } else { format!("https://{text}") };
        let url = WebUrl::parse(&address).map_err(|why| CloudError::Endpoint { text, why: why.to_string() })?;
        let foreign = !url.host().ends_with(".aliyuncs.com");
        return Ok(Endpoint { url, foreign });
    }
    let host = match env.get("ALIBABA_CLOUD_STS_REGION") {
        Some(region) => {
            let bad = |why: crate::types::BadName| CloudError::Endpoint {
                text: region.escape_debug().to_string(),
                why: why.to_string(),
            };
            let region = Region::parse(region).map_err(bad)?;
            let vpc = if env.is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED") { "-vpc" } else { "" };
            format!("sts{vpc}.{region}.aliyuncs.com")
        }
        None => "sts.aliyuncs.com".to_owned(),
    };
    let url =
        WebUrl::parse(&format!("https://{host}/")).map_err(|why| CloudError::Endpoint { text: host, why: why.to_string() })?;
    Ok(Endpoint { url, foreign: false })
}

/// The call that the assertion is for.
pub(super) async fn assume(choice: &Choice, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
    let OfferedRole::Federated { role, idp } = choice.offered() else { return Err(CloudError::Mismatch) };
    let now = wish.now.utc();
    let nonce = crate::world::nonce();
    let idp = idp.as_ref().map_or("", |idp| idp.as_str());
    let (action, mut body) = match choice.assertion() {
        Assertion::Saml(response) => ("AssumeRoleWithSAML", vec![("SAMLProviderArn", idp), ("SAMLAssertion", response.expose())]),
        Assertion::Oidc(token) => (
            "AssumeRoleWithOIDC",
            vec![("OIDCProviderArn", idp), ("OIDCToken", token.expose()), ("RoleSessionName", token.session_name().as_str())],
        ),
        Assertion::Portal(_) => return Err(CloudError::Mismatch),
    };
    let url = wish.endpoint.with_query([
        ("Action", action),
        ("Version", VERSION),
        ("Format", "JSON"),
        ("Timestamp", &now),
        ("SignatureNonce", &nonce),
    ]);
    let duration = wish.duration.to_string();
    body.extend([("RoleArn", role.as_str()), ("DurationSeconds", &duration)]);
    body.extend(wish.policy.as_deref().map(|policy| ("Policy", policy)));
    let answer = net.send(&Request::form(url, body).header("accept", "application/json")).await?;
    let home = match choice.assertion() {
        Assertion::Saml(response) => Reading::of(response).ok().and_then(|reading| signin::home_region(&reading)),
        // A token does not tell the site.
        Assertion::Oidc(_) => Region::parse("cn-hangzhou").ok(),
        Assertion::Portal(_) => None,
    };
    read(&answer, role, wish).map(|credentials| Credentials { home_region: home, ..credentials })
}

/// The call for a role with other keys.
pub(super) async fn assume_role(call: &RoleCall<'_>, wish: &SessionWish, net: &dyn Transport) -> Result<Credentials, CloudError> {
    let hop = call.hop;
    let duration = wish.duration.to_string();
    let session = hop.session_name.clone().unwrap_or_else(|| session_name(call.session, ".@-_"));
    let mut body =
        vec![("RoleArn", hop.role.as_str()), ("RoleSessionName", session.as_str()), ("DurationSeconds", duration.as_str())];
    body.extend(hop.external_id.as_deref().map(|id| ("ExternalId", id)));
    body.extend(wish.policy.as_deref().or(hop.policy.as_deref()).map(|policy| ("Policy", policy)));
    let request = Request::form(wish.endpoint.clone(), body).header("accept", "application/json");
    let answer = net.send(&sign(request, call.keys, "AssumeRole", VERSION, wish.now, &crate::world::nonce())).await?;
    read(&answer, &hop.role, wish)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Success {
    credentials: Keys,
    #[serde(default)]
    assumed_role_user: Option<AssumedRoleUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    access_key_secret: Secret<String>,
    security_token: Secret<String>,
    expiration: String,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    #[serde(rename = "Arn", alias = "arn", default)]
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Failure {
    code: String,
    message: String,
    request_id: String,
}

/// Reads the answer.
fn read(answer: &Response, role: &RoleArn, wish: &SessionWish) -> Result<Credentials, CloudError> {
    let garbled = |why: &str| CloudError::Garbled {
        host: wish.endpoint.host().to_owned(),
        status: answer.status,
        why: Untrusted::new(why),
    };
    if !answer.is_success() {
        let failure: Failure =
            serde_json::from_str(answer.body.expose()).map_err(|_| garbled("it is not the JSON that Alibaba Cloud sends"))?;
        if failure.code.is_empty() {
            return Err(garbled("it is an error without a code"));
        }
        return Err(CloudError::Refused {
            cloud: CloudId::Alibaba,
            status: answer.status,
            too_long: failure.code == "InvalidParameter.DurationSeconds",
            code: Untrusted::new(failure.code),
            message: Untrusted::new(failure.message),
            request_id: Untrusted::new(failure.request_id),
        });
    }
    let success: Success = serde_json::from_str(answer.body.expose()).map_err(|_| garbled("it has no credentials in it"))?;
    let keys = &success.credentials;
    let (Some(key_id), Some(secret), Some(token), Some(expires)) = (
        Credentials::one_word(&keys.access_key_id),
        Credentials::one_word(keys.access_key_secret.expose()),
        Credentials::one_word(keys.security_token.expose()),
        Timestamp::parse(&keys.expiration),
    ) else {
        return Err(garbled("its credentials are not credentials"));
    };
    let assumed = success.assumed_role_user.map(|user| user.arn).unwrap_or_default();
    Ok(Credentials {
        key_id: key_id.to_owned(),
        secret: Secret::from(secret),
        token: Secret::from(token),
        expires,
        issued: wish.now,
        role: role.clone().into(),
        assumed: Credentials::one_word(&assumed).unwrap_or(role.as_str()).to_owned(),
        home_region: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(sts: Option<&str>, env: &[(&str, &str)]) -> String {
        let place = Place { region: Region::parse("cn-shanghai").ok(), sts: sts.map(str::to_owned) };
        match endpoint(&place, &Env::of(env.iter().copied())) {
            Ok(endpoint) => format!("{}{}", endpoint.url, if endpoint.foreign { " foreign" } else { "" }),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn asks_where_the_sdks_would() {
        assert_eq!(host(None, &[]), "https://sts.aliyuncs.com/");
        assert_eq!(host(None, &[("ALIBABA_CLOUD_STS_REGION", "eu-central-1")]), "https://sts.eu-central-1.aliyuncs.com/");
        let vpc = [("ALIBABA_CLOUD_STS_REGION", "cn-beijing"), ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true")];
        assert_eq!(host(None, &vpc), "https://sts-vpc.cn-beijing.aliyuncs.com/");
        assert_eq!(host(Some("sts-vpc.cn-beijing.aliyuncs.com"), &vpc), "https://sts-vpc.cn-beijing.aliyuncs.com/");
        assert_eq!(host(Some("http://127.0.0.1:7/"), &[]), "http://127.0.0.1:7/ foreign");
        assert_eq!(host(Some("aliyuncs.com.evil.example"), &[]), "https://aliyuncs.com.evil.example/ foreign");
        assert!(host(Some("http://sts.aliyuncs.com/"), &[]).contains("only https"));
        assert!(host(None, &[("ALIBABA_CLOUD_STS_REGION", "x.evil.example/")]).contains("is no address"));
    }

    fn told(status: u16, body: &str) -> Result<Credentials, CloudError> {
        let wish = SessionWish {
            duration: crate::types::SessionDuration::DEFAULT,
            endpoint: WebUrl::parse("https://sts.aliyuncs.com/").unwrap(),
            policy: None,
            policy_arns: Vec::new(),
            now: Timestamp::from_unix(0).unwrap(),
        };
        read(&Response { status, headers: Vec::new(), body: body.into() }, &RoleArn::parse("acs:ram::1:role/a").unwrap(), &wish)
    }

    const GOOD: &str = r#"{"RequestId":"R","AssumedRoleUser":{"Arn":"acs:ram::1:assumed-role/a/alice","AssumedRoleId":"3:alice"},
        "Credentials":{"AccessKeyId":"STS.L4","AccessKeySecret":"wyL","SecurityToken":"CAIS+/=","Expiration":"2015-04-09T11:52:19Z"}}"#;

    #[test]
    fn reads_the_answer() {
        let credentials = told(200, GOOD).unwrap();
        assert_eq!((credentials.key_id.as_str(), credentials.assumed.as_str()), ("STS.L4", "acs:ram::1:assumed-role/a/alice"));
        let old = GOOD.replace("\"Arn\"", "\"arn\"");
        assert_eq!(told(200, &old).unwrap().assumed, "acs:ram::1:assumed-role/a/alice");
    }

    #[test]
    fn says_what_is_wrong() {
        let refused = r#"{"RequestId":"R-1","HostId":"sts.aliyuncs.com","Code":"InvalidParameter.DurationSeconds","Message":"The Min/Max value of DurationSeconds is 15min/1hr."}"#;
        let error = told(400, refused).unwrap_err();
        assert!(matches!(error, CloudError::Refused { too_long: true, .. }));
        assert_eq!(
            error.to_string(),
            "Alibaba Cloud refused the credentials: InvalidParameter.DurationSeconds: \"The Min/Max value of DurationSeconds is 15min/1hr.\" (request R-1)"
        );
        for (status, body) in
            [(200, "<html>"), (200, "{}"), (502, "Bad Gateway"), (400, "{}"), (200, &GOOD.replace("STS.L4", "a\\n[b]"))]
        {
            assert!(matches!(told(status, body), Err(CloudError::Garbled { .. })), "{status} {body}");
        }
    }
}
