//! Who may use which role in which cloud account, and what was handed out. No HTTP in here.
//!
//! [`model`] holds the words (people, nodes, roles, groups), valid by construction; [`authorize`] is the whole permission matrix as one pure
//! function; [`horizontal`] matches role names over many accounts; [`ledger`] says what may become of a vend, and how long one lasts; [`vend`]
//! decides one and writes its line; [`assertion`] says it to the cloud, signed with one of the [`keys`], at one of the [`sites`]; [`audit`] chains events so that a changed row is found; [`store`] keeps all of it in SQLite or PostgreSQL.
//!
//! What cannot be undone by a bug above stands in the schema itself: one root, an owner for every node, no cycles, a group a role.

pub mod approval;
pub mod assertion;
pub mod audit;
pub mod authorize;
pub mod exchange;
pub mod horizontal;
pub mod keys;
pub mod ledger;
pub mod model;
pub mod presets;
pub mod sites;
pub mod store;
pub mod vend;
