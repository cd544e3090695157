//! The section `store`: a folder, and a Redis that replicas share.
//!
//! Must not know: whether the Redis answers; it may come later.

use std::time::Duration;

use super::{Checker, HOUR, MINUTE, Place, SECOND};
use crate::config::file::{RedisFile, StoreFile};
use crate::config::valid::{Redis, Store};

impl Checker {
    pub(super) fn store(&mut self, file: StoreFile, tick: Duration) -> Store {
        let is_here = self.place == Place::Here;
        if let Some(folder) = file.folder.as_ref().filter(|folder| is_here && !folder.is_dir()) {
            self.refuse("store.folder", folder.display(), "name a folder that exists and can be written to");
        }
        Store { folder: file.folder, redis: file.redis.map(|file| self.redis(file, tick)) }
    }

    fn redis(&mut self, file: RedisFile, tick: Duration) -> Redis {
        let url = file.url.unwrap_or_default();
        let is_known = url.starts_with("redis://") || url.starts_with("redis+unix://");
        if !is_known || redis::parse_redis_url(&url).is_none_or(|parsed| parsed.password().is_some()) {
            let remedy = "use redis://host:port/database or redis+unix:///path, without a password: that belongs into \
                          passwordFile";
            self.refuse("store.redis.url", &url, remedy);
        }
        let cluster = file.cluster.unwrap_or_else(|| "default".to_owned());
        if cluster.is_empty() || !cluster.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            self.refuse("store.redis.cluster", &cluster, "use letters, digits, dots, dashes and underscores");
        }
        let lease = self.duration("store.redis.lease", file.lease, (90 * SECOND).max(3 * tick), SECOND..=20 * MINUTE);
        if lease <= 2 * tick {
            self.refuse(
                "store.redis.lease",
                format!("{lease:?}"),
                "use more than two ticks: the writer renews at each",
            );
        }
        Redis {
            url,
            password_file: file.password_file.map(|path| self.file("store.redis.passwordFile", path)),
            cluster,
            ttl: self.duration("store.redis.ttl", file.ttl, 5 * MINUTE, SECOND..=HOUR),
            lease,
        }
    }
}
