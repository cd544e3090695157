//! The threads that cycles run on.
//!
//! Promises that no cycle waits for another one's thread, however long a plugin keeps that, up to [`MOST`] threads; that
//! a thread which has stepped back ends with its cycle, so that nobody inherits its place behind all others; and that a
//! panic costs its own cycle alone. Must not know what a cycle is.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use gantry_host::turn::has_stepped_back;
use tokio::sync::oneshot;

/// Threads at once; who comes then waits for one. A cycle without an answer gives its thread back at its deadline.
const MOST: usize = 512;
/// How long a thread waits for the next cycle.
const KEPT: Duration = Duration::from_mins(1);

type Job = Box<dyn FnOnce() + Send>;

/// Threads that come and go with the work there is.
#[derive(Default)]
pub struct Workers {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait, or are on their way to one of the jobs.
    idle: usize,
    threads: usize,
}

impl fmt::Debug for Workers {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts `work` on a thread, and gives its result to whoever waits for it; nobody gets one if `work` panics.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<oneshot::Receiver<T>> {
        let (done, result) = oneshot::channel();
        // Nobody may wait for it any longer.
        let job: Job = Box::new(move || drop(done.send(work())));
        let mut queue = self.queue();
        if queue.idle > queue.jobs.len() || queue.threads >= MOST {
            queue.jobs.push_back(job);
            drop(queue);
            self.arrived.notify_one();
        } else {
            queue.threads += 1;
            drop(queue);
            self.start(job).inspect_err(|_| self.queue().threads -= 1)?;
        }
        Ok(result)
    }

    fn start(self: &Arc<Self>, first: Job) -> io::Result<()> {
        let workers = Arc::clone(self);
        thread::Builder::new().name("gantry-cycle".to_owned()).spawn(move || workers.work(first)).map(drop)
    }

    fn work(self: &Arc<Self>, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // The hook has told of a panic, and who waits hears of it by the channel.
            drop(catch_unwind(AssertUnwindSafe(job)));
            next = if has_stepped_back() { self.hand_over() } else { self.wait() };
        }
    }

    /// The next job; `None`: this thread is not needed any more.
    fn wait(&self) -> Option<Job> {
        let mut queue = self.queue();
        queue.idle += 1;
        let waited = self.arrived.wait_timeout_while(queue, KEPT, |queue| queue.jobs.is_empty());
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
        let job = queue.jobs.pop_front();
        queue.threads -= usize::from(job.is_none());
        job
    }

    /// The end of a thread that is behind all others, but where a job waits that has no other thread.
    fn hand_over(&self) -> Option<Job> {
        let mut queue = self.queue();
        let orphan = if queue.jobs.len() > queue.idle { queue.jobs.pop_front() } else { None };
        queue.threads -= usize::from(orphan.is_none());
        orphan
    }

    /// A panic while the lock is held cannot leave the queue half changed.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread::ThreadId;

    use gantry_host::turn::step_back;

    use super::*;

    fn own_id() -> ThreadId {
        thread::current().id()
    }

    fn result<T: Send + 'static>(workers: &Arc<Workers>, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        workers.run(work).unwrap().blocking_recv().ok()
    }

    fn wait_until(workers: &Workers, is_so: impl Fn(&Queue) -> bool) {
        while !is_so(&workers.queue()) {
            thread::yield_now();
        }
    }

    #[test]
    fn an_idle_thread_is_used_again() {
        let workers = Arc::new(Workers::default());
        let first = result(&workers, own_id);
        wait_until(&workers, |queue| queue.idle == 1);
        assert_eq!(result(&workers, own_id), first);
        assert_eq!(workers.queue().threads, 1);
    }

    #[test]
    fn a_thread_that_stepped_back_ends_with_its_cycle() {
        let workers = Arc::new(Workers::default());
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = result(&workers, priority);
        wait_until(&workers, |queue| queue.idle == 1);
        assert_eq!(result(&workers, step_back), Some(()));
        wait_until(&workers, |queue| queue.threads == 0);
        assert_eq!(result(&workers, priority), before);
    }

    #[test]
    fn nobody_waits_for_somebody_elses_cycle() {
        let workers = Arc::new(Workers::default());
        let all_are_there = Arc::new(Barrier::new(20));
        let cycle = |_| {
            let all_are_there = Arc::clone(&all_are_there);
            workers.run(move || all_are_there.wait().is_leader()).unwrap()
        };
        let cycles: Vec<_> = (0..20).map(cycle).collect();
        let leaders = cycles.into_iter().filter_map(|result| result.blocking_recv().ok()).filter(|leads| *leads);
        assert_eq!(leaders.count(), 1);
    }

    #[test]
    fn a_panic_costs_its_own_cycle_alone() {
        let workers = Arc::new(Workers::default());
        assert_eq!(result(&workers, || -> u8 { panic!("on purpose") }), None);
        wait_until(&workers, |queue| queue.idle == 1);
        assert_eq!(result(&workers, || 7), Some(7));
        assert_eq!(workers.queue().threads, 1);
    }

    #[test]
    fn a_job_that_has_no_other_thread_is_done_by_one_that_stepped_back() {
        let workers = Arc::new(Workers::default());
        workers.queue().threads = MOST - 1;
        let start = Arc::new(Barrier::new(2));
        let last = {
            let start = Arc::clone(&start);
            workers.run(move || {
                start.wait();
                step_back();
                own_id()
            })
        };
        let waits = workers.run(own_id).unwrap();
        start.wait();
        assert_eq!(waits.blocking_recv().unwrap(), last.unwrap().blocking_recv().unwrap());
    }
}
