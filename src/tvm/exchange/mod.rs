//! The second half of a vend: what was permitted is made, at the cloud or for its console, and the line of the ledger is completed before
//! anybody gets anything.
//!
//! Keys come by an assertion of ours (`AssumeRoleWithSAML`), by a role of the machine's that the account trusts (`AssumeRole` with an external
//! ID), or by a user of the account whose key is kept sealed. Which of these is the node's or the role's to say. A node may say as well that the
//! assertion is handed out to the command line, which exchanges it where the service itself has no way to the cloud.

mod base;
mod call;
mod format;
mod policy;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use self::call::CallError;
pub use self::format::{Format, Written};
pub use self::policy::{BadPolicy, SessionPolicy};
pub use self::verify::{Found, Seen};
use super::assertion::{self, AssertionError, Issuer, SignedResponse};
use super::keys::{KeysError, Purpose, Ring, Seal, SealError};
use super::ledger::Outcome;
use super::model::{Partition, VendId, VendMethod};
use super::sites::Sites;
use super::store::vends::Completion;
use super::store::{Store, StoreError};
use super::vend::{self, Extra, Permit, Refusal, Wish};
use crate::cloud::instance::Machine;
use crate::cloud::{self, CloudError, Configured, ConsoleLink, ConsoleWish, Hop, Keys, Place, RoleCall, SessionWish};
use crate::saml::Signer;
use crate::types::{
    Assertion, BadName, Choice, Credentials, ProfileName, RoleArn, RoleWish, SamlResponse, SessionDuration, Timestamp, Unchosen,
    WebUrl,
};
use crate::world::{Clock, Env, Transport};

/// Who signs for which purpose, now.
pub trait Signers: Send + Sync {
    /// The signer of a purpose.
    ///
    /// # Errors
    /// [`KeysError::None`].
    fn signer(&self, purpose: Purpose) -> Result<Arc<dyn Signer>, KeysError>;
}

impl Signers for Ring {
    fn signer(&self, purpose: Purpose) -> Result<Arc<dyn Signer>, KeysError> {
        Self::signer(self, purpose)
    }
}

/// Everything that a vend needs.
pub struct Vending {
    /// The database.
    pub store: Store,
    /// Who signs.
    pub signers: Arc<dyn Signers>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to the clouds.
    pub net: Box<dyn Transport>,
    /// The environment: addresses of the clouds.
    pub env: Env,
    /// The machine, which the accounts that are asked by its role trust.
    pub machine: Machine,
    /// Where each partition takes assertions, and has its token service.
    pub sites: Sites,
    /// Our entity ID towards the clouds.
    pub entity_id: String,
    /// Opens the keys of accounts.
    pub seal: Option<Arc<Seal>>,
    /// What accounts want to hear from the machine's role. Where it is not set, the identity of the account's node.
    pub external_id: Option<String>,
    /// Whether a second person can agree to roles of risk `high`.
    pub two_person: bool,
    /// Where somebody goes whose console session ended: the page of their roles.
    pub return_to: WebUrl,
}

/// Keys that were handed out.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The keys.
    pub keys: Credentials,
    /// The role.
    pub role: RoleArn,
    /// The label in the cloud's logs.
    pub session_name: String,
    /// The line of the ledger.
    pub line: VendId,
}

/// An assertion that was handed out, for whoever asked to exchange it at the cloud.
#[derive(Debug, Clone)]
pub struct Entrusted {
    /// The assertion.
    pub response: SignedResponse,
    /// The one role that it gives.
    pub role: RoleArn,
    /// Which site of the cloud that is.
    pub partition: Partition,
    /// The token service, where the configuration names another than the region's.
    pub sts: Option<WebUrl>,
    /// How long the session may last. The cloud lets none last longer: the assertion says when every one ends.
    pub lifetime: SessionDuration,
    /// The label in the cloud's logs.
    pub session_name: String,
    /// The line of the ledger.
    pub line: VendId,
}

/// What somebody gets who asks for keys.
#[derive(Debug, Clone)]
pub enum Given {
    /// The keys.
    Keys(Handed),
    /// What buys them at the cloud, where the account says so.
    Assertion(Entrusted),
}

/// A way into a console.
#[derive(Debug, Clone)]
pub enum Console {
    /// A form that the browser posts.
    Form(SignedResponse),
    /// An address that it opens.
    Link(ConsoleLink),
}

/// Why nothing was handed out.
#[derive(Debug, thiserror::Error)]
pub enum VendError {
    /// They may not.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The database cannot, so nothing was tried.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was made could not be written down, so it is not handed out.
    #[error("it was made, and cannot be written down; so it is not handed out")]
    Unwritten(#[source] StoreError),
    /// There is no signature.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// There is no key to sign with.
    #[error(transparent)]
    Signer(#[from] KeysError),
    /// A key of an account cannot be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There are no keys to ask with.
    #[error("{0}")]
    NoKeys(&'static str),
    /// What was signed is not what was permitted. A mistake of this program.
    #[error("the assertion does not give the role that was permitted: {0}")]
    Foreign(Unchosen),
    /// A name that is none. A mistake of this program.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The cloud.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The task was given up.
    #[error("the service is stopping")]
    Stopping,
}

impl From<CloudError> for VendError {
    fn from(error: CloudError) -> Self {
        Self::Call(error.into())
    }
}

impl VendError {
    /// Its word for programs, and for the ledger.
    pub fn code(&self) -> &str {
        match self {
            Self::Refusal(refusal) => refusal.code(),
            Self::Store(_) | Self::Unwritten(_) => "store_unavailable",
            Self::Assertion(AssertionError::Issue(_)) | Self::Signer(_) => "kms_unavailable",
            Self::Assertion(_) | Self::Foreign(_) | Self::Name(_) => "assertion_refused",
            Self::Seal(_) | Self::NoKeys(_) => "no_base_keys",
            Self::Call(error) => error.code(),
            Self::Stopping => "stopping",
        }
    }

    /// What the ledger says of it.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Call(error) => error.outcome(),
            _ => Outcome::Failed,
        }
    }

    fn request_id(&self) -> Option<&str> {
        match self {
            Self::Call(error) => error.request_id(),
            _ => None,
        }
    }
}

/// What was made, in the ledger's and the trail's words.
struct Made {
    key: Option<String>,
    assertion: Option<String>,
    expires: Timestamp,
}

impl Made {
    fn of_keys(keys: &Credentials) -> Self {
        Self { key: Some(keys.key_id.clone()), assertion: None, expires: keys.expires }
    }
}

impl Vending {
    /// Hands out keys, or what buys them. What was begun is ended, also when whoever asked does not wait for it.
    ///
    /// # Errors
    /// [`VendError`]; nothing was handed out then.
    pub async fn keys(self: &Arc<Self>, wish: &Wish<'_>, policy: Option<SessionPolicy>) -> Result<Given, VendError> {
        let extra = policy.as_ref().map(|_| Extra::Policy).or(wish.extra);
        let permit = self.begin(&Wish { extra, ..*wish }).await?;
        let ours = self.clone();
        let task = tokio::spawn(async move {
            let (role, session_name, line) = (permit.role().clone(), permit.session_name().to_owned(), permit.line().clone());
            if permit.is_by_client() {
                let (partition, lifetime) = (permit.account().partition(), permit.lifetime());
                let sts = ours.sites.of(partition).and_then(|site| site.sts.clone());
                let response = ours.entrust(permit).await?;
                return Ok(Given::Assertion(Entrusted { response, role, partition, sts, lifetime, session_name, line }));
            }
            let made = ours.make(&permit, policy.as_ref()).await;
            let keys = ours.end(permit, made, Made::of_keys).await?;
            Ok(Given::Keys(Handed { keys, role, session_name, line }))
        });
        task.await.map_err(|_| VendError::Stopping)?
    }

    /// Signs somebody in to a console.
    ///
    /// # Errors
    /// [`VendError`]; nobody was signed in then.
    pub async fn console(self: &Arc<Self>, wish: &Wish<'_>) -> Result<Console, VendError> {
        let permit = self.begin(wish).await?;
        let ours = self.clone();
        let task = tokio::spawn(async move {
            if permit.method() == VendMethod::Saml {
                return ours.entrust(permit).await.map(Console::Form);
            }
            let made = ours.link(&permit).await;
            let (link, _) = ours.end(permit, made, |(_, keys)| Made::of_keys(keys)).await?;
            Ok(Console::Link(link))
        });
        task.await.map_err(|_| VendError::Stopping)?
    }

    async fn begin(&self, wish: &Wish<'_>) -> Result<Permit, VendError> {
        Ok(vend::begin(&self.store, wish, self.two_person, self.clock.now()).await??)
    }

    /// Completes the line. Only then is what was made anybody's.
    async fn end<T>(&self, permit: Permit, made: Result<T, VendError>, told: impl FnOnce(&T) -> Made) -> Result<T, VendError> {
        let now = self.clock.now();
        match made {
            Ok(made) => {
                let Made { key, assertion, expires } = told(&made);
                let (access_key_id, assertion) = (key.as_deref(), assertion.as_deref());
                let done = Completion { access_key_id, assertion, expires: Some(expires), ..Completion::default() };
                // What was made and is not written stays behind in a line that says `pending`: keys may exist.
                let written = vend::finish(&self.store, permit, Outcome::Issued, &done, now).await;
                written.map(|()| made).map_err(VendError::Unwritten)
            }
            Err(error) => {
                let done = Completion { cloud_request: error.request_id(), error: Some(error.code()), ..Completion::default() };
                let line = permit.line().clone();
                if let Err(unwritten) = vend::finish(&self.store, permit, error.outcome(), &done, now).await {
                    tracing::error!(%line, %unwritten, "a line of the ledger could not be completed");
                }
                Err(error)
            }
        }
    }

    /// The keys of a permit.
    async fn make(&self, permit: &Permit, policy: Option<&SessionPolicy>) -> Result<Credentials, VendError> {
        match permit.method() {
            VendMethod::Saml => self.by_assertion(permit, policy).await,
            VendMethod::HubRole => {
                let keys = base::of_machine(permit.role().cloud(), &self.machine, self.clock.now()).await?;
                let external = self.external_id.clone().unwrap_or_else(|| permit.node().to_string());
                self.by_keys(permit, &keys, Some(external), policy).await
            }
            VendMethod::RamUser => {
                let keys = base::of_account(&self.store, self.seal.as_deref(), permit.node()).await?;
                self.by_keys(permit, &keys, None, policy).await
            }
            VendMethod::None => Err(VendError::Refusal(Refusal::ByHandOnly)),
        }
    }

    async fn sign(&self, permit: &Permit) -> Result<SignedResponse, VendError> {
        let signer = self.signers.signer(Purpose::towards(permit.role().cloud()))?;
        let issuer = Issuer { entity_id: &self.entity_id, sites: &self.sites };
        Ok(assertion::respond(permit, &issuer, signer.as_ref(), self.clock.now()).await?)
    }

    /// Signs what somebody else takes to the cloud: what key comes of it is not known here.
    async fn entrust(&self, permit: Permit) -> Result<SignedResponse, VendError> {
        let made = match self.sign(&permit).await {
            Ok(response) => Self::read_back(&permit, &response).map(|_| response),
            Err(error) => Err(error),
        };
        let expires = permit.issued().after(Duration::from_secs(permit.lifetime().seconds().into()));
        let told = |response: &SignedResponse| Made { key: None, assertion: Some(response.assertion_id.clone()), expires };
        self.end(permit, made, told).await
    }

    /// Reads a response back as anybody would read it: what was signed is what was permitted, or it goes nowhere.
    fn read_back(permit: &Permit, response: &SignedResponse) -> Result<Choice, VendError> {
        let assertion = Assertion::Saml(SamlResponse::new(response.base64.expose()));
        let offer = cloud::find(permit.role().cloud()).offer(assertion, &Configured::default())?;
        offer.choose(&RoleWish::Arn(permit.role().clone())).map_err(VendError::Foreign)
    }

    async fn by_assertion(&self, permit: &Permit, policy: Option<&SessionPolicy>) -> Result<Credentials, VendError> {
        let response = self.sign(permit).await?;
        let cloud = cloud::find(permit.role().cloud());
        let wish = self.session(permit, policy)?;
        let choice = Self::read_back(permit, &response)?;
        Ok(call::ask(self.clock.as_ref(), || cloud.assume(&choice, &wish, self.net.as_ref())).await?)
    }

    async fn by_keys(
        &self,
        permit: &Permit,
        keys: &Keys,
        external_id: Option<String>,
        policy: Option<&SessionPolicy>,
    ) -> Result<Credentials, VendError> {
        let cloud = cloud::find(permit.role().cloud());
        let mut wish = self.session(permit, policy)?;
        // A session that begins with another session's keys is cut short by AWS.
        if let (Some(longest), true) = (cloud.longest_chained(), keys.token.is_some()) {
            wish.duration = wish.duration.min(longest);
        }
        let hop = Hop {
            session_name: Some(permit.session_name().to_owned()),
            external_id,
            ..Hop::new(&ProfileName::parse("saml2cloud")?, permit.role().clone())
        };
        let call = RoleCall { hop: &hop, keys, session: permit.session_name(), code: None, region: None };
        Ok(call::ask(self.clock.as_ref(), || cloud.assume_role(&call, &wish, self.net.as_ref())).await?)
    }

    /// Keys, and the address that they open.
    async fn link(&self, permit: &Permit) -> Result<(ConsoleLink, Credentials), VendError> {
        let keys = self.make(permit, None).await?;
        let cloud = cloud::find(permit.role().cloud());
        let site = self.sites.of(permit.account().partition());
        let urn = site.map(|site| site.audience.as_str());
        let wish = ConsoleWish { region: None, page: None, duration: None, return_to: &self.return_to, urn };
        let asked = call::ask(self.clock.as_ref(), || cloud.console_url(&keys, &wish, self.net.as_ref())).await;
        Ok((asked?, keys))
    }

    /// How the session should be.
    fn session(&self, permit: &Permit, policy: Option<&SessionPolicy>) -> Result<SessionWish, VendError> {
        let site = self.sites.of(permit.account().partition());
        let sts = site.and_then(|site| site.sts.as_ref()).map(|sts| sts.expose().to_string());
        let place = Place { region: None, sts };
        let endpoint = cloud::find(permit.role().cloud()).endpoint(permit.role(), &place, &self.env)?;
        Ok(SessionWish {
            duration: permit.lifetime(),
            endpoint: endpoint.url,
            policy: policy.map(|policy| policy.as_str().to_owned()),
            policy_arns: Vec::new(),
            now: self.clock.now(),
        })
    }
}
