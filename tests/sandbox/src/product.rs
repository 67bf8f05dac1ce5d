//! The product's program, and the scratch home that it runs in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::{Directory, Sandbox};

use crate::Failure;

/// Names under which the product is called: its own and those of the tools that it succeeds.
const NAMES: [&str; 3] = ["saml2cloud", "saml2aws", "saml2alibabacloud"];
/// Names the file with everybody's secrets, for `sandbox code`.
pub(crate) const DIRECTORY: &str = "SANDBOX_DIRECTORY";
/// The same file's name in a scratch home.
pub(crate) const FILE: &str = ".sandbox-people.json";

/// Builds the product, unless there is one, and gives its path.
pub(crate) fn find(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = given {
        return Ok(path.canonicalize()?);
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().ok_or("this program is in no folder")?;
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&manifest).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bin", "saml2cloud"]);
    // Both programs end up in the same folder if they are built the same way.
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let status = build.current_dir(root).stdin(Stdio::null()).status()?;
    if !status.success() {
        return Err("saml2cloud could not be built".into());
    }
    let program = folder.join(format!("saml2cloud{}", std::env::consts::EXE_SUFFIX));
    match program.is_file() {
        true => Ok(program),
        false => Err(format!("no program at {}", program.display()).into()),
    }
}

/// A scratch home with the programs beside it. Both go away with this.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes a home, links to the product under all its names, and a link to this program.
    pub(crate) fn new(program: &Path, directory: &Directory) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("sandbox-home-").tempdir()?;
        let scratch = Self { folder };
        std::fs::create_dir(scratch.home())?;
        std::fs::create_dir(scratch.bin())?;
        for name in NAMES {
            link(program, &scratch.bin().join(name))?;
        }
        link(&std::env::current_exe()?, &scratch.bin().join("sandbox"))?;
        std::fs::write(scratch.home().join(FILE), people(directory).to_string())?;
        Ok(scratch)
    }

    /// The home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// The environment in the box, with the programs first in the path.
    pub(crate) fn env(&self, sandbox: &Sandbox) -> Result<Vec<(String, String)>, Failure> {
        let mut env = sandbox.env(&self.home());
        for (name, value) in &mut env {
            if name == "PATH" {
                let rest = std::env::split_paths(&*value).collect::<Vec<_>>();
                let all = std::env::join_paths(std::iter::once(self.bin()).chain(rest))?;
                *value = all.to_string_lossy().into_owned();
            }
        }
        let file = self.home().join(FILE).display().to_string();
        env.push((DIRECTORY.to_owned(), file));
        Ok(env)
    }
}

#[cfg(unix)]
fn link(program: &Path, name: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, name)
}

#[cfg(not(unix))]
fn link(program: &Path, name: &Path) -> std::io::Result<()> {
    // Links need a privilege there.
    std::fs::copy(program, name.with_extension("exe")).map(|_| ())
}

/// Everybody's authenticator secrets, by address.
pub(crate) fn people(directory: &Directory) -> serde_json::Value {
    directory.people().iter().filter_map(|person| Some((person.email.clone(), person.totp_secret.clone()?))).collect()
}
