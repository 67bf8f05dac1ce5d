//! Faults that a test can order: servers that fail, stall, babble or send people elsewhere.

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An answer with this status, body and media type.
    Status(u16, String, String),
    /// These bytes on the wire in place of an HTTP answer, then the end of the connection.
    Garbage(Vec<u8>),
    /// An answer with status 200 and a body of that many bytes, without a declared length.
    Huge(usize),
    /// No answer, and the connection stays open.
    Hang,
    /// The connection is reset in place of an answer.
    Reset,
    /// A redirect (302) to this address.
    Redirect(String),
    /// The proxy answers `CONNECT` with 503, as for a host that is down.
    Unreachable,
    /// The server shows a certificate of the test authority for another name.
    WrongName,
}

impl Fault {
    /// The fault, for that many requests only.
    pub fn times(self, count: u32) -> Plan {
        Plan::from(self).times(count)
    }

    /// The fault, for paths that start so only. Faults of the connection itself happen before there is a path.
    pub fn on_path(self, prefix: &str) -> Plan {
        Plan::from(self).on_path(prefix)
    }

    /// Whether the fault happens before there is a request.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Unreachable | Self::WrongName)
    }
}

/// A fault with its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(crate) fault: Fault,
    pub(crate) host: String,
    pub(crate) path_prefix: String,
    pub(crate) left: Option<u32>,
}

impl Plan {
    /// The same for that many requests only; without it, until the faults are cleared.
    pub fn times(mut self, count: u32) -> Self {
        self.left = Some(count);
        self
    }

    /// The same for paths that start so only.
    pub fn on_path(mut self, prefix: &str) -> Self {
        self.path_prefix = prefix.to_owned();
        self
    }
}

impl From<Fault> for Plan {
    fn from(fault: Fault) -> Self {
        Self { fault, host: "*".to_owned(), path_prefix: String::new(), left: None }
    }
}
