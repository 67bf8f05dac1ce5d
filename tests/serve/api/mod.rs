//! The API: every resource, and who may do what with it.

mod escalation;
mod horizontals;
mod insight;
mod matrix;
mod openapi;
mod people;
mod proposals;
mod realm;
mod roles;
mod tree;
