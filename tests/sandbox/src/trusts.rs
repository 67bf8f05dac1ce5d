//! Roles that are assumed with keys of other roles, and keys that do not end.

use crate::world::{Key, World, capitals, noise};

/// A role with whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// ARN of the role.
    pub role: String,
    /// ARNs of the roles and users that may assume it.
    pub by: Vec<String>,
    /// The external ID that it wants to hear.
    pub external_id: Option<String>,
    /// Whose code it wants (AWS), by the serial number `arn:aws:iam::ACCOUNT:mfa/NAME`, NAME at example.com.
    pub mfa: Option<String>,
    /// Longest session that it allows, in seconds.
    pub max_session: u32,
}

impl Trust {
    /// A role that lets these in, sessions up to twelve hours.
    pub fn new(role: &str, by: &[&str]) -> Self {
        Self {
            role: role.to_owned(),
            by: by.iter().map(|arn| (*arn).to_owned()).collect(),
            external_id: None,
            mfa: None,
            max_session: 43200,
        }
    }

    /// The same, for whoever knows this.
    pub fn with_external_id(mut self, id: &str) -> Self {
        self.external_id = Some(id.to_owned());
        self
    }

    /// The same, for whoever has the code of this factor too.
    pub fn with_mfa(mut self, serial: &str) -> Self {
        self.mfa = Some(serial.to_owned());
        self
    }

    /// The same role with another longest session, in seconds.
    pub fn up_to(mut self, seconds: u32) -> Self {
        self.max_session = seconds;
        self
    }
}

/// Roles on top of the ones that people sign in to, in both clouds: `Deploy` in the guide's account; `Audit` in the other account, for
/// `Deploy` alone; `Vendor` there, for who knows an external ID; `Short`, for an hour; `Closed`, for nobody.
pub(crate) fn example() -> Vec<Trust> {
    let mut all = Vec::new();
    for (own, other) in [
        ("arn:aws:iam::012345678987:role/", "arn:aws:iam::210987654321:role/"),
        ("acs:ram::012345678987:role/", "acs:ram::210987654321:role/"),
    ] {
        let (everyday, admin) = (format!("{own}AcmeJumpCloudAdminRO"), format!("{own}AcmeJumpCloudAdmin"));
        all.push(Trust::new(&format!("{own}Deploy"), &[&everyday, &admin]));
        all.push(Trust::new(&format!("{other}Audit"), &[&format!("{own}Deploy")]));
        all.push(Trust::new(&format!("{other}Vendor"), &[&everyday]).with_external_id("acme:42"));
        all.push(Trust::new(&format!("{own}Short"), &[&everyday]).up_to(3600));
        all.push(Trust::new(&format!("{own}Closed"), &[]));
    }
    for partition in ["aws-cn", "aws-us-gov"] {
        let role = |name: &str| format!("arn:{partition}:iam::012345678987:role/{name}");
        all.push(Trust::new(&role("Deploy"), &[&role("Developer")]));
    }
    all
}

/// Why a role is not given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// There is no such role.
    Absent,
    /// It does not let this caller in, or not with what was said.
    Denied,
}

/// The role, if it lets this caller in.
pub(crate) fn trust(world: &World, role: &str, caller: &Key, external_id: Option<&str>) -> Result<Trust, Closed> {
    let trust = world.trusts.iter().find(|trust| trust.role == role).ok_or(Closed::Absent)?;
    let is_told = trust.external_id.is_none() || trust.external_id.as_deref() == external_id;
    match is_told && trust.by.contains(&caller.who) {
        true => Ok(trust.clone()),
        false => Err(Closed::Denied),
    }
}

/// Whether a factor's code is right now. Only a user's own keys can show a factor.
pub(crate) fn shows_factor(world: &World, caller: &Key, wanted: &str, serial: Option<&str>, code: Option<&str>) -> bool {
    let name = wanted.rsplit('/').next().unwrap_or_default();
    let person = world.directory.person(&format!("{name}@example.com"));
    let is_right = || person.is_some_and(|person| code.is_some_and(|code| person.accepts_code(code)));
    caller.token.is_empty() && serial == Some(wanted) && is_right()
}

impl World {
    /// Keys that do not end, of a user `NAME` in a cloud account: the ID and the secret.
    pub(crate) fn user_key(&mut self, arn: &str) -> (String, String) {
        let is_aws = arn.starts_with("arn:");
        let account = arn.split(':').nth(if is_aws { 4 } else { 3 }).unwrap_or_default();
        let (id, secret) = match is_aws {
            true => (format!("AKIA{}", capitals::<16>()), noise::<30>()),
            false => (format!("LTAI{}", capitals::<20>()), capitals::<30>()),
        };
        self.secret(&secret);
        self.keys.push(Key {
            id: id.clone(),
            secret: secret.clone(),
            token: String::new(),
            expires: jiff::Timestamp::MAX,
            arn: arn.to_owned(),
            who: arn.to_owned(),
            account: account.to_owned(),
            principal: format!("AIDA{}", capitals::<17>()),
        });
        (id, secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_let_in_whom_they_name() {
        let mut world = World { trusts: example(), ..World::default() };
        let user = "arn:aws:iam::012345678987:user/builder";
        let vendor = "arn:aws:iam::210987654321:role/Vendor";
        world.user_key(user);
        let mut caller = world.keys[0].clone();
        assert_eq!(trust(&world, "arn:aws:iam::1:role/x", &caller, None), Err(Closed::Absent));
        assert_eq!(trust(&world, vendor, &caller, Some("acme:42")), Err(Closed::Denied));
        caller.who = "arn:aws:iam::012345678987:role/AcmeJumpCloudAdminRO".to_owned();
        assert_eq!(trust(&world, vendor, &caller, None), Err(Closed::Denied));
        assert_eq!(trust(&world, vendor, &caller, Some("acme:43")), Err(Closed::Denied));
        assert!(trust(&world, vendor, &caller, Some("acme:42")).is_ok());
    }
}
