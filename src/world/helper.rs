//! A helper program that is talked with while it runs.

use std::io::{self, Read, Write};
#[allow(clippy::disallowed_types, reason = "processes are started here")]
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A program that listens on its standard input and answers on its standard output. It shares our terminal, and ends with this value.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Helper {
    /// Starts a program by its name.
    ///
    /// # Errors
    /// It is not there, or cannot be run.
    #[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "processes are started here")]
    pub fn start(program: &str) -> io::Result<Self> {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output }),
            _ => Err(io::Error::other("it has no standard input or output")),
        }
    }
}

/// Unbuffered, so that no secret stays behind in a buffer. The end of the output is an error that tells whether Ctrl-C ended the program.
impl Read for Helper {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer) {
            Ok(0) if !buffer.is_empty() => {
                let status = self.child.wait()?;
                #[cfg(unix)]
                if std::os::unix::process::ExitStatusExt::signal(&status) == Some(rustix::process::Signal::INT.as_raw()) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ended with {status}")))
            }
            read => read,
        }
    }
}

impl Write for Helper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.flush()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
