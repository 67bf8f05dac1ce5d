//! Active Directory Federation Services as `ADFS2` of the old tools: sign-in pages with RSA SecurID.
//!
//! 1. `GET url/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=ENTITY-ID`: the sign-in page.
//! 2. Its form goes back with user name and password.
//! 3. The page of RSA's adapter. Its second edition (`SecurIDv2Authentication`) sends a form without a field first, which
//!    goes back as it is. Then the passcode goes into the field `Passcode` or `ChallengeQuestionAnswer`; if RSA wants to
//!    see the token move on, a page with the field `NextCode` follows.
//! 4. The page whose form would post the `SAMLResponse` to the cloud. The form is read, not sent.
//!
//! The old tools' `Auto` of this provider is a sign-in by NTLM, which is not built yet; it is refused before anything is sent.
//! How adapters make their pages: <https://learn.microsoft.com/windows-server/identity/ad-fs/development/ad-fs-build-custom-auth-method>.

use async_trait::async_trait;

use super::walk::{Walk, entry};
use crate::idp::{Field, Idp, Method, Provider, Session, Settings, SettingsError, SignInError};
use crate::mfa::Factor;
use crate::types::{Assertion, WebUrl};

const NAME: &str = "ADFS2";

/// The description.
pub(in crate::idp) static PROVIDER: Adfs2 = Adfs2;

/// AD FS with RSA SecurID, described.
pub(in crate::idp) struct Adfs2;

impl Provider for Adfs2 {
    fn id(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Active Directory Federation Services with RSA SecurID"
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn methods(&self) -> &'static [Method] {
        &[Method { name: "Auto", factor: None }, Method { name: "RSA", factor: Some(Factor::Otp) }]
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Idp>, SettingsError> {
        let entry = entry(NAME, &settings.url)?;
        let wish = super::method(self, settings)?;
        if wish == "Auto" {
            let why =
                "`Auto` signs in by NTLM, which is not built yet; `RSA` is, and so is the provider `ADFS` for sign-in pages";
            return Err(SettingsError { key: "mfa", provider: NAME, why: why.to_owned() });
        }
        let walk = Walk { name: NAME, wish: Some(wish), can: &["RSA"], code: "Enter passcode", unseen: true };
        Ok(Box::new(Configured { entry, walk }))
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
mod tests {
    use super::super::tests::{LOGIN, RESPONSE, page, walk};
    use super::*;

    const PASSCODE: &str = page!("adfs2/passcode");
    const NEXT: &str = page!("adfs2/next-code");
    const OPENING: &str = page!("adfs2/second-edition");

    #[test]
    fn passcodes() {
        let done = walk(&PROVIDER, "RSA", &[LOGIN, OPENING, PASSCODE, NEXT, RESPONSE], &["1111", "2222"], 0);
        assert!(done.end.is_ok(), "{}", done.error());
        assert!(done.sent[2].ends_with("&InitStatus=true"), "{}", done.sent[2]);
        assert!(done.sent[3].ends_with("&Passcode=1111&Submit=Submit"), "{}", done.sent[3]);
        assert!(done.sent[4].ends_with("&ChallengeQuestionAnswer=1111&NextCode=2222&Submit=Submit"), "{}", done.sent[4]);
    }

    #[test]
    fn what_leads_nowhere_ends() {
        // A form that opens nothing.
        let done = walk(&PROVIDER, "RSA", &[LOGIN, OPENING], &[], 0);
        assert!(matches!(done.end, Err(SignInError::Unrecognised { .. })) && done.sent.len() == 3);
        // A code that is never the next, typed again and again, and given once.
        for (codes, sent) in [(&["1", "2", "3", "4", "5"][..], 5), (&["1"], 3)] {
            let done = walk(&PROVIDER, "RSA", &[LOGIN, NEXT], codes, 0);
            assert!(matches!(done.end, Err(SignInError::FactorRefused { .. })) && done.sent.len() == sent);
        }
    }

    #[test]
    fn ntlm_is_told_from_rsa() {
        let open = |mfa: &str| {
            let settings = Settings::new(WebUrl::parse("https://fs.acme.example").unwrap(), mfa);
            PROVIDER.open(&settings).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(open("rsa"), Ok(()));
        assert!(open("VIP").unwrap_err().contains("`VIP` is not one of Auto, RSA"));
        let error = open("auto").unwrap_err();
        assert!(error.contains("NTLM") && error.contains("`RSA`") && error.contains("`ADFS`"), "{error}");
    }
}
