//! The state that all emulators share, and the way from a request to its emulator.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::fault::{Fault, Plan};
use crate::people::{Directory, Grant};
use crate::saml::{Issued, Site};
use crate::trusts::Trust;
use crate::wire::{Breach, Reply, Request, glob};
use crate::{
    Seen, adfs, alibaba, aws, cloudsso, console, corporate, federation, forms, identity_center, identity_portal, issuer,
    jumpcloud, okta, pipelines, tvm, web_identity,
};

/// Credentials that a cloud has handed out.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Access key ID.
    pub(crate) id: String,
    /// Secret.
    pub(crate) secret: String,
    /// Session token; none for keys that do not end.
    pub(crate) token: String,
    /// When the cloud stops accepting them.
    pub(crate) expires: Timestamp,
    /// ARN of the assumed role, with the session; of the user, for keys that do not end.
    pub(crate) arn: String,
    /// ARN of the role itself, or of the user.
    pub(crate) who: String,
    /// Cloud account.
    pub(crate) account: String,
    /// ID of the role with the session name.
    pub(crate) principal: String,
}

/// Everything that the box remembers.
#[derive(Default)]
pub(crate) struct World {
    /// Who exists.
    pub(crate) directory: Directory,
    /// Requests, in order.
    pub(crate) seen: Vec<Seen>,
    /// Breaches, in order.
    pub(crate) violations: Vec<String>,
    /// Secrets that have passed.
    pub(crate) secrets: Vec<String>,
    /// Faults to make.
    pub(crate) plans: Vec<Plan>,
    /// Connections that came about.
    pub(crate) connections: usize,
    /// Wait before each answer, and twice while a connection comes about.
    pub(crate) latency: std::time::Duration,
    /// How far the identity providers' clock is off, in seconds.
    pub(crate) idp_clock: i64,
    /// How far the clouds' clock is off, in seconds.
    pub(crate) cloud_clock: i64,
    /// SAML responses that the identity providers have issued.
    pub(crate) issued: Vec<Issued>,
    /// Credentials that the clouds have handed out.
    pub(crate) keys: Vec<Key>,
    /// Roles that are assumed with these.
    pub(crate) trusts: Vec<Trust>,
    /// Numbers that may be used once.
    pub(crate) nonces: HashSet<String>,
    /// State of AD FS.
    pub(crate) adfs: adfs::State,
    /// State of the clouds' consoles.
    pub(crate) console: console::State,
    /// State of JumpCloud.
    pub(crate) jumpcloud: jumpcloud::State,
    /// State of Okta.
    pub(crate) okta: okta::State,
    /// State of IAM Identity Center.
    pub(crate) identity: identity_center::State,
    /// State of CloudSSO.
    pub(crate) cloudsso: cloudsso::State,
    /// Keys of Alibaba Cloud's key management.
    pub(crate) kms: Vec<crate::kms::KmsKey>,
    /// Identity providers that cloud accounts were told of.
    pub(crate) providers: Vec<federation::Provider>,
    /// Roles that trust one of them.
    pub(crate) federated: Vec<Grant>,
    /// State of the company's identity provider.
    pub(crate) corporate: corporate::State,
    /// State of the token vending machine.
    pub(crate) tvm: tvm::State,
    /// State of the provider made of forms.
    pub(crate) forms: forms::State,
    /// State of the OpenID issuer.
    pub(crate) issuer: issuer::State,
    /// State of the pipelines.
    pub(crate) pipelines: pipelines::State,
    /// What signs ID tokens.
    pub(crate) keys_of_issuers: web_identity::Keys,
}

/// An emulator.
type Emulator = fn(&mut World, &Request) -> Result<Reply, Breach>;

/// Which hosts exist, and who speaks for them.
const HOSTS: &[(&str, Emulator)] = &[
    (adfs::HOST, adfs::answer),
    ("console.jumpcloud.com", jumpcloud::console),
    ("sso.jumpcloud.com", jumpcloud::sso),
    (okta::HOST, okta::answer),
    ("login.acme.example", forms::answer),
    (identity_center::HOST, identity_center::pages),
    (identity_center::DUAL_HOST, identity_center::pages),
    (identity_center::VANITY_HOST, identity_center::vanity),
    ("oidc.*.amazonaws.com", identity_center::oidc),
    ("oidc.*.api.aws", identity_center::oidc),
    ("portal.sso.*.amazonaws.com", identity_portal::answer),
    ("portal.sso.*.api.aws", identity_portal::answer),
    (issuer::HOST, issuer::answer),
    ("pipelines.actions.githubusercontent.com", pipelines::github),
    ("sdk.usegrant.dev", pipelines::usegrant),
    ("sts.amazonaws.com", aws::sts),
    ("sts.*.amazonaws.com", aws::sts),
    ("sts.*.amazonaws.com.cn", aws::sts),
    ("signin.aws.amazon.com", crate::aws_signin::answer),
    ("signin.amazonaws.cn", crate::aws_signin::answer),
    ("signin.amazonaws-us-gov.com", crate::aws_signin::answer),
    ("*.signin.aws.amazon.com", console::aws_federation),
    ("console.aws.amazon.com", console::console),
    ("*.console.aws.amazon.com", console::console),
    ("console.amazonaws.cn", console::console),
    ("*.console.amazonaws.cn", console::console),
    ("console.amazonaws-us-gov.com", console::console),
    ("*.console.amazonaws-us-gov.com", console::console),
    ("sts.aliyuncs.com", alibaba::sts),
    ("sts.*.aliyuncs.com", alibaba::sts),
    ("sts-vpc.*.aliyuncs.com", alibaba::sts),
    ("kms.*.aliyuncs.com", crate::kms::answer),
    ("signin-*.alibabacloudsso.com", cloudsso::answer),
    (tvm::HOST, tvm::answer),
    (corporate::HOST, corporate::answer),
    ("signin.aliyun.com", alibaba::signin),
    ("signin.alibabacloud.com", alibaba::signin),
    ("signin-intl.aliyun.com", console::alibaba_federation),
    ("*.console.aliyun.com", console::console),
];

/// Patterns of the hosts in the box.
pub(crate) fn host_patterns() -> impl Iterator<Item = &'static str> {
    HOSTS.iter().map(|(pattern, _)| *pattern)
}

fn emulator(host: &str) -> Option<Emulator> {
    let fits = |pattern: &str| match pattern.split_once('*') {
        // A star stands for one region, which has no dots.
        Some((before, after)) => host
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|region| !region.is_empty() && !region.contains('.')),
        None => pattern == host,
    };
    HOSTS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, emulator)| *emulator)
}

/// Whether a host is in the box.
pub(crate) fn knows(host: &str) -> bool {
    emulator(host).is_some()
}

impl World {
    /// The identity providers' time.
    pub(crate) fn idp_now(&self) -> Timestamp {
        later(Timestamp::now(), self.idp_clock)
    }

    /// Where a site takes responses on this machine, for browsers without the box's proxy.
    pub(crate) fn front_acs(&self, site: Site) -> Option<String> {
        let address = self.corporate.address.as_ref()?;
        Some(format!("{address}/cloud/{}", site.acs().trim_start_matches("https://")))
    }

    /// The clouds' time.
    pub(crate) fn cloud_now(&self) -> Timestamp {
        later(Timestamp::now(), self.cloud_clock)
    }

    /// Remembers a secret that has passed.
    pub(crate) fn secret(&mut self, text: &str) {
        if !text.is_empty() && !self.secrets.iter().any(|known| known == text) {
            self.secrets.push(text.to_owned());
        }
    }

    /// Remembers a breach of the rules.
    pub(crate) fn violation(&mut self, request: &Request, text: &str) {
        self.violations.push(format!("{} {}{}: {text}", request.method, request.host, request.path));
    }

    /// Remembers a request.
    pub(crate) fn record(&mut self, request: &Request, status: u16) {
        self.seen.push(Seen {
            host: request.host.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.iter().map(|(name, _)| name.clone()).collect(),
            params: request.param_names(),
            status,
        });
    }

    /// The fault that is due for a request; an empty path asks for faults of the connection itself.
    pub(crate) fn fault(&mut self, host: &str, path: Option<&str>) -> Option<Fault> {
        let due = self.plans.iter_mut().find(|plan| {
            plan.left != Some(0)
                && glob(&plan.host, host)
                && match path {
                    Some(path) => !plan.fault.is_of_connection() && path.starts_with(&plan.path_prefix),
                    None => plan.fault.is_of_connection(),
                }
        })?;
        if let Some(left) = &mut due.left {
            *left -= 1;
        }
        Some(due.fault.clone())
    }

    /// Answers a request and remembers it.
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let reply = match self.secret_in_query(request) {
            Some(name) => Err(Breach(format!("a secret in query parameter `{name}`"))),
            None => self.dispatch(request),
        };
        let reply = reply.unwrap_or_else(|Breach(text)| {
            self.violation(request, &text);
            Reply::text(400, format!("sandbox: {text}\n"))
        });
        for (name, value) in &reply.headers {
            if name == "set-cookie"
                && let Some((_, value)) = value.split(';').next().and_then(|c| c.split_once('='))
            {
                self.secret(value);
            }
        }
        self.record(request, reply.status);
        reply
    }

    fn dispatch(&mut self, request: &Request) -> Result<Reply, Breach> {
        let named = request.header("host").unwrap_or_default();
        if named != request.host && named != format!("{}:443", request.host) {
            return Err(Breach(format!("the Host header says `{named}`")));
        }
        if matches!(request.method.as_str(), "GET" | "HEAD") && !request.body.is_empty() {
            return Err(Breach("a body where none belongs".to_owned()));
        }
        match emulator(&request.host) {
            Some(emulator) => emulator(self, request),
            None => Ok(Reply::text(502, "sandbox: no such host\n")),
        }
    }

    /// Name of the query parameter that carries a secret.
    fn secret_in_query(&self, request: &Request) -> Option<String> {
        let is_secret = |value: &String| {
            value.len() >= 6
                && (self.secrets.contains(value) || self.directory.people().iter().any(|person| &person.password == value))
        };
        let telling = ["password", "samlresponse", "samlassertion", "securitytoken"];
        request
            .query
            .iter()
            .filter(|(name, _)| !okta::wants_in_query(request, name) && !console::wants_in_query(request, name))
            .filter(|(name, _)| !crate::rpc::wants_in_query(request, name))
            .find(|(name, value)| is_secret(value) || telling.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, _)| name.clone())
    }
}

/// A moment some seconds later, in whole seconds.
pub(crate) fn later(moment: Timestamp, seconds: i64) -> Timestamp {
    let moved = moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(moment);
    Timestamp::from_second(moved.as_second()).unwrap_or(moved)
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system's generator does not fail once the program runs; zeros would only make a test fail.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

/// A random word of letters, digits, `-` and `_`, from this many bytes.
pub(crate) fn word<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(random::<N>())
}

/// Random base64 with `+` and `/`, as keys and tokens of clouds have.
pub(crate) fn noise<const N: usize>() -> String {
    STANDARD.encode(random::<N>())
}

/// Random capital letters and digits.
pub(crate) fn capitals<const N: usize>() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    random::<N>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// A random ID in the form of a UUID, in lower case.
pub(crate) fn uuid() -> String {
    let hex = hex(&random::<16>());
    [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_the_box() {
        for host in [
            "sso.jumpcloud.com",
            "sts.us-gov-west-1.amazonaws.com",
            "sts.cn-north-1.amazonaws.com.cn",
            "sts-vpc.cn-hangzhou.aliyuncs.com",
        ] {
            assert!(knows(host), "{host}");
        }
        for host in ["evil.example", "jumpcloud.com", "sts.a.b.amazonaws.com", "sts..amazonaws.com"] {
            assert!(!knows(host), "{host}");
        }
    }
}
