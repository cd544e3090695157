//! A fixed number of things that are lent to one caller each.
//!
//! It promises that a caller either gets one within the time it gave, or is turned away: at once when too many wait
//! already, since waiting in a long queue ends in a missed deadline anyway. Nobody is served before who came earlier and
//! still waits. It must not know what it lends.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lends its members, the last returned first: that one most likely holds the newest snapshot and is warm in the cache.
pub(crate) struct Pool<T> {
    shelf: Mutex<Shelf<T>>,
    size: usize,
    queue: usize,
}

struct Shelf<T> {
    idle: Vec<T>,
    /// Who waits, in the order of coming: each is woken by itself.
    queue: VecDeque<Arc<Condvar>>,
}

impl<T> Shelf<T> {
    /// Takes a member, unless all belong to the `before` who came earlier.
    fn take(&mut self, before: usize) -> Option<T> {
        if before < self.idle.len() { self.idle.pop() } else { None }
    }

    /// How many came before one who waits.
    fn before(&self, waiter: &Arc<Condvar>) -> usize {
        self.queue.iter().take_while(|other| !Arc::ptr_eq(other, waiter)).count()
    }

    /// Wakes those whose turn it is.
    fn call(&self) {
        self.queue.iter().take(self.idle.len()).for_each(|waiter| waiter.notify_one());
    }
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
        let shelf = Mutex::new(Shelf { idle: members, queue: VecDeque::new() });
        Self { shelf, size, queue }
    }

    /// How many members there are, lent or not.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// A member, waiting for at most `patience`.
    pub(crate) fn acquire(&self, patience: Duration) -> Result<Lease<'_, T>, Overloaded> {
        let mut shelf = self.shelf();
        let waiting = shelf.queue.len();
        if let Some(member) = shelf.take(waiting) {
            return Ok(Lease { pool: self, member: Some(member) });
        }
        if waiting >= self.queue {
            return Err(Overloaded { waiting });
        }
        let own = Arc::new(Condvar::new());
        shelf.queue.push_back(Arc::clone(&own));
        let waited = own.wait_timeout_while(shelf, patience, |shelf| shelf.before(&own) >= shelf.idle.len());
        let (mut shelf, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let before = shelf.before(&own);
        let member = shelf.take(before);
        let waiting = shelf.queue.len();
        shelf.queue.retain(|other| !Arc::ptr_eq(other, &own));
        // Whoever gives up has made room before others.
        shelf.call();
        member.map(|member| Lease { pool: self, member: Some(member) }).ok_or(Overloaded { waiting })
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
        let mut shelf = self.pool.shelf();
        shelf.idle.extend(self.member.take());
        shelf.call();
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

    fn wait_until_there_wait(pool: &Pool<u8>, count: usize) {
        while pool.shelf().queue.len() < count {
            thread::yield_now();
        }
    }

    #[test]
    fn a_newcomer_takes_nothing_that_somebody_waits_for_and_has_not_come_to_take_yet() {
        let pool = Pool::new(vec![1], 2);
        let lease = pool.acquire(LONG).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.acquire(LONG).map(|lease| *lease));
            wait_until_there_wait(&pool, 1);
            // Returned, and who waits has not woken up.
            pool.shelf().idle.push(2);
            let newcomer = pool.acquire(Duration::ZERO).map(|lease| *lease);
            assert!(newcomer.is_err(), "{newcomer:?}");
            assert_eq!(waiter.join().unwrap(), Ok(2));
        });
        drop(lease);
        assert_eq!(pool.shelf().idle, [2, 1]);
    }

    #[test]
    fn who_waits_is_served_in_the_order_of_coming() {
        let pool = Pool::new(vec![0], 8);
        let lease = pool.acquire(LONG).unwrap();
        let served = Mutex::new(Vec::new());
        let serve = |number: usize| {
            let _lease = pool.acquire(LONG).unwrap();
            served.lock().unwrap().push(number);
        };
        thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || serve(number));
                wait_until_there_wait(&pool, number + 1);
            }
            drop(lease);
        });
        assert_eq!(served.into_inner().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
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
