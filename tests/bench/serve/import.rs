//! A company comes with all of its accounts at once.

use std::sync::Arc;

use crate::Result;
use crate::data::Size;
use crate::http::Client;
use crate::timed::{Timed, timed};

/// How many accounts come in one request. A listing is one change, all or nothing, and whoever wants to write meanwhile waits for it.
pub(crate) const AT_ONCE: u64 = 50;

fn listing(request: u64, accounts: u64) -> String {
    let mut nodes = Vec::new();
    for number in request * AT_ONCE..accounts.min((request + 1) * AT_ONCE) {
        let uid = 500_000_000_000 + number;
        let roles: Vec<String> = (0..15).map(|role| format!("arn:aws:iam::{uid}:role/imported-{role}")).collect();
        nodes.push(serde_json::json!({
            "parent": ["folder 1"], "name": format!("imported {number}"), "account": format!("aws:{uid}"), "owners": ["E-0"],
            "system_roles": roles,
        }));
    }
    serde_json::json!({ "nodes": nodes }).to_string()
}

/// Imports as many accounts as there are, each with fifteen roles, one listing after the other.
pub(crate) async fn measure(client: Client, process: u32, admin: &str, size: Size) -> Result<Timed> {
    let (client, admin) = (Arc::new(client), Arc::new(admin.to_owned()));
    timed(1, size.accounts / AT_ONCE, Some(process), move |request| {
        let (client, admin) = (client.clone(), admin.clone());
        async move { client.ask("POST", "/api/v1/nodes/import", &admin, Some(&listing(request, size.accounts))).await }
    })
    .await
}
