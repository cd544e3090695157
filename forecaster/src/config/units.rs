//! Durations and sizes as admins write them.
//!
//! Knows a number and one unit; must not grow into a calendar or a calculator.

use std::time::Duration;

/// Reads `500ms`, `30s`, `2m`, `6h` or `7d`. A unit is required: a bare number would be taken for seconds by some
/// readers and for milliseconds by others.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Reads a number of bytes: `1000`, `64Ki`, `128Mi` or `4Gi`.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Some(Duration::from_hours(7 * 24)));
        for wrong in ["", "5", "5 s", "-5s", "0.5s", "s", "5sec", "99999999999999999999s", "213503982335d"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(bytes("128Mi"), Some(128 << 20));
        assert_eq!(bytes("17"), Some(17));
        for wrong in ["", "Mi", "1M", "-1", "1.5Gi", "99999999999Gi"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
