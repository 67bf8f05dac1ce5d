//! The AWS sign-in page: takes a SAML response and shows the roles in it, by account.

use crate::people::Grant;
use crate::saml::{Refusal, Site, redeem};
use crate::wire::{Breach, Reply, Request, breach, escape};
use crate::world::World;

/// Answers for `signin.aws.amazon.com`, `signin.amazonaws.cn` and `signin.amazonaws-us-gov.com`.
pub(crate) fn answer(world: &mut World, request: &Request) -> Result<Reply, Breach> {
    if request.path == "/federation" {
        return crate::console::aws_federation(world, request);
    }
    if (request.method.as_str(), request.path.as_str()) != ("POST", "/saml") {
        return breach("the page takes POST /saml only");
    }
    request.no_query()?;
    request.without(&["authorization"])?;
    let fields = request.form()?;
    fields.exactly(&["SAMLResponse"], &["RelayState"])?;
    let site = match request.host.as_str() {
        "signin.amazonaws.cn" => Site::AwsChina,
        "signin.amazonaws-us-gov.com" => Site::AwsGov,
        _ => Site::Aws,
    };
    let response = fields.get("SAMLResponse");
    let issued = match redeem(world, response, &[site]) {
        Ok(issued) => issued,
        Err(refusal) => return Ok(refused(refusal)),
    };
    // With a single role nobody has to choose: the real page goes on to the console.
    if issued.grants.len() == 1 {
        return Ok(Reply::redirect("https://console.aws.amazon.com/"));
    }
    Ok(Reply::html(200, page(world, response, &issued.grants)))
}

fn refused(refusal: Refusal) -> Reply {
    let text = match refusal {
        Refusal::Expired => "Token must be redeemed within 5 minutes of issuance.",
        Refusal::Unknown | Refusal::Audience | Refusal::Early => {
            "Your request included an invalid SAML response. To logout, click here."
        }
    };
    Reply::html(
        400,
        format!(
            "<!DOCTYPE html><html><head><title>Amazon Web Services Sign-In</title></head><body>\
             <div id=\"error_message\">{text}</div></body></html>"
        ),
    )
}

fn page(world: &World, response: &str, grants: &[Grant]) -> String {
    let mut accounts: Vec<&str> = Vec::new();
    for grant in grants {
        if !accounts.contains(&grant.account()) {
            accounts.push(grant.account());
        }
    }
    let mut list = String::new();
    for (index, account) in accounts.iter().enumerate() {
        let name = match world.directory.alias_of(account) {
            Some(alias) => format!("Account: {alias} ({account})"),
            None => format!("Account: {account}"),
        };
        list += &format!(
            "<div class=\"saml-account\">\n\
             <div onclick=\"expand({index});\"><img id=\"image{index}\" src=\"/static/image/down.png\" \
             class=\"expandable-icon\">\n<div class=\"saml-account-name\">{}</div></div>\n<hr>\n\
             <div id=\"{index}\" class=\"saml-account\">\n",
            escape(&name)
        );
        for grant in grants.iter().filter(|grant| grant.account() == *account) {
            let arn = escape(&grant.role);
            list += &format!(
                "<div class=\"saml-role\" onclick=\"checkRadio(this);\">\
                 <input type=\"radio\" name=\"roleIndex\" value=\"{arn}\" class=\"saml-radio\" id=\"{arn}\">\
                 <label for=\"{arn}\" class=\"saml-role-description\">{}</label>\
                 <span style=\"clear: both;\"></span></div>\n",
                escape(grant.role_name())
            );
        }
        list += "</div></div>\n";
    }
    format!(
        "<!DOCTYPE html>\n<html>\n<head><title>Amazon Web Services Sign-In</title></head>\n<body>\n\
         <form id=\"saml_form\" name=\"saml_form\" action=\"/saml\" method=\"post\">\n\
         <input type=\"hidden\" name=\"RelayState\" value=\"\">\n\
         <input type=\"hidden\" name=\"SAMLResponse\" value=\"{}\">\n\
         <input type=\"hidden\" name=\"name\" value=\"\">\n\
         <input type=\"hidden\" name=\"portal\" value=\"\">\n\
         <p style=\"font-size: 16px;\">Select a role:</p>\n<fieldset>\n{list}</fieldset>\n\
         <a id=\"signin_button\" class=\"css3button\" href=\"#\">Sign In</a>\n</form>\n</body>\n</html>\n",
        escape(response)
    )
}
