# A SAML provider in AWS, and roles that its responses may grant.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml.html
# Who gets which role is said by the provider, in the attribute https://aws.amazon.com/SAML/Attributes/Role.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
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
  description = "Where a response has to be for: the sign-in page of the partition"
  type        = list(string)
  default     = @recipients@

  validation {
    condition     = length(var.recipients) > 0 && alltrue([for r in var.recipients : startswith(r, "https://")])
    error_message = "Without a recipient the role would take responses that were made for somebody else."
  }
}

variable "roles" {
  description = "Each role with the names of the AWS managed policies that it gets"
  type        = map(list(string))
  default     = @roles@
}

variable "max_session_duration" {
  description = "The longest session, in seconds"
  type        = number
  default     = @longest@
}

data "aws_partition" "this" {}

resource "aws_iam_saml_provider" "this" {
  name                   = var.provider_name
  saml_metadata_document = var.metadata
}

locals {
  trust_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithSAML"
      Principal = { Federated = aws_iam_saml_provider.this.arn }
      Condition = { StringEquals = { "SAML:aud" = var.recipients } }
    }]
  })
  attachments = merge([
    for role, policies in var.roles : { for policy in policies : "${role}/${policy}" => { role = role, policy = policy } }
  ]...)
}

resource "aws_iam_role" "this" {
  for_each             = var.roles
  name                 = each.key
  assume_role_policy   = local.trust_policy
  max_session_duration = var.max_session_duration
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = local.attachments
  role       = aws_iam_role.this[each.value.role].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/${each.value.policy}"
}

output "attribute_values" {
  description = "What the provider's attribute https://aws.amazon.com/SAML/Attributes/Role has to hold, by role"
  value       = { for name, role in aws_iam_role.this : name => "${role.arn},${aws_iam_saml_provider.this.arn}" }
}
