//! Quantities: the API's notations, its rounding, its bounds, and any text.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn units(text: &str) -> f64 {
    Quantity::parse(text).unwrap().units()
}

fn milli(text: &str) -> f64 {
    Quantity::parse(text).unwrap().thousandths()
}

#[test]
fn every_suffix_multiplies_as_the_api_says() {
    let expected = [
        ("1k", 1e3),
        ("1M", 1e6),
        ("1G", 1e9),
        ("1T", 1e12),
        ("1P", 1e15),
        ("1Ki", 1024.0),
        ("1Mi", 1_048_576.0),
        ("1Gi", 1_073_741_824.0),
        ("1Ti", 1_099_511_627_776.0),
        ("1Pi", 1_125_899_906_842_624.0),
        ("1e3", 1e3),
        ("1E3", 1e3),
        ("1e+3", 1e3),
        ("1000e-3", 1.0),
        ("+5", 5.0),
        ("007", 7.0),
        ("-0", 0.0),
        ("1.5Gi", 1_610_612_736.0),
        (".5Ki", 512.0),
        ("5.", 5.0),
    ];
    for (text, value) in expected {
        assert_eq!(units(text), value, "{text}");
    }
}

#[test]
fn fractions_round_up_to_whole_units() {
    assert_eq!(units("1500m"), 2.0);
    assert_eq!(units("0.0000001"), 1.0);
    assert_eq!(units("1n"), 1.0);
    assert_eq!(units("1u"), 1.0);
    assert_eq!(units("0.1Ki"), 103.0);
}

#[test]
fn cpu_rounds_up_to_millicores() {
    assert_eq!(milli("100m"), 100.0);
    assert_eq!(milli("2"), 2000.0);
    assert_eq!(milli("0.1"), 100.0);
    assert_eq!(milli("100u"), 1.0);
    assert_eq!(milli("1.0005"), 1001.0);
}

#[test]
fn sums_are_exact_before_they_are_rounded() {
    let half = Quantity::parse("0.5m").unwrap();
    assert_eq!((half + half).thousandths(), 1.0);
}

#[test]
fn absurd_quantities_are_capped() {
    for text in ["1e30", "1E1000", "9999999999999999999999999999999999999999999", "1E", "16Ei", "1e9223372036854775807"]
    {
        assert_eq!(units(text), LARGEST_AMOUNT, "{text}");
    }
    let largest = Quantity::parse("1e30").unwrap();
    assert_eq!(largest + largest, largest);
}

#[test]
fn vanishing_quantities_count_as_the_smallest() {
    for text in ["1e-400", "1e-9223372036854775808", "0.00000000000000000000000000000000000000000000001"] {
        assert_eq!(milli(text), 1.0, "{text}");
    }
}

#[test]
fn negative_quantities_are_refused() {
    for text in ["-5", "-1m", "-0.0000001", "-1e30"] {
        assert_eq!(Quantity::parse(text), Err(QuantityError::Negative(text.into())));
    }
}

#[test]
fn texts_that_are_no_quantities_are_refused() {
    assert_eq!(Quantity::parse(""), Err(QuantityError::Empty));
    for text in ["abc", "1.2.3Gi", ".", "-", "+", "--1", "+-1", "e3", "Gi", "\u{661}"] {
        assert_eq!(Quantity::parse(text), Err(QuantityError::NotANumber(text.into())), "{text}");
    }
    for text in ["1K", "1ki", "1e", "1e3.5", "1 Gi", "1Gi ", "1kk", "1i", "1e99999999999999999999", "0x10"] {
        assert_eq!(Quantity::parse(text), Err(QuantityError::Suffix(text.into())), "{text}");
    }
}

/// 2000 cases from a fixed seed.
fn seeded() -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0x6761_6e74);
    ProptestConfig { cases: 2000, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn no_text_panics_and_every_amount_is_a_bounded_whole_number(
        text in "\\PC{0,40}|[-+]?[0-9.]{0,45}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,25}",
    ) {
        if let Ok(quantity) = Quantity::parse(&text) {
            for amount in [quantity.units(), quantity.thousandths()] {
                prop_assert!((0.0..=LARGEST_AMOUNT).contains(&amount));
                prop_assert_eq!(amount, amount.trunc());
            }
        }
    }

    #[test]
    fn a_decimal_rounds_up_at_its_suffix(whole in 0_u64..1_000_000_000, nanos in 0_u64..1_000_000_000) {
        let quantity = Quantity::parse(&format!("{whole}.{nanos:09}")).unwrap();
        prop_assert_eq!(quantity.units(), (whole + u64::from(nanos > 0)) as f64);
        prop_assert_eq!(quantity.thousandths(), (whole * 1000 + nanos.div_ceil(1_000_000)) as f64);
    }

    #[test]
    fn addition_commutes_and_never_shrinks(a in "[0-9]{1,25}[mkGE]?", b in "[0-9]{1,25}[mkGE]?") {
        let (a, b) = (Quantity::parse(&a).unwrap(), Quantity::parse(&b).unwrap());
        prop_assert_eq!(a + b, b + a);
        prop_assert!(a + b >= a);
    }
}
