//! The sections `prometheus` and `nodes`: an address, a way to say who asks, and how a series becomes a node's.
//!
//! Must not know: what a secret file holds; it is read when it is used.

use std::time::Duration;

use http::{HeaderValue, Uri};
use regex::Regex;

use super::{Checker, MINUTE, SECOND};
use crate::config::file::{BasicFile, JoinFile, NodesFile, PrometheusFile, TlsFile};
use crate::config::valid::{Auth, Join, Nodes, Prometheus};

/// Below it no answer for more than a few nodes fits; above it one answer would be more than the process may take.
const RESPONSE_LIMIT: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 30);

impl Checker {
    pub(super) fn prometheus(&mut self, file: PrometheusFile) -> Prometheus {
        let timeouts = Duration::from_millis(100)..=2 * MINUTE;
        let url = self.url(file.url);
        let (ca_file, client_cert) = self.tls(file.tls, &url);
        Prometheus {
            timeout: self.duration("prometheus.timeout", file.timeout, 10 * SECOND, timeouts),
            response_limit: self.bytes("prometheus.responseLimit", file.response_limit, "8Mi", RESPONSE_LIMIT),
            tenant: file.tenant.and_then(|tenant| self.tenant(&tenant)),
            auth: self.auth(file.bearer_token_file, file.basic),
            url,
            ca_file,
            client_cert,
        }
    }

    fn url(&mut self, value: Option<String>) -> Uri {
        let text = value.unwrap_or_default();
        let is_good = |uri: &Uri| {
            let has_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
            matches!(uri.scheme_str(), Some("http" | "https")) && !has_user && uri.query().is_none()
        };
        text.trim_end_matches('/').parse::<Uri>().ok().filter(is_good).unwrap_or_else(|| {
            let remedy = "name Prometheus' address, such as http://prometheus.monitoring:9090; a name and password \
                          belong into prometheus.basic";
            self.refuse("prometheus.url", &text, remedy);
            Uri::from_static("http://localhost:9090")
        })
    }

    fn tenant(&mut self, text: &str) -> Option<HeaderValue> {
        let value = HeaderValue::from_str(text).ok().filter(|value| !value.is_empty());
        if value.is_none() {
            self.refuse("prometheus.tenant", text, "use printable ASCII");
        }
        value
    }

    fn auth(&mut self, bearer: Option<std::path::PathBuf>, basic: Option<BasicFile>) -> Auth {
        match (bearer, basic) {
            (None, None) => Auth::Anonymous,
            (Some(path), None) => Auth::Bearer(self.file("prometheus.bearerTokenFile", path)),
            (None, Some(BasicFile { username: Some(username), password_file: Some(path) })) => {
                if username.is_empty() || username.contains(':') {
                    self.refuse("prometheus.basic.username", &username, "use a name without a colon");
                }
                Auth::Basic { username, password_file: self.file("prometheus.basic.passwordFile", path) }
            }
            (None, Some(_)) => {
                self.refuse("prometheus.basic", "", "name both username and passwordFile");
                Auth::Anonymous
            }
            (Some(_), Some(_)) => {
                self.refuse("prometheus.basic", "", "choose one of basic and bearerTokenFile");
                Auth::Anonymous
            }
        }
    }

    fn tls(
        &mut self,
        file: TlsFile,
        url: &Uri,
    ) -> (Option<std::path::PathBuf>, Option<(std::path::PathBuf, std::path::PathBuf)>) {
        let TlsFile { ca_file, cert_file, key_file } = file;
        if url.scheme_str() != Some("https") && (ca_file.is_some() || cert_file.is_some() || key_file.is_some()) {
            self.refuse("prometheus.tls", "", "write https in prometheus.url, or leave the certificates out");
        }
        let client_cert = match (cert_file, key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => {
                Some((self.file("prometheus.tls.certFile", cert), self.file("prometheus.tls.keyFile", key)))
            }
            _ => {
                self.refuse("prometheus.tls", "", "name both certFile and keyFile, or none");
                None
            }
        };
        (ca_file.map(|path| self.file("prometheus.tls.caFile", path)), client_cert)
    }

    pub(super) fn nodes(&mut self, file: NodesFile) -> Nodes {
        let default = r"^(.+?)(?::\d+)?$";
        let pattern = file.pattern.as_deref().unwrap_or(default);
        let pattern = Regex::new(pattern).ok().filter(|regex| regex.captures_len() >= 2).unwrap_or_else(|| {
            self.refuse("nodes.pattern", pattern, format!("use a regular expression with a group, such as {default}"));
            Regex::new(default).expect("invariant: the default pattern is well formed")
        });
        Nodes { label: file.label.unwrap_or_else(|| "instance".to_owned()), pattern, join: file.join.map(join) }
    }
}

fn join(file: JoinFile) -> Join {
    let or = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    Join { query: or(file.query, "kube_node_info"), key: or(file.key, "internal_ip"), name: or(file.name, "node") }
}
