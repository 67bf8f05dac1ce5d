//! Statements, each in a list that tests walk.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

/// A statement that serves requests.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Its name in the code.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
    /// What its parameters are, a letter each: `t` text, `i` a number.
    pub takes: &'static str,
}

impl Statement {
    /// Ready for its parameters.
    pub(super) fn ask<'q>(&self) -> Query<'q, Any, AnyArguments> {
        sqlx::query(self.sql)
    }
}

/// Declares statements, and a list of them.
macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident($takes:expr) = $sql:expr;)+) => {
        $($(#[$doc])* const $name: $crate::tvm::store::sql::Statement =
            $crate::tvm::store::sql::Statement { name: stringify!($name), sql: $sql, takes: $takes };)+
        pub(super) const STATEMENTS: &[$crate::tvm::store::sql::Statement] = &[$($name),+];
    };
}

pub(super) use declare;

/// Every statement that serves requests.
pub fn statements() -> Vec<Statement> {
    use super::{
        access, allowances, audit, bindings, catalogue, codes, effect, export, groups, horizontals, idempotency, insight, keys,
        lists, names, nodes, people, preset_users, proposals, roles, saml, secrets, sessions, tokens, told, tree, users, vends,
    };
    let all = [
        users::STATEMENTS,
        nodes::STATEMENTS,
        roles::STATEMENTS,
        groups::STATEMENTS,
        horizontals::STATEMENTS,
        access::STATEMENTS,
        vends::STATEMENTS,
        audit::STATEMENTS,
        sessions::STATEMENTS,
        saml::STATEMENTS,
        tokens::STATEMENTS,
        codes::STATEMENTS,
        idempotency::STATEMENTS,
        keys::STATEMENTS,
        people::STATEMENTS,
        tree::STATEMENTS,
        insight::STATEMENTS,
        effect::STATEMENTS,
        names::STATEMENTS,
        catalogue::STATEMENTS,
        bindings::STATEMENTS,
        lists::STATEMENTS,
        told::STATEMENTS,
        export::STATEMENTS,
        proposals::STATEMENTS,
        preset_users::STATEMENTS,
        secrets::STATEMENTS,
        allowances::STATEMENTS,
    ];
    all.concat()
}
