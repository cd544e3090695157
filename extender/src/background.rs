//! Work that requests must not feel: threads that let requests go first, and panics of tasks that nobody waits for,
//! which would otherwise end them in silence.
//!
//! A thread that computes for a second, or reads a thousand events of a watch, is otherwise given its turns like one that
//! answers a request in a tenth of a millisecond, and where all cores are busy the request waits a whole time slice for
//! it. Requests go before what the process learns of the cluster, and that before searches. Must not know: what the work
//! is.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use futures::FutureExt;
use gantry_host::turn::step_back;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

/// The threads of all that is no request: one step behind those of requests, and so is what they start.
///
/// # Errors
/// The system has no threads left.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("gantry-background").on_thread_start(step_back).build()
}

/// Starts `work` a step behind and gives its result to whoever waits for it; nobody gets one if `work` panics.
///
/// # Errors
/// The system has no thread left.
pub fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let work = move || {
        step_back();
        // Nobody may wait for it any longer.
        drop(done.send(work()));
    };
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(result)
}

/// Does `work` to its end, and says whether it got there: false after a panic, of which the log has the place.
///
/// What `work` left half done stays so: whoever goes on puts it right.
pub async fn ends_well(work: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(work).catch_unwind().await.is_ok()
}

/// Does `work` on this thread; after a panic, of which the log has the place, gives its words.
///
/// What `work` left half done stays so: whoever goes on puts it right.
///
/// # Errors
/// What the panic said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (None, Some(words)) => words.clone(),
        (None, None) => "it gave no reason".to_owned(),
    }
}

/// The first of `tasks` to panic, as it says; never, if none does.
pub async fn first_panic(tasks: &mut JoinSet<()>) -> JoinError {
    loop {
        match tasks.join_next().await {
            Some(Err(error)) if error.is_panic() => return error,
            Some(_ended) => {}
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use gantry_host::turn::STEP;

    use super::*;

    #[tokio::test]
    async fn work_is_done_behind_all_other_threads_and_only_it() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let during = run("work", priority).unwrap().await.unwrap();
        assert_eq!((during, priority()), ((before + STEP).min(19), before));
    }

    #[test]
    fn tasks_in_the_background_are_a_step_behind_and_what_they_start_is_two() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let task = async move { (priority(), run("work", priority).unwrap().await.unwrap()) };
        let background = runtime().unwrap();
        let behind = background.block_on(background.spawn(task)).unwrap();
        assert_eq!(behind, ((before + STEP).min(19), (before + 2 * STEP).min(19)));
    }

    #[tokio::test]
    async fn work_that_panics_has_no_result_and_harms_nobody() {
        let result = run("work", || -> u8 { panic!("on purpose") }).unwrap();
        assert!(result.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_is_told_from_a_good_end() {
        assert!(ends_well(async {}).await);
        assert!(!ends_well(async { panic!("on purpose") }).await);
    }

    #[test]
    fn a_panic_that_is_caught_leaves_its_words_behind() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| -> u8 { panic!("on purpose") }), Err("on purpose".to_owned()));
        let two = 2;
        assert_eq!(caught(|| -> u8 { panic!("on purpose, {two} times") }), Err("on purpose, 2 times".to_owned()));
        assert_eq!(caught(|| -> u8 { std::panic::panic_any(two) }), Err("it gave no reason".to_owned()));
    }

    #[tokio::test]
    async fn of_many_tasks_the_one_that_panics_is_found() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async {});
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("on purpose") });
        assert!(first_panic(&mut tasks).await.is_panic());
        assert_eq!(tasks.len(), 1);
    }
}
