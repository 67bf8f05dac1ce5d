//! Several questions at once.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// A question under way.
pub(super) type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for all of them at once; the results come in the order of the questions.
pub(super) async fn together<T>(mut waiting: Vec<Asked<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in waiting.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let Poll::Ready(result) = future.as_mut().poll(context)
            {
                *slot = Some(result);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
