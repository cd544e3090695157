//! The interface `log`: a plugin's lines in the host's log.
//!
//! It promises that no line can pass for the host's own, move a terminal's cursor, or fill the disk: control characters
//! go, long lines are cut, and a call that writes too much ends. It must not know what the lines are about.

use std::sync::Arc;

use tracing::{debug, error, info, warn};

use crate::bindings::gantry::scheduling::{log, types};
use crate::limits::Limits;
use crate::state::State;

/// The longest line; the contract promises this number to plugin authors.
const LINE_BYTES: usize = 1024;

/// How much of its log budget the current entry has left.
pub(crate) struct Log {
    plugin: Arc<str>,
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
    pub(crate) fn new(plugin: &Arc<str>, limits: &Limits) -> Self {
        let limits = Budget { bytes: limits.log_bytes, lines: limits.log_calls };
        Self { plugin: Arc::clone(plugin), limits, left: Some(limits) }
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
        let Log { plugin, limits, left } = &mut self.log;
        *left = left.and_then(|left| left.after(message.len()));
        if left.is_none() {
            return Err(BudgetExceeded { bytes: limits.bytes, lines: limits.lines }.into());
        }
        write(plugin, level, &clean(&message));
        Ok(())
    }
}

impl types::Host for State {}

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
    use super::*;

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
        let mut state = State::new(&"p".into(), &Limits { log_bytes: 10, log_calls: 3, ..Limits::default() });
        let write = |state: &mut State, line: &str| log::Host::log(state, log::Level::Debug, line.to_owned());
        assert!(write(&mut state, "0123456789").is_ok());
        assert!(write(&mut state, "0").is_err());
        assert!(state.log.is_exhausted());

        state.begin_entry();
        for _ in 0..3 {
            assert!(write(&mut state, "").is_ok());
        }
        assert!(write(&mut state, "").is_err());
    }

    #[test]
    fn an_entry_that_was_ended_stays_ended() {
        let mut state = State::new(&"p".into(), &Limits { log_bytes: 1, ..Limits::default() });
        assert!(log::Host::log(&mut state, log::Level::Debug, "22".into()).is_err());
        assert!(log::Host::log(&mut state, log::Level::Debug, String::new()).is_err());
    }
}
