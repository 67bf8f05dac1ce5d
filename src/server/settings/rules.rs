//! How the house is run: who finds whom, how much a naming rule may take, whether presets may go.

use super::SettingsError;
use super::draft::Draft;
use super::keys::{BROAD, PRESETS_GO, VISIBILITY};

/// Rules that each house sets for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HouseRules {
    /// Whether owners see everybody in the pool, rather than those who are at home below what they own.
    pub sees_everybody: bool,
    /// How much of the system roles below its node a naming rule may match without being confirmed, in percent.
    pub broad_percent: u32,
    /// Whether super admins may delete preset roles.
    pub presets_may_go: bool,
}

impl Draft {
    /// The rules of the house.
    pub(super) fn rules(&self) -> Result<HouseRules, SettingsError> {
        let sees_everybody = match self.get(&VISIBILITY).map(str::trim) {
            None | Some("subtree") => false,
            Some("global") => true,
            Some(_) => return Err(self.bad(&VISIBILITY, "is `subtree` or `global`")),
        };
        Ok(HouseRules {
            sees_everybody,
            broad_percent: self.number(&BROAD, 50, 1..=100)?,
            presets_may_go: self.flag(&PRESETS_GO, false)?,
        })
    }
}
