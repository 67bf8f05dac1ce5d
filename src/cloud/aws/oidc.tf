# An OpenID Connect provider in AWS, and roles that its tokens may take.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81"
    }
  }
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
  description = "Each role with the names of the AWS managed policies that it gets"
  type        = map(list(string))
  default     = @roles@
}

variable "fingerprints" {
  description = "SHA-1 of the authority behind the issuer's certificate; AWS finds it by itself where none is given"
  type        = list(string)
  default     = @fingerprints@
}

variable "max_session_duration" {
  description = "The longest session, in seconds"
  type        = number
  default     = @longest@
}

data "aws_partition" "this" {}

resource "aws_iam_openid_connect_provider" "this" {
  url             = var.issuer
  client_id_list  = var.audiences
  thumbprint_list = length(var.fingerprints) > 0 ? var.fingerprints : null
}

locals {
  # AWS names the conditions by the issuer without its scheme.
  issuer  = replace(var.issuer, "https://", "")
  pattern = anytrue([for s in var.subjects : can(regex("[*?]", s))])
  trust_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.this.arn }
      Condition = merge(
        { StringEquals = merge(
          { "${local.issuer}:aud" = var.audiences },
          local.pattern ? {} : { "${local.issuer}:sub" = var.subjects }
        ) },
        local.pattern ? { StringLike = { "${local.issuer}:sub" = var.subjects } } : {}
      )
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

output "role_arns" {
  description = "For `saml2cloud exec --oidc … --role`"
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
