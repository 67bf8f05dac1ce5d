# A SAML provider in Alibaba Cloud RAM, and roles that its responses may grant.
# https://www.alibabacloud.com/help/en/ram/user-guide/overview-of-role-based-sso
# Who gets which role is said by the provider, in the attribute https://www.aliyun.com/SAML-Role/Attributes/Role.

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

variable "metadata" {
  description = "The provider's metadata (XML)"
  type        = string
  default     = @metadata@
}

variable "recipients" {
  description = "Where a response has to be for: the sign-in page of the site"
  type        = list(string)
  default     = @recipients@

  validation {
    condition     = length(var.recipients) > 0 && alltrue([for r in var.recipients : startswith(r, "https://")])
    error_message = "Without a recipient the role would take responses that were made for somebody else."
  }
}

variable "roles" {
  description = "Each role with the names of the system policies that it gets"
  type        = map(list(string))
  default     = @roles@
}

variable "max_session_duration" {
  description = "The longest session, in seconds"
  type        = number
  default     = @longest@
}

data "alicloud_account" "this" {}

resource "alicloud_ram_saml_provider" "this" {
  saml_provider_name            = var.provider_name
  encodedsaml_metadata_document = base64encode(var.metadata)
}

locals {
  provider_arn = "acs:ram::${data.alicloud_account.this.id}:saml-provider/${var.provider_name}"
  trust_policy = jsonencode({
    Version = "1"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Federated = [local.provider_arn] }
      Condition = { StringEquals = { "saml:recipient" = var.recipients } }
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
  depends_on                  = [alicloud_ram_saml_provider.this]
}

resource "alicloud_ram_role_policy_attachment" "this" {
  for_each    = local.attachments
  role_name   = alicloud_ram_role.this[each.value.role].role_name
  policy_name = each.value.policy
  policy_type = "System"
}

output "attribute_values" {
  description = "What the provider's attribute https://www.aliyun.com/SAML-Role/Attributes/Role has to hold, by role"
  value       = { for name, role in alicloud_ram_role.this : name => "${role.arn},${local.provider_arn}" }
}
