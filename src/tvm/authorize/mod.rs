//! Who may do what: the whole permission matrix, as one pure function. The API, the pages and the tests ask nobody else.
//!
//! A person's powers are the union over everything they are: super admin (owner of the root), management owner of a node (owner of it or
//! of a management node above), account owner (owner of that account node), holder of a role with powers here, person of the pool.
//! What is not allowed by a line below is refused. What somebody may not even know of is [`Verdict::Hidden`]: it answers "not found".

use super::model::{CamPower, Class, Path, UserId};

/// A node that somebody owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Where it is.
    pub path: Path,
    /// Whether it is an account node.
    pub is_account: bool,
}

/// Who acts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// Who; nothing for somebody who is not in the pool, or is disabled.
    pub user: Option<UserId>,
    /// What they own.
    pub owned: Vec<Owned>,
    /// What their roles let them do here, and at which account.
    pub powers: Vec<(CamPower, Path)>,
}

impl Actor {
    /// Owner of the root.
    fn is_super(&self) -> bool {
        self.user.is_some() && self.owned.iter().any(|owned| owned.path.depth() == 1)
    }

    /// Owner of a management node at or above `path`.
    fn manages(&self, path: &Path) -> bool {
        self.user.is_some() && self.owned.iter().any(|owned| !owned.is_account && owned.path.holds(path))
    }

    /// Owner of the account node `path` itself.
    fn owns_account(&self, path: &Path) -> bool {
        self.user.is_some() && self.owned.iter().any(|owned| owned.is_account && owned.path == *path)
    }

    fn owns_anything(&self) -> bool {
        self.user.is_some() && !self.owned.is_empty()
    }

    /// Permission administrator of the enterprise.
    fn is_enterprise_admin(&self) -> bool {
        self.user.is_some() && self.powers.iter().any(|(power, _)| *power == CamPower::Enterprise)
    }

    /// Permission administrator of the account `path`.
    fn is_account_admin(&self, path: &Path) -> bool {
        self.user.is_some() && self.powers.iter().any(|(power, at)| *power == CamPower::Account && at == path)
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lists people for pickers.
    SeePeople,
    /// Adds a person to the pool.
    CreateUser,
    /// Changes alias, mail or description of a person.
    UpdateUser,
    /// Changes a GID.
    ChangeGid,
    /// Removes a person from the pool.
    DeleteUser,
    /// Bars or lets in a person.
    DisableUser,
    /// Reads a node.
    SeeNode,
    /// Adds a node below this one.
    CreateNode,
    /// Changes a node's name, description or account.
    UpdateNode,
    /// Moves a node.
    MoveNode,
    /// Destroys a node.
    DestroyNode,
    /// Adds or removes owners.
    ChangeOwners,
    /// Reads roles of an account and who is in their groups.
    SeeRole,
    /// Registers a role.
    CreateRole,
    /// Changes a role.
    UpdateRole,
    /// Removes a role.
    DeleteRole,
    /// Puts people into the role's group, or takes them out.
    AssignRole,
    /// Reads horizontal roles and their groups.
    SeeHorizontal,
    /// Makes a horizontal role or group.
    CreateHorizontal,
    /// Changes a horizontal role or group.
    UpdateHorizontal,
    /// Removes a horizontal role or group.
    DeleteHorizontal,
    /// Puts people into a horizontal group, or takes them out.
    AssignHorizontal,
    /// Reads who can use what.
    ReportAccess,
    /// Lists one's own roles, signs in to a console with one, gets keys for one. Which roles are one's own the store says.
    UseOwnRoles,
    /// Reads the audit trail.
    ReadAudit,
}

/// A person, as far as it matters for who may change them.
#[derive(Debug, Clone, Copy)]
pub struct Person<'o> {
    /// Who.
    pub id: &'o UserId,
    /// What they own.
    pub owned: &'o [Owned],
}

/// A role, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct RoleOf<'o> {
    /// Its account's node.
    pub node: &'o Path,
    /// Who manages it.
    pub class: Class,
    /// Whether it is a preset role.
    pub is_preset: bool,
    /// What it may do here.
    pub power: Option<CamPower>,
    /// Whether whoever acts holds it.
    pub is_held: bool,
}

/// What it is done to.
#[derive(Debug, Clone, Copy)]
pub enum Object<'o> {
    /// The pool of people, or oneself.
    Pool,
    /// One person.
    Person(Person<'o>),
    /// A node.
    Node {
        /// Where it is.
        path: &'o Path,
        /// Whether it is an account node.
        is_account: bool,
    },
    /// A node that is to go below another parent.
    Move {
        /// Its parent.
        from: &'o Path,
        /// The other.
        to: &'o Path,
    },
    /// A role.
    Role(RoleOf<'o>),
    /// A horizontal role or group.
    Horizontal {
        /// The management node that has it.
        node: &'o Path,
        /// Whether only super admins may change it.
        is_protected: bool,
    },
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allowed,
    /// It may not, and whoever asked may know.
    Forbidden,
    /// Whoever asked may not know that there is such a thing.
    Hidden,
    /// Nobody may, ever.
    Never,
}

fn allowed_or(is_allowed: bool, otherwise: Verdict) -> Verdict {
    if is_allowed { Verdict::Allowed } else { otherwise }
}

/// Decides. An action on a thing that it is not about is refused.
pub fn authorize(actor: &Actor, action: Action, object: Object<'_>) -> Verdict {
    if actor.user.is_none() {
        return if action == Action::ChangeGid { Verdict::Never } else { Verdict::Forbidden };
    }
    match object {
        Object::Pool => on_pool(actor, action),
        Object::Person(person) => on_person(actor, action, person),
        Object::Node { path, is_account } => on_node(actor, action, path, is_account),
        Object::Move { from, to } => on_move(actor, action, from, to),
        Object::Role(role) => on_role(actor, action, role),
        Object::Horizontal { node, is_protected } => on_horizontal(actor, action, node, is_protected),
    }
}

/// The pool belongs to all owners: who is in it says nothing about what they may do.
fn on_pool(actor: &Actor, action: Action) -> Verdict {
    let is_allowed = match action {
        Action::SeePeople | Action::CreateUser => actor.owns_anything(),
        Action::UseOwnRoles => true,
        // The whole report, the whole trail.
        Action::ReportAccess => actor.is_super() || actor.is_enterprise_admin(),
        Action::ReadAudit => actor.is_super(),
        _ => false,
    };
    allowed_or(is_allowed, Verdict::Forbidden)
}

fn on_person(actor: &Actor, action: Action, person: Person<'_>) -> Verdict {
    let is_self = actor.user.as_ref() == Some(person.id);
    let is_allowed = match action {
        Action::ChangeGid => return Verdict::Never,
        Action::UpdateUser => is_self || actor.is_super() || (actor.owns_anything() && !is_above(person.owned, &actor.owned)),
        Action::DeleteUser | Action::DisableUser => actor.is_super(),
        Action::SeePeople => is_self || actor.owns_anything(),
        Action::ReportAccess => is_self || actor.is_super() || actor.is_enterprise_admin(),
        Action::ReadAudit => is_self || actor.is_super(),
        _ => false,
    };
    let may_know = is_self || actor.owns_anything() || actor.is_enterprise_admin();
    allowed_or(is_allowed, if may_know { Verdict::Forbidden } else { Verdict::Hidden })
}

/// Whether `others` own the root, or a node above one of `mine`: nobody below may put another name on them.
fn is_above(others: &[Owned], mine: &[Owned]) -> bool {
    let above = |theirs: &Owned| mine.iter().any(|own| theirs.path != own.path && theirs.path.holds(&own.path));
    others.iter().any(|theirs| theirs.path.depth() == 1 || above(theirs))
}

fn on_node(actor: &Actor, action: Action, path: &Path, is_account: bool) -> Verdict {
    let (manages, owns) = (actor.manages(path), is_account && actor.owns_account(path));
    let is_allowed = match action {
        Action::CreateNode => manages && !is_account,
        Action::SeeNode | Action::UpdateNode | Action::ChangeOwners | Action::ReadAudit => manages || owns,
        Action::DestroyNode => actor.is_super(),
        Action::ReportAccess => manages || owns || actor.is_enterprise_admin(),
        _ => false,
    };
    let may_know = manages || owns || actor.is_enterprise_admin() || actor.is_account_admin(path);
    allowed_or(is_allowed, if may_know { Verdict::Forbidden } else { Verdict::Hidden })
}

fn on_move(actor: &Actor, action: Action, from: &Path, to: &Path) -> Verdict {
    let (leaves, enters) = (actor.manages(from), actor.manages(to));
    let is_allowed = action == Action::MoveNode && leaves && enters;
    allowed_or(is_allowed, if leaves { Verdict::Forbidden } else { Verdict::Hidden })
}

fn on_role(actor: &Actor, action: Action, role: RoleOf<'_>) -> Verdict {
    let manages = actor.manages(role.node);
    // Whoever holds powers over every account, or could give them to others, is named by a super admin only.
    let is_reserved = role.power == Some(CamPower::Enterprise);
    let (enterprise, account) = (actor.is_enterprise_admin(), actor.is_account_admin(role.node));
    match role.class {
        Class::System => {
            let is_allowed = match action {
                Action::SeeRole => manages || enterprise || account || role.is_held,
                Action::CreateRole => manages && (!is_reserved || actor.is_super()),
                Action::UpdateRole | Action::DeleteRole => manages && (!role.is_preset || actor.is_super()),
                // A permission administrator of an account makes no other one; that of the enterprise does, and makes none like itself.
                Action::AssignRole if is_reserved => actor.is_super(),
                Action::AssignRole => manages || enterprise || (account && role.power.is_none()),
                _ => false,
            };
            // The account's owner may not know of them.
            let may_know = manages || enterprise || account || role.is_held;
            allowed_or(is_allowed, if may_know { Verdict::Forbidden } else { Verdict::Hidden })
        }
        Class::Custom => {
            let owns = actor.owns_account(role.node);
            let is_allowed = match action {
                Action::SeeRole => manages || owns || enterprise || account || role.is_held,
                Action::CreateRole | Action::AssignRole => manages || owns || account,
                Action::UpdateRole | Action::DeleteRole => manages || owns,
                _ => false,
            };
            let may_know = manages || owns || enterprise || account || role.is_held;
            allowed_or(is_allowed, if may_know { Verdict::Forbidden } else { Verdict::Hidden })
        }
    }
}

fn on_horizontal(actor: &Actor, action: Action, node: &Path, is_protected: bool) -> Verdict {
    let manages = actor.manages(node);
    let is_allowed = match action {
        Action::SeeHorizontal | Action::CreateHorizontal | Action::AssignHorizontal => manages,
        Action::UpdateHorizontal => manages && (!is_protected || actor.is_super()),
        Action::DeleteHorizontal => actor.is_super(),
        _ => false,
    };
    allowed_or(is_allowed, if manages { Verdict::Forbidden } else { Verdict::Hidden })
}

#[cfg(test)]
mod tests;
