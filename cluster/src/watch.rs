//! Keeps an index in step with an API server.
//!
//! Lists and watches all nodes and all pods. A failure is logged, recorded in the health and tried again with growing
//! pauses; the index stays readable all the while, and older. Objects are reduced to numbers as they arrive, so nothing
//! of them (managed fields, images, environment) is kept.
//!
//! A watch recovers when the API server opens it again, whether or not anything happens then: a quiet cluster is none
//! that cannot be seen.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt, pin_mut};
use http::Request;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::client::Body;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tower::service_fn;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::error::ObjectError;
use crate::index::Index;
use crate::shared::{KINDS, SharedIndex, WatchFailure, WatchRecord};

/// How long, in seconds, the API server keeps a watch open. It is opened again where it went on from; a connection that
/// died without a word is noticed no later than this.
const OPEN_FOR: u32 = 120;

/// Feeds the index until it is dropped. Needs `list` and `watch` on nodes and pods, cluster-wide.
pub async fn run(client: Client, index: Arc<SharedIndex>) {
    let nodes = follow::<Node>(client.clone(), &index).instrument(info_span!("nodes"));
    let pods = follow::<Pod>(client, &index).instrument(info_span!("pods"));
    futures::join!(nodes, pods);
}

/// A kind of object that the index takes in.
trait Indexed: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static {
    const KIND: &'static str;

    fn begin(index: &mut Index);
    fn apply(&self, index: &mut Index) -> Result<bool, ObjectError>;
    fn delete(&self, index: &mut Index);
    fn finish(index: &mut Index);
}

impl Indexed for Node {
    const KIND: &'static str = KINDS[0];

    fn begin(index: &mut Index) {
        index.begin_nodes();
    }

    fn apply(&self, index: &mut Index) -> Result<bool, ObjectError> {
        index.apply_node(self)
    }

    fn delete(&self, index: &mut Index) {
        index.delete_node(self.metadata.name.as_deref().unwrap_or_default());
    }

    fn finish(index: &mut Index) {
        index.finish_nodes();
    }
}

impl Indexed for Pod {
    const KIND: &'static str = KINDS[1];

    fn begin(index: &mut Index) {
        index.begin_pods();
    }

    fn apply(&self, index: &mut Index) -> Result<bool, ObjectError> {
        index.apply_pod(self)
    }

    fn delete(&self, index: &mut Index) {
        index.delete_pod(self.metadata.uid.as_deref().unwrap_or_default());
    }

    fn finish(index: &mut Index) {
        index.finish_pods();
    }
}

async fn follow<K: Indexed>(client: Client, index: &Arc<SharedIndex>) {
    let client = overheard::<K>(client, Arc::clone(index));
    let events = watch(Api::<K>::all(client), watcher::Config::default().timeout(OPEN_FOR)).default_backoff();
    feed(events, index).await;
}

/// The same client; a watch that it opens is written down as a success. The watcher itself says nothing of that.
fn overheard<K: Indexed>(client: Client, index: Arc<SharedIndex>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |request: Request<Body>| {
        let (client, index, is_watch) = (client.clone(), Arc::clone(&index), opens_a_watch(&request));
        async move {
            let response = client.send(request).await?;
            if is_watch && response.status().is_success() {
                index.record(K::KIND, |watch| watch.succeed(Instant::now()));
            }
            Ok::<_, kube::Error>(response)
        }
    };
    Client::new(service_fn(send), namespace)
}

fn opens_a_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

async fn feed<K: Indexed>(events: impl Stream<Item = watcher::Result<Event<K>>>, index: &SharedIndex) {
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list begins before the API server was asked for it.
                let is_word = !matches!(event, Event::Init);
                take(event, index);
                if is_word {
                    index.record(K::KIND, |watch| watch.succeed(Instant::now()));
                }
            }
            Err(error) => {
                let cause = cause(&error);
                warn!(%error, reason = cause.as_str(), "watch failed, trying again");
                index.record(K::KIND, |watch| watch.fail(cause, error.to_string(), Instant::now()));
            }
        }
    }
}

fn cause(error: &watcher::Error) -> WatchFailure {
    const GONE: u16 = 410;
    match error {
        watcher::Error::WatchError(status) if status.code == GONE => WatchFailure::Gone,
        watcher::Error::WatchError(_) => WatchFailure::Refused,
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) if status.code == GONE => WatchFailure::Gone,
            kube::Error::Api(_) => WatchFailure::Refused,
            _ => WatchFailure::Unreachable,
        },
        watcher::Error::NoResourceVersion => WatchFailure::Unreadable,
    }
}

fn take<K: Indexed>(event: Event<K>, shared: &SharedIndex) {
    let mut index = shared.lock();
    let applied = match event {
        Event::Init => {
            K::begin(&mut index);
            Ok(true)
        }
        Event::Apply(object) | Event::InitApply(object) => object.apply(&mut index),
        Event::Delete(object) => {
            object.delete(&mut index);
            Ok(true)
        }
        Event::InitDone => {
            K::finish(&mut index);
            info!(synced = index.has_synced(), "list complete");
            Ok(true)
        }
    };
    drop(index);
    match applied {
        Ok(changed) => debug!(changed, "event"),
        Err(error) => {
            warn!(%error, reason = error.reason(), "object refused");
            shared.record(K::KIND, WatchRecord::refuse);
        }
    }
}

#[cfg(test)]
mod tests;
