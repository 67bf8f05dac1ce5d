//! Makes or changes an account.

use super::Error;
use crate::ask::{Answers, NoAnswer, Question, Topic};
use crate::config::{Account, Accounts, ConfigError, Draft, Found, Key};
use crate::idp::{self, Field, KNOWN_ELSEWHERE, PROVIDERS, SignInError};
use crate::types::{AccountName, CloudId, ProfileName, Untrusted, Username, WebUrl};

/// What was saved.
pub struct Saved {
    /// The account as it is now.
    pub account: Account,
    /// Whether its provider can sign in.
    pub is_built: bool,
    /// Its file.
    pub path: String,
}

/// What follows the name of a provider that is known and not built.
const NOT_BUILT: &str = " (not built yet)";

/// Makes or changes the account `name`: what flags and variables say over what the file says, then, with `ask`, every main setting
/// with its present value as the default.
///
/// # Errors
/// [`Error`]; nothing was saved then.
pub async fn configure(
    accounts: &mut Accounts,
    name: &AccountName,
    wished: Option<CloudId>,
    called_as: Option<CloudId>,
    overlay: impl Fn(CloudId) -> Draft,
    answers: &dyn Answers,
    ask: bool,
) -> Result<Saved, Error> {
    let untold = overlay(called_as.unwrap_or(CloudId::Aws));
    // Whoever calls by an old name means that tool's accounts, unless something says otherwise.
    let wished = wished.or_else(|| told_cloud(&untold)).or(called_as);
    let found = match accounts.find(name, wished, called_as, &untold) {
        Ok(mut found) if found.len() == 1 => found.remove(0),
        Ok(found) => {
            let cloud = ask_cloud(answers, name, Some((accounts, &found))).await?;
            found.into_iter().find(|f| f.cloud == cloud).ok_or(ConfigError::NoCloud(name.to_string()))?
        }
        // In a file of both clouds a name can be only one of them; elsewhere each cloud has a file of its own.
        Err(ConfigError::Unknown { .. }) => fresh(accounts, name, wished, answers).await?,
        Err(error @ ConfigError::OtherCloud { .. }) => {
            if accounts.files().len() == 1 {
                return Err(error.into());
            }
            fresh(accounts, name, wished, answers).await?
        }
        Err(error) => return Err(error.into()),
    };
    let mut draft = overlay(found.cloud).over(&found.draft);
    if ask {
        questions(&mut draft, found.cloud, answers).await?;
    }
    let defaults = [(Key::Mfa, "Auto"), (Key::Profile, "saml")];
    for (key, value) in defaults {
        if draft.get(key).is_none() {
            draft.set(key, value);
        }
    }
    let account = Account::check(&found, &draft)?;
    let is_built = idp::find(account.provider).is_some();
    if is_built {
        account.open_idp()?;
    }
    let changed = changed(&found, &draft, idp::find(account.provider).map(|provider| provider.fields()));
    let file = accounts.file_mut(found.file).ok_or(ConfigError::NoCloud(name.to_string()))?;
    file.save(name.as_str(), &changed)?;
    Ok(Saved { account, is_built, path: file.display() })
}

/// What is new to the file, by its keys: the settings of every account, then those of the provider alone. Of a provider that is not
/// built (no `fields`) nobody knows which are its own, so all are kept that were given.
fn changed<'d>(found: &'d Found, draft: &'d Draft, fields: Option<&[Field]>) -> Vec<(&'d str, &'d str)> {
    let common = Key::ALL.into_iter().filter(|key| *key != Key::Cloud && found.draft.get(*key) != draft.get(*key));
    let common = common.filter_map(|key| Some((key.in_file(found.cloud), draft.get(key)?)));
    let is_own = |key: &str| fields.is_none_or(|fields| fields.iter().any(|field| field.key == key));
    common.chain(draft.other_than(&found.draft).filter(|(key, _)| is_own(key))).collect()
}

/// The questions for what one provider cannot do without; its other settings are for flags and the file.
async fn own_questions(draft: &mut Draft, fields: &[Field], answers: &dyn Answers) -> Result<(), Error> {
    for field in fields.iter().filter(|field| field.needed) {
        let topic = Topic::Field(field.key);
        let question = Question { topic, label: field.help, default: draft.other(field.key) };
        let answer = answers.text(&question).await.map_err(|why| SignInError::Unanswered { topic, why })?;
        if !answer.is_empty() {
            draft.set_other(field.key, &answer);
        }
    }
    Ok(())
}

/// The cloud that flags and variables tell: by name, or by the role.
fn told_cloud(overlay: &Draft) -> Option<CloudId> {
    let by_name = overlay.get(Key::Cloud).and_then(CloudId::from_word);
    by_name
        .or_else(|| overlay.get(Key::Role).and_then(|role| crate::types::RoleArn::parse(role).ok()).map(|role| role.cloud()))
        .or_else(|| crate::config::portal_cloud(overlay))
}

/// A new account, in the file of its cloud.
async fn fresh(accounts: &Accounts, name: &AccountName, wished: Option<CloudId>, answers: &dyn Answers) -> Result<Found, Error> {
    let cloud = match wished {
        Some(cloud) => cloud,
        None => ask_cloud(answers, name, None).await?,
    };
    Ok(Found {
        name: name.clone(),
        cloud,
        draft: Draft::default(),
        file: accounts.home_of(cloud),
        is_foreign: false,
        on_top: None,
    })
}

/// Which cloud: a person's choice.
///
/// # Errors
/// An error that names both accounts, or says that nothing tells the cloud.
pub async fn ask_cloud(
    answers: &dyn Answers,
    name: &AccountName,
    twice: Option<(&Accounts, &[Found])>,
) -> Result<CloudId, Error> {
    let options: Vec<Untrusted> = CloudId::ALL.iter().map(|cloud| Untrusted::new(cloud.title())).collect();
    let label = format!("Which cloud is account {name} for?");
    match answers.choose(&Question::new(Topic::Cloud, &label), &options).await {
        Ok(index) => CloudId::ALL.get(index).copied().ok_or_else(|| ConfigError::NoCloud(name.to_string()).into()),
        Err(NoAnswer::NotHere) => Err(match twice {
            Some((accounts, found)) => {
                let path = |cloud| {
                    let file = found.iter().find(|f| f.cloud == cloud).and_then(|f| accounts.files().get(f.file));
                    file.map(super::AccountsFile::display).unwrap_or_default()
                };
                ConfigError::Twice { name: name.to_string(), aws: path(CloudId::Aws), alibaba: path(CloudId::Alibaba) }
            }
            None => ConfigError::NoCloud(name.to_string()),
        }
        .into()),
        Err(why) => Err(SignInError::Unanswered { topic: Topic::Cloud, why }.into()),
    }
}

/// The questions of the old tools, in their order and words.
async fn questions(draft: &mut Draft, cloud: CloudId, answers: &dyn Answers) -> Result<(), Error> {
    let unanswered = |key: Key| move |why| Error::from(SignInError::Unanswered { topic: Topic::Field(key.in_file(cloud)), why });
    let field = |key: Key| Topic::Field(key.in_file(cloud));

    let mut names: Vec<String> = PROVIDERS.iter().map(|p| p.id().to_owned()).collect();
    names.extend(KNOWN_ELSEWHERE.iter().map(|id| format!("{id}{NOT_BUILT}")));
    let current = draft.get(Key::Provider).unwrap_or_default().to_owned();
    let present = names.iter().find(|name| name.trim_end_matches(NOT_BUILT) == current).cloned();
    let options: Vec<Untrusted> = names.iter().cloned().map(Untrusted::new).collect();
    let question = Question { topic: field(Key::Provider), label: "Please choose a provider:", default: present.as_deref() };
    let index = answers.choose(&question, &options).await.map_err(unanswered(Key::Provider))?;
    let provider = names.get(index).map(|name| name.trim_end_matches(NOT_BUILT).to_owned()).unwrap_or_default();

    let methods: Vec<&str> = idp::find(&provider).map(|p| p.methods().iter().map(|m| m.name).collect()).unwrap_or_default();
    draft.set(Key::Provider, provider.as_str());
    if methods.len() > 1 {
        let options: Vec<Untrusted> = methods.iter().map(|m| Untrusted::new(*m)).collect();
        let question = Question { topic: field(Key::Mfa), label: "Please choose an MFA", default: draft.get(Key::Mfa) };
        let index = answers.choose(&question, &options).await.map_err(unanswered(Key::Mfa))?;
        draft.set(Key::Mfa, *methods.get(index).unwrap_or(&"Auto"));
    }

    let profile = if cloud == CloudId::Aws { "AWS Profile" } else { "AlibabaCloud CLI Profile" };
    for (key, label, default) in
        [(Key::Profile, profile, Some("saml")), (Key::Url, "URL", None), (Key::Username, "Username", None)]
    {
        let present = draft.get(key).or(default).map(str::to_owned);
        let question = Question { topic: field(key), label, default: present.as_deref() };
        let answer = loop {
            let answer = answers.text(&question).await.map_err(unanswered(key))?;
            match complaint(key, &answer) {
                // Whoever sits there can say it better at once; the other answers are not lost.
                Some(why) if answers.can_ask(question.topic) && !answers.knows(question.topic) => {
                    answers.notify(&format!("That will not do: {why}"));
                }
                _ => break answer,
            }
        };
        if !answer.is_empty() {
            draft.set(key, answer);
        }
    }
    own_questions(draft, idp::find(&provider).map_or(&[], |provider| provider.fields()), answers).await
}

/// What is wrong with an answer, where that can be told at once.
fn complaint(key: Key, answer: &str) -> Option<String> {
    match key {
        _ if answer.is_empty() => None,
        Key::Url => WebUrl::parse(answer).err().map(|why| why.to_string()),
        Key::Profile => ProfileName::parse(answer).err().map(|why| why.to_string()),
        Key::Username => Username::parse(answer).err().map(|why| why.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Given, GivenAnswer};

    const FIELDS: &[Field] = &[
        Field { key: "app_id", variable: "ONELOGIN_APP_ID", help: "the number of the application", needed: true },
        Field { key: "subdomain", variable: "ONELOGIN_SUBDOMAIN", help: "the first part of the host's name", needed: true },
        Field { key: "ip_address", variable: "ONELOGIN_MFA_IP_ADDRESS", help: "where the person is", needed: false },
    ];

    fn found(pairs: &[(&'static str, &str)]) -> Found {
        let mut draft = Draft::default();
        for (key, value) in pairs {
            draft.set_other(key, value);
        }
        Found { name: AccountName::parse("x").unwrap(), cloud: CloudId::Alibaba, draft, file: 0, is_foreign: false, on_top: None }
    }

    #[tokio::test]
    async fn a_provider_is_asked_for_what_it_needs_and_what_is_new_is_saved() {
        let found = found(&[("app_id", "7"), ("ip_address", "10.0.0.1")]);
        let answers = Given::default();
        for (key, value) in [("app_id", ""), ("subdomain", "acme"), ("ip_address", "not asked for")] {
            answers.add(Topic::Field(key), GivenAnswer { value: value.into(), once: true });
        }
        let mut draft = found.draft.clone();
        own_questions(&mut draft, FIELDS, &answers).await.unwrap();
        let own = ["app_id", "subdomain", "ip_address"].map(|key| draft.other(key));
        assert_eq!(own, [Some("7"), Some("acme"), Some("10.0.0.1")], "an empty answer keeps what there is");
        draft.set(Key::Profile, "saml");
        draft.set(Key::Cloud, "alibaba");
        assert_eq!(changed(&found, &draft, Some(FIELDS)), [("alibabacloud_profile", "saml"), ("subdomain", "acme")]);
        assert_eq!(
            changed(&found, &draft, Some(&[])),
            [("alibabacloud_profile", "saml")],
            "what is another provider's stays as it is"
        );
    }

    #[tokio::test]
    async fn where_nobody_answers_the_missing_one_is_named() {
        let error = own_questions(&mut Draft::default(), FIELDS, &Given::default()).await.unwrap_err();
        assert!(error.to_string().starts_with("`app_id` is not known"), "{error}");
    }
}
