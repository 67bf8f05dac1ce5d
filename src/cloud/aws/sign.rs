//! AWS Signature Version 4.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use zeroize::Zeroizing;

use crate::cloud::canonical::{self, hex, hmac, sha256};
use crate::cloud::chain::Keys;
use crate::types::Timestamp;
use crate::world::Request;

/// Signs a request to `service` in `region`: its type, its host and what AWS's own headers say. The rest may be changed on the way.
pub(super) fn sign(request: Request, keys: &Keys, region: &str, service: &str, now: Timestamp) -> Request {
    let moment: String = now.utc().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let date = moment.get(..8).unwrap_or_default();
    let mut request = request.header("x-amz-date", moment.as_str());
    if let Some(token) = &keys.token {
        request = request.header("x-amz-security-token", token.clone());
    }
    let signed = request.headers.iter().filter(|(name, _)| *name == "content-type" || name.starts_with("x-amz-"));
    let mut headers: Vec<(&str, String)> = signed.map(|(name, value)| (*name, value.expose().clone())).collect();
    headers.push(("host", canonical::host(&request)));
    let (text, names) = canonical::request(&request, headers);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let first = Zeroizing::new(format!("AWS4{}", keys.secret.expose()));
    let mut key = Zeroizing::new(hmac(first.as_bytes(), date).as_ref().to_vec());
    for part in [region, service, "aws4_request"] {
        key = Zeroizing::new(hmac(&key, part).as_ref().to_vec());
    }
    let signature = hex(hmac(&key, &format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", sha256(&text))).as_ref());
    let authorization = format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id);
    request.header("authorization", authorization)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::WebUrl;

    /// The token of AWS's test `post-sts-header-before`.
    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn authorization(request: Request, token: Option<&str>) -> String {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token: token.map(Into::into),
        };
        let now = Timestamp::parse("2015-08-30T12:36:00Z").unwrap();
        let signed = sign(request, &keys, "us-east-1", "service", now);
        let (_, value) = signed.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        value.expose().clone()
    }

    /// AWS's own test suite for the algorithm, `aws-sig-v4-test-suite`.
    #[test]
    fn aws_test_suite() {
        let url = |query: &str| WebUrl::parse(&format!("https://example.amazonaws.com/{query}")).unwrap();
        let is = |request: Request, token: Option<&str>, names: &str, signature: &str| {
            let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
            let whole = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
            assert_eq!(authorization(request, token), whole);
        };
        let plain = "host;x-amz-date";
        // get-vanilla, get-vanilla-query-order-key-case, post-vanilla
        is(Request::get(url("")), None, plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let query = Request::get(url("?Param2=value2&Param1=value1"));
        is(query, None, plain, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
        let post = || Request { method: crate::world::Method::Post, ..Request::get(url("")) };
        is(post(), None, plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        // post-x-www-form-urlencoded
        is(
            Request::form(url(""), [("Param1", "value1")]),
            None,
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        // post-sts-header-before
        is(
            post(),
            Some(TOKEN),
            "host;x-amz-date;x-amz-security-token",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        );
    }

    #[test]
    fn a_port_is_part_of_the_host() {
        let with = |url: &str| canonical::host(&Request::get(WebUrl::parse(url).unwrap()));
        assert_eq!(with("https://sts.amazonaws.com:443/"), "sts.amazonaws.com");
        assert_eq!(with("http://127.0.0.1:4566/"), "127.0.0.1:4566");
    }

    #[test]
    fn the_secret_is_in_no_header() {
        let keys = Keys { id: "AKID".to_owned(), secret: "very-secret".into(), token: None };
        let signed = sign(
            Request::get(WebUrl::parse("https://sts.amazonaws.com/").unwrap()),
            &keys,
            "us-east-1",
            "sts",
            Timestamp::from_unix(0).unwrap(),
        );
        assert!(signed.headers.iter().all(|(_, value)| !value.expose().contains("very-secret")));
        assert!(!format!("{keys:?}").contains("very-secret"));
    }
}
