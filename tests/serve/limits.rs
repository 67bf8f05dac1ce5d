//! Limits are those of the service, however many processes it has: two on one database, and two with a Redis.

use std::time::Duration;

use serde_json::json;

use crate::command::begin;
use crate::house::{Answer, House, Twin};
use crate::process::houses_with;
use crate::redis::{Redis, configured};
use crate::signin::sign_in;
use crate::vending::{join, roles};

const FEW: &str = "[limits]\nvend_per_user = 4\nvend_per_account = 6\nsign_in_per_address = 4\n";

/// A house for every place where is counted.
async fn places(more: &str) -> Vec<(House, Option<Redis>)> {
    let mut all: Vec<_> = houses_with(more).await.into_iter().map(|house| (house, None)).collect();
    if let Some(redis) = Redis::plain() {
        all.push((House::with(&format!("{}{more}", configured(&redis))).await, Some(redis)));
    }
    all
}

/// Asks the two processes in turn.
async fn vend(house: &House, twin: &Twin, round: usize, role: &str, token: &str) -> Answer {
    let path = format!("/api/v1/me/roles/{role}/credentials");
    let sent = if round.is_multiple_of(2) { house.post(&path) } else { twin.ask("POST", &path) };
    sent.bearer(token).json(&json!({})).answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_give_what_one_would() {
    for (house, _redis) in places(FEW).await {
        let twin = house.another().await;
        let [aws, _] = roles(&house).await;
        join(&house, &aws, "mo", None).await;
        let (bob, mo) = (house.token("bob").await, house.token("mo").await);
        let mut given = Vec::new();
        for round in 0..8 {
            let answer = vend(&house, &twin, round, aws.id.as_str(), &bob).await;
            if answer.status == 429 {
                assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("rate_limited", "15"), "{}", answer.text);
                assert_eq!(house.event(&answer).await.outcome, "refused");
            }
            given.push(answer.status);
        }
        assert_eq!(given, [200, 200, 200, 200, 429, 429, 429, 429]);
        // What was refused to one took nothing of the account's share, which all have together.
        let mut given = Vec::new();
        for round in 0..4 {
            let answer = vend(&house, &twin, round, aws.id.as_str(), &mo).await;
            assert!(answer.status == 200 || answer.header("retry-after") == "10", "{answer:?}");
            given.push(answer.status);
        }
        assert_eq!((given, house.cloud.times()), (vec![200, 200, 429, 429], 6));
        // It comes back with the time, once.
        house.clock.forward(Duration::from_secs(15));
        let again = [
            vend(&house, &twin, 1, aws.id.as_str(), &bob).await.status,
            vend(&house, &twin, 0, aws.id.as_str(), &bob).await.status,
        ];
        assert_eq!(again, [200, 429]);
        // The same for whoever is not known yet, by address.
        let mut given = Vec::new();
        for round in 0..8 {
            let sent = if round % 2 == 0 { house.get("/saml/login") } else { twin.ask("GET", "/saml/login") };
            let answer = sent.answer().await;
            assert!(answer.status != 429 || answer.header("retry-after") == "15", "{answer:?}");
            given.push(answer.status);
        }
        assert_eq!(given, [303, 303, 303, 303, 429, 429, 429, 429]);
        house.app.store.verify().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_an_account_takes_of_what_vends_there_take() {
    for (house, _redis) in places(FEW).await {
        let twin = house.another().await;
        roles(&house).await;
        let token = house.token("mo").await;
        let mut given = Vec::new();
        for round in 0..8 {
            let path = format!("/api/v1/nodes/{}/verify", house.shop.id);
            let sent = if round % 2 == 0 { house.post(&path) } else { twin.ask("POST", &path) };
            given.push(sent.bearer(&token).json(&json!({})).answer().await.status);
        }
        assert_eq!(given, [422, 422, 422, 422, 422, 422, 429, 429], "nothing is registered there to look with");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_guesses_a_code_at_two_processes() {
    for (house, _redis) in places("").await {
        let twin = house.another().await;
        let (browser, device) = (sign_in(&house, "bob").await, begin(&house).await);
        let typed = async |round: usize, code: &str| {
            let form = [("csrf", browser.csrf.as_str()), ("user_code", code), ("decision", "")];
            let sent = if round.is_multiple_of(2) { house.post("/device") } else { twin.ask("POST", "/device") };
            sent.cookie(&browser).header("origin", "https://cam.example").form(&form).answer().await.status
        };
        let code = device["user_code"].as_str().unwrap();
        let mut given = Vec::new();
        for round in 0..8 {
            given.push(typed(round, code).await);
        }
        assert_eq!(given, [200; 8], "one that is right costs nothing");
        let mut given = Vec::new();
        for round in 0..7 {
            given.push(typed(round, "BCDF-GHJK").await);
        }
        assert_eq!(given, [422, 422, 422, 422, 422, 429, 429]);
        assert_eq!([typed(0, code).await, typed(1, code).await], [429; 2], "then not even the right one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clouds_own_limit_is_never_reached() {
    for (house, _redis) in places("[limits]\nvend_per_user = 1000000\nvend_per_account = 1000000\nper_address = 1000000\n").await
    {
        let twin = house.another().await;
        let [aws, alibaba] = roles(&house).await;
        let token = house.token("bob").await;
        // As many as come at once, at the same moment and in each tenth of the second after it.
        let mut within = Vec::new();
        for tenth in 0..10 {
            let before = house.cloud.times();
            let mut asked = Vec::new();
            for round in 0..if tenth == 0 { 60 } else { 12 } {
                let path = format!("/api/v1/me/roles/{}/credentials", alibaba.id);
                let sent = if round % 2 == 0 { house.post(&path) } else { twin.ask("POST", &path) };
                asked.push(tokio::spawn(sent.bearer(&token).json(&json!({})).answer()));
            }
            for answer in asked {
                let answer = answer.await.unwrap();
                assert!(answer.status == 200 || (answer.status, answer.header("retry-after")) == (429, "1"), "{answer:?}");
            }
            within.push(house.cloud.times() - before);
            house.clock.forward(Duration::from_millis(100));
        }
        assert_eq!(within, [40, 4, 4, 4, 4, 4, 4, 4, 4, 4]);
        // The other cloud's is another matter.
        assert_eq!(vend(&house, &twin, 0, aws.id.as_str(), &token).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_process_goes_by_its_own_count() {
    let Some(mut redis) = Redis::plain() else { return };
    let house = House::with(&format!("{}{FEW}", configured(&redis))).await;
    let twin = house.another().await;
    let [aws, _] = roles(&house).await;
    let token = house.token("bob").await;
    redis.kill();
    let mut given = Vec::new();
    for round in 0..10 {
        given.push(vend(&house, &twin, round, aws.id.as_str(), &token).await.status);
    }
    // Nobody is refused the service for a limit that cannot be asked; and there is one still.
    assert_eq!(given, [200, 200, 200, 200, 200, 200, 200, 200, 429, 429]);
}
