//! The nodes and pods of a cluster, from dump files or from its API server.
//!
//! Promises the whole cluster or an error that names the file or the object. Must not know what is done with it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use gantry_cluster::dump::{self, Objects};
use gantry_cluster::{Index, IndexSettings};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::{CliError, api};

/// A cluster at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<Pod>,
}

impl Recording {
    /// The objects of all files together; `-` is standard input.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self, CliError> {
        let mut recording = Self::default();
        for path in files {
            let Objects { nodes, pods, .. } =
                dump::parse(&bytes(path)?).map_err(|source| CliError::Dump { path: path.clone(), source })?;
            recording.nodes.extend(nodes);
            recording.pods.extend(pods);
        }
        if recording.nodes.is_empty() {
            let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            let remedy = "there is no node in it; record both: kubectl get nodes,pods -A -o json";
            return Err(CliError::refused("FILE", names.join(" "), remedy));
        }
        Ok(recording)
    }

    /// All nodes and pods that an API server has.
    pub(crate) async fn list(client: &Client) -> Result<Self, CliError> {
        let nodes =
            api::list_all(&Api::<Node>::all(client.clone()), ListParams::default(), "the list of nodes").await?;
        let pods = api::list_all(&Api::<Pod>::all(client.clone()), ListParams::default(), "the list of pods").await?;
        Ok(Self { nodes, pods })
    }

    /// The index of this cluster.
    pub(crate) fn index(&self, resources: &[String]) -> Result<Index, CliError> {
        let settings = IndexSettings { resources: resources.to_vec(), ..IndexSettings::default() };
        let mut index = Index::new(settings)?;
        for refused in [index.replace_nodes(&self.nodes), index.replace_pods(&self.pods)] {
            if let Some(error) = refused.into_iter().next() {
                return Err(error.into());
            }
        }
        Ok(index)
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    read_file("FILE", path)
}

/// The bytes of a file that was named by `key`.
pub(crate) fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::File { key, path: path.to_owned(), what: "read", source })
}

/// Writes a file that was named by `key`.
pub(crate) fn write_file(key: &'static str, path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|source| CliError::File { key, path: path.to_owned(), what: "written", source })
}
