//! Why a component was not loaded, and why a call gave no answer.
//!
//! Every failure has a [`Reason`] from a closed set, which becomes a metric's label; the errors themselves keep their
//! source and name the plugin, the entry and the value. They must not know what is done about a failure.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::component::Digest;
use crate::types;
use crate::workshop::CompileError;

/// How many imports a message names. The runtime of a language brings some thirty, of which a few tell enough.
const NAMED_IMPORTS: usize = 8;

/// What to do about imports of WASI, which languages' tools add unasked.
const WITHOUT_WASI: &str = "; WASI is not there: build Rust for wasm32-unknown-unknown, and have componentize-py and \
                            componentize-qjs leave it out by --stub-wasi";

/// An error of the engine, whose own type is no [`Error`].
pub type Source = Box<dyn Error + Send + Sync>;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The label in metrics, events and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

labels! {
    /// Why the extender falls back to a neutral answer.
    Reason {
        /// The component panicked or did something that WebAssembly forbids.
        Trap = "trap",
        /// It took longer than its deadline, or to compile.
        Deadline = "deadline",
        /// It failed after it was refused more memory, or took too much to compile.
        Memory = "memory",
        /// Its calls went too deep.
        Stack = "stack",
        /// It wrote more to the log than one call may.
        LogBudget = "log-budget",
        /// An answer with another length than the rows or pods asked about.
        BadLength = "bad-length",
        /// A number in an answer that is not finite.
        NotFinite = "not-finite",
        /// A number in an answer outside its range.
        OutOfRange = "out-of-range",
        /// A component, or an answer, larger than allowed.
        TooLarge = "too-large",
        /// The component imports what no plugin may have.
        ForeignImport = "foreign-import",
        /// The bytes are no component, or not one of this world.
        InvalidComponent = "invalid-component",
        /// The bytes are not those that the configuration names.
        DigestMismatch = "digest-mismatch",
        /// The component answered with an error of its own.
        PluginError = "plugin-error",
        /// Too many callers wait for this plugin.
        Overloaded = "overloaded",
        /// There is no plugin that could be asked.
        Unavailable = "unavailable",
    }
}

labels! {
    /// The ways into a component.
    Entry {
        /// Its start code.
        Instantiate = "instantiate",
        /// `describe`.
        Describe = "describe",
        /// `configure`.
        Configure = "configure",
        /// `push-snapshot`.
        PushSnapshot = "push-snapshot",
        /// `apply-delta`.
        ApplyDelta = "apply-delta",
        /// `filter`.
        Filter = "filter",
        /// `score`.
        Score = "score",
        /// `plan`.
        Plan = "plan",
    }
}

/// Why bytes did not become a component that can be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The engine refused its configuration: a fault of this host, or of the machine.
    #[error("the engine could not be made")]
    Engine(#[source] Source),
    /// The machine has no thread left for the ticks that deadlines are counted in.
    #[error("the thread that counts deadlines could not be started")]
    Ticker(#[source] std::io::Error),
    /// The file is larger than any sensible component; compiling it would cost minutes and gigabytes.
    #[error("the component has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The bytes given.
        size: usize,
        /// The bytes allowed.
        limit: usize,
    },
    /// The bytes are not those that were asked for. Nothing of them was used.
    #[error("the component is {found}, the configuration asks for {expected}")]
    DigestMismatch {
        /// The digest configured.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// The bytes are no WebAssembly component, or use features that are off.
    #[error("the bytes are no valid component")]
    Invalid(#[source] Source),
    /// Compiling it in a child process was stopped, or went wrong.
    #[error(transparent)]
    NotCompiled(#[from] CompileError),
    /// The component wants something of the host that no plugin may have. Nothing of it was run.
    #[error(
        "the component imports {}; a plugin may import `{allowed}` and nothing else{}",
        listed(.imports),
        remedy(.imports)
    )]
    ForeignImport {
        /// The interfaces or functions imported, sorted.
        imports: Vec<String>,
        /// What a plugin may import.
        allowed: &'static str,
    },
    /// The component was built for another version of the contract.
    #[error("the component speaks `{found}`, this host speaks version {spoken}: rebuild it with wit/ of this version")]
    WorldVersion {
        /// The import or export found.
        found: String,
        /// The version of the contract that this host was built with.
        spoken: &'static str,
    },
    /// The component lacks the exports of the world, or has them with other types.
    #[error("the component is no plugin: it does not fit the world `{world}`")]
    NotAPlugin {
        /// The world of plugins.
        world: &'static str,
        /// What is missing.
        #[source]
        source: Source,
    },
}

impl LoadError {
    /// The reason in one word.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Engine(_) | Self::Ticker(_) | Self::NotCompiled(CompileError::Unstartable(_)) => Reason::Unavailable,
            Self::TooLarge { .. } => Reason::TooLarge,
            Self::DigestMismatch { .. } => Reason::DigestMismatch,
            Self::ForeignImport { .. } => Reason::ForeignImport,
            Self::NotCompiled(CompileError::Timeout { .. }) => Reason::Deadline,
            Self::NotCompiled(CompileError::Memory { .. }) => Reason::Memory,
            Self::Invalid(_)
            | Self::WorldVersion { .. }
            | Self::NotAPlugin { .. }
            | Self::NotCompiled(CompileError::Crashed { .. }) => Reason::InvalidComponent,
        }
    }
}

fn listed(imports: &[String]) -> String {
    let named: Vec<String> = imports.iter().take(NAMED_IMPORTS).map(|import| format!("`{import}`")).collect();
    match imports.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn remedy(imports: &[String]) -> &'static str {
    if imports.iter().any(|import| import.starts_with("wasi:")) { WITHOUT_WASI } else { "" }
}

/// A call that gave no usable answer.
///
/// Its text holds that of the [`Failure`]; its source is therefore the failure's source.
#[derive(Debug)]
pub struct CallError {
    plugin: Arc<str>,
    entry: Entry,
    failure: Failure,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` failed in {}: {}", self.plugin, self.entry, self.failure)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

impl CallError {
    pub(crate) fn new(plugin: &Arc<str>, entry: Entry, failure: Failure) -> Self {
        Self { plugin: Arc::clone(plugin), entry, failure }
    }

    /// The reason in one word.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.failure.reason()
    }

    /// Where it failed.
    #[must_use]
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What went wrong, with its values.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

/// What went wrong in a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The engine stopped the component; the instance is gone.
    #[error("{reason}")]
    Stopped {
        /// Trap, deadline, memory, stack, log budget or too large.
        reason: Reason,
        /// The engine's words, with the component's backtrace where it has one.
        #[source]
        source: Source,
    },
    /// An answer of the wrong length.
    #[error("{found} entries, {expected} expected")]
    BadLength {
        /// The length of the answer.
        found: usize,
        /// The rows or pods that it should answer for.
        expected: usize,
    },
    /// A number that is not finite.
    #[error("{field}[{index}] is {value}")]
    NotFinite {
        /// The part of the answer.
        field: &'static str,
        /// The row, pod or place in it.
        index: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A number outside its range.
    #[error("{field}[{index}] is {value}, allowed are {allowed}")]
    OutOfRange {
        /// The part of the answer.
        field: &'static str,
        /// The row, pod or place in it.
        index: usize,
        /// The number.
        value: f64,
        /// The range.
        allowed: String,
    },
    /// The plugin's own error.
    #[error("the plugin answers {}", .0.name())]
    Refused(types::Error),
    /// The settings were refused.
    #[error("setting `{key}` = {value}: {message}")]
    Settings {
        /// The path of the key at fault.
        key: String,
        /// The value at fault, as JSON.
        value: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The plugin describes itself in a way that cannot be used.
    #[error("{field} is {value:?}, allowed are {allowed}")]
    Description {
        /// The part of the description.
        field: &'static str,
        /// What the plugin said.
        value: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// All instances that may work at a time are busy, and too many callers wait already or this one waited too long.
    #[error("all {workers} instances are busy and {waiting} callers wait")]
    Overloaded {
        /// The instances that may work at a time.
        workers: usize,
        /// The callers waiting.
        waiting: usize,
    },
    /// The plugin has no such extension point.
    #[error("the plugin does not offer this extension point")]
    NotOffered,
}

impl Failure {
    /// The reason in one word.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Stopped { reason, .. } => *reason,
            Self::BadLength { .. } => Reason::BadLength,
            Self::NotFinite { .. } => Reason::NotFinite,
            Self::OutOfRange { .. } => Reason::OutOfRange,
            Self::Refused(_) | Self::Settings { .. } => Reason::PluginError,
            Self::Description { .. } => Reason::InvalidComponent,
            Self::Overloaded { .. } => Reason::Overloaded,
            Self::NotOffered => Reason::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(imports: impl IntoIterator<Item = String>) -> String {
        LoadError::ForeignImport { imports: imports.into_iter().collect(), allowed: "log" }.to_string()
    }

    #[test]
    fn eight_foreign_imports_are_named_and_the_others_counted() {
        let all = |count: usize| foreign((1..=count).map(|number| format!("i{number}")));
        assert_eq!(all(1), "the component imports `i1`; a plugin may import `log` and nothing else");
        assert!(all(8).contains("`i7`, `i8`; a plugin"), "{}", all(8));
        assert!(all(11).contains("`i8` and 3 more; a plugin") && !all(11).contains("i9"), "{}", all(11));
    }

    #[test]
    fn whoever_imports_wasi_is_told_how_to_build_without_it_and_nobody_else() {
        let wasi = foreign(["somebody:else/files".into(), "wasi:cli/stdout@0.2.0".into()]);
        assert!(wasi.contains("wasm32-unknown-unknown") && wasi.contains("--stub-wasi"), "{wasi}");
        let other = foreign(["somebody:else/wasi".into()]);
        assert!(!other.contains("--stub-wasi"), "{other}");
    }
}
