//! A store that replicas share: one snapshot, its generation, and a lock that tells who writes.
//!
//! Keys are `gantry:{cluster}:` and `snapshot`, `generation`, `issued`, `writer` or `weights:<query>`; the braces keep
//! them on one shard. A saved snapshot's generation is published on the channel `gantry:{cluster}:snapshots`.
//!
//! The writer holds a lock with a token and an expiry, not a Kubernetes Lease: the check of the token and the write are
//! one step in Redis, so a writer that was asleep cannot overwrite its successor's snapshot, which a Lease does not rule
//! out; and the sidecar needs no access to the API server at all. The time of issue is the fence within a token: it never
//! goes back while a snapshot is stored, so a write that was delayed on its way is refused as well.
//!
//! Promises: no call takes longer than a few seconds; a broken connection is made again by the next call. Must not know:
//! what a replica does that is not the writer.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{Client, Connection, ConnectionInfo, IntoConnectionInfo as _, RedisResult};

use super::{Shared, Store, StoreError};
use crate::config::valid;
use crate::snapshot::{Encoded, Snapshot};

/// How long Redis may take to answer; ticks are tens of seconds apart.
const PATIENCE: Duration = Duration::from_secs(2);
/// Weights are of use for days: a new writer starts from them.
const WEIGHTS_TTL: Duration = Duration::from_hours(7 * 24);

/// Sets a key, if the caller is the writer; of a snapshot also its generation and time, if none is stored that was
/// issued later, and tells others.
const SAVE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'not the writer' end
if KEYS[3] and tonumber(redis.call('GET', KEYS[4]) or 0) > tonumber(ARGV[5]) then return 'older' end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if KEYS[3] then
  redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[3])
  redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[3])
  redis.call('PUBLISH', ARGV[6], ARGV[4])
end
return 'saved'";

/// Takes the lock if it is free, and keeps it if it is the caller's.
const LEAD: &str = "
local writer = redis.call('GET', KEYS[1])
if writer and writer ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// A store that replicas share.
pub struct Redis {
    config: valid::Redis,
    address: ConnectionInfo,
    /// Tells this process from all others.
    token: String,
    connection: Mutex<Option<Connection>>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Redis").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Redis {
    /// A store that need not be reached yet.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(config: valid::Redis) -> Result<Self, StoreError> {
        let address = config.url.as_str().into_connection_info()?;
        let random = || RandomState::new().build_hasher().finish();
        let token = format!("{:016x}{:016x}", random(), random());
        Ok(Self { config, address, token, connection: Mutex::new(None) })
    }

    fn key(&self, item: &str) -> String {
        format!("gantry:{{{}}}:{item}", self.config.cluster)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let mut address = self.address.clone();
        if let Some(path) = &self.config.password_file {
            let password =
                std::fs::read_to_string(path).map_err(|source| StoreError::Read { path: path.clone(), source })?;
            let settings = address.redis_settings().clone().set_password(password.trim_end());
            address = address.set_redis_settings(settings);
        }
        let connection = Client::open(address)?.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// Uses the connection; one that failed is not used again.
    fn with<T>(&self, act: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Result<T, StoreError> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = act(&mut connection)?;
        *held = Some(connection);
        Ok(result)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|connection| redis::cmd("GET").arg(key).query(connection))
    }

    fn save(&self, keys: &[String], values: &[&[u8]]) -> Result<(), StoreError> {
        let mut command = redis::cmd("EVAL");
        command.arg(SAVE).arg(keys.len()).arg(keys).arg(&self.token);
        for value in values {
            command.arg(*value);
        }
        let outcome: String = self.with(|connection| command.query(connection))?;
        match outcome.as_str() {
            "saved" => Ok(()),
            "older" => Err(StoreError::Older),
            _ => Err(StoreError::NotTheWriter),
        }
    }
}

impl Store for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn save_snapshot(&self, snapshot: &Encoded) -> Result<(), StoreError> {
        let keys = ["writer", "snapshot", "generation", "issued"].map(|item| self.key(item));
        let (ttl, issued) = (self.config.ttl.as_millis().to_string(), snapshot.issued_at().to_string());
        let (channel, generation) = (self.key("snapshots"), snapshot.generation());
        let texts = [ttl.as_str(), generation, &issued, &channel].map(str::as_bytes);
        let body = snapshot.body();
        self.save(&keys, &[&[body.as_ref()], texts.as_slice()].concat())
    }

    fn load_snapshot(&self) -> Result<Option<(Encoded, Snapshot)>, StoreError> {
        let bytes = self.get(&self.key("snapshot"))?;
        Ok(bytes.map(|bytes| Encoded::decode(&bytes)).transpose()?)
    }

    fn save_weights(&self, query: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let keys = [self.key("writer"), self.key(&format!("weights:{query}"))];
        self.save(&keys, &[bytes, WEIGHTS_TTL.as_millis().to_string().as_bytes()])
    }

    fn load_weights(&self, query: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&self.key(&format!("weights:{query}")))
    }
}

impl Shared for Redis {
    fn lead(&self) -> Result<bool, StoreError> {
        let lease = self.config.lease.as_millis() as u64;
        let mut command = redis::cmd("EVAL");
        command.arg(LEAD).arg(1).arg(self.key("writer")).arg(&self.token).arg(lease);
        self.with(|connection| command.query(connection))
    }

    fn newer(&self, generation: Option<&str>) -> Result<Option<(Encoded, Snapshot)>, StoreError> {
        let stored = self.get(&self.key("generation"))?;
        let is_same = stored.as_deref() == generation.map(str::as_bytes);
        if stored.is_none() || is_same { Ok(None) } else { self.load_snapshot() }
    }

    fn wait(&self, limit: Duration) -> Result<bool, StoreError> {
        let connection = &mut self.connect()?;
        let mut subscription = connection.as_pubsub();
        subscription.subscribe(self.key("snapshots"))?;
        subscription.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
        match subscription.get_message() {
            Ok(_) => Ok(true),
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
