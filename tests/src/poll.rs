//! Waiting for another process: ask often, give up at a bound, say what for.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two questions: short beside everything waited for, long beside the cost of asking.
const INTERVAL: Duration = Duration::from_millis(50);

/// Asks until `question` answers `Ok(Some(_))`, and returns that; `what` names it in the error after `limit`.
///
/// A question that fails is asked again, for a process that starts refuses connections at first; its last failure is
/// the source of the error.
///
/// # Errors
/// No answer within `limit`.
pub async fn until<T, F, Answer>(what: &str, limit: Duration, mut question: F) -> Result<T>
where
    F: FnMut() -> Answer,
    Answer: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + limit;
    loop {
        let failure = match question().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => anyhow::anyhow!("not yet"),
            Err(failure) => failure,
        };
        if Instant::now() >= deadline {
            return Err(failure).with_context(|| format!("waited {limit:?} for {what}"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_after_a_failure_is_the_answer() {
        let mut asked = 0;
        let answer = until("the third answer", Duration::from_secs(5), || {
            asked += 1;
            let turn = asked;
            async move {
                match turn {
                    1 => anyhow::bail!("connection refused"),
                    2 => Ok(None),
                    _ => Ok(Some(turn)),
                }
            }
        });
        assert_eq!(answer.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn giving_up_names_what_was_waited_for_and_the_last_failure() {
        let answer: Result<()> =
            until("a silent server", Duration::ZERO, || async { anyhow::bail!("connection refused") }).await;
        assert_eq!(format!("{:#}", answer.unwrap_err()), "waited 0ns for a silent server: connection refused");
    }
}
