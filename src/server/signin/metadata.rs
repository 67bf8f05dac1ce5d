//! What we say about ourselves: to the corporate identity provider, and to the clouds.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::ours as address;
use crate::saml::metadata::write::{IdentityProvider, ServiceProvider};
use crate::server::app::App;
use crate::server::extract::PathOf;
use crate::server::problem::{Code, Problem};
use crate::tvm::keys::Purpose;
use crate::tvm::model::Partition;

fn document(xml: String, name: &str) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/samlmetadata+xml".to_owned()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{name}.xml\"")),
    ];
    (headers, xml).into_response()
}

async fn certificates(app: &App, purpose: Purpose) -> Result<Vec<Vec<u8>>, Problem> {
    let certificates = app.keys.ring(&app.store, app.now()).await?.certificates(purpose);
    if certificates.is_empty() {
        return Err(Problem::new(Code::KmsUnavailable, "there is no signing key for this yet"));
    }
    Ok(certificates)
}

fn unwritable(error: &crate::saml::Unwritable) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "our metadata");
    Problem::only(Code::Internal)
}

/// `GET /saml/metadata`
pub(super) async fn ours(State(app): State<App>) -> Result<Response, Problem> {
    let certificates = certificates(&app, Purpose::Sp).await?;
    let (acs, logout) = (address(&app, "saml/acs"), address(&app, "saml/slo"));
    let entity_id = &app.settings.saml.service;
    let xml = ServiceProvider { entity_id, acs: &acs, logout: Some(&logout), certificates: &certificates }.xml();
    xml.map(|xml| document(xml, "saml2cloud-sp")).map_err(|error| unwritable(&error))
}

/// `GET /idp/metadata/{partition}`: one document for each cloud's keys, one name for all.
pub(super) async fn towards_clouds(State(app): State<App>, PathOf(partition): PathOf<String>) -> Result<Response, Problem> {
    let partition = Partition::from_word(&partition).ok_or_else(|| Problem::only(Code::NotFound))?;
    let certificates = certificates(&app, Purpose::towards(partition.cloud())).await?;
    let sign_in = address(&app, "");
    let entity_id = &app.settings.saml.issuer;
    let xml = IdentityProvider { entity_id, sign_in: &sign_in, certificates: &certificates }.xml();
    xml.map(|xml| document(xml, &format!("saml2cloud-{}", partition.word()))).map_err(|error| unwritable(&error))
}
