//! A key's life, the ring that signs, and secrets that open in their own row only.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use saml2cloud::tvm::keys::{
    self, By, Facts, Imported, Keepers, KeysError, NewKey, Purpose, Ring, Seal, SealError, SigningKey, Size, State,
};
use saml2cloud::tvm::model::KeyId;
use saml2cloud::tvm::store::{Store, StoreError};
use sqlx::Executor as _;
use zeroize::Zeroizing;

use crate::place::{change, later, now, on_both};

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

const IDP: &str = include_str!("../../fixtures/saml/idp.key.pem");
const IDP_CERTIFICATE: &str = include_str!("../../fixtures/saml/idp.crt.pem");
const NEXT: &str = include_str!("../../fixtures/saml/next.key.pem");

fn keepers() -> Keepers {
    Keepers::new(Some(Arc::new(Seal::new("correct horse battery staple".into()).unwrap())))
}

const SP: NewKey<'static> = NewKey { purpose: Purpose::Sp, name: "cam.corp.example", days: 1095 };

async fn import(store: &Store, keepers: &Keepers, new: &NewKey<'_>, pem: &str) -> Result<SigningKey, KeysError> {
    let imported = Imported { pkcs8: Zeroizing::new(der(pem)), certificate: None };
    keys::import(store, keepers, new, imported, &By::default(), now()).await
}

async fn trail(store: &Store) -> Vec<String> {
    use saml2cloud::tvm::store::audit::{Ask, Filter, page};
    let ask = Ask { filter: Filter::All, from: now(), until: later(100_000), after: None, limit: 100 };
    let rows = page(&mut store.read().await.unwrap(), &ask).await.unwrap();
    rows.into_iter().rev().map(|row| row.kind).filter(|kind| kind.starts_with("key.")).collect()
}

#[test]
fn two_keys_overlap_and_the_old_one_is_wiped() {
    on_both(async |ground| {
        let (store, keepers) = (ground.store().await, keepers());
        let ring = async || Ring::load(&store, &keepers, now()).await.unwrap();
        assert!(matches!(ring().await.signer(Purpose::Sp), Err(KeysError::None(Purpose::Sp))));
        let first = import(&store, &keepers, &SP, IDP).await.unwrap();
        assert_eq!((first.state, first.not_after.since(first.not_before).as_secs()), (State::Pending, 1095 * 24 * 3600));
        // Published before it signs.
        assert_eq!(ring().await.certificates(Purpose::Sp), std::slice::from_ref(&first.certificate));
        assert!(ring().await.signer(Purpose::Sp).is_err());
        let by = By::default();
        keys::activate(&store, &first.id, &by, now()).await.unwrap();
        let signer = ring().await.signer(Purpose::Sp).unwrap();
        assert_eq!(signer.certificate(), first.certificate);
        let signature = signer.sign(b"message").await.unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, Facts::of(&first.certificate).unwrap().public_key);
        assert!(public.verify(b"message", &signature).is_ok() && public.verify(b"another", &signature).is_err());
        // What signs for one purpose does not for another.
        assert!(ring().await.signer(Purpose::IdpAws).is_err() && ring().await.certificates(Purpose::IdpAws).is_empty());
        assert!(keys::retire(&store, &first.id, &by, now()).await.is_err());
        let second = import(&store, &keepers, &SP, NEXT).await.unwrap();
        assert_eq!(ring().await.certificates(Purpose::Sp), [first.certificate.clone(), second.certificate.clone()]);
        assert_eq!(ring().await.active(Purpose::Sp), Some(&first.id));
        keys::activate(&store, &second.id, &by, now()).await.unwrap();
        assert_eq!(ring().await.active(Purpose::Sp), Some(&second.id));
        assert_eq!(ring().await.certificates(Purpose::Sp), [second.certificate.clone(), first.certificate.clone()]);
        let held =
            async |id: &KeyId| saml2cloud::tvm::store::keys::by_id(&mut store.read().await.unwrap(), id).await.unwrap().held;
        assert!(held(&first.id).await.contains("argon2id"));
        keys::retire(&store, &first.id, &by, now()).await.unwrap();
        assert_eq!(held(&first.id).await, "");
        assert_eq!(ring().await.certificates(Purpose::Sp), [second.certificate]);
        // Nothing comes back.
        assert!(keys::activate(&store, &first.id, &by, now()).await.is_err());
        assert!(keys::retire(&store, &first.id, &by, now()).await.is_err());
        assert!(matches!(
            keys::retire(&store, &KeyId::new(now()), &by, now()).await,
            Err(KeysError::Store(StoreError::NotFound(_)))
        ));
        assert_eq!(trail(&store).await, ["key.new", "key.activate", "key.new", "key.activate", "key.retire"]);
    });
}

#[test]
fn one_key_of_a_purpose_signs_whoever_asks_at_the_same_moment() {
    on_both(async |ground| {
        let (store, keepers) = (ground.store().await, keepers());
        let first = import(&store, &keepers, &SP, IDP).await.unwrap();
        let second = import(&store, &keepers, &SP, NEXT).await.unwrap();
        let by = By::default();
        let _ = tokio::join!(keys::activate(&store, &first.id, &by, now()), keys::activate(&store, &second.id, &by, now()));
        let all = saml2cloud::tvm::store::keys::all(&mut store.read().await.unwrap()).await.unwrap();
        assert_eq!(all.iter().filter(|key| key.state == State::Active).count(), 1);
        // The schema itself sees to it.
        let forced = change(&store, async |tx| {
            tx.execute("UPDATE signing_key SET state = 'active'").await?;
            Ok(())
        });
        assert!(forced.await.is_err());
    });
}

#[test]
fn what_is_no_key_or_not_its_certificates_is_refused() {
    on_both(async |ground| {
        let (store, keepers) = (ground.store().await, keepers());
        let with = |pkcs8: Vec<u8>, certificate: Option<&str>| Imported {
            pkcs8: Zeroizing::new(pkcs8),
            certificate: certificate.map(der),
        };
        let by = By::default();
        let ask = async |imported| keys::import(&store, &keepers, &SP, imported, &by, now()).await;
        assert!(matches!(ask(with(der(NEXT), Some(IDP_CERTIFICATE))).await, Err(KeysError::Another(_))));
        assert!(ask(with(der(IDP), Some(IDP_CERTIFICATE))).await.is_ok());
        for pem in [include_str!("../../fixtures/saml/short.key.pem"), include_str!("../../fixtures/saml/p256.key.pem")] {
            assert!(matches!(ask(with(der(pem), None)).await, Err(KeysError::Unusable(_))));
        }
        assert!(matches!(ask(with(b"nothing".to_vec(), None)).await, Err(KeysError::Unusable(_))));
        for days in [0, 3651] {
            assert!(matches!(import(&store, &keepers, &NewKey { days, ..SP }, IDP).await, Err(KeysError::Unusable(_))));
        }
        assert!(matches!(import(&store, &Keepers::default(), &SP, IDP).await, Err(KeysError::NoPassphrase(_))));
        // A certificate that is over signs nothing.
        let short = import(&store, &keepers, &NewKey { days: 1, purpose: Purpose::Audit, ..SP }, IDP).await.unwrap();
        let day = 24 * 3600;
        assert!(keys::activate(&store, &short.id, &by, later(day)).await.is_err());
        assert!(keys::activate(&store, &short.id, &by, later(day - 3601)).await.is_ok());
    });
}

#[test]
fn a_sealed_key_opens_in_its_own_row_with_its_own_passphrase() {
    on_both(async |ground| {
        let (store, keepers) = (ground.store().await, keepers());
        let first = import(&store, &keepers, &SP, IDP).await.unwrap();
        let second = import(&store, &keepers, &NewKey { purpose: Purpose::IdpAws, ..SP }, NEXT).await.unwrap();
        let by = By::default();
        keys::activate(&store, &first.id, &by, now()).await.unwrap();
        assert!(!first.held.contains(&STANDARD.encode(der(IDP))[..40]));
        assert!(Ring::load(&store, &keepers, now()).await.is_ok());
        let other = Keepers::new(Some(Arc::new(Seal::new("another passphrase than that".into()).unwrap())));
        assert!(matches!(Ring::load(&store, &other, now()).await, Err(KeysError::Sealed(_, SealError::Shut))));
        assert!(matches!(Ring::load(&store, &Keepers::default(), now()).await, Err(KeysError::NoPassphrase(_))));
        // Whoever can write to the database cannot make one key pass for another.
        let copy = SigningKey { held: second.held.clone(), ..first.clone() };
        assert!(matches!(keepers.signer(&copy), Err(KeysError::Sealed(_, SealError::Shut))));
        let swapped = SigningKey { certificate: second.certificate.clone(), ..first };
        assert!(matches!(keepers.signer(&swapped), Err(KeysError::Another(_))));
    });
}

#[test]
fn a_new_key_is_made_with_a_certificate_that_others_can_read() {
    on_both(async |ground| {
        let (store, keepers) = (ground.store().await, keepers());
        let new = NewKey { purpose: Purpose::IdpAlibaba, days: 30, ..SP };
        let key = keys::mint(&store, &keepers, &new, Size::Rsa2048, &By::default(), now()).await.unwrap();
        let facts = Facts::of(&key.certificate).unwrap();
        assert_eq!((facts.bits, facts.subject.as_str()), (2048, "CN=cam.corp.example idp-alibaba"));
        assert_eq!(
            (facts.not_before, facts.not_after.since(facts.not_before).as_secs()),
            (now().before(std::time::Duration::from_secs(3600)), 30 * 24 * 3600)
        );
        assert!(facts.fingerprint.len() == 95 && facts.fingerprint.starts_with(|c: char| c.is_ascii_hexdigit()));
        let (_, read) = x509_parser::parse_x509_certificate(&key.certificate).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, facts.public_key);
        assert!(public.verify(read.tbs_certificate.as_ref(), read.signature_value.data.as_ref()).is_ok());
        assert!(!read.is_ca());
        assert!(keepers.signer(&key).unwrap().sign(b"x").await.is_ok());
    });
}

#[test]
fn a_secret_of_an_account_is_sealed_for_its_node() {
    on_both(async |ground| {
        use saml2cloud::tvm::store::secrets;
        let acme = crate::place::Acme::new(ground).await;
        let seal = Seal::new("correct horse battery staple".into()).unwrap();
        let sealed = seal.close(b"the secret", secrets::TABLE, acme.shop.id.as_str()).unwrap();
        change(&acme.store, async |tx| tx.put_secret(&acme.shop.id, "AKIA1", &sealed).await).await.unwrap();
        change(&acme.store, async |tx| tx.put_secret(&acme.bank.id, "AKIA1", &sealed).await).await.unwrap();
        let open = async |node: &saml2cloud::tvm::model::Node| {
            let kept = secrets::by_node(&mut acme.store.read().await.unwrap(), &node.id).await.unwrap().unwrap();
            seal.open(&kept.sealed, secrets::TABLE, node.id.as_str()).map(|plain| plain.to_vec())
        };
        assert_eq!(open(&acme.shop).await.unwrap(), b"the secret");
        assert_eq!(open(&acme.bank).await, Err(SealError::Shut));
    });
}
