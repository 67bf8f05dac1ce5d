//! The protocol that a browser speaks to whoever drives it (<https://chromedevtools.github.io/devtools-protocol/>), over its pipe: JSON
//! messages with a zero byte after each. Messages carry what people type and what providers sign, so none is ever logged.

use serde_json::{Value, json};
use zeroize::Zeroize as _;

use super::BrowserError;
use crate::types::Untrusted;
use crate::world::Piped;

/// The longest message that is read: a form with a SAML response has some ten thousand bytes.
const LONGEST: usize = 8 * 1024 * 1024;

/// What a browser says.
#[derive(PartialEq)]
pub(super) enum Message {
    /// The answer to the command of this number.
    Reply { id: u64, outcome: Result<Value, String> },
    /// Something happened, perhaps in the page of this session.
    Event { session: String, method: String, params: Value },
}

/// Cuts what comes out of the pipe into messages.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// How many bytes of it are known to hold no end.
    seen: usize,
}

impl Frames {
    /// Takes what came.
    ///
    /// # Errors
    /// The message is too long to be one.
    pub(super) fn take(&mut self, mut bytes: Vec<u8>) -> Result<(), &'static str> {
        self.bytes.extend_from_slice(&bytes);
        bytes.zeroize();
        if self.bytes.len() > LONGEST { Err("its message does not end") } else { Ok(()) }
    }

    /// The next whole message.
    ///
    /// # Errors
    /// What stands there is none.
    pub(super) fn next(&mut self) -> Option<Result<Message, &'static str>> {
        let Some(end) = self.bytes[self.seen..].iter().position(|byte| *byte == 0) else {
            self.seen = self.bytes.len();
            return None;
        };
        let end = self.seen + end;
        let message = read(&self.bytes[..end]);
        self.bytes[..=end].zeroize();
        self.bytes.drain(..=end);
        self.seen = 0;
        Some(message)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

fn read(bytes: &[u8]) -> Result<Message, &'static str> {
    let Ok(Value::Object(mut message)) = serde_json::from_slice(bytes) else { return Err("its message is no JSON object") };
    let mut text = |name: &str| match message.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (method, session) = (text("method"), text("sessionId").unwrap_or_default());
    if let Some(method) = method {
        return Ok(Message::Event { session, method, params: message.remove("params").unwrap_or_default() });
    }
    let Some(id) = message.get("id").and_then(Value::as_u64) else { return Err("its message is neither answer nor event") };
    let outcome = match message.remove("error") {
        Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
        None => Ok(message.remove("result").unwrap_or_default()),
    };
    Ok(Message::Reply { id, outcome })
}

/// The pipe, with messages in place of bytes.
pub(super) struct Wire {
    pipe: Box<dyn Piped>,
    frames: Frames,
    last: u64,
    /// Whether it ever said anything.
    has_spoken: bool,
    /// What people call the browser.
    title: String,
}

impl Wire {
    pub(super) fn new(pipe: Box<dyn Piped>, title: &str) -> Self {
        Self { pipe, frames: Frames::default(), last: 0, has_spoken: false, title: title.to_owned() }
    }

    /// Sends a command, to the browser or to a page of it; its number.
    ///
    /// # Errors
    /// The browser has ended.
    pub(super) async fn send(&mut self, session: &str, method: &str, params: Value) -> Result<u64, BrowserError> {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        tracing::debug!(method, "to the browser");
        let sent = self.pipe.send(&bytes).await;
        bytes.zeroize();
        match sent {
            Ok(()) => Ok(self.last),
            Err(_) => Err(self.gone().await),
        }
    }

    /// The next message. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// The browser has ended, or speaks something else.
    pub(super) async fn next(&mut self) -> Result<Message, BrowserError> {
        loop {
            match self.frames.next() {
                Some(Ok(message)) => {
                    self.has_spoken = true;
                    return Ok(message);
                }
                Some(Err(why)) => return Err(self.garbled(why)),
                None => {}
            }
            match self.pipe.receive().await {
                Ok(bytes) if bytes.is_empty() => return Err(self.gone().await),
                Ok(bytes) => self.frames.take(bytes).map_err(|why| self.garbled(why))?,
                Err(_) => return Err(self.gone().await),
            }
        }
    }

    /// Waits until the browser has ended by itself.
    pub(super) async fn ended(&mut self) {
        self.pipe.ended().await;
    }

    fn garbled(&self, why: &'static str) -> BrowserError {
        BrowserError::Garbled { browser: self.title.clone(), why }
    }

    /// Before it has said anything no page was opened, so what it complained holds nothing of one, and tells why.
    async fn gone(&mut self) -> BrowserError {
        if self.has_spoken {
            return BrowserError::Closed { browser: self.title.clone() };
        }
        let complaint = self.pipe.complaint().await;
        let last = complaint.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        BrowserError::Ended { browser: self.title.clone(), said: Untrusted::new(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        match read(bytes) {
            Ok(Message::Reply { id, outcome }) => format!("{id} {outcome:?}"),
            Ok(Message::Event { session, method, params }) => format!("{session}/{method} {params}"),
            Err(why) => why.to_owned(),
        }
    }

    #[test]
    fn reads_answers_and_events() {
        assert_eq!(told(br#"{"id":7,"result":{"a":1}}"#), r#"7 Ok(Object {"a": Number(1)})"#);
        assert_eq!(told(br#"{"id":7,"error":{"code":-32000,"message":"No"}}"#), r#"7 Err("No")"#);
        assert_eq!(told(br#"{"id":7}"#), "7 Ok(Null)");
        assert_eq!(told(br#"{"method":"A.b","params":{"c":[]},"sessionId":"S"}"#), r#"S/A.b {"c":[]}"#);
        for bytes in ["", "[]", "{", "nonsense", "\u{feff}{}"] {
            assert_eq!(told(bytes.as_bytes()), "its message is no JSON object", "{bytes}");
        }
        for bytes in ["{}", r#"{"id":"7"}"#, r#"{"id":-1}"#, r#"{"method":7}"#] {
            assert_eq!(told(bytes.as_bytes()), "its message is neither answer nor event", "{bytes}");
        }
        assert_eq!(told(&[b'{', 0xff, b'}']), "its message is no JSON object");
        assert_eq!(told(format!("{}{}", "[".repeat(9999), "]".repeat(9999)).as_bytes()), "its message is no JSON object");
    }

    #[test]
    fn messages_come_in_pieces_and_in_heaps() {
        let mut frames = Frames::default();
        let mut got = Vec::new();
        for piece in [&b"{\"id\""[..], b":1}\0{\"id\":2}\0{\"i", b"d\":3}", b"\0"] {
            frames.take(piece.to_vec()).unwrap();
            while let Some(message) = frames.next() {
                let Ok(Message::Reply { id, .. }) = message else { panic!() };
                got.push(id);
            }
        }
        assert_eq!((got, frames.bytes.len()), (vec![1, 2, 3], 0));
        assert!(frames.take(vec![b'a'; LONGEST]).is_ok() && frames.next().is_none());
        assert_eq!(frames.take(vec![b'a']), Err("its message does not end"));
    }
}
