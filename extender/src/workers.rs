//! Where a cycle runs: on the worker that read its request, or on a thread of its own.
//!
//! A change of threads and back costs more than most cycles, and on a busy machine many times as much. But a plugin may
//! take all of its deadline, and whoever watches deadlines must not wait for that. So a cycle stays where it is
//! as long as another worker is free; the others go to threads that may wait. Knows nothing of what a cycle does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::task::{self, JoinHandle};

/// Counts the workers that are taken.
#[derive(Debug, Default)]
pub struct Workers {
    taken: Arc<AtomicUsize>,
}

/// A worker taken; given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Begins the work. What becomes of it is its own affair: it goes on where nobody waits for it any more.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        match self.take(Handle::current().metrics().num_workers()) {
            Some(place) => task::spawn(async move {
                let _place = place;
                work()
            }),
            None => task::spawn_blocking(work),
        }
    }

    fn take(&self, workers: usize) -> Option<Place> {
        let one_more = |taken: usize| (taken + 1 < workers).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Place(Arc::clone(&self.taken)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn one_worker_always_stays_free() {
        let workers = Workers::default();
        assert!(workers.take(1).is_none());
        let first = workers.take(3);
        let second = workers.take(3);
        assert!(first.is_some() && second.is_some() && workers.take(3).is_none());
        drop(first);
        assert!(workers.take(3).is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_never_ends_keeps_nobody_from_working() {
        let workers = Workers::default();
        let (end, ended) = mpsc::channel::<()>();
        let stuck = workers.run(move || ended.recv());
        let others: Vec<_> = (0..8).map(|number| workers.run(move || number)).collect();
        for (number, other) in others.into_iter().enumerate() {
            assert_eq!(other.await.unwrap(), number);
        }
        drop(end);
        assert!(stuck.await.unwrap().is_err());
        assert_eq!(workers.taken.load(Ordering::Relaxed), 0);
    }
}
