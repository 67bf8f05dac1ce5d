//! Many callers at once, each with the next piece of work as soon as it has done one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Result;

/// What was measured.
pub(crate) struct Timed {
    /// How long that took which was counted: all but the first tenth.
    pub(crate) took: Duration,
    /// What the process computed for each piece.
    computed: Duration,
    each: Vec<Duration>,
}

impl Timed {
    /// `rate | p50 | p99 | computed for each`, for a table. The last column does not depend on what else the machine is doing.
    pub(crate) fn columns(&self) -> String {
        let at = |share: f64| {
            let place = (self.each.len().saturating_sub(1) as f64 * share) as usize;
            self.each.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let rate = self.each.len() as f64 / self.took.as_secs_f64();
        format!("{rate:.0}/s | {:.2} ms | {:.2} ms | {:.2} ms", at(0.5), at(0.99), self.computed.as_secs_f64() * 1000.0)
    }
}

/// Runs `count` pieces of work, `callers` at a time; the first tenth is not counted. `process` is the one that computes: this one, load generator and
/// all, where none is named.
pub(crate) async fn timed<W, F>(callers: u64, count: u64, process: Option<u32>, work: W) -> Result<Timed>
where
    W: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Result> + Send,
{
    let before = computed(process);
    let (work, next) = (Arc::new(work), Arc::new(AtomicU64::new(0)));
    let warm = count / 10;
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (work, next) = (work.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let (mut each, mut first) = (Vec::new(), None);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, String>((first, each));
                }
                let start = Instant::now();
                work(at).await.map_err(|error| error.to_string())?;
                if at >= warm {
                    first.get_or_insert(start);
                    each.push(start.elapsed());
                }
            }
        }));
    }
    let (mut begun, mut each) = (None, Vec::new());
    for task in tasks {
        let (first, own) = task.await??;
        begun = [begun, first].into_iter().flatten().min();
        each.extend(own);
    }
    let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
    each.sort_unstable();
    let computed = (computed(process) - before) / u32::try_from(count)?;
    Ok(Timed { took, computed, each })
}

/// What a process has computed so far: user and system time, in hundredths of a second (proc(5)).
fn computed(process: Option<u32>) -> Duration {
    let name = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|number| number.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
