//! Active Directory Federation Services with sign-in pages (AD FS 3.0, which came with Windows Server 2012 R2, and newer).
//!
//! 1. `GET url/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=ENTITY-ID`: the sign-in page.
//! 2. Its form goes back with user name and password, to where its `action` leads. The same page again is a refusal, with
//!    AD FS's words in `#errorText`.
//! 3. The second factor, if there is one. Which it is says the hidden `AuthMethod` of the page that comes:
//!    - Symantec VIP, Defender and Azure's code: the code goes into the page's own field and form. A page that offers
//!      several ways (`form#options`) is sent back with the way that the account's `mfa` names, or the person.
//!    - Azure's approval: the page's number (`p#validEntropyNumber`) is shown, and its form sent back every second until
//!      another page comes.
//! 4. The page whose form would post the `SAMLResponse` to the cloud. The form is read, not sent.
//!
//! The account's `url` is the server's address, `https://fs.acme.example`. Microsoft's pages:
//! <https://learn.microsoft.com/windows-server/identity/ad-fs/troubleshooting/ad-fs-tshoot-initiatedsignon>,
//! <https://learn.microsoft.com/windows-server/identity/ad-fs/operations/configure-ad-fs-and-azure-mfa>.

mod adfs2;
mod pages;
mod walk;

pub(super) use adfs2::PROVIDER as PROVIDER_2;

use async_trait::async_trait;

use self::walk::{Walk, entry};
use super::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::mfa::Factor;
use crate::types::{Assertion, WebUrl};

const NAME: &str = "ADFS";

/// The description.
pub(super) static PROVIDER: Adfs = Adfs;

/// AD FS with sign-in pages, described.
pub(super) struct Adfs;

impl Provider for Adfs {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Active Directory Federation Services, sign-in pages"
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn methods(&self) -> &'static [Method] {
        &[
            Method { name: "Auto", factor: None },
            Method { name: "VIP", factor: Some(Factor::Otp) },
            // A code or an approval: the person's own settings at Microsoft say which.
            Method { name: "Azure", factor: None },
            Method { name: "Defender", factor: Some(Factor::Otp) },
        ]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let entry = entry(NAME, &settings.url)?;
        let wish = Some(method(self, settings)?).filter(|word| *word != "Auto");
        let can = &["VIP", "Azure", "Defender"];
        Ok(Box::new(Configured { entry, walk: Walk { name: NAME, wish, can, code: "Security Token", unseen: false } }))
    }
}

/// The word of `--mfa`, if it is one of the provider's.
fn method(provider: &dyn Provider, settings: &Settings) -> Result<&'static str, SettingsError> {
    let words: Vec<&'static str> = provider.methods().iter().map(|m| m.name).collect();
    match words.iter().find(|word| word.eq_ignore_ascii_case(settings.mfa.trim())) {
        Some(word) => Ok(word),
        None => Err(SettingsError {
            key: "mfa",
            provider: provider.id(),
            why: format!("`{}` is not one of {}", settings.mfa.escape_debug(), words.join(", ")),
        }),
    }
}

struct Configured {
    /// The sign-in page, not yet for any cloud.
    entry: WebUrl,
    walk: Walk,
}

#[async_trait]
impl Idp for Configured {
    async fn sign_in(&self, session: &mut Session<'_>) -> Result<Assertion, SignInError> {
        let page = self.walk.start(session, &self.entry).await?;
        let page = self.walk.password(session, page).await?;
        let page = self.walk.factor(session, page).await?;
        self.walk.response(session, &page)
    }
}

#[cfg(test)]
mod tests;
