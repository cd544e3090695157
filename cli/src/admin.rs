//! `explain`, `plan` and `nodes`: what the extender says of itself on its admin port.
//!
//! The way there is an address that was typed, or the API server's proxy to each replica: every replica remembers what
//! it answered itself, and one plans for all, so all are asked, and what is shown is by choice. Promises to print what
//! the extender wrote, unchanged, but for decisions that another replica has; must not know what else is in it.

mod absent;
mod choice;

use std::io::Write;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use crate::CliError;
use crate::api::{self, ClusterArgs, Reply};
use crate::output::Format;
use crate::recording::write_file;
use choice::Answer;

/// The label of the extender's pods and the name of its Service (manifests/base).
const EXTENDER: &str = "gantry-extender";
/// The name of the admin port, in the pods and in the Service.
const PORT: &str = "admin";
/// Its number where a pod does not name it.
const PORT_NUMBER: i32 = 8889;

/// Flags of `plan` and `nodes`.
#[derive(Clone, Debug, clap::Args)]
pub struct LookArgs {
    /// Where the cluster is.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The extender's admin address, http://HOST:PORT, in place of the way through the API server.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The namespace that Gantry runs in.
    #[arg(long, value_name = "NAME", default_value = "gantry-system")]
    pub gantry_namespace: String,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

/// Flags of `plan`.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Write what the plugin was asked for the last plan, and what it answered, to this file: see `replay`.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// The way to the extender.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The pod.
    #[arg(value_name = "pod/NAME")]
    pub pod: String,
    /// Its namespace; without it that of the context.
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Write what the plugins were asked about the pod, and what they answered, to this file: see `replay`. The extender
    /// keeps that of the last few pods only, and of hundreds at once a few in a second.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// The way to the extender.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Why a pod went where it went, or why it waits.
pub(crate) fn explain(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let pod = pod_name(&args.pod)?;
    api::block_on(async {
        let extender = Extender::find(&args.look).await?;
        let namespace = args.namespace.as_deref().unwrap_or(extender.client.default_namespace());
        let namespace = object_name("--namespace", namespace)?;
        if let Some(file) = &args.record {
            let absent = format!(
                "no replica of the extender remembers what was asked about pod {namespace}/{pod}: each keeps that of the \
                 last few pods only, and of hundreds at once a few in a second"
            );
            return extender.write(&format!("/record/{namespace}/{pod}"), &absent, file, out).await;
        }
        if extender.explain(&format!("/explain/{namespace}/{pod}"), args.look.output, out).await? {
            return Ok(());
        }
        let client = match &args.look.server {
            Some(_) => args.look.cluster.connect().await,
            None => Ok(extender.client.clone()),
        };
        Err(absent::failure(client, namespace, pod).await)
    })
}

/// The plan in force.
pub(crate) fn plan(args: &PlanArgs, out: &mut dyn Write) -> Result<(), CliError> {
    const ABSENT: &str = "no replica of the extender has a plan: is the planner on in a profile?";
    let Some(file) = &args.record else { return look(&args.look, "/plan", choice::of_leader, ABSENT, out) };
    api::block_on(async { Extender::find(&args.look).await?.write("/plan/record", ABSENT, file, out).await })
}

/// The nodes as Gantry sees them.
pub(crate) fn nodes(args: &LookArgs, out: &mut dyn Write) -> Result<(), CliError> {
    look(args, "/nodes", choice::newest, "no replica of the extender serves /nodes: is it of this release?", out)
}

fn look(args: &LookArgs, path: &str, choose: Choice, absent: &str, out: &mut dyn Write) -> Result<(), CliError> {
    api::block_on(async { Extender::find(args).await?.print(path, choose, args.output, absent, out).await })
}

/// Whose word counts; nobody's where nobody has answered.
type Choice = fn(&[Answer]) -> Option<&Answer>;

/// All replicas of the extender, each by the path that leads to it.
struct Extender {
    client: Client,
    replicas: Vec<String>,
}

impl Extender {
    async fn find(args: &LookArgs) -> Result<Self, CliError> {
        if let Some(url) = &args.server {
            return Ok(Self { client: api::plain(url)?, replicas: vec![String::new()] });
        }
        let namespace = object_name("--gantry-namespace", &args.gantry_namespace)?;
        let client = args.cluster.connect().await?;
        let base = format!("/api/v1/namespaces/{namespace}");
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let labelled = ListParams::default().labels(&format!("app.kubernetes.io/name={EXTENDER}"));
        let mut replicas: Vec<String> = match api::list_all(&pods, labelled, "the list of the extender's pods").await {
            Ok(pods) => pods.iter().filter_map(|pod| replica(pod, &base)).collect(),
            // Whoever may not list pods may still be allowed through the Service, to one replica.
            Err(CliError::Api { source, .. }) if matches!(&*source, kube::Error::Api(status) if status.code == 403) => {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        if replicas.is_empty() {
            replicas.push(format!("{base}/services/{EXTENDER}:{PORT}/proxy"));
        }
        Ok(Self { client, replicas })
    }

    /// Prints the answer of the replica whose word counts.
    async fn print(
        &self,
        path: &str,
        choose: Choice,
        format: Format,
        absent: &str,
        out: &mut dyn Write,
    ) -> Result<(), CliError> {
        let answers = self.ask(path).await?;
        let Answer { replica, body, .. } = choose(&answers).ok_or_else(|| CliError::Failed(absent.to_owned()))?;
        let text = match format {
            Format::Json => body.clone(),
            Format::Table => self.text(&format!("{replica}{path}?format=text")).await?,
        };
        Ok(writeln!(out, "{}", text.trim_end())?)
    }

    /// Prints what is known of a pod, the decisions beside it where another replica has them. False: nothing is known.
    async fn explain(&self, path: &str, format: Format, out: &mut dyn Write) -> Result<bool, CliError> {
        let answers = self.ask(path).await?;
        let Some(chosen) = choice::of_pod(&answers) else { return Ok(false) };
        let text = match (chosen, format) {
            ((standing, None), Format::Json) => standing.body.clone(),
            ((standing, Some(asked)), Format::Json) => format!("{:#}", standing.with_decisions_of(asked)),
            ((standing, None), Format::Table) => self.text(&format!("{}{path}?format=text", standing.replica)).await?,
            ((standing, Some(asked)), Format::Table) => {
                let part = |answer: &Answer, part: &str| format!("{}{path}?format=text&part={part}", answer.replica);
                let standing = self.text(&part(standing, "standing")).await?;
                format!("{}\n{}", standing.trim_end(), self.text(&part(asked, "decisions")).await?)
            }
        };
        writeln!(out, "{}", text.trim_end())?;
        Ok(true)
    }

    /// Writes the newest of the replicas' answers to a file, byte for byte.
    async fn write(&self, path: &str, absent: &str, file: &Path, out: &mut dyn Write) -> Result<(), CliError> {
        let answers = self.ask(path).await?;
        let newest = choice::newest(&answers).ok_or_else(|| CliError::Failed(absent.to_owned()))?;
        write_file("--record", file, &newest.body)?;
        Ok(writeln!(out, "{}: {} bytes; kubectl-gantry replay {0}", file.display(), newest.body.len())?)
    }

    /// The answers of all replicas that know something. That one refuses counts where no other has an answer.
    async fn ask(&self, path: &str) -> Result<Vec<Answer>, CliError> {
        let mut answers = Vec::new();
        let mut refusal = None;
        for replica in &self.replicas {
            let what = format!("{replica}{path}?format=json");
            match api::get(&self.client, &what).await {
                Ok(reply) if reply.status.is_success() => answers.push(Answer::new(replica, reply.body)),
                Ok(reply) if reply.status == http::StatusCode::NOT_FOUND => {}
                Ok(reply) => refusal = Some(refused(&what, &reply)),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if answers.is_empty() => Err(error),
            _ => Ok(answers),
        }
    }

    async fn text(&self, path: &str) -> Result<String, CliError> {
        let reply = api::get(&self.client, path).await?;
        if reply.status.is_success() { Ok(reply.body) } else { Err(refused(path, &reply)) }
    }
}

fn refused(path: &str, reply: &Reply) -> CliError {
    // The API server explains itself in a Status object, the extender in a line.
    let status: Option<Value> = serde_json::from_str(&reply.body).ok();
    let message = status.as_ref().and_then(|status| status["message"].as_str());
    let line = message.unwrap_or(reply.body.lines().next().unwrap_or_default());
    CliError::Failed(format!("GET {path} was answered {}: {line}", reply.status))
}

/// The way to a pod of the extender that runs.
fn replica(pod: &Pod, base: &str) -> Option<String> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(PORT)).map_or(PORT_NUMBER, |port| port.container_port);
    (phase == Some("Running")).then(|| format!("{base}/pods/{}:{port}/proxy", pod.name_any()))
}

/// The name in `pod/NAME`, as kubectl takes it.
fn pod_name(text: &str) -> Result<&str, CliError> {
    let name = match text.split_once('/') {
        Some(("pod" | "pods" | "po", name)) => name,
        None => text,
        Some(_) => return Err(CliError::refused("pod/NAME", text, "only pods are explained: write pod/NAME")),
    };
    object_name("pod/NAME", name)
}

/// A name that may stand in a path.
fn object_name<'a>(key: &str, name: &'a str) -> Result<&'a str, CliError> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    if name.is_empty() || name.len() > 253 || !name.bytes().all(is_name) {
        return Err(CliError::refused(key, name, "names are made of a-z, 0-9, - and ."));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_as_kubectl_names_it() {
        for text in ["web-1", "pod/web-1", "pods/web-1", "po/web-1"] {
            assert_eq!(pod_name(text).unwrap(), "web-1");
        }
        for text in ["deploy/web", "pod/", "", "pod/a/b", "Web", "a?b"] {
            assert!(pod_name(text).is_err_and(|error| error.exit_code() == 2), "{text}");
        }
    }
}
