//! Tokens for programs: GitHub Actions (`pipelines.actions.githubusercontent.com`) and useGrant (`sdk.usegrant.dev`).

use serde_json::json;

use crate::web_identity::{Token, USEGRANT};
use crate::wire::{Breach, Reply, Request, breach};
use crate::world::{World, later, word};

/// The address that a job with the right to ask is given; it has a query of its own.
pub(crate) const REQUEST_URL: &str = "https://pipelines.actions.githubusercontent.com/acme/jobs/7/idtoken?api-version=2.0";
/// A provider and a client at useGrant.
pub(crate) const PROVIDER: &str = "5f3a1f0e-6d0c-4b57-9a43-0d6f7a1c2b3d";
pub(crate) const CLIENT: &str = "0b9f8e7d-1c2b-4a39-8f70-6e5d4c3b2a19";

/// What the pipelines remember.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The bearer token of the job that runs.
    pub(crate) job: Option<String>,
    /// useGrant's API token.
    pub(crate) api: Option<String>,
}

impl World {
    /// A job's bearer token.
    pub(crate) fn job(&mut self) -> String {
        let job = self.pipelines.job.get_or_insert_with(word::<40>).clone();
        self.secret(&job);
        job
    }

    /// useGrant's API token.
    pub(crate) fn usegrant(&mut self) -> String {
        let api = self.pipelines.api.get_or_insert_with(word::<32>).clone();
        self.secret(&api);
        api
    }
}

/// Answers for GitHub Actions.
pub(crate) fn github(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["cookie"])?;
    if (request.method.as_str(), request.path.as_str()) != ("GET", "/acme/jobs/7/idtoken") {
        return breach("no such address");
    }
    let query = request.query_fields();
    query.exactly(&["api-version", "audience"], &[])?;
    if query.get("api-version") != "2.0" {
        return breach("the address has lost its own query");
    }
    let bearer = request.header("authorization").unwrap_or_default();
    let given = bearer.strip_prefix("bearer ").or_else(|| bearer.strip_prefix("Bearer "));
    if given.is_none() || given != world.pipelines.job.as_deref() {
        return Ok(Reply::text(401, "Unauthorized"));
    }
    let token = world.mint(&Token::github(query.get("audience")));
    Ok(Reply::json(200, &json!({ "count": 1, "value": token })))
}

/// Answers for useGrant.
pub(crate) fn usegrant(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    request.without(&["cookie"])?;
    request.no_query()?;
    let failure = |status: u16, code: &str, text: &str| Ok(Reply::json(status, &json!({ "code": code, "message": text })));
    let api = world.pipelines.api.as_deref().map(|api| format!("Bearer {api}"));
    if api.is_none() || request.header("authorization") != api.as_deref() {
        return failure(401, "unauthorized", "The API token is not valid.");
    }
    if request.method != "POST" || request.path != format!("/v1/providers/{PROVIDER}/clients/{CLIENT}/tokens") {
        return failure(404, "not_found", "There is no such provider or client.");
    }
    let body = request.json()?;
    let known = ["expiresIn", "useJwtType", "audienceAsArray", "forceDefaultDomain"];
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return breach(format!("member `{name}` does not belong here"));
    }
    let lifetime = body.get("expiresIn").and_then(serde_json::Value::as_i64).unwrap_or(3600);
    if !(1..=48 * 3600).contains(&lifetime) {
        return failure(400, "bad_request", "expiresIn is out of range.");
    }
    let is_on = |name: &str| body.get(name) == Some(&json!(true));
    let mut token = Token::new(USEGRANT, "ram.aliyuncs.com", CLIENT);
    token.lifetime = lifetime;
    token.audience_is_list = is_on("audienceAsArray");
    token.typ = if is_on("useJwtType") { "jwt" } else { "at+jwt" }.to_owned();
    let text = world.mint(&token);
    let ends = later(world.idp_now(), lifetime);
    Ok(Reply::json(200, &json!({ "accessToken": text, "expiresAt": ends.to_string(), "type": "Bearer" })))
}
