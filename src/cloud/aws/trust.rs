//! What AWS is told about an identity provider.

use crate::cloud::trust::{BadTrust, Form, Proof, Trust, fill, values};

/// Where a SAML response has to be for, if nobody says otherwise: the global partition's sign-in page.
const RECIPIENT: &str = "https://signin.aws.amazon.com/saml";

/// The code in the wished form.
pub(super) fn code(trust: &Trust, form: Form) -> Result<String, BadTrust> {
    if form != Form::Terraform {
        return Err(BadTrust::Form(
            "templates of the Resource Orchestration Service are for Alibaba Cloud; for AWS there is Terraform",
        ));
    }
    let values = values(trust, RECIPIENT);
    Ok(match &trust.proof {
        Proof::Oidc(_) => fill(include_str!("oidc.tf"), &values),
        Proof::Saml { .. } => fill(include_str!("saml.tf"), &values),
    })
}
