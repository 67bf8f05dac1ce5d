//! Whom a role in an account trusts, as the account itself says.

use serde_json::Value;

use crate::types::IdpArn;

/// What an account says of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// There is none of that name.
    NoRole,
    /// Its trust policy, JSON text.
    Policy(String),
}

impl Trusted {
    /// Whether an assertion that the provider vouches for opens the role. A condition may still stand in the way.
    pub fn lets_in(&self, provider: &IdpArn) -> bool {
        let Self::Policy(text) = self else { return false };
        let policy: Value = serde_json::from_str(text).unwrap_or_default();
        each(&policy["Statement"]).into_iter().any(|statement| {
            let allows = statement["Effect"] == "Allow";
            let acts = words(&statement["Action"]).any(|action| {
                ["sts:AssumeRoleWithSAML", "sts:AssumeRole", "sts:*", "*"].iter().any(|known| action.eq_ignore_ascii_case(known))
            });
            // RAM compares without regard to case.
            let names = words(&statement["Principal"]["Federated"]).any(|named| named.eq_ignore_ascii_case(provider.as_str()));
            allows && acts && names
        })
    }
}

/// One thing or a list of them.
fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |all| all.iter().collect())
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    each(value).into_iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lets_in_whom_it_names() {
        let provider = IdpArn::parse("arn:aws:iam::111111111111:saml-provider/cam").unwrap();
        let lets = |text: &str| Trusted::Policy(text.to_owned()).lets_in(&provider);
        let one = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithSAML","Principal":{"Federated":"arn:aws:iam::111111111111:saml-provider/cam"}}}"#;
        assert!(lets(one));
        assert!(lets(&one.replace("\"sts:AssumeRoleWithSAML\"", "[\"sts:TagSession\",\"sts:AssumeRoleWithSAML\"]")));
        assert!(lets(&one.replace(
            r#""arn:aws:iam::111111111111:saml-provider/cam""#,
            r#"["x","arn:aws:iam::111111111111:saml-provider/cam"]"#
        )));
        for (from, to) in [
            ("Allow", "Deny"),
            ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"),
            ("provider/cam", "provider/camel"),
            ("111111111111", "111111111112"),
            ("Federated", "AWS"),
        ] {
            assert!(!lets(&one.replace(from, to)), "{to}");
        }
        assert!(!lets("") && !lets("[]") && !Trusted::NoRole.lets_in(&provider));
    }
}
