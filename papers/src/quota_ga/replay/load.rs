//! What comes in: three shapes of users over time, and the services that they call.
//!
//! Promises: a shape is a function of time alone. Must not know: how calls are served.

/// Seconds before anything is measured: every scaler settles on the first load, and the forecaster, which remembers the
/// errors of ten minutes about the next five, has forgotten its first guesses. With half of it those guesses would
/// still be head-room, and the predictive side would look twice as good.
pub const WARM_UP: u32 = 1_800;

/// Mean seconds between an answer and the next call of a user. \[I\] The source's 1000 users make 600 calls a second and
/// its 1500 users 1000; both fit 1.5 s of thinking.
pub const THINK: f64 = 1.5;

/// A service, one of four. \[I\] The source does not describe its application; these shares and costs make its 600 calls
/// a second take two thirds of its 16 cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// Its share of the calls.
    pub share: f64,
    /// Mean cpu of a call, in seconds of one core; exponentially distributed.
    pub cost: f64,
}

/// The services.
pub const SERVICES: [Service; 4] = [
    Service { share: 0.4, cost: 0.010 },
    Service { share: 0.3, cost: 0.016 },
    Service { share: 0.2, cost: 0.024 },
    Service { share: 0.1, cost: 0.040 },
];

/// The source's load tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// \[P\] 200 to 1000 users, 600 calls a second at the peak of 10 min; \[I\] they come evenly over 5 min.
    High,
    /// \[P\] 500 to 1500 users, 1000 calls a second for 3 min; \[I\] they come and go within 15 s, and 150 s follow.
    Burst,
    /// \[P\] 50 to 200 calls a second, 20 min; \[I\] up and down evenly, 75 to 300 users.
    Low,
}

impl Load {
    /// All of them, in the order of the source's table.
    pub const ALL: [Self; 3] = [Self::High, Self::Burst, Self::Low];

    /// The source's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Burst => "burst",
            Self::Low => "low",
        }
    }

    /// How many users there are at some seconds after the warm-up, at the times in between evenly more or less.
    const fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Self::High => &[(0.0, 200.0), (300.0, 1_000.0), (900.0, 1_000.0)],
            Self::Burst => &[(0.0, 500.0), (15.0, 1_500.0), (195.0, 1_500.0), (210.0, 500.0), (360.0, 500.0)],
            Self::Low => &[(0.0, 75.0), (600.0, 300.0), (1_200.0, 75.0)],
        }
    }

    /// Seconds from the start of the warm-up to the end.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        let corners = self.corners();
        WARM_UP + corners[corners.len() - 1].0 as u32
    }

    /// The users at a second since the start of the warm-up, in which the first load holds.
    #[must_use]
    pub fn users(self, second: u32) -> u32 {
        let time = (f64::from(second) - f64::from(WARM_UP)).max(0.0);
        let corners = self.corners();
        let last = corners[corners.len() - 1].1;
        let between = corners.windows(2).find(|ends| time < ends[1].0);
        let users = between.map_or(last, |ends| {
            let ((from, low), (to, high)) = (ends[0], ends[1]);
            low + (high - low) * (time - from) / (to - from)
        });
        users.round() as u32
    }

    /// Calls a second that no scaler can exceed but by chance: as many as the users make if every answer comes at once,
    /// and as many as `cores` can do.
    #[must_use]
    pub fn most_answers(self, cores: f64) -> f64 {
        let cost: f64 = SERVICES.iter().map(|service| service.share * service.cost).sum();
        let most = |second: u32| (f64::from(self.users(second)) / THINK).min(cores / cost);
        (WARM_UP..self.seconds()).map(most).sum::<f64>() / f64::from(self.seconds() - WARM_UP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_as_the_shapes_say() {
        let at = |load: Load, seconds: &[u32]| -> Vec<u32> {
            seconds.iter().map(|second| load.users(WARM_UP + second)).collect()
        };
        assert_eq!(at(Load::High, &[0, 150, 300, 899]), [200, 600, 1_000, 1_000]);
        assert_eq!(at(Load::Burst, &[0, 15, 194, 210, 359]), [500, 1_500, 1_500, 500, 500]);
        assert_eq!(at(Load::Low, &[0, 600, 1_199]), [75, 300, 75]);
        assert_eq!(Load::Low.users(0), 75);
    }

    #[test]
    fn every_call_goes_to_one_service() {
        assert!((SERVICES.iter().map(|service| service.share).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
