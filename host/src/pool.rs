//! A fixed number of things that are lent to one caller each.
//!
//! It promises that a caller either gets one within the time it gave, or is turned away: at once when too many wait
//! already, since waiting in a long queue ends in a missed deadline anyway. It must not know what it lends.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lends its members, the last returned first: that one most likely holds the newest snapshot and is warm in the cache.
pub(crate) struct Pool<T> {
    shelf: Mutex<Shelf<T>>,
    returned: Condvar,
    size: usize,
    queue: usize,
}

struct Shelf<T> {
    idle: Vec<T>,
    waiting: usize,
}

/// No member was free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded {
    /// How many callers waited.
    pub(crate) waiting: usize,
}

impl<T> Pool<T> {
    /// A pool of `members` for which at most `queue` callers wait.
    pub(crate) fn new(members: Vec<T>, queue: usize) -> Self {
        let size = members.len();
        let shelf = Mutex::new(Shelf { idle: members, waiting: 0 });
        Self { shelf, returned: Condvar::new(), size, queue }
    }

    /// How many members there are, lent or not.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// A member, waiting for at most `patience`.
    pub(crate) fn acquire(&self, patience: Duration) -> Result<Lease<'_, T>, Overloaded> {
        let mut shelf = self.shelf();
        if let Some(member) = shelf.idle.pop() {
            return Ok(Lease { pool: self, member: Some(member) });
        }
        if shelf.waiting >= self.queue {
            return Err(Overloaded { waiting: shelf.waiting });
        }
        shelf.waiting += 1;
        let waited = self.returned.wait_timeout_while(shelf, patience, |shelf| shelf.idle.is_empty());
        let (mut shelf, _) = waited.unwrap_or_else(PoisonError::into_inner);
        shelf.waiting -= 1;
        match shelf.idle.pop() {
            Some(member) => Ok(Lease { pool: self, member: Some(member) }),
            None => Err(Overloaded { waiting: shelf.waiting + 1 }),
        }
    }

    /// A panic while the lock is held cannot leave the shelf half changed.
    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lent member; it returns when this is dropped, also when the borrower panics.
pub(crate) struct Lease<'a, T> {
    pool: &'a Pool<T>,
    member: Option<T>,
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.member.as_ref().expect("invariant: the member leaves only in drop")
    }
}

impl<T> DerefMut for Lease<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.member.as_mut().expect("invariant: the member leaves only in drop")
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        self.pool.shelf().idle.extend(self.member.take());
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn the_last_returned_is_lent_first() {
        let pool = Pool::new(vec![1, 2], 0);
        let (two, one) = (pool.acquire(LONG).unwrap(), pool.acquire(LONG).unwrap());
        assert_eq!((*two, *one), (2, 1));
        drop(two);
        drop(one);
        assert_eq!(*pool.acquire(LONG).unwrap(), 1);
    }

    #[test]
    fn a_caller_past_the_queue_is_turned_away_at_once() {
        let pool = Pool::new(vec![()], 0);
        let _lease = pool.acquire(LONG).unwrap();
        assert_eq!(pool.acquire(LONG).err(), Some(Overloaded { waiting: 0 }));
    }

    #[test]
    fn a_caller_whose_patience_ends_is_turned_away() {
        let pool = Pool::new(vec![()], 1);
        let _lease = pool.acquire(LONG).unwrap();
        assert_eq!(pool.acquire(Duration::ZERO).err(), Some(Overloaded { waiting: 1 }));
    }

    #[test]
    fn a_waiting_caller_gets_what_is_returned() {
        let pool = Pool::new(vec![7], 1);
        let lease = pool.acquire(LONG).unwrap();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                start.wait();
                *pool.acquire(LONG).unwrap()
            });
            start.wait();
            drop(lease);
            assert_eq!(waiter.join().unwrap(), 7);
        });
    }

    #[test]
    fn a_borrower_that_panics_returns_the_member() {
        let pool = Pool::new(vec![()], 0);
        let panicked = thread::scope(|scope| {
            let borrower = scope.spawn(|| {
                let _lease = pool.acquire(LONG);
                panic!("on purpose");
            });
            borrower.join().is_err()
        });
        assert!(panicked);
        assert!(pool.acquire(LONG).is_ok());
    }
}
