//! The section `forecasts`: where the sidecar is.
//!
//! The sidecar may start later than this process, so neither its socket nor its file
//! has to exist.

use std::path::PathBuf;
use std::time::Duration;

use super::Checker;
use crate::config::file::ForecastsFile;
use crate::config::secrets::shown_address;
use crate::config::valid::{ForecastSource, Forecasts};

impl Checker {
    pub(super) fn forecasts(&mut self, file: ForecastsFile) -> Forecasts {
        let range = Duration::from_secs(1)..=Duration::from_mins(1);
        Forecasts {
            source: self.forecast_source(&file.from.unwrap_or_default()),
            file: file.file,
            poll: self.duration("forecasts.poll", file.poll, Duration::from_secs(5), range),
        }
    }

    fn forecast_source(&mut self, from: &str) -> ForecastSource {
        let socket = from.strip_prefix("unix:").filter(|path| path.starts_with('/'));
        if let Some(path) = socket {
            return ForecastSource::Unix(PathBuf::from(path));
        }
        let address = from.strip_prefix("http://").and_then(|rest| rest.trim_end_matches('/').parse().ok());
        address.map_or_else(
            || {
                let remedy = "name the sidecar: unix: and the absolute path of its socket, or http:// with an IP \
                              address and a port; leave the section out to do without forecasts";
                self.refuse("forecasts.from", shown_address(from), remedy);
                ForecastSource::Unix(PathBuf::new())
            },
            ForecastSource::Tcp,
        )
    }
}
