//! Where usage is read: Prometheus' HTTP API.
//!
//! Promises: a text that is no number is still a sample ("NaN" and "+Inf" reach the grid, which drops and counts them);
//! an answer is never larger than the limit, however it was packed; errors of the server are tried again, refusals
//! never. Must not know: what the labels mean, grids.

mod answer;
mod client;
mod error;
mod tls;

use std::collections::BTreeMap;

use bytes::Bytes;
pub use error::{Outcome, SourceError};

use crate::Sample;
use crate::config::valid;
use client::Client;

/// A series' labels.
pub type Labels = BTreeMap<String, String>;

/// The samples of one series in one answer, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// What tells it from others.
    pub labels: Labels,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// A span of time on a regular grid, Unix time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first time.
    pub start: i64,
    /// The last time that may be asked for.
    pub end: i64,
    /// Between two times; at least 1.
    pub step: u32,
}

/// Most steps of one answer; Prometheus refuses more than 11 000.
const MOST_STEPS: i64 = 10_000;

/// Samples of one answer where there are many series: about 3 MB of JSON, and as much again once it is understood.
const PART: usize = 100_000;

/// A Prometheus server.
#[derive(Debug)]
pub struct Prometheus {
    client: Client,
}

impl Prometheus {
    /// A server that need not answer yet.
    ///
    /// # Errors
    /// If a certificate cannot be used.
    pub fn new(config: valid::Prometheus) -> Result<Self, SourceError> {
        Ok(Self { client: Client::new(config)? })
    }

    /// A reading of a query over a span.
    #[must_use]
    pub const fn read<'a>(&'a self, promql: &'a str, span: Span) -> Reading<'a> {
        Reading { prometheus: self, promql, span, steps: MOST_STEPS }
    }

    /// The same where so many series are expected: in parts that are small beside what a process keeps of them.
    #[must_use]
    pub fn read_many<'a>(&'a self, promql: &'a str, span: Span, series: usize) -> Reading<'a> {
        let steps = (PART / series.max(1)).max(1) as i64;
        Reading { steps: steps.min(MOST_STEPS), ..self.read(promql, span) }
    }

    /// A query's newest values at a time, Unix time in seconds.
    ///
    /// # Errors
    /// If there is no answer, or no good one.
    pub async fn instant(&self, promql: &str, at: i64) -> Result<Vec<Labelled>, SourceError> {
        let parameters = [("query", promql), ("time", &at.to_string())];
        answer::parse(&self.client.post("/api/v1/query", &parameters).await?)
    }

    /// How many series a query has at a time.
    ///
    /// # Errors
    /// As [`Self::instant`].
    pub async fn count(&self, promql: &str, at: i64) -> Result<usize, SourceError> {
        let counted = self.instant(&format!("count({promql})"), at).await?;
        Ok(counted.first().and_then(|series| series.samples.first()).map_or(0, |sample| sample.value as usize))
    }

    async fn range(&self, promql: &str, span: Span) -> Result<Bytes, SourceError> {
        let Span { start, end, step } = span;
        let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
        let parameters = [("query", promql), ("start", &start), ("end", &end), ("step", &step)];
        self.client.post("/api/v1/query_range", &parameters).await
    }
}

/// One answer, unpacked and not yet looked into: that takes longer than whoever serves beside it should wait.
#[derive(Debug)]
pub struct Part {
    body: Bytes,
    /// The time that it reaches, Unix time in seconds.
    pub until: i64,
}

impl Part {
    /// The series in it.
    ///
    /// # Errors
    /// If it is none of Prometheus' answers.
    pub fn series(&self) -> Result<Vec<Labelled>, SourceError> {
        answer::parse(&self.body)
    }
}

/// A query over a span, read part by part: a week of a large fleet is more than a process should hold at once.
#[derive(Debug)]
pub struct Reading<'a> {
    prometheus: &'a Prometheus,
    promql: &'a str,
    span: Span,
    /// Steps of the next part; halved when an answer is too large.
    steps: i64,
}

impl Reading<'_> {
    /// The next part, oldest first; none at the end.
    ///
    /// # Errors
    /// If there is no answer, or no good one. The reading may go on where it was.
    pub async fn next(&mut self) -> Result<Option<Part>, SourceError> {
        loop {
            let Span { start, end, step } = self.span;
            if start > end {
                return Ok(None);
            }
            let step = i64::from(step.max(1));
            let steps = self.steps.min((end - start) / step + 1);
            let part = Span { end: start + (steps - 1) * step, ..self.span };
            match self.prometheus.range(self.promql, part).await {
                Err(SourceError::TooLarge { .. }) if steps > 1 => self.steps = steps / 2,
                Err(error) => return Err(error),
                Ok(body) => {
                    self.span.start = part.end + step;
                    return Ok(Some(Part { body, until: part.end }));
                }
            }
        }
    }
}
