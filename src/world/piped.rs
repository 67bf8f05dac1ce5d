//! A program that is talked to over two pipes of its own, as a browser listens to whoever drives it: it reads from its descriptor 3
//! and writes to its descriptor 4. Nothing listens on a port that another program of this machine could find.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::Env;

/// A program that runs and listens. When it is dropped, the program and what that started are ended.
#[async_trait]
pub trait Piped: Send {
    /// Sends bytes.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The next bytes; none when it has closed its end. Nothing is lost when this is dropped before it is ready.
    async fn receive(&mut self) -> io::Result<Vec<u8>>;
    /// Waits until it has ended by itself.
    async fn ended(&mut self);
    /// The end of what a program that has closed its pipe has complained on its standard error.
    async fn complaint(&mut self) -> String;
}

/// The program of that name in `PATH`, or at that path.
pub fn find_program(name: &Path, env: &Env) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return is_program(name).then(|| name.to_owned());
    }
    let path = env.raw("PATH")?;
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(not(unix))]
pub(super) fn start(_: &[OsString]) -> io::Result<Box<dyn Piped>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "on this system no program can be given pipes of its own"))
}

#[cfg(unix)]
pub(super) use unix::start;

#[cfg(unix)]
mod unix {
    use std::process::Stdio;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

    use super::{OsString, Piped, async_trait, io};

    /// Two numbers that nothing else sets up without unsafe code: the shell makes its own ends of the two pipes into 3 and 4 and becomes
    /// the program, which so keeps the process's number. The program is an argument, so no word of it is read by the shell.
    const NUMBER: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null && exec "$@""#;
    /// How much is kept of what it complains.
    const COMPLAINT: usize = 4096;
    /// How often, and how long apart, an ended program is looked for before it is ended without being asked.
    const LOOKS: (u32, Duration) = (150, Duration::from_millis(20));

    /// How long the last complaint is waited for.
    const LAST_WORDS: Duration = Duration::from_secs(1);

    struct Program {
        child: Child,
        input: Option<ChildStdin>,
        output: ChildStdout,
        complaint: Arc<Mutex<String>>,
        listener: tokio::task::JoinHandle<()>,
    }

    #[allow(clippy::disallowed_methods, reason = "processes are started here")]
    pub(in crate::world) fn start(argv: &[OsString]) -> io::Result<Box<dyn Piped>> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(NUMBER).arg("sh").args(argv);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C is for us, who then end the program in order, and its whole group if it does not end.
        let mut child = command.process_group(0).spawn()?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let complaint = Arc::<Mutex<String>>::default();
        let listener = tokio::spawn(listen(errors, Arc::clone(&complaint)));
        Ok(Box::new(Program { child, input: Some(input), output, complaint, listener }))
    }

    /// Reads what the program complains, so that it never has to wait, and keeps the end of it.
    async fn listen(mut errors: ChildStderr, complaint: Arc<Mutex<String>>) {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = errors.read(&mut bytes).await {
            let mut kept = complaint.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_str(&String::from_utf8_lossy(&bytes[..count]));
            if let Some(excess) = kept.len().checked_sub(COMPLAINT) {
                let from = (excess..kept.len()).find(|at| kept.is_char_boundary(*at)).unwrap_or(kept.len());
                kept.drain(..from);
            }
        }
    }

    #[async_trait]
    impl Piped for Program {
        async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
            match &mut self.input {
                Some(input) => input.write_all(bytes).await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        async fn receive(&mut self) -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; 64 * 1024];
            let count = self.output.read(&mut bytes).await?;
            bytes.truncate(count);
            Ok(bytes)
        }

        async fn ended(&mut self) {
            let _ = self.child.wait().await;
        }

        async fn complaint(&mut self) -> String {
            // It ends when the program does; one that lives on and says nothing more is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, &mut self.listener).await;
            self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Drop for Program {
        /// Asks it to end, by the number of the process that we started; a browser then writes down its cookies. What has not
        /// ended after a while is ended with all that it started.
        #[allow(clippy::disallowed_methods, reason = "a program's end is waited for here, where nothing else can run any more")]
        fn drop(&mut self) {
            self.input = None;
            // Without a number it was waited for already.
            let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return };
            let _ = kill_process(pid, Signal::TERM);
            for _ in 0..LOOKS.0 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(LOOKS.1);
            }
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.child.try_wait();
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<OsString> {
        ["/bin/sh", "-c", script, "a b", "$(exit 9)"].map(OsString::from).into()
    }

    async fn all(program: &mut Box<dyn Piped>) -> String {
        let mut text = Vec::new();
        loop {
            match program.receive().await.unwrap() {
                bytes if bytes.is_empty() => return String::from_utf8(text).unwrap(),
                bytes => text.extend(bytes),
            }
        }
    }

    #[tokio::test]
    async fn speaks_by_three_and_four_and_nothing_else() {
        let mut program =
            start(&shell("read -r line <&3; printf '%s|' \"$line\" \"$0\" \"$1\" >&4; cat; echo lost; echo oh >&2")).unwrap();
        program.send(b"hello\n").await.unwrap();
        assert_eq!(all(&mut program).await, "hello|a b|$(exit 9)|");
        assert_eq!(program.complaint().await, "oh\n");
        program.ended().await;
    }

    #[tokio::test]
    async fn one_that_is_dropped_is_ended_by_its_own_number() {
        let mut program = start(&shell("trap 'echo asked >&2; exit' TERM; echo $$ >&4; while :; do sleep 0.05; done")).unwrap();
        let bytes = program.receive().await.unwrap();
        let pid = std::str::from_utf8(&bytes).unwrap().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(program);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[tokio::test]
    async fn one_that_does_not_start_says_why() {
        let mut program = start(&[OsString::from("/nowhere/browser")]).unwrap();
        assert_eq!(all(&mut program).await, "");
        let said = program.complaint().await;
        assert!(said.contains("/nowhere/browser"), "{said}");
    }
}
