//! The description of the API: it is of these routes and of no others, and what it promises is what is answered.

use std::collections::BTreeSet;

use proptest::strategy::Strategy as _;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use saml2cloud::server::{Access, routes};
use serde_json::{Value, json};

use super::realm::Realm;
use crate::house::Answer;

fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("{place}")),
        None => schema,
    }
}

#[tokio::test]
async fn the_document_and_the_router_agree() {
    let realm = Realm::new().await;
    let document = realm.house.get("/api/v1/openapi.json").answer().await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert(format!("{} {path}", method.to_uppercase()));
            let what = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
            assert!(operation["tags"][0].is_string(), "{what}");
            // Every part of the path is a parameter.
            let declared: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|one| one["in"] == "path")
                .filter_map(|one| one["name"].as_str())
                .collect();
            let parts: BTreeSet<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(declared, parts, "{what}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.as_str() < "400"), "{what}");
            for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
                let has_content = answer["content"].as_object().is_some_and(|content| !content.is_empty());
                assert!(has_content, "{what} {status}");
            }
        }
    }
    let there: BTreeSet<String> = routes()
        .into_iter()
        .map(|route| route.spec)
        .filter(|spec| spec.path.starts_with("/api/v1/") && spec.path != "/api/v1/openapi.json")
        .map(|spec| format!("{} {}", spec.method, spec.path))
        .collect();
    assert_eq!(described, there);
    for spec in routes()
        .into_iter()
        .map(|route| route.spec)
        .filter(|spec| spec.path.starts_with("/api/v1/") && spec.access == Access::Api)
    {
        let operation = &document["paths"][&spec.path][spec.method.as_str().to_lowercase()];
        assert_eq!(operation["security"], json!([{"bearer": []}, {"session": []}]), "{spec:?}");
        for status in ["401", "400", "429", "503"] {
            assert!(operation["responses"][status].is_object(), "{spec:?} {status}");
        }
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for place in text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
    }
}

/// A value that a schema allows, or that it does not: chosen by the runner.
fn value(document: &Value, schema: &Value, realm: &Realm, runner: &mut TestRunner) -> Value {
    let pick = |runner: &mut TestRunner, most: usize| (0..most).new_tree(runner).unwrap().current();
    let schema = resolve(document, schema);
    if pick(runner, 12) == 0 {
        // Anything at all.
        let odd = [
            json!(null),
            json!(-1),
            json!(1e300),
            json!(""),
            json!([]),
            json!({"x": [{}]}),
            json!("\u{202e}\u{0}"),
            json!(true),
            json!("x".repeat(5000)),
        ];
        return odd[pick(runner, odd.len())].clone();
    }
    if let Some(all) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return value(document, &all[pick(runner, all.len())], realm, runner);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[pick(runner, words.len())].clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[pick(runner, kinds.len())].as_str().unwrap_or("null").to_owned(),
        kind => kind.as_str().unwrap_or("object").to_owned(),
    };
    match kind.as_str() {
        "object" => {
            let required: BTreeSet<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut made = serde_json::Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                // What has to be there is left out now and then.
                let leave = if required.contains(name.as_str()) { 12 } else { 2 };
                if pick(runner, leave) != 0 {
                    made.insert(name.clone(), value(document, schema, realm, runner));
                }
            }
            if pick(runner, 20) == 0 {
                made.insert("unheard_of".to_owned(), json!(1));
            }
            Value::Object(made)
        }
        "array" => {
            let many = pick(runner, 4);
            Value::Array((0..many).map(|_| value(document, &schema["items"], realm, runner)).collect())
        }
        "integer" => json!([0_i64, 1, 2, 50, 200, 201, 900, 3600, 43200, -5, i64::MAX][pick(runner, 11)]),
        "number" => json!(0.5),
        "boolean" => json!(pick(runner, 2) == 0),
        "null" => Value::Null,
        _ => json!(text(realm, runner)),
    }
}

/// Texts of which some mean something here.
fn text(realm: &Realm, runner: &mut TestRunner) -> String {
    let known: Vec<&str> =
        ["root", "east", "shop", "bank", "ops", "tool", "net", "ent", "hops", "hall", "gops", "gtool", "zoe", "sam"]
            .map(|name| realm.id(name))
            .to_vec();
    let words = [
        "zoe",
        "mo",
        "nobody",
        "active",
        "suspended",
        "normal",
        "high",
        "saml",
        "none",
        "prefix",
        "regex",
        "confirm",
        "ops-",
        "(",
        ".*",
        "aws:666666666666",
        "arn:aws:iam::111111111111:role/new",
        "arn:aws:iam::111111111111:saml-provider/cam",
        "2027-06-01T00:00:00Z",
        "Shop",
        "cloud-network-admin",
        "a name",
        "ü 名",
        "a@b",
        "../..",
        "%00",
        "' OR 1=1 --",
        "W10",
        "json",
        "csv",
    ];
    let all: Vec<&str> = known.into_iter().chain(words).collect();
    all[(0..all.len()).new_tree(runner).unwrap().current()].to_owned()
}

fn is_documented(document: &Value, operation: &Value, what: &str, answer: &Answer) {
    let status = answer.status.to_string();
    let documented = &operation["responses"][&status];
    assert!(documented.is_object(), "{what} answers {status}, which is not documented: {}", answer.text);
    assert!(answer.status < 500, "{what} {}", answer.text);
    let Some(content) = documented["content"].as_object().filter(|content| !content.is_empty()) else {
        assert!(answer.text.is_empty(), "{what} {status} has a body that is not documented: {}", answer.text);
        return;
    };
    let kind = answer.header("content-type").split(';').next().unwrap();
    assert!(content.contains_key(kind), "{what} {status} is {kind}");
    if kind.ends_with("json") {
        fits(document, &content[kind]["schema"], &answer.json(), what);
    }
}

/// Whether a value is what a schema says: as deep as our schemas go.
fn fits(document: &Value, schema: &Value, found: &Value, what: &str) {
    let schema = resolve(document, schema);
    if let Some(all) = schema["allOf"].as_array() {
        // What is flattened into one object is described by both.
        let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
        for part in all.iter().map(|part| resolve(document, part)) {
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        let whole = json!({"type": "object", "properties": properties, "required": required});
        return fits(document, &whole, found, what);
    }
    if let Some(all) = schema["oneOf"].as_array() {
        if found.is_null() {
            assert!(all.iter().any(|schema| schema["type"] == "null"), "{what} {schema}");
        } else {
            let other = all.iter().find(|schema| schema["type"] != "null").unwrap();
            fits(document, other, found, what);
        }
        return;
    }
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Null => return,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        one => one == kind,
    };
    // Parameters of an event may be any JSON that is an object; grants are a list of them.
    assert!(
        allowed || (schema["properties"].is_null() && schema["type"] == "object"),
        "{what}: {found} is {kind}, not {}",
        schema["type"]
    );
    if let Some(required) = schema["required"].as_array() {
        for name in required.iter().filter_map(Value::as_str) {
            assert!(found.get(name).is_some(), "{what}: no `{name}` in {found}");
        }
    }
    for (name, value) in found.as_object().into_iter().flatten() {
        match &schema["properties"][name] {
            Value::Null => assert!(schema["properties"].is_null() || found.is_null(), "{what}: `{name}` is not documented"),
            inner => fits(document, inner, value, what),
        }
    }
    for value in found.as_array().into_iter().flatten() {
        fits(document, &schema["items"], value, what);
    }
}

/// Requests that are made from the document, right and wrong ones: each is answered as documented, and none breaks the service.
#[tokio::test]
async fn what_is_documented_is_what_is_answered() {
    let realm = Realm::with("[presets]\nallow_delete = true").await;
    // Before somebody is taken out of the pool, rightly.
    for gid in ["e-1", "mo", "ao", "ce", "bob"] {
        realm.bearer(gid).await;
    }
    let document = realm.house.get("/api/v1/openapi.json").answer().await.json();
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<u16, usize>::new();
    let sso = ["vend.console", "vend.credentials"];
    for round in 0..14 {
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let told = operation["operationId"].as_str().unwrap();
                // What ends the one who asks, or asks a cloud, has tests of its own.
                if sso.contains(&told) || path.contains("/cli/") || told == "me.tokens.revoke" {
                    continue;
                }
                let gid = ["e-1", "e-1", "mo", "ao", "ce", "bob"][round % 6];
                let (sent, what) = request(&realm, &document, method, path, operation, gid, &mut runner).await;
                let answer = sent.answer().await;
                if answer.status == 401 {
                    // Somebody was disabled meanwhile, rightly.
                    continue;
                }
                *seen.entry(answer.status).or_default() += 1;
                is_documented(&document, operation, &what, &answer);
            }
        }
    }
    // It has met success and every kind of refusal.
    for status in [200, 400, 403, 404, 409, 412, 422] {
        assert!(seen.contains_key(&status), "{seen:?}");
    }
}

async fn request(
    realm: &Realm,
    document: &Value,
    method: &str,
    path: &str,
    operation: &Value,
    gid: &str,
    runner: &mut TestRunner,
) -> (crate::house::Sent, String) {
    let pick = |runner: &mut TestRunner, most: usize| (0..most).new_tree(runner).unwrap().current();
    let part = |runner: &mut TestRunner, part: &str| -> String {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { return part.to_owned() };
        let fitting: &[&str] = match name {
            "node" => &["east", "shop", "bank"],
            "role" => &["ops", "tool", "net"],
            "user" => &["zoe", "sam", "bob"],
            "group" => &["gops", "gall", "gtool"],
            "horizontal" => &["hops", "hall"],
            "proposal" => &["wish"],
            _ => &["ops"],
        };
        let text = match pick(runner, 6) {
            0 => text(realm, runner),
            _ if name == "preset" => "account_resource_admin".to_owned(),
            _ => realm.id(fitting[pick(runner, fitting.len())]).to_owned(),
        };
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20").replace('.', "%2E")
    };
    let made: Vec<String> = path.split('/').map(|one| part(runner, one)).collect();
    let mut address = made.join("/");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut version = None;
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        let is_there = parameter["required"] == true || pick(runner, 3) == 0;
        match parameter["in"].as_str().unwrap() {
            "query" if is_there => {
                let value = value(document, &parameter["schema"], realm, runner);
                query.append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
            "header" if name == "If-Match" && pick(runner, 8) != 0 => version = Some(1 + pick(runner, 3)),
            _ => {}
        }
    }
    let query = query.finish();
    if !query.is_empty() {
        address = format!("{address}?{query}");
    }
    let mut sent = realm.house.ask(&method.to_uppercase(), &address).bearer(&realm.bearer(gid).await);
    if let Some(version) = version {
        sent = sent.header("if-match", &format!("\"{version}\""));
    }
    let mut what = format!("{gid} {method} {address}");
    if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
        let body = value(document, schema, realm, runner);
        what = format!("{what} {body}");
        sent = sent.json(&body);
    }
    (sent, what)
}

/// The requests that docs/serve/api.md shows are sent as they stand there.
#[tokio::test]
async fn the_examples_of_the_page_work() {
    let realm = Realm::new().await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serve/api.md")).unwrap();
    let mut sent = 0;
    let blocks = page.split("```\n").skip(1).step_by(2);
    for line in blocks.flat_map(str::lines) {
        let (gid, rest) = line.split_once(' ').unwrap();
        let (method, rest) = rest.trim().split_once(' ').unwrap();
        let (rest, status) = rest.rsplit_once(' ').unwrap();
        let (rest, version) = match rest.split_once(" If-Match: ") {
            Some((rest, version)) => (rest, Some(version.trim_matches('"').parse().unwrap())),
            None => (rest, None),
        };
        let (path, body) = rest.split_once(' ').map_or((rest, None), |(path, body)| (path, Some(body)));
        let body: Option<Value> = body.map(|body| {
            let names = ["east", "west", "shop"];
            let body = names.iter().fold(body.to_owned(), |body, name| body.replace(&format!("{{{name}}}"), realm.id(name)));
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        let answer = realm.ask(gid, method, path, body.as_ref(), version).await;
        assert_eq!(answer.status.to_string(), status, "{line} {}", answer.text);
        sent += 1;
    }
    assert!(sent >= 14, "{sent}");
}

/// Every code of the page is one, and every code that there is stands on the page or belongs to what pages do.
#[test]
fn the_page_names_the_codes() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serve/api.md")).unwrap();
    let table = page.split("| Status | Codes |").nth(1).unwrap().split("\n\n").next().unwrap();
    for row in table.lines().filter(|row| row.starts_with("| ") && row.contains('`')) {
        let status = row.split('|').nth(1).unwrap();
        for word in row.split('`').skip(1).step_by(2).filter(|word| *word != "Retry-After") {
            let code = saml2cloud::server::Code::ALL.iter().find(|code| code.word() == word).unwrap_or_else(|| panic!("{word}"));
            assert!(status.contains(&code.status().as_u16().to_string()), "{word}");
        }
    }
}
