//! Sign-ins through a corporate identity provider: browsers are sent away, its answers are made beforehand, and what is measured is how they come
//! back.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saml2cloud::world::{Clock as _, SystemClock};

use crate::corporate::{Corporate, Said};
use crate::http::Client;
use crate::timed::{Timed, timed};
use crate::{ARRIVING, CALLERS, Result};

/// A browser that comes back: its cookie, and the form that it posts.
#[derive(Clone)]
struct Back {
    cookie: String,
    form: String,
}

fn sent_away(head: &str, person: u64, corporate: &Corporate) -> Result<Back> {
    let of = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"));
    let to: url::Url = of("location: ")?.parse()?;
    let given = |wanted: &str| to.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let (packed, state) = (given("SAMLRequest").ok_or("no request")?, given("RelayState").ok_or("no state")?);
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(STANDARD.decode(packed)?.as_slice()).read_to_string(&mut xml)?;
    let request = xml.split(" ID=\"").nth(1).and_then(|rest| rest.split('"').next()).ok_or("no identity")?;
    let response = corporate.respond(&Said::of(&format!("P{person}"), request, SystemClock.now()));
    let form = url::form_urlencoded::Serializer::new(String::new());
    let form = { form }.append_pair("SAMLResponse", &response).append_pair("RelayState", &state).finish();
    Ok(Back { cookie: of("set-cookie: ")?.split(';').next().unwrap_or_default().to_owned(), form })
}

/// Sends `count` browsers away and lets them come back; how long each of both took.
pub(crate) async fn measure(address: SocketAddr, corporate: &Arc<Corporate>, process: u32, count: u64) -> Result<[Timed; 2]> {
    let client = Arc::new(Client::new(address));
    let ready: Arc<Mutex<Vec<Back>>> = Arc::default();
    let (ours, made, by) = (client.clone(), ready.clone(), corporate.clone());
    let away = timed(CALLERS, count, Some(process), move |at| {
        let (client, made, corporate) = (ours.clone(), made.clone(), by.clone());
        async move {
            let head = client.send("GET", "/saml/login", "", None, 303).await?;
            let back = sent_away(&head, at, &corporate)?;
            made.lock().map_err(|_| "a caller fell over")?.push(back);
            Ok(())
        }
    });
    let away = away.await?;
    let back = timed(ARRIVING, count, Some(process), move |_| {
        let (client, made) = (client.clone(), ready.clone());
        async move {
            let Some(Back { cookie, form }) = made.lock().map_err(|_| "a caller fell over")?.pop() else { return Ok(()) };
            let headers = format!(
                "cookie: {cookie}\r\norigin: https://idp.example\r\nsec-fetch-site: cross-site\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            );
            client.send("POST", "/saml/acs", &headers, Some(&form), 303).await.map(drop)
        }
    });
    Ok([away, back.await?])
}
