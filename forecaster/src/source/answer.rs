//! The JSON of Prometheus' API.
//!
//! Promises: numbers, which are strings there, become samples whether they are finite or not. Must not know: HTTP.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::{Labelled, Labels, SourceError};
use crate::Sample;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: Status,
    data: Option<Content>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Error,
}

#[derive(Deserialize)]
struct Content {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: Labels,
    #[serde(default)]
    values: Vec<Point>,
    value: Option<Point>,
}

struct Point(Sample);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PointVisitor)
    }
}

struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = Point;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("[time, \"number\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Point, A::Error> {
        let at: f64 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let text: &str = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
        let value = text.parse().map_err(|_| de::Error::invalid_value(de::Unexpected::Str(text), &self))?;
        Ok(Point(Sample { at: at.round() as i64, value }))
    }
}

/// The series of an answer with status 200.
///
/// # Errors
/// If it is none, or says that it is an error.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Labelled>, SourceError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| SourceError::Malformed(error.into()))?;
    let Some(data) = answer.data.filter(|_| answer.status == Status::Success) else {
        return Err(SourceError::Malformed(answer.error.into()));
    };
    Ok(data.result.into_iter().map(labelled).collect())
}

fn labelled(series: Series) -> Labelled {
    let mut samples: Vec<Sample> = series.values.into_iter().map(|Point(sample)| sample).collect();
    samples.extend(series.value.map(|Point(sample)| sample));
    Labelled { labels: series.metric, samples }
}

/// What an answer with another status says; the text itself if it is no JSON.
pub(super) fn message(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Answer>(body).map(|answer| answer.error);
    let text = said.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    text.trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_keeps_what_is_no_number() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"instance":"a:1"},
            "values":[[1795297613,"0.2649"],[1795297643.4,"NaN"],[1795297673,"+Inf"],[1795297703,"1e+06"]]}]}}"#;
        let series = parse(body).unwrap();
        let [one] = series.as_slice() else { panic!("{series:?}") };
        assert_eq!(one.labels["instance"], "a:1");
        let [first, second, third, fourth] = one.samples[..] else { panic!("{one:?}") };
        assert_eq!((first.at, first.value, second.at), (1_795_297_613, 0.2649, 1_795_297_643));
        assert!(second.value.is_nan() && third.value == f64::INFINITY && fourth.value == 1e6);
    }

    #[test]
    fn a_vector_has_one_sample_a_series_and_nothing_is_nothing() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
        assert_eq!(parse(body).unwrap()[0].samples, [Sample { at: 1, value: 2.0 }]);
        assert!(parse(br#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#).unwrap().is_empty());
    }

    #[test]
    fn other_answers_are_malformed() {
        for body in [
            &b""[..],
            b"<html>",
            br#"{"status":"success"}"#,
            br#"{"status":"error","errorType":"execution","error":"x"}"#,
            br#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,"many"]]}]}}"#,
            br#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,2]]}]}}"#,
            br#"{"status":"success","data":{"result":[{"metric":{},"values":[[1795297"#,
        ] {
            assert_eq!(parse(body).unwrap_err().reason(), "malformed", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_message_is_short_and_says_what_the_server_said() {
        assert_eq!(message(br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#), "parse error");
        assert_eq!(message(" nginx\n".repeat(100).as_bytes()).chars().count(), 200);
    }
}
