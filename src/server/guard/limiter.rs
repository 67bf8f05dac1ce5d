//! How much comes from where: a bucket each that fills with the time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::types::Timestamp;

/// How many buckets are remembered. Full ones are forgotten first: they say nothing.
const MOST: usize = 50_000;

/// How much at once, and how fast it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many come back a minute.
    pub a_minute: u32,
}

impl Rate {
    /// All of a minute at once.
    pub fn of(a_minute: u32) -> Self {
        Self { burst: a_minute, a_minute }
    }

    /// At once no more than what comes back in five seconds, or ten: for what is passed on to somebody who has limits too.
    pub fn smooth(a_minute: u32) -> Self {
        Self { burst: (a_minute / 12).max(10).min(a_minute), a_minute }
    }
}

/// Buckets, by name.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<HashMap<String, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// What is left in it, in thousandths.
    left: u64,
    /// When that was so, in milliseconds.
    at: i64,
    rate: Rate,
}

impl Bucket {
    fn fill(&mut self, now: i64) {
        let passed = u64::try_from(now.saturating_sub(self.at)).unwrap_or_default();
        // Thousandths a millisecond: `a_minute` × 1000 ÷ 60000.
        self.left = self.left.saturating_add(passed.saturating_mul(self.rate.a_minute.into()) / 60).min(self.full());
        self.at = self.at.max(now);
    }

    fn full(&self) -> u64 {
        u64::from(self.rate.burst).saturating_mul(1000)
    }
}

impl Limiter {
    /// Takes one out of a bucket.
    ///
    /// # Errors
    /// It is empty; in how many seconds one will be there.
    pub fn take(&self, name: &str, rate: Rate, now: Timestamp) -> Result<(), u64> {
        let now = now.unix_millis();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(name) {
            forget(&mut buckets, now);
        }
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket { left: u64::from(rate.burst) * 1000, at: now, rate });
        bucket.fill(now);
        if bucket.left >= 1000 {
            bucket.left -= 1000;
            return Ok(());
        }
        Err(((1000 - bucket.left) * 60).div_ceil(u64::from(rate.a_minute.max(1))).div_ceil(1000).max(1))
    }

    /// Gives one back that was taken and not needed.
    pub fn give_back(&self, name: &str) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(name) {
            bucket.left = (bucket.left + 1000).min(bucket.full());
        }
    }
}

fn forget(buckets: &mut HashMap<String, Bucket>, now: i64) {
    buckets.retain(|_, bucket| {
        bucket.fill(now);
        bucket.left < bucket.full()
    });
    if buckets.len() >= MOST {
        // So many callers at once are an attack, and they all begin anew rather than fill the memory.
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_with_the_time() {
        let limiter = Limiter::default();
        let start = Timestamp::from_unix(1_800_000_000).unwrap();
        for _ in 0..30 {
            assert_eq!(limiter.take("a", Rate::of(30), start), Ok(()));
        }
        assert_eq!(limiter.take("a", Rate::of(30), start), Err(2));
        assert_eq!(limiter.take("b", Rate::of(30), start), Ok(()));
        let later = start.after(Duration::from_secs(2));
        assert_eq!((limiter.take("a", Rate::of(30), later), limiter.take("a", Rate::of(30), later)), (Ok(()), Err(2)));
        // A clock that goes back gives nothing.
        assert_eq!(limiter.take("a", Rate::of(30), start), Err(2));
        let much_later = start.after(Duration::from_secs(3600));
        assert_eq!((0..31).filter(|_| limiter.take("a", Rate::of(30), much_later).is_ok()).count(), 30);
    }

    #[test]
    fn what_is_passed_on_is_smooth() {
        let limiter = Limiter::default();
        let start = Timestamp::from_unix(1_800_000_000).unwrap();
        let rate = Rate::smooth(600);
        assert_eq!((0..600).filter(|_| limiter.take("a", rate, start).is_ok()).count(), 50);
        assert!(limiter.take("a", rate, start).is_err() && limiter.take("b", rate, start).is_ok());
        // What is given back is there again, and never more than there can be.
        limiter.give_back("a");
        assert_eq!([(); 2].map(|()| limiter.take("a", rate, start).is_ok()), [true, false]);
        limiter.give_back("b");
        limiter.give_back("b");
        assert_eq!((0..600).filter(|_| limiter.take("b", rate, start).is_ok()).count(), 50);
        assert_eq!((Rate::smooth(5).burst, Rate::smooth(60).burst), (5, 10));
    }

    #[test]
    fn its_memory_has_an_end() {
        let limiter = Limiter::default();
        let start = Timestamp::from_unix(1_800_000_000).unwrap();
        for number in 0..MOST + 10 {
            let _ = limiter.take(&number.to_string(), Rate::of(60), start);
        }
        assert!(limiter.0.lock().unwrap().len() <= MOST);
    }
}
