//! A moment.

use std::fmt;
use std::time::Duration;

/// A moment in time. Where it comes from is a parameter everywhere (`Clock::now`), so a test can hold it still.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The moment that the operating system calls now. Only the clock asks.
    pub(crate) fn system_now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// Reads RFC 3339, with any offset; fractions are allowed.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }

    /// Seconds since 1970.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(Self)
    }

    /// Seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// Milliseconds since 1970, as databases keep it.
    pub fn unix_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Milliseconds since 1970.
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(millis).ok().map(Self)
    }

    /// Later by `by`; the end of time at the most.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Earlier by `by`; the beginning of time at the least.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by).unwrap_or(jiff::Timestamp::MIN))
    }

    /// How long from `earlier` to here; zero when this is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }

    /// `2026-01-02T03:04:05Z`, whole seconds.
    pub fn utc(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2019-08-19T15:00:56-06:00` in the zone of this machine, as the old tools wrote it into profiles.
    pub fn local_rfc3339(self) -> String {
        self.zoned().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// `2019-01-30 16:29:35 -0700 MST` in the zone of this machine, for people.
    pub fn local_for_people(self) -> String {
        self.zoned().strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
    }

    fn zoned(self) -> jiff::Zoned {
        self.0.to_zoned(jiff::tz::TimeZone::system())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let t = Timestamp::parse("2026-01-02T04:04:05.5+01:00").unwrap();
        assert_eq!(t.utc(), "2026-01-02T03:04:05Z");
        assert_eq!(Timestamp::from_unix(t.unix()).unwrap().utc(), t.utc());
        assert_eq!(Timestamp::parse("This-is-invalid"), None);
        assert_eq!((t.unix_millis() % 1000, Timestamp::from_unix_millis(t.unix_millis())), (500, Some(t)));
        assert_eq!(t.after(Duration::from_secs(60)).since(t), Duration::from_secs(60));
        assert_eq!(t.since(t.after(Duration::from_secs(60))), Duration::ZERO);
        assert_eq!(t.after(Duration::from_secs(60)).before(Duration::from_secs(60)), t);
    }
}
