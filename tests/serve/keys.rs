//! The signing keys that a process knows, beside those that stand in the database.

use std::time::Duration;

use saml2cloud::tvm::keys::{self, By, Imported, NewKey, Purpose};

use crate::house::{House, signing_key};

#[tokio::test]
async fn a_key_that_another_process_activated_signs_within_fifteen_seconds() {
    let house = House::new().await;
    let (app, by) = (&house.app, By::default());
    let active = async || app.keys.ring(&app.store, app.now()).await.unwrap().active(Purpose::Sp).cloned().unwrap();
    let first = active().await;
    let new = NewKey { purpose: Purpose::Sp, name: "cam.example", days: 365 };
    let imported = Imported { pkcs8: signing_key(), certificate: None };
    let second = keys::import(&app.store, app.keys.keepers(), &new, imported, &by, app.now()).await.unwrap().id;
    keys::activate(&app.store, &second, &by, app.now()).await.unwrap();
    house.clock.forward(Duration::from_secs(14));
    assert_eq!(active().await, first);
    house.clock.forward(Duration::from_secs(1));
    assert_eq!(active().await, second);
    // What this process changed itself it looks at anew at once.
    keys::retire(&app.store, &first, &by, app.now()).await.unwrap();
    let published = async || app.keys.ring(&app.store, app.now()).await.unwrap().certificates(Purpose::Sp).len();
    assert_eq!(published().await, 2);
    app.keys.forget();
    assert_eq!(published().await, 1);
}
