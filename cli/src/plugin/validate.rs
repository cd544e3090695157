//! `plugin validate`: the contract's rules, one by one, against a plugin.
//!
//! Lengths and ranges of answers are the host's checks, as in production; what the host cannot see from one answer is
//! checked here. Promises to go on after a rule that is broken, and to say which and how.

use std::io::Write;
use std::time::Duration;

use gantry_host::types::{Budget, ExtensionPoints};
use gantry_host::{CallError, Failure, Limits, Plugin};
use serde::Serialize;
use serde_json::{Map, Value};

use super::inspect::extension_points;
use super::sample::{EVERY_OTHER, EVERY_THIRD, EVERYWHERE, Sample, UNKNOWN};
use super::source::{Loaded, PluginArgs};
use crate::error::chain;
use crate::output::{Format, json, visible};
use crate::{CliError, columns::Columns};

/// Sizes of the clusters that a plugin is asked about: none, one, a word of a bitmap and one more, and many nodes.
const SIZES: [usize; 4] = [0, 1, 65, 5_000];
/// The nodes of the cluster that plans are made for.
const PLANNED: usize = 12;
/// The budget of a plan.
const EVALUATIONS: u64 = 20_000;
/// A key that no plugin has.
const NO_KEY: &str = "noPluginHasThisKey";

/// Flags of `plugin validate`.
#[derive(Clone, Debug, clap::Args)]
pub struct ValidateArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// Time for one call, as a profile's limits.deadline.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..5_000))]
    pub deadline: u64,
    /// Memory of one instance, as a profile's limits.memory.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub memory: u32,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

/// A rule of the contract.
struct Rule {
    text: &'static str,
    /// What the plugin must answer for the rule to concern it.
    concerns: &'static [ExtensionPoints],
    check: fn(&Subject) -> Result<(), Fault>,
}

/// How a rule is broken.
struct Fault(String);

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self(chain(&error))
    }
}

impl From<CliError> for Fault {
    fn from(error: CliError) -> Self {
        Self(error.chain())
    }
}

const RULES: [Rule; 12] = [
    Rule { text: "says which version it is of", concerns: &[], check: version },
    Rule { text: "answers something", concerns: &[], check: purpose },
    Rule { text: "has a JSON schema of its settings", concerns: &[], check: schema },
    Rule { text: "refuses a key that it does not know", concerns: &[], check: unknown_key },
    Rule { text: "refuses settings that are no JSON", concerns: &[], check: no_json },
    Rule { text: "gives verdicts for 0, 1, 65 and 5000 nodes", concerns: &[ExtensionPoints::FILTER], check: verdicts },
    Rule { text: "gives scores for 0, 1, 65 and 5000 nodes", concerns: &[ExtensionPoints::SCORE], check: scores },
    Rule {
        text: "scores what its filter refuses 0",
        concerns: &[ExtensionPoints::FILTER, ExtensionPoints::SCORE],
        check: refused_score,
    },
    Rule { text: "answers alike, asked again or started again", concerns: &[], check: alike },
    Rule { text: "answers alike, told the change or the whole", concerns: &[], check: changes },
    Rule { text: "refuses a domain class that it was not told of", concerns: &[], check: unknown },
    Rule { text: "makes the same legal plan twice", concerns: &[ExtensionPoints::PLAN], check: plans },
];

/// What became of a rule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule: &'static str,
    /// `kept`, `broken`, or `-`: it does not offer what the rule is about.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &ValidateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let loaded = args.plugin.load()?;
    let limits = Limits {
        memory: (args.memory as usize) << 20,
        deadline: Duration::from_millis(args.deadline),
        workers: 1,
        ..Limits::default()
    };
    let settings = &args.plugin.settings;
    let plugin = loaded.start(settings, &limits)?;
    let subject = Subject { loaded: &loaded, settings, limits, plugin };
    let findings: Vec<Finding> = RULES.iter().map(|rule| subject.finding(rule)).collect();
    match args.output {
        Format::Json => json(out, &findings)?,
        Format::Table => print(&findings, out)?,
    }
    let broken = findings.iter().filter(|finding| finding.fault.is_some()).count();
    match broken {
        0 => Ok(()),
        _ => Err(CliError::Failed(format!("`{}` breaks {broken} of {} rules", args.plugin.plugin, RULES.len()))),
    }
}

fn print(findings: &[Finding], out: &mut dyn Write) -> Result<(), CliError> {
    for finding in findings {
        writeln!(out, "{:<6} {}", finding.result, finding.rule)?;
        if let Some(fault) = &finding.fault {
            writeln!(out, "       {}", visible(fault))?;
        }
    }
    Ok(())
}

/// The plugin on trial.
struct Subject<'a> {
    loaded: &'a Loaded,
    settings: &'a str,
    limits: Limits,
    plugin: Plugin,
}

/// What a plugin says of a pod; nothing of what it does not answer.
type Answers = (Vec<u8>, Vec<f64>);

impl Subject<'_> {
    fn finding(&self, rule: &Rule) -> Finding {
        if !rule.concerns.iter().all(|point| self.points().contains(*point)) {
            return Finding { rule: rule.text, result: "-", fault: None };
        }
        match (rule.check)(self) {
            Ok(()) => Finding { rule: rule.text, result: "kept", fault: None },
            Err(Fault(fault)) => Finding { rule: rule.text, result: "broken", fault: Some(fault) },
        }
    }

    fn points(&self) -> ExtensionPoints {
        self.plugin.info().extension_points
    }

    fn start(&self) -> Result<Plugin, CliError> {
        self.loaded.start(self.settings, &self.limits)
    }
}

fn answers(plugin: &Plugin, columns: &Columns<'_>, class: u32) -> Result<Answers, CallError> {
    let request = Sample::request();
    let decision = plugin.decide(columns, &Sample::pod(class, &request))?;
    Ok((decision.verdicts?, decision.scores?))
}

fn version(subject: &Subject<'_>) -> Result<(), Fault> {
    let version = &subject.plugin.info().version;
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if core.split('.').count() == 3 && core.split('.').all(is_number) {
        return Ok(());
    }
    Err(Fault(format!("its version is `{version}`, semantic versions look like 1.2.3")))
}

fn purpose(subject: &Subject<'_>) -> Result<(), Fault> {
    if extension_points(subject.points()).is_empty() {
        return Err(Fault("it answers none of filter, score and plan".to_owned()));
    }
    Ok(())
}

fn schema(subject: &Subject<'_>) -> Result<(), Fault> {
    let schema = &subject.plugin.info().settings_schema;
    match serde_json::from_str(schema) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(other) => Err(Fault(format!("the schema is `{other}` and no object"))),
        Err(error) => Err(Fault(format!("the schema is no JSON: {error}"))),
    }
}

fn unknown_key(subject: &Subject<'_>) -> Result<(), Fault> {
    let settings: Option<Map<String, Value>> = serde_json::from_str(subject.settings).ok();
    let mut settings = settings.unwrap_or_default();
    settings.insert(NO_KEY.to_owned(), true.into());
    refuses(subject, &Value::Object(settings).to_string())
}

fn no_json(subject: &Subject<'_>) -> Result<(), Fault> {
    refuses(subject, "{")
}

fn refuses(subject: &Subject<'_>, settings: &str) -> Result<(), Fault> {
    match subject.loaded.start(settings, &subject.limits) {
        Ok(_) => Err(Fault(format!("it took the settings {settings}"))),
        Err(CliError::Call(error)) if matches!(error.failure(), Failure::Settings { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn verdicts(subject: &Subject<'_>) -> Result<(), Fault> {
    each_size(|sample, class, request| subject.plugin.filter(&sample.lend(), &Sample::pod(class, request)).map(drop))
}

fn scores(subject: &Subject<'_>) -> Result<(), Fault> {
    each_size(|sample, class, request| subject.plugin.score(&sample.lend(), &Sample::pod(class, request)).map(drop))
}

/// Asks about clusters of every size, for pods that ask for something and for pods that ask for nothing.
fn each_size(ask: impl Fn(&Sample, u32, &[f64]) -> Result<(), CallError>) -> Result<(), Fault> {
    for rows in SIZES {
        let sample = Sample::new(rows);
        let request = Sample::request();
        for (class, request) in [(EVERYWHERE, &request), (EVERY_OTHER, &vec![0.0; request.len()])] {
            ask(&sample, class, request).map_err(|error| Fault(format!("with {rows} nodes: {}", chain(&error))))?;
        }
    }
    Ok(())
}

fn refused_score(subject: &Subject<'_>) -> Result<(), Fault> {
    let sample = Sample::new(65);
    let (verdicts, scores) = answers(&subject.plugin, &sample.lend(), EVERY_OTHER)?;
    match verdicts.iter().zip(&scores).position(|(verdict, score)| *verdict != 0 && *score != 0.0) {
        None => Ok(()),
        Some(row) => Err(Fault(format!("row {row} has verdict {} and score {}", verdicts[row], scores[row]))),
    }
}

fn alike(subject: &Subject<'_>) -> Result<(), Fault> {
    let sample = Sample::new(65);
    let first = answers(&subject.plugin, &sample.lend(), EVERYWHERE)?;
    same(&first, &answers(&subject.plugin, &sample.lend(), EVERYWHERE)?, "asked again")?;
    same(&first, &answers(&subject.start()?, &sample.lend(), EVERYWHERE)?, "started again")
}

fn changes(subject: &Subject<'_>) -> Result<(), Fault> {
    let (before, plugin) = (Sample::new(65), subject.start()?);
    let (after, anew) = (before.changed(), subject.start()?);
    for class in [EVERYWHERE, EVERY_OTHER] {
        answers(&plugin, &before.lend(), class)?;
    }
    for class in [EVERYWHERE, EVERY_OTHER, EVERY_THIRD] {
        let told_the_change = answers(&plugin, &after.lend(), class)?;
        let told_the_whole = answers(&anew, &after.whole().lend(), class)?;
        same(&told_the_whole, &told_the_change, "told the change")?;
    }
    Ok(())
}

fn same(expected: &Answers, found: &Answers, when: &str) -> Result<(), Fault> {
    let verdict = expected.0.iter().zip(&found.0).position(|(one, other)| one != other);
    let score = expected.1.iter().zip(&found.1).position(|(one, other)| one.to_bits() != other.to_bits());
    match verdict.or(score) {
        None => Ok(()),
        Some(row) => Err(Fault(format!("{when}, it says something else of row {row}"))),
    }
}

fn unknown(subject: &Subject<'_>) -> Result<(), Fault> {
    let sample = Sample::new(3);
    match answers(&subject.start()?, &sample.lend(), UNKNOWN) {
        Err(error) if matches!(error.failure(), Failure::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) if subject.points() == ExtensionPoints::PLAN => Ok(()),
        Ok(_) => Err(Fault(format!("it answered for domain class {UNKNOWN}"))),
    }
}

fn plans(subject: &Subject<'_>) -> Result<(), Fault> {
    let sample = Sample::new(PLANNED);
    let pods = sample.pods();
    let budget = Budget { evaluations: EVALUATIONS };
    let plan = |plugin: &Plugin| pods.lend(|asked| plugin.plan(&sample.lend(), asked, budget, 1));
    let (first, second) = (plan(&subject.plugin)?, plan(&subject.start()?)?);
    if first != second {
        return Err(Fault(format!("two plans for the same {} nodes and seed differ", sample.rows())));
    }
    sample.fault(&first.rows).map_or(Ok(()), |fault| Err(Fault(fault)))
}
