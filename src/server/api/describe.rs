//! The description of the API (OpenAPI 3.1). Handlers say what is theirs alone; what follows from how a route is guarded is added here, so
//! that it is said of every route alike.

use axum::http::Method;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponseBuilder, Type,
};
use utoipa_axum::router::OpenApiRouter;

use crate::server::problem::ProblemDocument;
use crate::server::route::{Access, Route, Row, Spec};

const ABOUT: &str = "Who may use which role in which cloud account, and what is handed out.\n\nErrors are problem documents (RFC 9457): `code` is for \
    programs, `detail` for people, `request_id` stands in the audit trail. What one may not know of answers 404, as what is not there does. A request \
    for another host answers 421. Lists are read page by page: `next` is the cursor of the next page.";

/// What another super admin has to agree to while `approval.two_person` is on: it answers with a proposal then.
const GOVERNED: [&str; 14] = [
    "node.owner.add",
    "node.owner.remove",
    "preset.update",
    "preset.delete",
    "role.system.update",
    "role.system.delete",
    "horizontal.create",
    "horizontal.update",
    "horizontal.delete",
    "horizontal.explicit.add",
    "horizontal.explicit.remove",
    "horizontal.group.bind",
    "horizontal.group.unbind",
    "horizontal.pending.confirm",
];

/// The description of all that is described.
pub(in crate::server) fn description(routes: &[Route]) -> OpenApi {
    let info = InfoBuilder::new()
        .title("saml2cloud serve")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("MIT").build()))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-session"))));
    let base = OpenApiBuilder::new().info(info).components(Some(components)).build();
    let mut router: OpenApiRouter = OpenApiRouter::with_openapi(base);
    for route in routes {
        if let Some((schemas, paths)) = &route.described {
            router = router.routes((schemas.clone(), paths.clone(), axum::routing::MethodRouter::new()));
        }
    }
    let mut description = router.into_openapi();
    let mut schemas = Vec::new();
    <ProblemDocument<'_> as utoipa::ToSchema>::schemas(&mut schemas);
    if let Some(components) = &mut description.components {
        components.schemas.extend(schemas);
        components.schemas.insert("Problem".to_owned(), <ProblemDocument<'_> as utoipa::PartialSchema>::schema());
    }
    for spec in routes.iter().filter(|route| route.described.is_some()).map(|route| &route.spec) {
        if let Some(operation) = description.paths.paths.get_mut(&spec.path).and_then(|item| operation_of(item, &spec.method)) {
            complete(operation, spec);
        }
    }
    description
}

fn operation_of<'i>(item: &'i mut PathItem, method: &Method) -> Option<&'i mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// What follows from how the route is guarded.
fn complete(operation: &mut Operation, spec: &Spec) {
    let has_body = operation.request_body.is_some();
    let names_version = operation.parameters.iter().flatten().any(|one| matches!(one, RefOr::T(one) if one.name == "If-Match"));
    let mut answers =
        vec![(400, "`validation_failed`"), (429, "`rate_limited`"), (503, "`store_unavailable`, `audit_unavailable`")];
    if has_body {
        answers.extend([(413, "`too_large`"), (415, "`unsupported_media_type`")]);
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.required = Some(Required::True);
        }
    }
    if spec.access == Access::Api {
        answers.extend([(401, "`unauthenticated`"), (503, "`store_unavailable`, `sessions_unavailable`, `audit_unavailable`")]);
        let either = ["bearer", "session"].map(|scheme| SecurityRequirement::new::<_, [String; 0], String>(scheme, []));
        operation.security = Some(either.to_vec());
    }
    if matches!(spec.row, Row::Matrix(_)) || !spec.method.is_safe() {
        answers.push((403, "`forbidden`, `csrf_failed`"));
    }
    if matches!(spec.row, Row::Matrix(_)) || spec.path.contains('{') {
        answers.push((404, "`not_found`"));
    }
    if names_version {
        answers.extend([(412, "`version_mismatch`"), (428, "`version_required`")]);
    }
    if spec.is_idempotent {
        answers.push((409, "`idempotency_conflict`"));
        operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
    }
    if spec.told.is_some_and(|told| GOVERNED.contains(&told)) {
        let proposal = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProposalView"))).build();
        let response = ResponseBuilder::new()
            .description("Written down for another super admin to agree to; nothing is changed yet (`approval.two_person`)")
            .content("application/json", proposal)
            .build();
        operation.responses.responses.insert("202".to_owned(), RefOr::T(response));
    }
    for (status, codes) in answers {
        let key = status.to_string();
        operation.responses.responses.entry(key).or_insert_with(|| RefOr::T(ResponseBuilder::new().description(codes).build()));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
            && response.content.is_empty()
        {
            response.content.insert("application/problem+json".to_owned(), RefOr::T(problem()));
        }
    }
}

fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Sent again with the same key within a day, the request is answered alike and done once"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128))))
        .build()
}
