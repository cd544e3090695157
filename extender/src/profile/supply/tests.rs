//! A file that becomes another one on its way.

use super::*;

const PATIENCE: Patience = Patience { fetch: Duration::MAX, whole: Duration::MAX };

/// A file, and the wish for what it holds.
fn file(folder: &Path, bytes: &[u8]) -> (std::path::PathBuf, Wish) {
    let path = folder.join("p.wasm");
    fs::write(&path, bytes).unwrap();
    let fetch = Fetch { ca_file: None, auth_file: None, public_key: None, timeout: Duration::from_secs(1) };
    let wish = Wish { source: ComponentSource::File(path.clone()), digest: None, fetch };
    (path, wish)
}

/// Gives a wish up once its bytes are read; they compile as soon as the turn is let go.
fn given_up<'a>(supply: &'a Supply, wish: &Wish) -> MutexGuard<'a, ()> {
    let turn = lock(&supply.0.turn);
    let mut goes_on = |awaited: &[String]| awaited[0].ends_with("is being fetched");
    assert!(supply.meet(HashSet::from([wish.clone()]), PATIENCE, &mut goes_on).is_none());
    turn
}

#[test]
fn whoever_joins_while_a_file_compiles_gets_what_it_holds_by_now() {
    let (folder, supply) = (tempfile::tempdir().unwrap(), Supply::new(None, None));
    let (path, wish) = file(folder.path(), gantry_guests::garbage());
    let mut turn = Some(given_up(&supply, &wish));
    let bytes = gantry_guests::bytes("well_behaved");
    fs::write(path, bytes).unwrap();
    let mut goes_on = |_: &[String]| {
        drop(turn.take());
        true
    };
    let met = supply.meet(HashSet::from([wish.clone()]), PATIENCE, &mut goes_on).unwrap();
    assert_eq!(met[&wish].as_ref().unwrap().digest(), Digest::of(bytes));
}

#[test]
fn a_file_that_nobody_waited_for_any_longer_is_read_anew() {
    let (folder, supply) = (tempfile::tempdir().unwrap(), Supply::new(None, None));
    let (path, wish) = file(folder.path(), gantry_guests::bytes("well_behaved"));
    drop(given_up(&supply, &wish));
    while !supply.has_news() {
        std::thread::yield_now();
    }
    let bytes = gantry_guests::bytes("score_only");
    fs::write(path, bytes).unwrap();
    let met = supply.meet(HashSet::from([wish.clone()]), PATIENCE, &mut |_: &[String]| true).unwrap();
    assert_eq!(met[&wish].as_ref().unwrap().digest(), Digest::of(bytes));
}
