# An OpenID Connect provider in Alibaba Cloud RAM, and roles that its tokens may take.
# https://www.alibabacloud.com/help/en/ram/user-guide/overview-of-oidc-based-sso

terraform {
  required_version = ">= 1.5"
  required_providers {
    alicloud = {
      source  = "aliyun/alicloud"
      version = ">= 1.252.0"
    }
  }
}

variable "provider_name" {
  description = "The name of the provider's entry"
  type        = string
  default     = @provider@
}

variable "issuer" {
  description = "The issuer, as the token's `iss` says it"
  type        = string
  default     = @issuer@
}

variable "audiences" {
  description = "For whom a token has to be: its `aud`"
  type        = list(string)
  default     = @audiences@

  validation {
    condition     = length(var.audiences) > 0 && alltrue([for a in var.audiences : a != ""])
    error_message = "Without an audience the role would take tokens that were made for somebody else."
  }
}

variable "subjects" {
  description = "Whose tokens count: their `sub`; `*` stands for any text within one"
  type        = list(string)
  default     = @subjects@

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for s in var.subjects : can(regex("[0-9A-Za-z]", s))])
    error_message = "Without a subject everybody with a token of this issuer could take the role."
  }
}

variable "roles" {
  description = "Each role with the names of the system policies that it gets"
  type        = map(list(string))
  default     = @roles@
}

variable "fingerprints" {
  description = "SHA-1 of the authority behind the issuer's certificate"
  type        = list(string)
  default     = @fingerprints@
}

variable "max_session_duration" {
  description = "The longest session, in seconds"
  type        = number
  default     = @longest@
}

data "alicloud_account" "this" {}

resource "alicloud_ims_oidc_provider" "this" {
  oidc_provider_name  = var.provider_name
  issuer_url          = var.issuer
  client_ids          = var.audiences
  fingerprints        = var.fingerprints
  issuance_limit_time = 12
}

locals {
  pattern = anytrue([for s in var.subjects : can(regex("[*?]", s))])
  trust_policy = jsonencode({
    Version = "1"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Federated = ["acs:ram::${data.alicloud_account.this.id}:oidc-provider/${var.provider_name}"] }
      Condition = merge(
        { StringEquals = merge(
          { "oidc:iss" = [var.issuer], "oidc:aud" = var.audiences },
          local.pattern ? {} : { "oidc:sub" = var.subjects }
        ) },
        local.pattern ? { StringLike = { "oidc:sub" = var.subjects } } : {}
      )
    }]
  })
  attachments = merge([
    for role, policies in var.roles : { for policy in policies : "${role}/${policy}" => { role = role, policy = policy } }
  ]...)
}

resource "alicloud_ram_role" "this" {
  for_each                    = var.roles
  role_name                   = each.key
  assume_role_policy_document = local.trust_policy
  max_session_duration        = var.max_session_duration
  depends_on                  = [alicloud_ims_oidc_provider.this]
}

resource "alicloud_ram_role_policy_attachment" "this" {
  for_each    = local.attachments
  role_name   = alicloud_ram_role.this[each.value.role].role_name
  policy_name = each.value.policy
  policy_type = "System"
}

output "provider_arn" {
  description = "For `saml2cloud exec --oidc-provider-arn`"
  value       = "acs:ram::${data.alicloud_account.this.id}:oidc-provider/${var.provider_name}"
}

output "role_arns" {
  description = "For `saml2cloud exec --role`"
  value       = { for name, role in alicloud_ram_role.this : name => role.arn }
}
