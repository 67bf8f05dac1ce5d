//! Alibaba Cloud's signature version 3, ACS3-HMAC-SHA256. The older one of this API, HMAC-SHA1, is marked as discontinued.
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>

use crate::cloud::canonical::{self, hex, hmac, sha256};
use crate::cloud::chain::Keys;
use crate::types::Timestamp;
use crate::world::Request;

/// Version of the token service's API.
pub(super) const VERSION: &str = "2015-04-01";

/// Signs a call of `action`: its type, its host and Alibaba Cloud's own headers. The rest may be changed on the way. `nonce` is never
/// used twice.
pub(super) fn sign(request: Request, keys: &Keys, action: &str, version: &str, now: Timestamp, nonce: &str) -> Request {
    let digest = canonical::payload(&request);
    let mut request = request
        .header("x-acs-action", action)
        .header("x-acs-content-sha256", digest)
        .header("x-acs-date", now.utc())
        .header("x-acs-signature-nonce", nonce)
        .header("x-acs-version", version);
    if let Some(token) = &keys.token {
        request = request.header("x-acs-security-token", token.clone());
    }
    let signed = request.headers.iter().filter(|(name, _)| *name == "content-type" || name.starts_with("x-acs-"));
    let mut headers: Vec<(&str, String)> = signed.map(|(name, value)| (*name, value.expose().clone())).collect();
    headers.push(("host", canonical::host(&request)));
    let (text, names) = canonical::request(&request, headers);
    let signature = hex(hmac(keys.secret.expose().as_bytes(), &format!("ACS3-HMAC-SHA256\n{}", sha256(&text))).as_ref());
    let authorization = format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", keys.id);
    request.header("authorization", authorization)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::WebUrl;
    use crate::world::Method;

    fn signature(request: &Request) -> &str {
        let (_, value) = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        value.expose().rsplit_once("Signature=").unwrap().1
    }

    /// The sample of the documentation.
    #[test]
    fn documented_sample() {
        let url = "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai";
        let request = Request { method: Method::Post, ..Request::get(WebUrl::parse(url).unwrap()) };
        let keys = Keys { id: "YourAccessKeyId".to_owned(), secret: "YourAccessKeySecret".into(), token: None };
        let now = Timestamp::parse("2023-10-26T10:22:32Z").unwrap();
        let signed = sign(request, &keys, "RunInstances", "2014-05-26", now, "3156853299f313e23d1673dc12e1703d");
        assert_eq!(signature(&signed), "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
        assert!(signed.headers.iter().any(|(name, value)| *name == "authorization"
            && value.expose().starts_with("ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;")));
    }

    /// Computed by Alibaba Cloud's own library for Python.
    #[test]
    fn with_a_security_token() {
        let keys = Keys { id: "STS.id".to_owned(), secret: "secret".into(), token: Some("tok+/=".into()) };
        let now = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        let url = || WebUrl::parse("https://sts.cn-hangzhou.aliyuncs.com/").unwrap();
        let signed = |request, action| sign(request, &keys, action, VERSION, now, "11111111-2222-3333-4444-555555555555");
        let empty = Request { method: Method::Post, ..Request::get(url()) };
        assert_eq!(
            signature(&signed(empty, "GetCallerIdentity")),
            "59fdde49bc5d83d651781f75fb882859448ce32ef940577fa11f647f7addceb8"
        );
        let fields = [("DurationSeconds", "3600"), ("RoleArn", "acs:ram::1:role/z"), ("RoleSessionName", "me@x")];
        // What is not signed may stand beside it.
        let form = Request::form(url(), fields).header("accept", "application/json");
        assert_eq!(signature(&signed(form, "AssumeRole")), "4089a67bf36f9a52d28368f4ee819fe3e49fcbda741811ca207a72ff0d71b836");
    }
}
