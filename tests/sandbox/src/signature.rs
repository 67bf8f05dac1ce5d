//! Signatures of requests, computed anew on this side: AWS Signature Version 4 and ACS3-HMAC-SHA256.

use ring::{digest, hmac};

use crate::wire::{Breach, Request, breach};
use crate::world::hex;

/// The parts of an `Authorization` header, of either kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    /// Access key ID, with AWS's scope after it.
    pub(crate) credential: &'a str,
    /// Names of the signed headers.
    pub(crate) signed: Vec<&'a str>,
    /// Signature in hexadecimal digits.
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header of a request that must be signed by an algorithm.
    pub(crate) fn of(request: &'a Request, algorithm: &str) -> Result<Self, Breach> {
        let Some(value) = request.header("authorization") else {
            return breach("the request is not signed");
        };
        let Some(rest) = value.strip_prefix(algorithm) else {
            return breach(format!("the signature is not {algorithm}"));
        };
        let mut found = [None; 3];
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => found[0] = Some(value),
                Some(("SignedHeaders", value)) => found[1] = Some(value),
                Some(("Signature", value)) => found[2] = Some(value),
                _ => return breach("the Authorization header is malformed"),
            }
        }
        let [Some(credential), Some(signed), Some(signature)] = found else {
            return breach("the Authorization header is incomplete");
        };
        let signed: Vec<&str> = signed.split(';').collect();
        if !signed.is_sorted() {
            return breach("the signed headers are not in order");
        }
        Ok(Self { credential, signed, signature })
    }

    /// Fails unless all these headers are signed.
    pub(crate) fn covers(&self, names: &[&str]) -> Result<(), Breach> {
        match names.iter().find(|name| !self.signed.contains(*name)) {
            Some(name) => breach(format!("header `{name}` is not signed")),
            None => Ok(()),
        }
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, data).as_ref())
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

/// Percent-encoding as both clouds want it: all but RFC 3986's unreserved characters.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The canonical request, which both clouds define alike.
fn canonical(request: &Request, signed: &[&str]) -> String {
    let mut query: Vec<(String, String)> = request.query.iter().map(|(name, value)| (percent(name), percent(value))).collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut text = format!("{}\n{}\n{}\n", request.method, request.path, query.join("&"));
    for name in signed {
        let value = request.header(name).unwrap_or_default();
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        text += &format!("{name}:{}\n", words.join(" "));
    }
    text + "\n" + &signed.join(";") + "\n" + &sha256(&request.body)
}

/// AWS Signature Version 4 of a request; `moment` is its `x-amz-date`, the scope is `date/region/service`.
pub(crate) fn aws4(request: &Request, signed: &[&str], secret: &str, moment: &str, scope: [&str; 3]) -> String {
    let text = format!(
        "AWS4-HMAC-SHA256\n{moment}\n{}/aws4_request\n{}",
        scope.join("/"),
        sha256(canonical(request, signed).as_bytes())
    );
    let mut key = sign(format!("AWS4{secret}").as_bytes(), scope[0]);
    for part in [scope[1], scope[2], "aws4_request"] {
        key = sign(key.as_ref(), part);
    }
    hex(sign(key.as_ref(), &text).as_ref())
}

/// Alibaba Cloud's signature version 3 of a request.
pub(crate) fn acs3(request: &Request, signed: &[&str], secret: &str) -> String {
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256(canonical(request, signed).as_bytes()));
    hex(sign(secret.as_bytes(), &text).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, query: &[(&str, &str)], headers: &[(&str, &str)], body: &str) -> Request {
        let owned =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: owned(query),
            headers: owned(headers),
            body: body.as_bytes().to_vec(),
            ..Request::default()
        }
    }

    #[test]
    fn aws_test_suite() {
        let sign = |request: &Request, signed: &[&str]| {
            aws4(
                request,
                signed,
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                "20150830T123600Z",
                ["20150830", "us-east-1", "service"],
            )
        };
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let vanilla = request("GET", &[], &headers[1..], "");
        assert_eq!(sign(&vanilla, &["host", "x-amz-date"]), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let query = request("GET", &[("Param2", "value2"), ("Param1", "value1")], &headers[1..], "");
        assert_eq!(sign(&query, &["host", "x-amz-date"]), "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
        let form = request("POST", &[], &headers, "Param1=value1");
        assert_eq!(
            sign(&form, &["content-type", "host", "x-amz-date"]),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    const NONCE: &str = "11111111-2222-3333-4444-555555555555";

    fn alibaba(action: &str, body: &str, media: Option<&str>) -> String {
        let hash = sha256(body.as_bytes());
        let mut headers = vec![
            ("host", "sts.cn-hangzhou.aliyuncs.com"),
            ("x-acs-action", action),
            ("x-acs-content-sha256", &hash),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-security-token", "tok+/="),
            ("x-acs-signature-nonce", NONCE),
            ("x-acs-version", "2015-04-01"),
        ];
        if let Some(media) = media {
            headers.insert(0, ("content-type", media));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        acs3(&request("POST", &[], &headers, body), &names, "secret")
    }

    #[test]
    fn alibaba_documented_sample() {
        let hash = sha256(b"");
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", hash.as_str()),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let query = [("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), ("RegionId", "cn-shanghai")];
        assert_eq!(
            acs3(&request("POST", &query, &headers, ""), &names, "YourAccessKeySecret"),
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn alibaba_with_a_session_token() {
        assert_eq!(alibaba("GetCallerIdentity", "", None), "59fdde49bc5d83d651781f75fb882859448ce32ef940577fa11f647f7addceb8");
        assert_eq!(
            alibaba(
                "AssumeRole",
                "DurationSeconds=3600&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fz&RoleSessionName=me%40x",
                Some("application/x-www-form-urlencoded")
            ),
            "4089a67bf36f9a52d28368f4ee819fe3e49fcbda741811ca207a72ff0d71b836"
        );
    }

    #[test]
    fn authorization_headers() {
        let with = |value: &str| request("POST", &[], &[("authorization", value)], "");
        let good = with("AWS4-HMAC-SHA256 Credential=K/d/r/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=ab");
        let read = Authorization::of(&good, "AWS4-HMAC-SHA256").unwrap();
        assert_eq!(read.signed, ["host", "x-amz-date"]);
        assert!(read.covers(&["host"]).is_ok());
        assert!(read.covers(&["x-amz-security-token"]).is_err());
        assert!(Authorization::of(&good, "ACS3-HMAC-SHA256").is_err());
        let unordered = with("ACS3-HMAC-SHA256 Credential=K,SignedHeaders=x;host,Signature=ab");
        assert!(Authorization::of(&unordered, "ACS3-HMAC-SHA256").is_err());
    }
}
