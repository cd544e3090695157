//! Times as RFC 3339 in UTC, to the second.
//!
//! Must not know: the clock.

/// A Unix time in seconds, written as RFC 3339.
pub mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    /// The text of a time; of the nearest one that has a text, for times before year −9999 or after 9999.
    #[must_use]
    pub fn text(seconds: i64) -> String {
        let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        let seconds = seconds.clamp(*range.start(), *range.end());
        Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }

    /// Writes a time.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn serialize<S: Serializer>(seconds: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(*seconds))
    }

    /// Reads a time; what is below a second is cut.
    ///
    /// # Errors
    /// If it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<Timestamp>().map(Timestamp::as_second).map_err(de::Error::custom)
    }

    /// The same for a time that there may not be.
    pub mod option {
        use serde::{Deserialize, Deserializer, Serializer};

        /// Writes a time, or null.
        ///
        /// # Errors
        /// Where the output fails.
        #[allow(clippy::ref_option, reason = "serde hands over a reference to the field")]
        pub fn serialize<S: Serializer>(seconds: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
            match seconds {
                Some(seconds) => super::serialize(seconds, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a time, or null.
        ///
        /// # Errors
        /// If it is neither.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
            #[derive(Deserialize)]
            struct Time(#[serde(with = "super")] i64);
            Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(seconds)| seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_whole_seconds() {
        assert_eq!(rfc3339::text(1_795_320_000), "2026-11-22T04:00:00Z");
        assert!(rfc3339::text(i64::MAX).starts_with("9999-12-30"));
    }
}
