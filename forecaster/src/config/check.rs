//! From what was typed to what is used.
//!
//! Promises to report everything that is wrong at once, each with key, value and remedy. Looks at the file system (do
//! the named files exist?) where it is asked to, and at nothing else.

mod model;
mod prometheus;
mod queries;
mod store;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{API_VERSION, ConfigFile, KIND, ScheduleFile, ServerFile};
use super::units;
use super::valid::{Config, Listen, Schedule, Server};
use super::{ConfigError, Problem};

/// The grid that forecasts are made on, in seconds; a resolution must divide it.
const GRID: u64 = 60;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Where a configuration is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it will run: the files that it names must exist.
    Here,
    /// Somewhere else, such as before it is applied to a cluster: files are not looked for.
    Elsewhere,
}

/// Checks a configuration as typed.
///
/// # Errors
/// [`ConfigError::Refused`] with everything that is wrong.
pub fn check(file: ConfigFile, place: Place) -> Result<Config, ConfigError> {
    let mut checker = Checker { problems: Vec::new(), place };
    checker.constant("apiVersion", file.api_version.as_deref(), API_VERSION);
    checker.constant("kind", file.kind.as_deref(), KIND);
    let schedule = checker.schedule(file.schedule);
    let config = Config {
        server: checker.server(file.server),
        prometheus: checker.prometheus(file.prometheus),
        nodes: checker.nodes(file.nodes),
        queries: checker.queries(file.queries, file.default_queries.as_deref(), file.variables),
        lstm: checker.model(&file.model),
        store: checker.store(file.store, schedule.tick),
        schedule,
    };
    if checker.problems.is_empty() { Ok(config) } else { Err(ConfigError::Refused(checker.problems)) }
}

/// Collects problems. Where a value is refused its method yields the default, so that the rest is checked too.
struct Checker {
    problems: Vec<Problem>,
    place: Place,
}

impl Checker {
    fn refuse(&mut self, key: impl Into<String>, value: impl std::fmt::Display, remedy: impl Into<String>) {
        self.problems.push(Problem::new(key, value, remedy));
    }

    fn constant(&mut self, key: &str, value: Option<&str>, expected: &str) {
        if value != Some(expected) {
            self.refuse(key, value.unwrap_or_default(), format!("write `{key}: {expected}`"));
        }
    }

    fn server(&mut self, file: ServerFile) -> Server {
        let listen = self.listen(file.listen);
        let admin = self.address("server.admin", file.admin, 8891);
        if listen == Listen::Loopback(admin) && admin.port() != 0 {
            self.refuse("server.admin", admin, "use another port than server.listen: the two are served apart");
        }
        Server { listen, admin }
    }

    fn listen(&mut self, value: Option<String>) -> Listen {
        let key = "server.listen";
        match value.as_deref().and_then(|text| text.strip_prefix("unix:")) {
            Some(path) if Path::new(path).is_absolute() => return Listen::Unix(path.into()),
            Some(path) => self.refuse(
                key,
                format!("unix:{path}"),
                "name a path from the root, such as unix:/run/gantry/forecasts.sock",
            ),
            None => {
                let address = self.address(key, value, 8890);
                if address.ip().is_loopback() {
                    return Listen::Loopback(address);
                }
                let remedy = "use a loopback address or unix: and a path: who reads forecasts is not asked for a name";
                self.refuse(key, address, remedy);
            }
        }
        Listen::Loopback(SocketAddr::from(([127, 0, 0, 1], 8890)))
    }

    fn address(&mut self, key: &str, value: Option<String>, port: u16) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], port));
        let Some(text) = value else { return default };
        text.parse().unwrap_or_else(|_| {
            self.refuse(key, &text, format!("use an IP address with a port, such as {default}"));
            default
        })
    }

    fn schedule(&mut self, file: ScheduleFile) -> Schedule {
        let schedule = Schedule {
            tick: self.duration("schedule.tick", file.tick, 30 * SECOND, SECOND..=5 * MINUTE),
            resolution: self.resolution(file.resolution),
            history: self.duration("schedule.history", file.history, 7 * DAY, HOUR..=30 * DAY),
            history_memory: self.bytes("schedule.historyMemory", file.history_memory, "32Mi", (1 << 20)..=(16 << 30)),
            retrain: self.duration("schedule.retrain", file.retrain, 6 * HOUR, MINUTE..=7 * DAY),
        };
        if schedule.tick.subsec_nanos() != 0 {
            self.refuse("schedule.tick", format!("{:?}", schedule.tick), "use whole seconds");
        }
        schedule
    }

    fn resolution(&mut self, value: Option<String>) -> u32 {
        let key = "schedule.resolution";
        let resolution = self.duration(key, value, 30 * SECOND, SECOND..=MINUTE);
        if resolution.subsec_nanos() != 0 || !GRID.is_multiple_of(resolution.as_secs()) {
            self.refuse(key, format!("{resolution:?}"), "use a divisor of 60s, such as 15s or 30s");
        }
        resolution.as_secs() as u32
    }

    fn duration(
        &mut self,
        key: &str,
        value: Option<String>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = value else { return default };
        let in_range = units::duration(&text).filter(|duration| range.contains(duration));
        in_range.unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let remedy = format!("use a duration from {low:?} to {high:?} with its unit, such as {default:?}");
            self.refuse(key, text, remedy);
            default
        })
    }

    fn bytes(&mut self, key: &str, value: Option<String>, default: &str, range: RangeInclusive<u64>) -> usize {
        let text = value.unwrap_or_else(|| default.to_owned());
        let in_range = units::bytes(&text).filter(|bytes| range.contains(bytes));
        in_range.map_or_else(
            || {
                let (low, high) = (range.start() >> 10, range.end() >> 10);
                self.refuse(key, text, format!("use a size from {low}Ki to {high}Ki, such as {default}"));
                0
            },
            |bytes| bytes as usize,
        )
    }

    fn number(&mut self, key: &str, value: Option<usize>, default: usize, range: RangeInclusive<usize>) -> usize {
        let value = value.unwrap_or(default);
        if range.contains(&value) {
            return value;
        }
        self.refuse(key, value, format!("use a number from {} to {}", range.start(), range.end()));
        default
    }

    fn file(&mut self, key: &str, path: PathBuf) -> PathBuf {
        if self.place == Place::Here && !path.is_file() {
            self.refuse(key, path.display(), "name a file that exists");
        }
        path
    }
}
