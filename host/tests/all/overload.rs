//! More callers than instances.

use std::sync::Barrier;
use std::thread;

use gantry_host::{Entry, Full, Limits, Plugin, Reason, SnapshotSource};

use crate::world::{POD, ROWS, World, assert_failed, component, limits, start};

/// Holds the instance that asks for its generation until the test lets go.
struct Held<'a> {
    world: World,
    taken: &'a Barrier,
    released: &'a Barrier,
}

impl SnapshotSource for Held<'_> {
    fn generation(&self) -> u64 {
        self.taken.wait();
        self.released.wait();
        self.world.generation()
    }

    fn rows(&self) -> usize {
        self.world.rows()
    }

    fn full(&self) -> Full<'_> {
        self.world.full()
    }
}

#[test]
fn a_caller_past_the_queue_is_turned_away_while_the_instance_is_busy() {
    let no_queue = Limits { queue: 0, ..limits() };
    let plugin = Plugin::new("p", &component("well_behaved"), "", no_queue).unwrap();
    let (taken, released) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let busy =
            scope.spawn(|| plugin.filter(&Held { world: World::new(), taken: &taken, released: &released }, &POD));
        taken.wait();
        let error = assert_failed(plugin.filter(&World::new(), &POD), Entry::Filter, Reason::Overloaded);
        assert!(error.to_string().contains("all 1 instances are busy and 0 callers wait"), "{error}");
        released.wait();
        assert_eq!(busy.join().unwrap().unwrap(), [0; ROWS]);
    });
    assert_eq!(plugin.filter(&World::new(), &POD).unwrap(), [0; ROWS]);
}

#[test]
fn callers_in_the_queue_are_served_when_the_instance_is_free() {
    let plugin = start("well_behaved");
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| plugin.score(&World::new(), &POD).unwrap())).collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    });
}
