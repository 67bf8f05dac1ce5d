//! What we say about ourselves: to the corporate identity provider, and to the clouds.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::server::app::App;
use crate::server::extract::PathOf;
use crate::server::keys;
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

async fn of(app: &App, purpose: Purpose, name: &str) -> Result<Response, Problem> {
    let certificates = app.keys.ring(&app.store, app.now()).await?.certificates(purpose);
    if certificates.is_empty() {
        return Err(Problem::new(Code::KmsUnavailable, "there is no signing key for this yet"));
    }
    let xml = keys::metadata(&app.settings, purpose, &certificates).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "our metadata");
        Problem::only(Code::Internal)
    })?;
    Ok(document(xml, name))
}

/// `GET /saml/metadata`
pub(super) async fn ours(State(app): State<App>) -> Result<Response, Problem> {
    of(&app, Purpose::Sp, "saml2cloud-sp").await
}

/// `GET /idp/metadata/{partition}`: one document for each cloud's keys, one name for all.
pub(super) async fn towards_clouds(State(app): State<App>, PathOf(partition): PathOf<String>) -> Result<Response, Problem> {
    let partition = Partition::from_word(&partition).ok_or_else(|| Problem::only(Code::NotFound))?;
    of(&app, Purpose::towards(partition.cloud()), &format!("saml2cloud-{}", partition.word())).await
}
