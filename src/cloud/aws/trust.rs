//! What AWS is told about an identity provider.

use crate::cloud::trust::{BadTrust, Form, Proof, Trust, fill, roles_in_terraform};
use crate::text::hcl;

/// Where a SAML response has to be for, if nobody says otherwise: the global partition's sign-in page.
const RECIPIENT: &str = "https://signin.aws.amazon.com/saml";

/// The code in the wished form.
pub(super) fn code(trust: &Trust, form: Form) -> Result<String, BadTrust> {
    if form != Form::Terraform {
        return Err(BadTrust::Form(
            "templates of the Resource Orchestration Service are for Alibaba Cloud; for AWS there is Terraform",
        ));
    }
    let mut values = vec![("roles", roles_in_terraform(&trust.roles)), ("longest", trust.longest.to_string())];
    let list = |texts: &[String]| hcl::list(texts.iter().map(String::as_str));
    Ok(match &trust.proof {
        Proof::Oidc(oidc) => {
            values.extend([
                ("issuer", hcl::quoted(&oidc.issuer)),
                ("audiences", list(&oidc.audiences)),
                ("subjects", list(&oidc.subjects)),
                ("fingerprints", hcl::list(oidc.fingerprints.iter().map(|f| f.as_str()))),
            ]);
            fill(include_str!("oidc.tf"), &values)
        }
        Proof::Saml { metadata, recipients } => {
            values.extend([
                ("provider", hcl::quoted(&trust.provider)),
                ("metadata", hcl::quoted(&metadata.document)),
                ("recipients", if recipients.is_empty() { hcl::list([RECIPIENT]) } else { list(recipients) }),
            ]);
            fill(include_str!("saml.tf"), &values)
        }
    })
}
