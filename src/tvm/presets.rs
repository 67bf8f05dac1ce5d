//! The catalogue of preset roles as it is shipped. It is put into the database once, where a super admin may change it.

use super::model::{CamPower, Plane, Risk};

/// How far a preset role reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole enterprise.
    Enterprise,
    /// One account.
    Account,
}

impl Scope {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::Account => "account",
        }
    }
}

/// One entry.
#[derive(Debug)]
pub struct Preset {
    /// Its name in the cloud, and its key here.
    pub key: &'static str,
    /// How far it reaches.
    pub scope: Scope,
    /// Its title in Chinese.
    pub title_zh: &'static str,
    /// Its title in English.
    pub title_en: &'static str,
    /// Where it gives powers.
    pub plane: Plane,
    /// What it may do here.
    pub power: Option<CamPower>,
    /// What harm it can do.
    pub risk: Risk,
}

const fn cloud(key: &'static str, scope: Scope, title_zh: &'static str, title_en: &'static str, risk: Risk) -> Preset {
    Preset { key, scope, title_zh, title_en, plane: Plane::Cloud, power: None, risk }
}

const fn both(key: &'static str, scope: Scope, title_zh: &'static str, title_en: &'static str, power: CamPower) -> Preset {
    Preset { key, scope, title_zh, title_en, plane: Plane::Both, power: Some(power), risk: Risk::High }
}

/// Every entry.
pub static PRESETS: &[Preset] = &[
    both("ent_IAM_admin", Scope::Enterprise, "企业权限管理员", "Enterprise permission administrator", CamPower::Enterprise),
    cloud("cloud-super-admin", Scope::Enterprise, "企业管理员", "Enterprise administrator", Risk::High),
    cloud("cloud-security-admin", Scope::Enterprise, "企业安全管理员", "Enterprise security administrator", Risk::Normal),
    cloud("cloud-business-admin", Scope::Enterprise, "企业商务管理员", "Enterprise billing administrator", Risk::Normal),
    cloud("cloud-network-admin", Scope::Enterprise, "企业网络管理员", "Enterprise network administrator", Risk::High),
    both("account_IAM_admin", Scope::Account, "权限管理员", "Permission administrator", CamPower::Account),
    cloud("account_resource_admin", Scope::Account, "资源管理员", "Resource administrator", Risk::Normal),
    cloud("account_business_readonly", Scope::Account, "用户商务管理员", "Billing reader", Risk::Normal),
    cloud("account_security_admin", Scope::Account, "用户安全管理员", "Security reader", Risk::Normal),
];

/// The entry of this name. Clouds tell role names apart without regard to case, so does this.
pub fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        for name in ["ent_IAM_admin", "cloud-super-admin", "cloud-security-admin", "cloud-business-admin", "cloud-network-admin"]
        {
            assert_eq!(named(name).map(|preset| preset.scope), Some(Scope::Enterprise), "{name}");
        }
        for name in ["account_IAM_admin", "account_resource_admin", "account_business_readonly", "account_security_admin"] {
            assert_eq!(named(name).map(|preset| preset.scope), Some(Scope::Account), "{name}");
        }
        let powers: Vec<_> = PRESETS.iter().filter(|preset| preset.power.is_some()).map(|preset| preset.key).collect();
        assert_eq!(powers, ["ent_IAM_admin", "account_IAM_admin"]);
    }
}
