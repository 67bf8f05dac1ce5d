//! The matrix, cell by cell, and its laws on random trees.

use proptest::prelude::*;

use super::*;
use crate::tvm::model::NodeId;
use crate::types::Timestamp;

/// root ─┬─ left ─┬─ one (account)
///       │        └─ two (account)
///       └─ right ── three (account)
struct World {
    root: Path,
    left: Path,
    one: Path,
    two: Path,
    right: Path,
    three: Path,
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

impl World {
    fn new() -> Self {
        let below = |path: &Path| path.child(&NodeId::new(now())).unwrap();
        let root = Path::root(&NodeId::new(now()));
        let (left, right) = (below(&root), below(&root));
        let (one, two, three) = (below(&left), below(&left), below(&right));
        Self { root, left, one, two, right, three }
    }

    fn actor(&self, column: &str) -> Actor {
        let owned = |path: &Path, is_account| vec![Owned { path: path.clone(), is_account }];
        let user = Some(UserId::new(now()));
        match column {
            "SA" => Actor { user, owned: owned(&self.root, false), powers: Vec::new() },
            "MO" => Actor { user, owned: owned(&self.left, false), powers: Vec::new() },
            "AO" => Actor { user, owned: owned(&self.one, true), powers: Vec::new() },
            "CE" => Actor { user, powers: vec![(CamPower::Enterprise, self.three.clone())], ..Actor::default() },
            "CA" => Actor { user, powers: vec![(CamPower::Account, self.one.clone())], ..Actor::default() },
            "U" => Actor { user, ..Actor::default() },
            // Whatever is left of somebody who is barred counts for nothing.
            "X" => Actor { user: None, owned: owned(&self.root, false), powers: vec![(CamPower::Enterprise, self.one.clone())] },
            other => panic!("{other}"),
        }
    }
}

const COLUMNS: [&str; 7] = ["SA", "MO", "AO", "CE", "CA", "U", "X"];

/// A line: what is done, to what, and a letter a column. `y` allowed, `n` forbidden, `h` hidden, `!` never.
///
/// `at left`, `at one` is in the part of everybody's column; `at right`, `at three` is elsewhere.
const MATRIX: &str = "
                                        SA MO AO CE CA U  X
SeePeople         pool                  y  y  y  n  n  n  n
SeePeople         another               y  y  y  n  h  h  n
SeePeople         self                  y  y  y  y  y  y  n
CreateUser        pool                  y  y  y  n  n  n  n
UpdateUser        another               y  y  y  n  h  h  n
UpdateUser        super                 y  n  n  n  h  h  n
UpdateUser        above                 y  y  n  n  h  h  n
UpdateUser        beside                y  y  y  n  h  h  n
UpdateUser        self                  y  y  y  y  y  y  n
ChangeGid         another               !  !  !  !  !  !  !
ChangeGid         self                  !  !  !  !  !  !  !
DeleteUser        another               y  n  n  n  h  h  n
DeleteUser        self                  y  n  n  n  n  n  n
DisableUser       another               y  n  n  n  h  h  n
DisableUser       self                  y  n  n  n  n  n  n
SeeNode           root                  y  h  h  n  h  h  n
SeeNode           left                  y  y  h  n  h  h  n
SeeNode           one                   y  y  y  n  n  h  n
SeeNode           three                 y  h  h  n  h  h  n
CreateNode        root                  y  h  h  n  h  h  n
CreateNode        left                  y  y  h  n  h  h  n
CreateNode        one                   n  n  n  n  n  h  n
CreateNode        right                 y  h  h  n  h  h  n
UpdateNode        left                  y  y  h  n  h  h  n
UpdateNode        one                   y  y  y  n  n  h  n
UpdateNode        two                   y  y  h  n  h  h  n
UpdateNode        three                 y  h  h  n  h  h  n
MoveNode          left-left             y  y  h  h  h  h  n
MoveNode          left-right            y  n  h  h  h  h  n
MoveNode          right-left            y  h  h  h  h  h  n
MoveNode          left-root             y  n  h  h  h  h  n
DestroyNode       left                  y  n  h  n  h  h  n
DestroyNode       one                   y  n  n  n  n  h  n
ChangeOwners      root                  y  h  h  n  h  h  n
ChangeOwners      left                  y  y  h  n  h  h  n
ChangeOwners      one                   y  y  y  n  n  h  n
ChangeOwners      two                   y  y  h  n  h  h  n
ChangeOwners      right                 y  h  h  n  h  h  n
SeeRole           system@one            y  y  h  y  y  h  n
SeeRole           system@two            y  y  h  y  h  h  n
SeeRole           system@three          y  h  h  y  h  h  n
SeeRole           held@one              y  y  y  y  y  y  n
CreateRole        system@one            y  y  h  n  n  h  n
CreateRole        system@three          y  h  h  n  h  h  n
CreateRole        preset@one            y  y  h  n  n  h  n
CreateRole        ent_iam@one           y  n  h  n  n  h  n
UpdateRole        system@one            y  y  h  n  n  h  n
UpdateRole        held@one              y  y  n  n  n  n  n
UpdateRole        preset@one            y  n  h  n  n  h  n
UpdateRole        acc_iam@one           y  n  h  n  n  h  n
DeleteRole        system@one            y  y  h  n  n  h  n
DeleteRole        system@three          y  h  h  n  h  h  n
DeleteRole        preset@one            y  n  h  n  n  h  n
DeleteRole        ent_iam@one           y  n  h  n  n  h  n
AssignRole        system@one            y  y  h  y  y  h  n
AssignRole        system@two            y  y  h  y  h  h  n
AssignRole        system@three          y  h  h  y  h  h  n
AssignRole        held@one              y  y  n  y  y  n  n
AssignRole        preset@one            y  y  h  y  y  h  n
AssignRole        acc_iam@one           y  y  h  y  n  h  n
AssignRole        acc_iam@three         y  h  h  y  h  h  n
AssignRole        ent_iam@one           y  n  h  n  n  h  n
AssignRole        ent_iam@three         y  h  h  n  h  h  n
SeeRole           custom@one            y  y  y  y  y  h  n
SeeRole           custom@two            y  y  h  y  h  h  n
CreateRole        custom@one            y  y  y  n  y  h  n
CreateRole        custom@two            y  y  h  n  h  h  n
CreateRole        custom@three          y  h  h  n  h  h  n
UpdateRole        custom@one            y  y  y  n  n  h  n
DeleteRole        custom@one            y  y  y  n  n  h  n
DeleteRole        custom@two            y  y  h  n  h  h  n
AssignRole        custom@one            y  y  y  n  y  h  n
AssignRole        custom@three          y  h  h  n  h  h  n
SeeHorizontal     table@left            y  y  h  h  h  h  n
SeeHorizontal     table@root            y  h  h  h  h  h  n
SeeHorizontal     table@right           y  h  h  h  h  h  n
CreateHorizontal  table@left            y  y  h  h  h  h  n
CreateHorizontal  table@root            y  h  h  h  h  h  n
UpdateHorizontal  table@left            y  y  h  h  h  h  n
UpdateHorizontal  protected@left        y  n  h  h  h  h  n
UpdateHorizontal  table@root            y  h  h  h  h  h  n
DeleteHorizontal  table@left            y  n  h  h  h  h  n
DeleteHorizontal  protected@left        y  n  h  h  h  h  n
AssignHorizontal  table@left            y  y  h  h  h  h  n
AssignHorizontal  table@right           y  h  h  h  h  h  n
ReportAccess      pool                  y  n  n  y  n  n  n
ReportAccess      left                  y  y  h  y  h  h  n
ReportAccess      one                   y  y  y  y  n  h  n
ReportAccess      three                 y  h  h  y  h  h  n
ReportAccess      another               y  n  n  y  h  h  n
ReportAccess      self                  y  y  y  y  y  y  n
UseOwnRoles       pool                  y  y  y  y  y  y  n
ReadAudit         pool                  y  n  n  n  n  n  n
ReadAudit         left                  y  y  h  n  h  h  n
ReadAudit         one                   y  y  y  n  n  h  n
ReadAudit         three                 y  h  h  n  h  h  n
ReadAudit         another               y  n  n  n  h  h  n
ReadAudit         self                  y  y  y  y  y  y  n
";

const ACTIONS: [Action; 25] = [
    Action::SeePeople,
    Action::CreateUser,
    Action::UpdateUser,
    Action::ChangeGid,
    Action::DeleteUser,
    Action::DisableUser,
    Action::SeeNode,
    Action::CreateNode,
    Action::UpdateNode,
    Action::MoveNode,
    Action::DestroyNode,
    Action::ChangeOwners,
    Action::SeeRole,
    Action::CreateRole,
    Action::UpdateRole,
    Action::DeleteRole,
    Action::AssignRole,
    Action::SeeHorizontal,
    Action::CreateHorizontal,
    Action::UpdateHorizontal,
    Action::DeleteHorizontal,
    Action::AssignHorizontal,
    Action::ReportAccess,
    Action::UseOwnRoles,
    Action::ReadAudit,
];

fn node<'w>(world: &'w World, name: &str) -> Option<(&'w Path, bool)> {
    Some(match name {
        "root" => (&world.root, false),
        "left" => (&world.left, false),
        "right" => (&world.right, false),
        "one" => (&world.one, true),
        "two" => (&world.two, true),
        "three" => (&world.three, true),
        _ => return None,
    })
}

fn verdict(world: &World, actor: &Actor, action: Action, object: &str) -> Verdict {
    let stranger = UserId::new(now());
    let own = |path: &Path, is_account| vec![Owned { path: path.clone(), is_account }];
    let person = |id: &UserId, owned: Vec<Owned>| authorize(actor, action, Object::Person(Person { id, owned: &owned }));
    match object {
        "pool" => authorize(actor, action, Object::Pool),
        "self" => person(actor.user.as_ref().unwrap_or(&stranger), actor.owned.clone()),
        "another" => person(&stranger, Vec::new()),
        "super" => person(&stranger, own(&world.root, false)),
        "above" => person(&stranger, own(&world.left, false)),
        "beside" => person(&stranger, own(&world.two, true)),
        _ => {
            if let Some((path, is_account)) = node(world, object) {
                return authorize(actor, action, Object::Node { path, is_account });
            }
            if let Some((from, to)) = object.split_once('-') {
                let at = |name| node(world, name).unwrap().0;
                return authorize(actor, action, Object::Move { from: at(from), to: at(to) });
            }
            let (kind, at) = object.split_once('@').unwrap();
            let at = node(world, at).unwrap().0;
            let role = |class, is_preset, power, is_held| {
                authorize(actor, action, Object::Role(RoleOf { node: at, class, is_preset, power, is_held }))
            };
            match kind {
                "table" => authorize(actor, action, Object::Horizontal { node: at, is_protected: false }),
                "protected" => authorize(actor, action, Object::Horizontal { node: at, is_protected: true }),
                "system" => role(Class::System, false, None, false),
                "held" => role(Class::System, false, None, true),
                "preset" => role(Class::System, true, None, false),
                "acc_iam" => role(Class::System, true, Some(CamPower::Account), false),
                "ent_iam" => role(Class::System, true, Some(CamPower::Enterprise), false),
                "custom" => role(Class::Custom, false, None, false),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn every_cell_of_the_matrix_holds() {
    let world = World::new();
    let mut lines = MATRIX.trim().lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), COLUMNS);
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, object, cells @ ..] = words.as_slice() else { panic!("{line}") };
        let action = *ACTIONS.iter().find(|action| format!("{action:?}") == *name).unwrap_or_else(|| panic!("{name}"));
        seen.push(action);
        assert_eq!(cells.len(), COLUMNS.len(), "{line}");
        for (column, cell) in COLUMNS.iter().zip(cells) {
            let wanted = match *cell {
                "y" => Verdict::Allowed,
                "n" => Verdict::Forbidden,
                "h" => Verdict::Hidden,
                "!" => Verdict::Never,
                other => panic!("{other}"),
            };
            let found = verdict(&world, &world.actor(column), action, object);
            if found != wanted {
                wrong.push(format!("{name} {object} by {column}: {found:?}, not {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for action in ACTIONS {
        assert!(seen.contains(&action), "{action:?} has no line");
    }
}

/// Every action, on every kind of thing, in every column: what no line of the matrix is about is not allowed.
#[test]
fn what_no_line_names_is_refused() {
    let world = World::new();
    let objects = ["pool", "another", "self", "left", "one", "left-left", "system@one", "custom@one", "table@left"];
    let mut refused = 0;
    for action in ACTIONS {
        for object in objects {
            // Lines name an object by its kind; which node it is at does not matter here.
            let kind = |object: &str| match node(&world, object) {
                Some(_) => "node".to_owned(),
                None if object.contains('-') => "move".to_owned(),
                None => object.split('@').next().unwrap().to_owned(),
            };
            let named = MATRIX.trim().lines().skip(1).any(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some(format!("{action:?}").as_str())
                    && words.next().is_some_and(|word| kind(word) == kind(object))
            });
            if !named {
                for column in COLUMNS {
                    let found = verdict(&world, &world.actor(column), action, object);
                    assert_ne!(found, Verdict::Allowed, "{action:?} {object} by {column}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

/// A random tree: each node but the first hangs below an earlier folder. A leaf may be an account.
fn tree() -> impl Strategy<Value = Vec<(Path, bool)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..10).prop_map(|steps| {
        let mut nodes = vec![(Path::root(&NodeId::new(now())), false)];
        for (parent, is_account) in steps {
            let folders: Vec<Path> = nodes.iter().filter(|(_, is_account)| !is_account).map(|(path, _)| path.clone()).collect();
            let parent = parent.get(&folders);
            nodes.push((parent.child(&NodeId::new(now())).unwrap(), is_account));
        }
        nodes
    })
}

fn owner(nodes: &[(Path, bool)], picked: &[prop::sample::Index]) -> Actor {
    let owned =
        picked.iter().map(|at| at.get(nodes)).map(|(path, is_account)| Owned { path: path.clone(), is_account: *is_account });
    Actor { user: Some(UserId::new(now())), owned: owned.collect(), powers: Vec::new() }
}

/// What is allowed at a node, whatever it is about.
fn allowed_at(actor: &Actor, path: &Path, is_account: bool) -> Vec<String> {
    let mut allowed = Vec::new();
    for action in ACTIONS {
        let mut objects = vec![("node", Object::Node { path, is_account })];
        if is_account {
            for class in [Class::System, Class::Custom] {
                for (is_preset, power) in
                    [(false, None), (true, None), (true, Some(CamPower::Account)), (true, Some(CamPower::Enterprise))]
                {
                    objects.push(("role", Object::Role(RoleOf { node: path, class, is_preset, power, is_held: false })));
                }
            }
        } else {
            for is_protected in [false, true] {
                objects.push(("table", Object::Horizontal { node: path, is_protected }));
            }
        }
        for (at, (what, object)) in objects.into_iter().enumerate() {
            if authorize(actor, action, object) == Verdict::Allowed {
                allowed.push(format!("{action:?} {what} {at}"));
            }
        }
    }
    allowed
}

proptest! {
    /// What a management owner may do at a node they may do at every node of the same kind below it.
    #[test]
    fn ownership_is_inherited_down_the_tree(nodes in tree(), picked in prop::collection::vec(any::<prop::sample::Index>(), 1..3)) {
        let actor = owner(&nodes, &picked);
        for owned in actor.owned.iter().filter(|owned| !owned.is_account) {
            let here = allowed_at(&actor, &owned.path, false);
            prop_assert!(here.iter().any(|what| what.starts_with("CreateNode")));
            for (path, is_account) in &nodes {
                let there = allowed_at(&actor, path, *is_account);
                if owned.path.holds(path) && !is_account {
                    prop_assert!(here.iter().all(|what| there.contains(what)), "{here:?} is not within {there:?}");
                }
                if owned.path.holds(path) && *is_account {
                    prop_assert!(there.iter().any(|what| what.starts_with("AssignRole")));
                }
            }
        }
    }

    /// Nothing leaks up or sideways: where nobody of the actor's nodes is at or above, nothing is allowed.
    #[test]
    fn nothing_is_allowed_beside_or_above(nodes in tree(), picked in prop::collection::vec(any::<prop::sample::Index>(), 0..3)) {
        let actor = owner(&nodes, &picked);
        for (path, is_account) in &nodes {
            let reaches = |owned: &Owned| if owned.is_account { owned.path == *path } else { owned.path.holds(path) };
            if !actor.owned.iter().any(reaches) {
                prop_assert_eq!(allowed_at(&actor, path, *is_account), Vec::<String>::new());
            }
        }
    }

    /// To own more takes nothing away.
    #[test]
    fn another_node_adds_only(nodes in tree(), picked in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let all = owner(&nodes, &picked);
        let fewer = Actor { owned: all.owned[1..].to_vec(), ..all.clone() };
        for (path, is_account) in &nodes {
            let (before, after) = (allowed_at(&fewer, path, *is_account), allowed_at(&all, path, *is_account));
            prop_assert!(before.iter().all(|what| after.contains(what)));
        }
    }
}
