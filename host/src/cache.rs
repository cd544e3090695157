//! A folder of compiled components, and of what is known of them.
//!
//! Compiled code is machine code that the engine runs as it finds it: one flipped bit and the sandbox is none. So an
//! artefact is given out only if its own SHA-256, which binds it to its key, is right, and only from a folder that nobody
//! but this user (or root, who needs no folder for it) may write to. Anything else counts as absent. What was not used
//! for longest makes room.
//!
//! It must not know what an artefact is made of, nor what a note says.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tracing::{debug, warn};

use crate::component::Digest;

/// The checksum stands before what it is of.
const CHECKSUM_BYTES: usize = 32;

/// Files that are kept. A profile has a handful of plugins, an upgrade compiles each anew, and one that holds an
/// interpreter is some tens of megabytes.
const FILES: usize = 64;

/// What is still unfinished after this long was left by a process that died.
const UNFINISHED: Duration = Duration::from_hours(1);

/// A folder of compiled components, of this user alone.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens the cache in `dir`, which is made if it is missing, with mode 0700. The 64 files used last are kept.
    ///
    /// # Errors
    /// When the folder cannot be made, belongs to somebody else, or others may write to it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let folder = fs::metadata(dir)?;
        refuse_others(dir, folder.mode(), folder.uid(), own_user())?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Keeps a statement about a component beside its artefacts, for [`Cache::is_noted`].
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn note(&self, component: Digest, statement: &[u8]) -> io::Result<()> {
        self.write(&note_key(component, statement), statement)
    }

    /// Whether this very statement about a component was noted.
    #[must_use]
    pub fn is_noted(&self, component: Digest, statement: &[u8]) -> bool {
        self.read(&note_key(component, statement)).is_some_and(|noted| noted == statement)
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.dir.join(key).with_extension("cwasm")
    }

    /// What lies under `key`, if it is there and whole.
    pub(crate) fn read(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.path(key);
        let file = match read_and_touch(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a compiled component cannot be read; compiling it anew");
                return None;
            }
        };
        let artefact = unseal(key, file);
        if artefact.is_none() {
            warn!(path = %path.display(), "a compiled component is damaged; compiling it anew");
        }
        artefact
    }

    /// Written beside its place and renamed, so that a reader never sees half of it.
    pub(crate) fn write(&self, key: &str, artefact: &[u8]) -> io::Result<()> {
        let path = self.path(key);
        let unfinished = self.dir.join(format!("{key}.{}", std::process::id()));
        let mut file: File = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let written = file.write_all(&checksum(key, artefact)).and_then(|()| file.write_all(artefact));
        // What is cut short would be found damaged; on a full disk it would also be in the way.
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        self.make_room(FILES).inspect_err(|error| debug!(%error, "old compiled components stay")).or(Ok(()))
    }

    /// Leaves the files that were used last, and none of a process that died while it wrote.
    fn make_room(&self, files: usize) -> io::Result<()> {
        let mut finished = Vec::new();
        for entry in fs::read_dir(&self.dir)?.flatten().filter(|entry| is_ours(&entry.path())) {
            let (path, used) = (entry.path(), entry.metadata()?.modified()?);
            if path.extension().is_some_and(|extension| extension == "cwasm") {
                finished.push((used, path));
            } else if used.elapsed().is_ok_and(|age| age > UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        finished.sort_unstable_by(|one, other| other.cmp(one));
        finished.into_iter().skip(files).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The user that this process acts as; `None` where the system does not tell.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|own| own.uid())
}

fn refuse_others(dir: &Path, mode: u32, owner: u32, own: Option<u32>) -> io::Result<()> {
    let refused = |message| Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    if let Some(own) = own.filter(|own| *own != owner && owner != 0) {
        return refused(format!("{} belongs to user {owner}, this is user {own}: name another folder", dir.display()));
    }
    if mode & 0o022 != 0 {
        return refused(format!("others may write to {} (mode {:o}): chmod 700 it", dir.display(), mode & 0o777));
    }
    Ok(())
}

/// Whether a file is one that this module makes: the folder may hold others, which are nobody's business here.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (digest, rest) = name.split_at_checked(64).unwrap_or_default();
    digest.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.starts_with('-')
}

/// Reading is using: what is used last is kept longest.
fn read_and_touch(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    if let Err(error) = file.set_modified(SystemTime::now()) {
        debug!(path = %path.display(), %error, "when a compiled component was used last cannot be kept");
    }
    Ok(content)
}

fn note_key(component: Digest, statement: &[u8]) -> String {
    format!("{}-note-{}", component.hex(), &Digest::of(statement).hex()[..16])
}

/// An artefact with its checksum before it.
pub(crate) fn seal(key: &str, artefact: &[u8]) -> Vec<u8> {
    [&checksum(key, artefact), artefact].concat()
}

/// The artefact that was sealed under `key`, if it is whole.
pub(crate) fn unseal(key: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let artefact = sealed.split_off(CHECKSUM_BYTES.min(sealed.len()));
    (sealed == checksum(key, &artefact)).then_some(artefact)
}

/// With the key in it, so that an artefact under another's name is not taken.
fn checksum(key: &str, artefact: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(artefact).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        (dir, cache)
    }

    #[test]
    fn an_artefact_comes_back_only_whole_and_only_under_its_own_key() {
        let (_dir, cache) = cache();
        cache.write("one", b"code").unwrap();
        assert_eq!(cache.read("one").as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.read("two"), None);

        fs::rename(cache.path("one"), cache.path("two")).unwrap();
        assert_eq!(cache.read("two"), None);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let (_dir, cache) = cache();
        cache.write("one", b"code").unwrap();
        let whole = fs::read(cache.path("one")).unwrap();
        for index in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[index] ^= 1;
            fs::write(cache.path("one"), &flipped).unwrap();
            assert_eq!(cache.read("one"), None, "byte {index}");
        }
        fs::write(cache.path("one"), &whole[..7]).unwrap();
        assert_eq!(cache.read("one"), None);
    }

    #[test]
    fn a_note_holds_for_its_component_and_its_words_only() {
        let (_dir, cache) = cache();
        let [one, other] = [Digest::of(b"one"), Digest::of(b"other")];
        cache.note(one, b"signed by a").unwrap();
        assert!(cache.is_noted(one, b"signed by a"));
        assert!(!cache.is_noted(one, b"signed by b"));
        assert!(!cache.is_noted(other, b"signed by a"));
    }

    #[test]
    fn a_folder_that_others_own_or_may_write_to_is_no_cache() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(Cache::open(dir.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);

        let refusal = refuse_others(dir.path(), 0o700, 1000, Some(65_532)).unwrap_err();
        assert!(refusal.to_string().contains("belongs to user 1000"), "{refusal}");
        for owner in [0, 65_532] {
            refuse_others(dir.path(), 0o700, owner, Some(65_532)).unwrap();
        }
        assert_eq!(own_user(), Some(fs::metadata(dir.path()).unwrap().uid()));
    }

    #[test]
    fn what_was_used_last_stays_and_what_is_not_ours_is_left_alone() {
        let (_dir, cache) = cache();
        let keys = ["a", "b", "c"].map(|name| format!("{}-0", Digest::of(name.as_bytes()).hex()));
        let age = |path: &Path, hours| {
            let then = SystemTime::now() - Duration::from_hours(hours);
            File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
        };
        for (key, hours) in keys.iter().zip([5, 4, 3]) {
            cache.write(key, b"code").unwrap();
            age(&cache.path(key), hours);
        }
        let (unfinished, foreign) = (cache.dir.join(format!("{}.7", keys[0])), cache.dir.join("notes.txt"));
        for path in [&unfinished, &foreign] {
            fs::write(path, "x").unwrap();
            age(path, 9);
        }
        assert!(cache.read(&keys[0]).is_some(), "the oldest is used");
        cache.make_room(2).unwrap();
        let left = [&keys[0], &keys[1], &keys[2]].map(|key| cache.path(key).exists());
        assert_eq!(left, [true, false, true]);
        assert_eq!((unfinished.exists(), foreign.exists()), (false, true));
    }
}
