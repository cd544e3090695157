//! How an instance comes to hold the newest snapshot.
//!
//! The guest `well_behaved` scores every row by a fingerprint of all that it holds, so equal scores mean equal state.

use crate::world::{POD, World, start};

#[test]
fn changes_lead_to_the_same_state_as_the_whole() {
    let (by_changes, by_whole) = (start("well_behaved"), start("well_behaved"));
    let mut world = World::new();
    for step in 0..50 {
        let scores = by_changes.score(&world, &POD).unwrap();
        assert_eq!(scores, by_whole.score(&world.whole(), &POD).unwrap(), "step {step}");
        world = world.place(step % 5, 10.0 + step as f64);
        world.possible = vec![step as u64 % 32];
    }
}

#[test]
fn the_fingerprint_tells_states_apart() {
    let plugin = start("well_behaved");
    let world = World::new();
    let scores = plugin.score(&world, &POD).unwrap();
    assert_ne!(scores, plugin.score(&world.place(0, 1.0), &POD).unwrap());
}

#[test]
fn what_changed_little_is_pushed_as_changes() {
    let (plugin, reference) = (start("well_behaved"), start("well_behaved"));
    let world = World::new();
    plugin.filter(&world, &POD).unwrap();

    // Whole, this world has something on row 3 too; its changes, which is what should be asked for, do not say so.
    let mut lying = world.place(2, 5.0);
    let honest = lying.whole();
    lying.requested[6] += 1.0;
    assert_eq!(plugin.score(&lying, &POD).unwrap(), reference.score(&honest, &POD).unwrap());
}

#[test]
fn what_changed_altogether_is_pushed_whole() {
    let (plugin, reference) = (start("well_behaved"), start("well_behaved"));
    let world = World::new();
    plugin.filter(&world, &POD).unwrap();

    // As many numbers as the whole, and none of the row that really changed: pushed, they would leave it as it was.
    let mut next = world.place(1, 5.0);
    next.changed = vec![0; 5];
    assert_eq!(plugin.score(&next, &POD).unwrap(), reference.score(&next.whole(), &POD).unwrap());
}

#[test]
fn an_older_or_a_skipped_generation_is_pushed_whole() {
    let (plugin, reference) = (start("well_behaved"), start("well_behaved"));
    let first = World::new();
    let third = first.place(1, 1.0).place(2, 1.0);
    for world in [&first, &third, &first] {
        assert_eq!(plugin.score(world, &POD).unwrap(), reference.score(&world.whole(), &POD).unwrap());
    }
}

#[test]
fn a_fresh_instance_is_told_the_snapshot_again() {
    let (plugin, reference) = (start("trap"), start("well_behaved"));
    let world = World::new();
    assert!(plugin.score(&world, &POD).is_err());
    let next = world.place(1, 1.0);
    assert_eq!(plugin.filter(&next, &POD).unwrap(), reference.filter(&next, &POD).unwrap());
    assert_eq!(plugin.restarts(), 1);
}
