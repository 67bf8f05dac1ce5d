//! What went wrong, as every caller gets it: a problem document (RFC 9457) with a code of ours, or a page that says the same.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::tvm::approval::Unanswered;
use crate::tvm::authorize::Verdict;
use crate::tvm::model::BadText;
use crate::tvm::store::{Reference, StoreError, Taken};
use crate::tvm::vend::Refusal;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal, $title:literal;)+) => {
        /// What went wrong, in one word for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The status that it is answered with.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// Its word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What it means, for people; the same for each occurrence.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }
        }
    };
}

codes! {
    /// Something that was given is not what it should be.
    ValidationFailed = BAD_REQUEST, "validation_failed", "Something that was given is not what it should be";
    /// Nobody knows who asks.
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Nobody is signed in";
    /// The sign-in is too old, or too weak, for this.
    ReauthRequired = UNAUTHORIZED, "reauth_required", "A fresh sign-in is needed for this";
    /// The response of the identity provider was not taken.
    SignInFailed = BAD_REQUEST, "sign_in_failed", "The sign-in did not succeed";
    /// They may not.
    Forbidden = FORBIDDEN, "forbidden", "This is not allowed";
    /// The form did not come from a page of ours.
    CsrfFailed = FORBIDDEN, "csrf_failed", "The request did not come from a page of this service";
    /// Only a super admin may touch it.
    PresetProtected = FORBIDDEN, "preset_protected", "A preset is changed by super admins only";
    /// The identity provider knows them, the pool does not.
    NotInPool = FORBIDDEN, "not_in_pool", "This person is not in the pool";
    /// Nobody decides about what they asked for themselves.
    SelfApproval = FORBIDDEN, "self_approval", "Nobody agrees to a proposal of their own";
    /// There is none, or it is not theirs to know.
    NotFound = NOT_FOUND, "not_found", "There is no such thing";
    /// Not in this way.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "This address takes another method";
    /// The GID is in the pool.
    GidTaken = CONFLICT, "gid_taken", "This GID is in the pool already";
    /// The alias is somebody's.
    AliasTaken = CONFLICT, "alias_taken", "This alias is somebody else's";
    /// The name is taken.
    NameTaken = CONFLICT, "name_taken", "There is one of this name already";
    /// The cloud account is in the tree.
    AccountUidTaken = CONFLICT, "account_uid_taken", "This cloud account is in the tree already";
    /// The last owner who can act.
    LastOwner = CONFLICT, "last_owner", "A node keeps one owner at least who is not disabled";
    /// Something refers to the person.
    UserReferenced = CONFLICT, "user_referenced", "This person is still referred to";
    /// Something refers to the role.
    RoleReferenced = CONFLICT, "role_referenced", "This role is still referred to";
    /// There is something below.
    NodeNotEmpty = CONFLICT, "node_not_empty", "This node still holds something";
    /// One role, one group.
    OneToOne = CONFLICT, "one_to_one", "A role has one group, and a group one role";
    /// The same key was used for another request, or its first request is not done yet.
    IdempotencyConflict = CONFLICT, "idempotency_conflict", "This idempotency key belongs to another request";
    /// It was decided about, or is none any more.
    AlreadyDecided = CONFLICT, "already_decided", "This was decided already";
    /// Somebody changed it meanwhile.
    VersionMismatch = PRECONDITION_FAILED, "version_mismatch", "It was changed meanwhile";
    /// The body is too long.
    TooLarge = PAYLOAD_TOO_LARGE, "too_large", "The request is too long";
    /// The body is of another kind.
    UnsupportedMedia = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not of a kind that is taken here";
    /// Not a name of this service.
    WrongHost = MISDIRECTED_REQUEST, "wrong_host", "This is not a name of this service";
    /// A GID never changes.
    GidImmutable = UNPROCESSABLE_ENTITY, "gid_immutable", "A GID never changes";
    /// The pattern is none.
    PatternInvalid = UNPROCESSABLE_ENTITY, "pattern_invalid", "The pattern is not one";
    /// The pattern takes too much.
    PatternTooBroad = UNPROCESSABLE_ENTITY, "pattern_too_broad", "The pattern matches more than it may without a confirmation";
    /// A name that is not for everybody.
    NameReserved = UNPROCESSABLE_ENTITY, "name_reserved", "This name is reserved";
    /// The tree has its form.
    TreeShape = UNPROCESSABLE_ENTITY, "tree_shape", "The tree cannot have this form";
    /// The grant ends too soon.
    WindowTooShort = UNPROCESSABLE_ENTITY, "window_too_short", "The time that is left is too short";
    /// Not handed out from here.
    NotVended = UNPROCESSABLE_ENTITY, "not_vended", "This role is not handed out from here";
    /// A second person has to agree.
    ConsentRequired = UNPROCESSABLE_ENTITY, "consent_required", "A second person has to agree to this first";
    /// The account does not know us.
    ProviderMissing = UNPROCESSABLE_ENTITY, "provider_missing", "The account has no entry for this service";
    /// The keys of the account are fetched by the command line itself, and this is not to be had so.
    ClientExchange = UNPROCESSABLE_ENTITY, "client_exchange", "The command line fetches the keys of this account itself";
    /// `If-Match` is missing.
    VersionRequired = PRECONDITION_REQUIRED, "version_required", "A change names the version that it was made from (If-Match)";
    /// Too much at once.
    RateLimited = TOO_MANY_REQUESTS, "rate_limited", "Too many requests";
    /// A fault of ours.
    Internal = INTERNAL_SERVER_ERROR, "internal_error", "The service made a mistake";
    /// The cloud said no.
    CloudError = BAD_GATEWAY, "cloud_error", "The cloud refused or did not answer";
    /// The keeper of the keys does not answer.
    KmsUnavailable = SERVICE_UNAVAILABLE, "kms_unavailable", "The signing key cannot be used now";
    /// The database does not answer.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "The database cannot be used now";
    /// The sign-ins cannot be read.
    SessionsUnavailable = SERVICE_UNAVAILABLE, "sessions_unavailable", "Sign-ins cannot be checked now";
    /// The trail cannot be written.
    AuditUnavailable = SERVICE_UNAVAILABLE, "audit_unavailable", "The audit trail cannot be written now, so nothing is done";
    /// There is no identity provider yet.
    NoIdentityProvider = SERVICE_UNAVAILABLE, "no_identity_provider", "No corporate identity provider is configured";
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which field.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// What still refers to something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ref {
    /// How.
    pub what: String,
    /// The identity of what refers to it.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What it was this time.
    pub detail: String,
    /// Which fields.
    pub fields: Vec<FieldError>,
    /// What still refers to it.
    pub refs: Vec<Ref>,
    /// When to try again, in seconds.
    pub retry_after: Option<u64>,
}

/// A problem as it is written (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument<'p> {
    /// What kind of problem; a page of the documentation's list.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for each occurrence.
    pub title: &'p str,
    /// The HTTP status.
    pub status: u16,
    /// One word for programs.
    pub code: &'p str,
    /// What it was this time.
    pub detail: &'p str,
    /// The request; it stands in the audit trail too.
    pub request_id: &'p str,
    /// Which fields.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    pub fields: &'p [FieldError],
    /// What still refers to it.
    #[serde(skip_serializing_if = "<[Ref]>::is_empty")]
    pub refs: &'p [Ref],
}

impl Problem {
    /// One with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), refs: Vec::new(), retry_after: None }
    }

    /// That nothing more is to be said than the code.
    pub fn only(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// That a field is not what it should be.
    pub fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        let (field, why) = (field.into(), why.into());
        let detail = format!("`{field}`: {why}");
        Self { fields: vec![FieldError { field, why }], ..Self::new(Code::ValidationFailed, detail) }
    }

    /// When to try again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// As it is written.
    pub fn document(&self, request: &str) -> String {
        let document = ProblemDocument {
            kind: format!("urn:saml2cloud:problem:{}", self.code.word()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.word(),
            detail: &self.detail,
            request_id: request,
            fields: &self.fields,
            refs: &self.refs,
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// The guard writes the body: it knows the request, and whether a person or a program reads it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<BadText> for Problem {
    fn from(bad: BadText) -> Self {
        Self::new(Code::ValidationFailed, bad.to_string())
    }
}

/// What the store did not do. Sentences about people's things pass; what only the operator may know does not.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            // What is not there and what one may not know of are told alike, to the letter.
            StoreError::NotFound(_) => return Self::only(Code::NotFound),
            StoreError::Taken(Taken::Gid) => Code::GidTaken,
            StoreError::Taken(Taken::Alias) => Code::AliasTaken,
            StoreError::Taken(Taken::Name | Taken::Role | Taken::Root) => Code::NameTaken,
            StoreError::Taken(Taken::Account) => Code::AccountUidTaken,
            StoreError::Taken(Taken::Group | Taken::ActiveKey) => Code::OneToOne,
            StoreError::LastOwner => Code::LastOwner,
            StoreError::Referenced(references) => return referenced(&error, references),
            StoreError::Stale => Code::VersionMismatch,
            StoreError::Tree(_) => Code::TreeShape,
            StoreError::Text(_) => Code::ValidationFailed,
            StoreError::Unwritten(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the audit trail");
                return Self::only(Code::AuditUnavailable).after(5);
            }
            StoreError::Elsewhere(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "sign-ins");
                return Self::only(Code::SessionsUnavailable).after(5);
            }
            StoreError::Complete | StoreError::Unanswered(Unanswered::Closed) => Code::AlreadyDecided,
            StoreError::Unanswered(Unanswered::Own) => Code::SelfApproval,
            StoreError::Unanswered(Unanswered::NotSuper | Unanswered::NotYours) => Code::Forbidden,
            StoreError::Busy | StoreError::Unreachable { .. } | StoreError::Database(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the database");
                return Self::only(Code::StoreUnavailable).after(5);
            }
            StoreError::File(_)
            | StoreError::Schema(_)
            | StoreError::Migrate(_)
            | StoreError::Corrupt { .. }
            | StoreError::Unsigned(_)
            | StoreError::Broken(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the database");
                return Self::only(Code::StoreUnavailable);
            }
        };
        Self::new(code, error.to_string())
    }
}

fn referenced(error: &StoreError, references: &[Reference]) -> Problem {
    // What is said is decided by what was to go; callers who know better put their own code.
    let code = if references.iter().any(|one| matches!(one.what, "owner of" | "member of")) {
        Code::UserReferenced
    } else {
        Code::RoleReferenced
    };
    let refs =
        references.iter().map(|one| Ref { what: one.what.to_owned(), id: one.id.clone(), name: one.name.clone() }).collect();
    Problem { refs, ..Problem::new(code, error.to_string()) }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::NotYours => Code::NotFound,
            Refusal::ByHandOnly => Code::NotVended,
            Refusal::NeedsConsent => Code::ConsentRequired,
            Refusal::NoProvider => Code::ProviderMissing,
            Refusal::ByClient(_) => Code::ClientExchange,
            Refusal::TooShort(_) => Code::WindowTooShort,
        };
        Self::new(code, refusal.to_string())
    }
}

/// What the permission matrix says; nothing where it allows.
///
/// # Errors
/// The verdict, as callers are told: what they may not know of is not there.
pub(super) fn allow(verdict: Verdict) -> Result<(), Problem> {
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Forbidden => Err(Problem::only(Code::Forbidden)),
        Verdict::Hidden => Err(Problem::only(Code::NotFound)),
        Verdict::Never => Err(Problem::only(Code::GidImmutable)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_word_and_a_status_of_failure() {
        let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400 && !code.title().is_empty()));
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
    }

    #[test]
    fn a_document_has_its_parts_and_no_empty_ones() {
        let problem = Problem::field("alias", "is empty");
        let text = problem.document("R1");
        assert_eq!(
            text,
            r#"{"type":"urn:saml2cloud:problem:validation_failed","title":"Something that was given is not what it should be","status":400,"code":"validation_failed","detail":"`alias`: is empty","request_id":"R1","fields":[{"field":"alias","why":"is empty"}]}"#
        );
        assert!(!Problem::only(Code::NotFound).document("R").contains("refs"));
    }

    #[test]
    fn what_only_the_operator_may_know_stays_here() {
        let said = Problem::from(StoreError::Schema("the file /var/lib/x is odd".to_owned()));
        assert_eq!((said.code, said.detail.contains("/var")), (Code::StoreUnavailable, false));
    }
}
