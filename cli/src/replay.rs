//! `replay`: asks a plugin again what the extender once asked it, and compares the answers bit for bit.
//!
//! A decision is a function of what it is made of: the same component with the same settings on the same columns must
//! answer the same, on any machine. Promises to ask only the component that was recorded, known by its digest.

use std::io::Write;
use std::path::PathBuf;

use gantry_host::record::{Asked, Difference, Question, Record};

use crate::CliError;
use crate::plugin::source::{BUILTIN, Loaded, patient_limits};
use crate::recording::read_file;

/// Flags of `replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// A record, as written by `explain --record` or `plan --record`.
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
    /// A component's file, beside the built-in plugin; may be named more than once.
    #[arg(long, value_name = "PLUGIN")]
    pub plugin: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let record = read(args)?;
    let components = [BUILTIN].into_iter().chain(args.plugin.iter().map(String::as_str));
    let components: Vec<Loaded> = components.map(|spec| Loaded::new(spec, None)).collect::<Result<_, _>>()?;
    let mut different = 0;
    for asked in &record.questions {
        let difference = replay(asked, &components)?;
        different += usize::from(difference.is_some());
        writeln!(out, "{}", line(asked, difference.as_ref()))?;
    }
    let questions = record.questions.len();
    match different {
        0 => Ok(writeln!(out, "the same bytes: {questions} of {questions} answers")?),
        different => Err(CliError::Failed(format!("{different} of {questions} answers differ from the record"))),
    }
}

fn read(args: &ReplayArgs) -> Result<Record, CliError> {
    let refused = |why: &str| {
        let remedy = format!("{why}; use what `explain pod/NAME --record FILE` or `plan --record FILE` wrote");
        CliError::refused("RECORD", args.record.display().to_string(), remedy)
    };
    let record: Record = serde_json::from_slice(&read_file("RECORD", &args.record)?)
        .map_err(|error| refused(&format!("it is no record ({error})")))?;
    if record.questions.is_empty() { Err(refused("nothing was asked in it")) } else { Ok(record) }
}

/// Where the answer is another one than it was.
fn replay(asked: &Asked, components: &[Loaded]) -> Result<Option<Difference>, CliError> {
    let recorded = &asked.plugin;
    let component = components.iter().find(|loaded| loaded.component.digest().to_string() == recorded.digest);
    let Some(component) = component else {
        let remedy = format!(
            "its component is not the built-in one of this program: name its file by --plugin ({})",
            recorded.digest
        );
        return Err(CliError::refused("RECORD", &recorded.name, remedy));
    };
    let plugin = component.start(&recorded.settings, &patient_limits())?;
    Ok(asked.answer.difference(&asked.again(&plugin)?))
}

fn line(asked: &Asked, difference: Option<&Difference>) -> String {
    let what = format!("{} by {}", asked.question.point(), asked.plugin.name);
    let Some(Difference { part, place, recorded, replayed }) = difference else {
        return format!("{what}: equal, {} {}", asked.answer.len(), unit(&asked.question));
    };
    format!("{what}: {part} of {} was {recorded}, is {replayed}", place_name(asked, part, *place))
}

fn unit(question: &Question) -> &'static str {
    if matches!(question, Question::Plan(_)) { "pods" } else { "rows" }
}

/// The node of a row, where the place is one.
fn place_name(asked: &Asked, part: &str, place: usize) -> String {
    match (part, asked.snapshot.nodes.get(place)) {
        ("verdicts" | "scores", Some(Some(node))) => format!("node {node}"),
        ("rows", _) => format!("pod {place}"),
        _ => format!("place {place}"),
    }
}
