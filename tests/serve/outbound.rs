//! Which hosts the service asks: those that the page for operators names, or the configuration in their place, and no others.

use std::collections::BTreeSet;

use saml2cloud::tvm::model::Class;
use serde_json::json;

use crate::house::House;
use crate::vending::roles;

/// Does everything that asks a cloud, in an account of each.
async fn hosts(more: &str) -> BTreeSet<String> {
    let house = House::with(more).await;
    let (bob, admin) = (house.token("bob").await, house.token("e-1").await);
    for role in roles(&house).await {
        for act in ["credentials", "sso"] {
            let path = format!("/api/v1/me/roles/{}/{act}", role.id);
            assert_eq!(house.post(&path).bearer(&bob).json(&json!({})).answer().await.status, 200);
        }
    }
    for node in [&house.shop, &house.labs] {
        house.role(node, Class::System, "cam-verifier").await;
        let path = format!("/api/v1/nodes/{}", node.id);
        let answer = house.post(&format!("{path}/onboard")).bearer(&admin).json(&json!({"preset_user": "spare"})).answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = house.post(&format!("{path}/verify")).bearer(&admin).json(&json!({})).answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(house.get(&format!("{path}/terraform")).bearer(&admin).answer().await.status, 200);
    }
    for path in ["/saml/metadata", "/idp/metadata/aws", "/idp/metadata/alibaba", "/readyz", "/api/v1/openapi.json"] {
        assert_eq!(house.get(path).answer().await.status, 200, "{path}");
    }
    house.cloud.asked.lock().unwrap().iter().map(|request| request.url.host().to_owned()).collect()
}

#[tokio::test]
async fn no_host_is_asked_that_the_page_does_not_name() {
    let page = include_str!("../../docs/serve/operation.md");
    let usual = hosts("").await;
    assert_eq!(
        usual.iter().map(String::as_str).collect::<Vec<_>>(),
        ["iam.amazonaws.com", "ram.aliyuncs.com", "sts.aliyuncs.com", "sts.amazonaws.com"]
    );
    for host in &usual {
        assert!(page.contains(&format!("`{host}`")), "{host}");
    }
    let named = hosts(
        "[cloud.aws]\nsts = \"https://sts.inside.example/\"\n[cloud.alibaba]\nsts = \"https://sts.aliyun.inside.example/\"\n",
    );
    assert_eq!(
        named.await.iter().map(String::as_str).collect::<Vec<_>>(),
        ["iam.amazonaws.com", "ram.aliyuncs.com", "sts.aliyun.inside.example", "sts.inside.example"]
    );
}
