//! What Alibaba Cloud is told about an identity provider.

use serde_json::{Value, json};

use crate::cloud::trust::{BadTrust, Form, Oidc, Proof, Trust, fill, values};
use crate::text::yaml;

/// Where a SAML response has to be for, if nobody says otherwise: the sign-in page of the China site.
const RECIPIENT: &str = "https://signin.aliyun.com/saml-role/sso";
/// The Terraform that the nested stack runs: the provider alone.
const NESTED: &str = include_str!("nested.tf");

/// The code in the wished form.
pub(super) fn code(trust: &Trust, form: Form) -> Result<String, BadTrust> {
    match (&trust.proof, form) {
        // The nested stack asks for the fingerprint too; the role's template is for a provider that is there.
        (Proof::Oidc(oidc), Form::Terraform | Form::RosStack) if oidc.fingerprints.is_empty() => Err(BadTrust::NoFingerprint),
        (_, Form::Terraform) => Ok(terraform(trust)),
        (Proof::Oidc(oidc), Form::RosRole | Form::RosStack) => template(trust, oidc, form == Form::RosStack),
        (Proof::Saml { .. }, _) => {
            Err(BadTrust::Form("for a SAML provider there is Terraform; the templates are for OpenID Connect"))
        }
    }
}

fn terraform(trust: &Trust) -> String {
    let values = values(trust, RECIPIENT);
    match &trust.proof {
        Proof::Oidc(_) => fill(include_str!("oidc.tf"), &values),
        Proof::Saml { .. } => fill(include_str!("saml.tf"), &values),
    }
}

/// A template of the Resource Orchestration Service
/// (<https://www.alibabacloud.com/help/en/ros/user-guide/template-structure>): the roles, and with `nested` the provider, whose
/// Terraform runs in a nested stack (<https://www.alibabacloud.com/help/en/ros/developer-reference/aliyun-ros-stack>).
fn template(trust: &Trust, oidc: &Oidc, nested: bool) -> Result<String, BadTrust> {
    if oidc.subjects.iter().chain(&oidc.audiences).any(|text| text.contains(',')) {
        return Err(BadTrust::Form(
            "a template takes lists with commas between, so no audience or subject may have one; Terraform takes them",
        ));
    }
    let parameter =
        |kind: &str, default: &str, description: &str| json!({"Type": kind, "Default": default, "Description": description});
    let mut parameters = json!({
        "PROVIDER_NAME": parameter("String", &trust.provider, "The name of the OpenID Connect provider's entry"),
        "PROVIDER_URL": parameter("String", &oidc.issuer, "The issuer, as the token's iss says it"),
        "AUDIENCE": parameter("CommaDelimitedList", &oidc.audiences.join(","), "For whom a token has to be: its aud"),
        "SUBJECT_FROM_CLIENT": parameter("CommaDelimitedList", &oidc.subjects.join(","), "Whose tokens count: their sub"),
    });
    let mut resources = json!({});
    let mut outputs = json!({});
    if nested {
        let fingerprints: Vec<&str> = oidc.fingerprints.iter().map(|f| f.as_str()).collect();
        let what = "SHA-1 of the authority behind the issuer's certificate";
        parameters["FINGERPRINT"] = parameter("CommaDelimitedList", &fingerprints.join(","), what);
        resources["Provider"] = nested_stack();
    }
    for role in &trust.roles {
        let id = resource_id(&role.name, &resources);
        resources[&id] = role_resource(trust, oidc, &role.name, &role.policies, nested);
        outputs[format!("{id}Arn")] = json!({"Description": "For saml2cloud exec --role", "Value": {"Fn::GetAtt": [id, "Arn"]}});
    }
    outputs["ProviderArn"] = json!({"Description": "For saml2cloud exec --oidc-provider-arn", "Value": provider_arn()});
    Ok(yaml::print(&json!({
        "ROSTemplateFormatVersion": "2015-09-01",
        "Description": format!("Roles that trust tokens of {}", oidc.issuer),
        "Parameters": parameters,
        "Resources": resources,
        "Outputs": outputs,
    })))
}

fn provider_arn() -> Value {
    json!({"Fn::Sub": "acs:ram::${ALIYUN::TenantId}:oidc-provider/${PROVIDER_NAME}"})
}

/// The name of a role's resource: letters and digits, each one once.
fn resource_id(role: &str, taken: &Value) -> String {
    let plain: String = role.chars().filter(char::is_ascii_alphanumeric).collect();
    let free = |id: &String| taken.get(id).is_none();
    let numbered = (1..).map(|n| if n == 1 { format!("Role{plain}") } else { format!("Role{plain}{n}") });
    numbered.into_iter().find(free).unwrap_or_default()
}

fn nested_stack() -> Value {
    let joined = |name: &str| json!({"Fn::Join": [",", {"Ref": name}]});
    json!({
        "Type": "ALIYUN::ROS::Stack",
        "Properties": {
            "TemplateBody": {
                "ROSTemplateFormatVersion": "2015-09-01",
                "Transform": "Aliyun::Terraform-v1.5",
                "Workspace": {"main.tf": NESTED},
            },
            "Parameters": {
                "PROVIDER_NAME": {"Ref": "PROVIDER_NAME"},
                "PROVIDER_URL": {"Ref": "PROVIDER_URL"},
                "AUDIENCE": joined("AUDIENCE"),
                "FINGERPRINT": joined("FINGERPRINT"),
            },
        },
    })
}

fn role_resource(trust: &Trust, oidc: &Oidc, name: &str, policies: &[String], nested: bool) -> Value {
    let subject = json!({"oidc:sub": {"Ref": "SUBJECT_FROM_CLIENT"}});
    let mut condition = json!({"StringEquals": {"oidc:iss": [{"Ref": "PROVIDER_URL"}], "oidc:aud": {"Ref": "AUDIENCE"}}});
    if oidc.has_pattern() {
        condition["StringLike"] = subject;
    } else {
        condition["StringEquals"]["oidc:sub"] = subject["oidc:sub"].clone();
    }
    let mut role = json!({"Type": "ALIYUN::RAM::Role"});
    if nested {
        role["DependsOn"] = json!(["Provider"]);
    }
    role["Properties"] = json!({
        "RoleName": name,
        "MaxSessionDuration": trust.longest.seconds(),
        "AssumeRolePolicyDocument": {
            "Version": "1",
            "Statement": [{
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Federated": [provider_arn()]},
                "Condition": condition,
            }],
        },
    });
    if !policies.is_empty() {
        role["Properties"]["PolicyAttachments"] = json!({"System": policies});
    }
    role
}
