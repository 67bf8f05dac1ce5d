//! Both clouds' token services, as far as a vend asks them: they answer with keys, and remember what they were asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use saml2cloud::world::{Network, Request, Response, Tls, Transport, TransportError};

/// What must be nowhere but in the caller's hands.
pub(crate) const SECRETS: [&str; 4] = ["wJalrSECRET", "FwoGZTOKEN", "wyLSECRET", "CAISTOKEN"];

pub(crate) const AWS: &str = r#"<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithSAMLResult>
    <AssumedRoleUser><Arn>arn:aws:sts::111111111111:assumed-role/Reader/bob</Arn><AssumedRoleId>AROA:bob</AssumedRoleId></AssumedRoleUser>
    <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>wJalrSECRET</SecretAccessKey><SessionToken>FwoGZTOKEN</SessionToken>
    <Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>"#;
const ALIBABA: &str = r#"{"RequestId":"R","AssumedRoleUser":{"Arn":"acs:ram::1000000000000001:assumed-role/Reader/bob","AssumedRoleId":"3:bob"},
    "Credentials":{"AccessKeyId":"STS.L4","AccessKeySecret":"wyLSECRET","SecurityToken":"CAISTOKEN","Expiration":"2027-01-15T09:00:00Z"}}"#;

/// What was asked, and what is answered next where it is not the usual.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(crate) asked: Mutex<Vec<Request>>,
    pub(crate) next: Mutex<VecDeque<(u16, String)>>,
}

impl Cloud {
    /// How often it was asked.
    pub(crate) fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The way to it.
pub(crate) struct Way(pub(crate) Arc<Cloud>);

impl Network for Way {
    fn open(&self, _: &Tls) -> Result<Box<dyn Transport>, TransportError> {
        Ok(Box::new(Self(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl Transport for Way {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        self.0.asked.lock().unwrap().push(request.clone());
        let usual = || (200, if request.url.host().contains("aliyun") { ALIBABA.to_owned() } else { AWS.to_owned() });
        let (status, body) = self.0.next.lock().unwrap().pop_front().unwrap_or_else(usual);
        Ok(Response { status, headers: Vec::new(), body: body.into() })
    }
}
