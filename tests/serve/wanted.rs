//! What a test needs beside this repository, named by a variable: a database, a server, a browser.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;

/// What a variable names. Where it names nothing, that is said once, beside what the tests print; with `SAML2CLOUD_TEST_ALL=1`, as `tests/real/serve` has it,
/// the test fails: what did not run must not count as passed there.
pub(crate) fn wanted(variable: &'static str) -> Option<String> {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        let is_all = std::env::var("SAML2CLOUD_TEST_ALL").is_ok_and(|value| value == "1");
        assert!(!is_all, "{variable} is not set, and SAML2CLOUD_TEST_ALL wants every test to run");
        if SAID.lock().unwrap().insert(variable) {
            // Past the capture of what tests print.
            let _ = writeln!(std::io::stderr(), "skipped: set {variable} (tests/real/serve does) for the tests that need it");
        }
    }
    value
}
