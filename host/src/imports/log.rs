//! The interface `log`: a plugin's lines in the host's log.
//!
//! It promises that no line can pass for the host's own, move a terminal's cursor, or fill the disk: control characters
//! go, long lines are cut, a call that writes too much ends, and what all calls write together is bounded by the second.
//! It must not know what the lines are about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::{debug, enabled, error, info, warn};

use crate::bindings::gantry::scheduling::{log, types};
use crate::limits::Limits;
use crate::state::State;

/// The longest line; the contract promises this number to plugin authors.
const LINE_BYTES: usize = 1024;

/// What a line takes in the log beside its text: time, level, the plugin's name. About what the JSON form adds.
const LINE_HEAD: usize = 128;

/// What the instances of one plugin write together: lines past a rate are dropped and counted, as a call that keeps to
/// its own budget a hundred times a second would fill a disk all the same.
pub(crate) struct Logbook {
    plugin: Arc<str>,
    /// Bytes a second, and at once.
    rate: usize,
    bucket: Mutex<Bucket>,
    dropped: AtomicU64,
}

struct Bucket {
    left: f64,
    filled: Instant,
    /// Lines dropped that the log does not tell of yet.
    untold: u64,
}

impl Logbook {
    pub(crate) fn new(plugin: &Arc<str>, rate: usize) -> Self {
        let bucket = Mutex::new(Bucket { left: rate as f64, filled: Instant::now(), untold: 0 });
        Self { plugin: Arc::clone(plugin), rate, bucket, dropped: AtomicU64::new(0) }
    }

    /// Lines dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether a line of `bytes` may be written now; if so, how many were dropped before it and since the last one.
    fn admits(&self, bytes: usize, now: Instant) -> Option<u64> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let refill = now.saturating_duration_since(bucket.filled).as_secs_f64() * self.rate as f64;
        (bucket.left, bucket.filled) = ((bucket.left + refill).min(self.rate as f64), now);
        let left = bucket.left - (bytes + LINE_HEAD) as f64;
        if left < 0.0 {
            bucket.untold += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        bucket.left = left;
        Some(std::mem::take(&mut bucket.untold))
    }

    /// Writes a line, unless too much was written of late. What nobody listens to costs nothing.
    fn write(&self, level: log::Level, message: &str, now: Instant) {
        if !is_heard(level) {
            return;
        }
        let plugin = &*self.plugin;
        let Some(dropped) = self.admits(message.len(), now) else { return };
        if dropped > 0 {
            warn!(
                plugin,
                dropped,
                bytes_per_second = self.rate,
                "lines of the plugin were dropped: it writes too many"
            );
        }
        write(plugin, level, message);
    }
}

/// How much of its log budget the current entry has left.
pub(crate) struct Log {
    book: Arc<Logbook>,
    limits: Budget,
    left: Option<Budget>,
}

#[derive(Clone, Copy)]
struct Budget {
    bytes: usize,
    lines: usize,
}

impl Budget {
    /// What is left after a line of `bytes`; none if it is too much.
    fn after(self, bytes: usize) -> Option<Self> {
        Some(Self { bytes: self.bytes.checked_sub(bytes)?, lines: self.lines.checked_sub(1)? })
    }
}

impl Log {
    pub(crate) fn new(book: &Arc<Logbook>, limits: &Limits) -> Self {
        let limits = Budget { bytes: limits.log_bytes, lines: limits.log_calls };
        Self { book: Arc::clone(book), limits, left: Some(limits) }
    }

    pub(crate) fn begin_entry(&mut self) {
        self.left = Some(self.limits);
    }

    /// True when the current entry was ended for writing too much.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left.is_none()
    }
}

/// The call wrote more to the log than one call may.
#[derive(Debug, thiserror::Error)]
#[error("the plugin wrote more than {bytes} bytes or {lines} lines to the log in one call")]
struct BudgetExceeded {
    bytes: usize,
    lines: usize,
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let Log { book, limits, left } = &mut self.log;
        *left = left.and_then(|left| left.after(message.len()));
        if left.is_none() {
            return Err(BudgetExceeded { bytes: limits.bytes, lines: limits.lines }.into());
        }
        book.write(level, &clean(&message), Instant::now());
        Ok(())
    }
}

impl types::Host for State {}

fn is_heard(level: log::Level) -> bool {
    match level {
        log::Level::Error => enabled!(tracing::Level::ERROR),
        log::Level::Warn => enabled!(tracing::Level::WARN),
        log::Level::Info => enabled!(tracing::Level::INFO),
        log::Level::Debug => enabled!(tracing::Level::DEBUG),
    }
}

fn write(plugin: &str, level: log::Level, message: &str) {
    match level {
        log::Level::Error => error!(plugin, "{message}"),
        log::Level::Warn => warn!(plugin, "{message}"),
        log::Level::Info => info!(plugin, "{message}"),
        log::Level::Debug => debug!(plugin, "{message}"),
    }
}

/// Without control characters, line and paragraph separators, and marks that turn the direction of text; cut to
/// [`LINE_BYTES`] at a character's end.
fn clean(message: &str) -> String {
    let mut line: String = message.chars().filter(|character| !is_control(*character)).collect();
    line.truncate(line.floor_char_boundary(LINE_BYTES));
    line
}

fn is_control(character: char) -> bool {
    let turns_text = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns_text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::turn::Turn;

    fn state(limits: &Limits) -> State {
        State::new(&Arc::new(Logbook::new(&"p".into(), limits.log_bytes)), limits)
    }

    #[test]
    fn what_all_calls_write_is_bounded_by_the_second_and_what_is_dropped_is_told_once() {
        let line = 72;
        let book = Logbook::new(&"p".into(), 10 * (line + LINE_HEAD));
        let write = |lines: usize, now| (0..lines).filter(|_| book.admits(line, now).is_some()).count();
        let start = Instant::now() + Duration::from_secs(1);
        assert_eq!((write(999, start), book.dropped()), (10, 989));
        assert_eq!(book.admits(line, start + Duration::from_millis(250)), Some(989));
        assert_eq!(book.admits(line, start + Duration::from_millis(250)), Some(0), "told once");
        assert_eq!(write(999, start + Duration::from_hours(1)), 10, "who was silent has no more than a second's worth");
    }

    /// Hears everything, and counts it.
    struct Ear(Arc<AtomicU64>);

    impl tracing::Subscriber for Ear {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn calls_that_each_keep_to_their_budget_fill_no_disk_together() {
        let heard = Arc::new(AtomicU64::new(0));
        let mut state = state(&Limits { log_bytes: 64 << 10, ..Limits::default() });
        tracing::subscriber::with_default(Ear(Arc::clone(&heard)), || {
            for _ in 0..100 {
                state.begin_entry(Turn::none());
                for _ in 0..999 {
                    log::Host::log(&mut state, log::Level::Info, "x".repeat(60)).unwrap();
                }
            }
        });
        let (heard, dropped) = (heard.load(Ordering::Relaxed), state.log.book.dropped());
        assert!(dropped > 50_000 && heard < 50_000, "{heard} written, {dropped} dropped");
    }

    #[test]
    fn lines_that_nobody_listens_to_take_nothing_from_those_that_are_heard() {
        let book = Logbook::new(&"p".into(), 1);
        tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
            book.write(log::Level::Debug, "", Instant::now());
        });
        assert_eq!(book.dropped(), 0);
    }

    #[test]
    fn escape_sequences_and_line_breaks_do_not_reach_the_log() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\0d\u{202e}e\u{9b}f\u{2028}g"), "a[31mbcdefg");
    }

    #[test]
    fn a_long_line_is_cut_at_the_end_of_a_character() {
        assert_eq!(clean(&"x".repeat(2000)).len(), 1024);
        assert_eq!(clean(&"€".repeat(2000)).len(), 1023);
    }

    #[test]
    fn the_budget_counts_bytes_and_lines_of_one_entry() {
        let mut state = state(&Limits { log_bytes: 10, log_calls: 3, ..Limits::default() });
        let write = |state: &mut State, line: &str| log::Host::log(state, log::Level::Debug, line.to_owned());
        assert!(write(&mut state, "0123456789").is_ok());
        assert!(write(&mut state, "0").is_err());
        assert!(state.log.is_exhausted());

        state.begin_entry(Turn::none());
        for _ in 0..3 {
            assert!(write(&mut state, "").is_ok());
        }
        assert!(write(&mut state, "").is_err());
    }

    #[test]
    fn an_entry_that_was_ended_stays_ended() {
        let mut state = state(&Limits { log_bytes: 1, ..Limits::default() });
        assert!(log::Host::log(&mut state, log::Level::Debug, "22".into()).is_err());
        assert!(log::Host::log(&mut state, log::Level::Debug, String::new()).is_err());
    }
}
