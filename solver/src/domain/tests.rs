//! Laws of domains.

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

proptest! {
    #[test]
    fn bits_and_values_say_the_same(universe in 1_u32..300, picks in prop::collection::vec(0_u32..300, 0..80)) {
        let picks: Vec<u32> = picks.into_iter().map(|pick| pick % universe).collect();
        let class = DomainClass::from_values(universe, &picks).unwrap();
        let mut sorted = picks.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(class.values(), &sorted[..]);
        for value in 0..universe + 70 {
            prop_assert_eq!(class.contains(value), sorted.binary_search(&value).is_ok());
        }
    }

    #[test]
    fn every_draw_is_in_the_domain(
        universe in 1_u32..200, picks in prop::collection::vec(0_u32..200, 1..40), seed: u64, prefer: bool,
    ) {
        let picks: Vec<u32> = picks.into_iter().map(|pick| pick % universe).collect();
        let mut class = DomainClass::from_values(universe, &picks).unwrap();
        if prefer {
            let preference: Vec<f64> = (0..universe).map(|value| f64::from(value % 3) / 2.0).collect();
            class = class.with_preferences(&preference).unwrap();
        }
        let (domain, mut rng) = (Domain::Choices(&class), Rng::new(seed));
        for _ in 0..50 {
            prop_assert!(domain.contains(domain.draw(&mut rng)));
            prop_assert!(domain.contains(domain.draw_preferred(&mut rng)));
        }
    }
}

#[test]
fn all_values_of_a_universe_are_what_a_full_list_gives() {
    for universe in [0, 1, 63, 64, 65, 128, 200] {
        let listed = DomainClass::from_values(universe, &(0..universe).collect::<Vec<_>>()).unwrap();
        assert_eq!(DomainClass::all(universe), listed);
    }
}

#[test]
fn a_bitmap_of_the_wrong_length_or_with_a_bit_too_far_is_refused() {
    assert_eq!(DomainClass::from_words(65, &[1]), Err(DomainError::Words { expected: 2, found: 1 }));
    assert_eq!(DomainClass::from_words(10, &[1 << 10]), Err(DomainError::OutOfRange { value: 10, universe: 10 }));
    assert_eq!(DomainClass::from_values(3, &[3]), Err(DomainError::OutOfRange { value: 3, universe: 3 }));
}

#[test]
fn a_preferred_value_is_drawn_about_four_times_as_often() {
    let class = DomainClass::from_values(9, &[2, 5, 7]).unwrap();
    let mut preference = [0.0; 9];
    preference[5] = 1.0;
    let class = class.with_preferences(&preference).unwrap();
    let mut rng = Rng::new(1);
    let hits = (0..60_000).filter(|_| Domain::Choices(&class).draw_preferred(&mut rng) == 5).count();
    assert!((39_000..41_000).contains(&hits), "{hits} of 60000");
}

#[test]
fn preferences_must_be_one_a_value_and_from_0_to_1() {
    let class = DomainClass::all(2);
    assert!(matches!(class.clone().with_preferences(&[0.5]), Err(DomainError::Preferences { .. })));
    assert!(matches!(class.clone().with_preferences(&[0.5, f64::NAN]), Err(DomainError::Preference { value: 1, .. })));
    assert!(matches!(class.with_preferences(&[1.5, 0.0]), Err(DomainError::Preference { value: 0, .. })));
}

#[test]
fn retaining_keeps_values_bits_and_preferences_together() {
    let class = DomainClass::all(4).with_preferences(&[1.0, 0.0, 0.5, 1.0]).unwrap();
    let kept = class.retain(|value| value % 2 == 1);
    let direct = DomainClass::from_values(4, &[1, 3]).unwrap().with_preferences(&[1.0, 0.0, 0.5, 1.0]).unwrap();
    assert_eq!(kept, direct);
    assert!(class.retain(|_| false).values().is_empty());
}

#[test]
fn the_grid_of_an_interval_starts_low_and_never_passes_high() {
    let interval = Interval::new(1.0, 2.0, 0.3).unwrap();
    assert_eq!((interval.levels(), interval.real(0), interval.real(9)), (4, 1.0, 2.0));
    let domain = Domain::Interval(interval);
    assert!(domain.contains(3) && !domain.contains(4));
}

proptest! {
    #[test]
    fn a_level_is_found_again_by_its_number_and_by_what_is_near(
        low in -5.0..5.0, width in 0.0..9.0, step in 1e-6..1.0, pick: u32, off in -0.4..0.4,
    ) {
        let interval = Interval::new(low, low + width, step).unwrap();
        let level = pick % interval.levels();
        prop_assert_eq!(interval.level(interval.real(level)), level);
        prop_assert_eq!(interval.level(interval.real(level) + off * step), level);
    }
}

#[test]
fn numbers_outside_an_interval_have_its_end_levels() {
    let interval = Interval::new(1.0, 2.0, 0.25).unwrap();
    assert_eq!([-9.0, 9.0, f64::NAN, f64::INFINITY].map(|real| interval.level(real)), [0, 4, 0, 4]);
}

#[test]
fn an_interval_that_is_none_is_refused() {
    for (low, high, step) in [(2.0, 1.0, 0.1), (0.0, 1.0, 0.0), (0.0, f64::INFINITY, 1.0), (0.0, 1e12, 1.0)] {
        assert!(Interval::new(low, high, step).is_err(), "{low} {high} {step}");
    }
    assert!(Interval::new(f64::NAN, 1.0, 1.0).is_err());
}

#[test]
fn an_unknown_class_is_refused_by_item() {
    let classes = vec![Arc::new(DomainClass::all(3))];
    let error = Domains::new(classes, vec![0, 1]).unwrap_err();
    assert_eq!(error, DomainError::UnknownClass { item: 1, class: 1 });
}
