variable "PROVIDER_NAME" {
  type = string
}

variable "PROVIDER_URL" {
  type = string
}

variable "AUDIENCE" {
  type = string
}

variable "FINGERPRINT" {
  type = string
}

resource "alicloud_ims_oidc_provider" "this" {
  oidc_provider_name  = var.PROVIDER_NAME
  issuer_url          = var.PROVIDER_URL
  client_ids          = split(",", var.AUDIENCE)
  fingerprints        = split(",", var.FINGERPRINT)
  issuance_limit_time = 12
}
