//! The pipeline: account → identity provider → assertion → offer → choice → credentials → files.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sign_in::{Kept, sign_in};
use super::{Error, Event, Freshness, Run, Witness, cache, cached, held, portal, responses, vended};
use crate::ask::{NoAnswer, Question, Topic};
use crate::cloud::{self, CloudError, Entrusted, SessionWish, Store};
use crate::config::Account;
use crate::http::Policy;
use crate::idp::SignInError;
use crate::types::{
    Assertion, Choice, CloudAccountId, Credentials, Offer, OfferedRole, PortalKind, PortalSession, Role, RoleWish,
    SessionDuration, Unchosen, Untrusted,
};
use crate::world::{Tls, Transport, World};

/// How long the cloud's sign-in page may take to tell account names, which are only a decoration.
const ALIASES: Duration = Duration::from_secs(2);

/// What a person wishes of one login.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Sign in although there are fresh credentials.
    pub force: bool,
    /// Overwrite a profile that is not ours.
    pub force_profile: bool,
    /// How much life fresh credentials must have left.
    pub freshness: Freshness,
    /// Leave the profile alone: the credentials go to whoever asked, and to our own cache.
    pub no_profile: bool,
    /// Nobody looks: a sign-in with a browser is not begun unless the account says so.
    pub unattended: bool,
    /// Go on without writing the profile if it is not ours: a child needs only its environment.
    pub profile_is_optional: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The credentials.
    pub credentials: Credentials,
    /// Whether they were there already, without any network.
    pub from_cache: bool,
    /// Whether the profile was written by this login.
    pub stored: bool,
}

/// Credentials for an account: fresh ones that are there, else by a sign-in; and the profile holds them afterwards.
///
/// # Errors
/// [`Error`]. Nothing on disk has changed then.
pub async fn login(run: &Run<'_>, account: &Account, options: Options) -> Result<Outcome, Error> {
    let Run { world, witness, .. } = *run;
    let store = store_of(world, account);
    let options = Options { no_profile: options.no_profile || account.is_foreign, ..options };
    let is_portal = account.is_portal();
    // Whoever waited for another process finds the keys that it got.
    let _turn = match is_portal && (options.force || cached(world, account, options.freshness).is_none()) {
        true => portal::turn(run, account).await,
        false => None,
    };
    if !options.force
        && let Some(credentials) = cached(world, account, options.freshness)
    {
        let held = options.no_profile || holds(run, account, &credentials);
        // The cache has keys, and no session to write beside them; a command needs the keys alone.
        let is_enough = !account.profiles_hold_session();
        if held || is_enough || options.profile_is_optional {
            let stored = !held && is_enough && put(witness, &*store, account, (&credentials, None), options)?;
            return Ok(Outcome { credentials, from_cache: true, stored });
        }
    }
    // Before anybody types a code for nothing.
    account.provider()?;
    if !account.provider()?.lists_roles() {
        cloud::find(account.cloud).configured(&account.configured)?;
    }
    if let RoleWish::Arn(role) = &account.role {
        cloud::find(account.cloud).endpoint(role, &account.place, world.env)?;
    }
    if !options.force_profile && !options.profile_is_optional && !options.no_profile {
        check(&*store, account)?;
    }
    let (credentials, session) = match is_portal {
        true => {
            let of_token = async |token| take(run, account, &portal::offer(run, account, token, &account.role).await?).await;
            portal::with_token(run, account, of_token).await?
        }
        false => with_response(run, account).await?,
    };
    if let Err(error) = cache::keep(world.paths, account, &credentials) {
        witness.tell(&Event::NotKept { why: error.to_string() });
    }
    let stored = put(witness, &*store, account, (&credentials, session.as_ref()), options)?;
    Ok(Outcome { credentials, from_cache: false, stored })
}

/// Credentials by a response: one that is kept, if the account keeps any and the cloud still takes it, else a fresh one.
async fn with_response(run: &Run<'_>, account: &Account) -> Result<Taken, Error> {
    let mut kept = Kept::Use;
    loop {
        let signed_in = sign_in(run, account, kept).await?;
        match take(run, account, &signed_in.offer).await {
            Err(error) if signed_in.is_kept && responses::is_to_blame(&error) => {
                run.witness.tell(&Event::ResponseRefused { why: error.to_string() });
                kept = Kept::Drop;
            }
            outcome => return outcome,
        }
    }
}

/// Credentials, and the session at a portal that gave them.
type Taken = (Credentials, Option<PortalSession>);

/// One role of the offer, and credentials of it.
async fn take(run: &Run<'_>, account: &Account, offer: &Offer) -> Result<Taken, Error> {
    let choice = choose(run, account, offer).await?;
    run.witness.tell(&Event::Selected { role: &choice.role() });
    Ok((assume(run, account, offer, &choice).await?, choice.portal_session()))
}

/// Whether the profile would not change if these credentials were written to it.
fn holds(run: &Run<'_>, account: &Account, credentials: &Credentials) -> bool {
    let held = held::look(run.world, account, &credentials.role);
    let is_in_mode = match account.profiles_hold_session() {
        true => held.session_until.is_some_and(|end| end > run.world.clock.now()),
        false => held.session_until.is_none(),
    };
    is_in_mode && held.key_id.as_ref() == Some(&credentials.key_id)
}

/// Whether the profile of the wished role is one to write to.
fn check(store: &dyn Store, account: &Account) -> Result<(), cloud::StoreError> {
    let role = cache::exact(account);
    let profile = role.as_ref().map_or(&account.profile, |role| account.profile_for(role));
    match account.profiles_hold_session() {
        true => store.check_session(profile, &account.url),
        false => store.check(profile),
    }
}

/// The file of profiles that an account writes to.
pub(super) fn store_of(world: &World<'_>, account: &Account) -> Box<dyn Store> {
    let custom = account.credentials_file.as_deref().map(|path| world.paths.expand(path));
    cloud::find(account.cloud).profiles(world.paths, world.env, custom)
}

fn put(
    witness: &dyn Witness,
    store: &dyn Store,
    account: &Account,
    (credentials, session): (&Credentials, Option<&PortalSession>),
    options: Options,
) -> Result<bool, Error> {
    if options.no_profile {
        return Ok(false);
    }
    let profile = account.profile_for(&credentials.role);
    let held = store.look(profile).assumed.filter(|held| !same_role(held, &credentials.assumed));
    let (region, force) = (account.place.region.as_ref(), options.force_profile);
    let put = match session.filter(|_| account.profiles_hold_session()) {
        Some(session) => store.put_session(profile, credentials, session, region, force),
        None => store.put(profile, credentials, region, force),
    };
    match put {
        Err(error @ cloud::StoreError::NotOurs { .. }) if options.profile_is_optional => {
            witness.tell(&Event::ProfileLeft { why: error.to_string() });
            Ok(false)
        }
        Err(error) => Err(error.into()),
        Ok(()) => {
            if let Some(from) = &held {
                witness.tell(&Event::RoleSwitched { profile: profile.as_str(), from });
            }
            Ok(true)
        }
    }
}

/// Whether two assumed-role names are of the same role: they differ only in the session after the last slash.
fn same_role(one: &str, other: &str) -> bool {
    // A portal's role has no session in its name.
    let role = |name: &str| match name.contains(':') {
        true => name.rsplit_once('/').map(|(role, _)| role.to_owned()),
        false => Some(name.to_owned()),
    };
    role(one) == role(other)
}

/// Takes the wished role, or the only one, or the one that the person picks.
async fn choose(run: &Run<'_>, account: &Account, offer: &Offer) -> Result<Choice, Error> {
    let Run { world, answers, .. } = *run;
    let unchosen = |why: Unchosen| {
        let granted = if why == Unchosen::None { Vec::new() } else { offer.roles().iter().map(|r| r.role()).collect() };
        Error::Unchosen { why, granted }
    };
    let why = match offer.choose(&account.role) {
        Ok(choice) => return Ok(choice),
        Err(why) => why,
    };
    if why != Unchosen::Ambiguous {
        return Err(unchosen(why));
    }
    let aliases = if answers.can_ask(Topic::Role) { aliases(world, account, offer).await } else { BTreeMap::new() };
    let labels: Vec<Untrusted> = offer.roles().iter().map(|role| label(role, &aliases)).collect();
    match answers.choose(&Question::new(Topic::Role, "Please choose the role"), &labels).await {
        Ok(index) => offer.pick(index).ok_or_else(|| unchosen(Unchosen::Ambiguous)),
        Err(NoAnswer::NotHere) => Err(unchosen(Unchosen::Ambiguous)),
        Err(why) => Err(SignInError::Unanswered { topic: Topic::Role, why }.into()),
    }
}

/// `acme-prod (123456789012) / Admin`.
fn label(offered: &OfferedRole, aliases: &BTreeMap<CloudAccountId, String>) -> Untrusted {
    let (role, account) = (offered.role(), offered.account());
    Untrusted::new(match aliases.get(account) {
        Some(alias) => format!("{alias} ({account}) / {}", role.name()),
        None => format!("{account} / {}", role.name()),
    })
}

/// The accounts' names, if the cloud's sign-in page tells them in time.
pub(super) async fn aliases(world: &World<'_>, account: &Account, offer: &Offer) -> BTreeMap<CloudAccountId, String> {
    if matches!(offer.assertion(), Assertion::Portal(_)) {
        return offer.names().clone();
    }
    let Ok(transport) = world.network.open(&Tls::default()) else { return BTreeMap::new() };
    tokio::select! {
        found = cloud::find(account.cloud).aliases(offer, &*transport) => found,
        () = world.clock.sleep(ALIASES) => BTreeMap::new(),
    }
}

/// Exchanges the assertion, or asks a portal in its place.
async fn assume(run: &Run<'_>, account: &Account, offer: &Offer, choice: &Choice) -> Result<Credentials, Error> {
    match choice.assertion() {
        Assertion::Portal(token) if token.kind == PortalKind::Tvm => vended::keys(run, account, token, choice).await,
        _ => exchange(run, account, offer, choice, None).await,
    }
}

/// Exchanges the assertion. A length that the identity provider wished and the role does not allow is given up once; one that a
/// person wished is not. `bounds` are those of whoever handed the assertion out.
pub(super) async fn exchange(
    run: &Run<'_>,
    account: &Account,
    offer: &Offer,
    choice: &Choice,
    bounds: Option<&Entrusted>,
) -> Result<Credentials, Error> {
    let Run { world, witness, .. } = *run;
    let cloud = cloud::find(account.cloud);
    let role = choice.role();
    let (endpoint, is_portal) = match (choice.assertion(), &role) {
        (Assertion::Portal(token), _) => (cloud.portal(token, world.env)?, true),
        (_, Role::Arn(role)) => {
            let told = bounds.and_then(|bounds| bounds.sts.as_deref());
            (vended::endpoint(role, &account.place, world.env, told)?, false)
        }
        (_, Role::Portal(_)) => return Err(CloudError::Mismatch.into()),
    };
    if endpoint.foreign {
        witness.tell(&Event::ForeignEndpoint { url: &endpoint.url });
    }
    let by = match choice.assertion() {
        Assertion::Saml(_) => "SAML assertion",
        Assertion::Oidc(_) => "ID token",
        Assertion::Portal(_) => "portal session",
    };
    witness.tell(&Event::Requesting { cloud: account.cloud, by });
    // Always verified: what the account says of its identity provider does not reach here.
    let transport: Box<dyn Transport> = match is_portal {
        // Asking for keys changes nothing.
        true => Box::new(portal::transport(run)?.with_posts()),
        false => world.network.open(&Tls::default())?,
    };
    let policy = policy(world, account)?;
    let wish = |duration| SessionWish {
        duration,
        endpoint: endpoint.url.clone(),
        policy: policy.clone(),
        policy_arns: account.limits.policy_arns.clone(),
        now: world.clock.now(),
    };
    let duration = account.duration.or(offer.duration()).unwrap_or(SessionDuration::DEFAULT);
    let duration = bounds.map_or(duration, |bounds| duration.min(bounds.longest));
    // A role that was granted a moment ago may not be known everywhere; what else passes, the way to a portal waits for by itself.
    let passes = |error: &CloudError| match is_portal {
        true => matches!(error, CloudError::NoAccess { .. }),
        false => error.is_passing(),
    };
    // Each try is a call of its own, with its own time and nonce.
    let call = async |duration| patiently(world, passes, async || cloud.assume(choice, &wish(duration), &*transport).await).await;
    let outcome = match call(duration).await {
        Err(CloudError::Refused { too_long: true, code, message, .. })
            if account.duration.is_none() && duration > SessionDuration::DEFAULT =>
        {
            witness.tell(&Event::Shortened { wished: duration, said: format!("{code}: \"{message}\"") });
            call(SessionDuration::DEFAULT).await
        }
        outcome => outcome,
    };
    outcome.map_err(|error| match (error, choice.assertion()) {
        // Whoever reads the refusal needs to know what was refused, and may see everything of it but itself.
        (refused @ CloudError::Refused { .. }, Assertion::Oidc(token)) => {
            Error::TokenRefused { refused, claims: Box::new(token.claims().clone()), now: world.clock.now() }
        }
        (error, _) => error.into(),
    })
}

/// Asks again while what is in the way passes, after a pause or as long as whoever refused wants.
pub(super) async fn patiently<T>(
    world: &World<'_>,
    passes: impl Fn(&CloudError) -> bool,
    ask: impl AsyncFn() -> Result<T, CloudError>,
) -> Result<T, CloudError> {
    let mut pauses = Policy::CLOUD.pauses();
    loop {
        let outcome = ask().await;
        match pauses.next().filter(|_| outcome.as_ref().is_err_and(&passes)) {
            Some(pause) => {
                let asked_for = outcome.as_ref().err().map(CloudError::wait).unwrap_or_default();
                world.clock.sleep(pause.max(asked_for)).await;
            }
            None => return outcome,
        }
    }
}

/// The text of the account's policy file.
pub(super) fn policy(world: &World<'_>, account: &Account) -> Result<Option<String>, Error> {
    let Some(path) = &account.limits.policy_file else { return Ok(None) };
    let text = crate::world::file::read(&world.paths.expand(path)).map_err(cloud::StoreError::from)?;
    text.filter(|text| !text.trim().is_empty()).map(Some).ok_or_else(|| Error::NoPolicy { path: path.clone() })
}

/// The roles of an offer by account, in the offer's order.
pub(super) fn by_account(offer: &Offer) -> Vec<(CloudAccountId, Vec<Role>)> {
    let mut accounts: Vec<(CloudAccountId, Vec<Role>)> = Vec::new();
    for offered in offer.roles() {
        match accounts.iter_mut().find(|(account, _)| account == offered.account()) {
            Some((_, roles)) => roles.push(offered.role()),
            None => accounts.push((offered.account().clone(), vec![offered.role()])),
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use base64::Engine as _;

    use super::*;
    use crate::types::{Assertion, CloudId, IdpArn, RoleArn, SamlResponse, Timestamp};
    use crate::world::{
        Clock, Env, Network, Paths, Request, Response, SystemLauncher, SystemListener, Transport, TransportError,
    };

    fn offer(roles: &[&str]) -> Offer {
        let offered = |name: &&str| OfferedRole::Federated {
            role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap(),
            idp: Some(IdpArn::parse("arn:aws:iam::123456789012:saml-provider/p").unwrap()),
        };
        let response = r#"<Response Destination="https://signin.aws.amazon.com/saml"><Assertion/></Response>"#;
        let response = SamlResponse::new(&base64::engine::general_purpose::STANDARD.encode(response));
        Offer::new(Assertion::Saml(response), roles.iter().map(offered).collect(), None)
    }

    #[test]
    fn roles_of_one_name_have_labels_of_their_own() {
        let offer = offer(&["Admin", "team/Admin", "other/Admin"]);
        let labels: Vec<String> = offer.roles().iter().map(|role| label(role, &BTreeMap::new()).to_string()).collect();
        assert_eq!(labels, ["123456789012 / Admin", "123456789012 / team/Admin", "123456789012 / other/Admin"]);
    }

    /// A sign-in page that never answers, and a clock that does not make anybody wait.
    struct Silence(Mutex<Vec<Duration>>);

    #[async_trait]
    impl Transport for Silence {
        async fn send(&self, _: &Request) -> Result<Response, TransportError> {
            std::future::pending().await
        }
    }

    impl Network for Silence {
        fn open(&self, _: &Tls) -> Result<Box<dyn Transport>, TransportError> {
            Ok(Box::new(Self(Mutex::default())))
        }
    }

    #[async_trait]
    impl Clock for Silence {
        fn now(&self) -> Timestamp {
            Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
        }

        async fn sleep(&self, pause: Duration) {
            self.0.lock().unwrap().push(pause);
        }
    }

    #[tokio::test]
    async fn names_of_accounts_are_not_waited_for() {
        let (silence, env, paths) = (Silence(Mutex::default()), Env::default(), Paths::below(std::path::Path::new("/home/me")));
        let world = World {
            network: &silence,
            clock: &silence,
            launcher: &SystemLauncher,
            listener: &SystemListener,
            env: &env,
            paths: &paths,
        };
        let account = crate::config::account_of(&[("url", "https://idp.example/"), ("provider", "Form")], CloudId::Aws).unwrap();
        assert!(aliases(&world, &account, &offer(&["a", "b"])).await.is_empty());
        assert_eq!(*silence.0.lock().unwrap(), [Duration::from_secs(2)]);
    }
}
