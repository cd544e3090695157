//! What of a configuration may be told: all but what addresses keep secret.
//!
//! Signed addresses have a secret in their query, others a password before the host. What refuses a value, or tells that
//! it has changed, is read in the log, in Events and on pages that ask nobody who he is.

use serde_json::Value;

/// The schemes of components' addresses, which are known as such without slashes too.
const SCHEMES: [&str; 3] = ["https", "http", "oci"];
/// How what is on this machine is named: no secret is in that.
const LOCAL: [&str; 3] = ["builtin:", "file:", "unix:"];

/// A value as it may be shown to anybody.
pub(crate) fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => shown_text(text).into(),
        Value::Array(list) => list.iter().map(shown).collect(),
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        other => other.clone(),
    }
}

/// A text as it may be shown that should be an address: one whose scheme is mistyped or missing has its secrets all the
/// same.
pub(crate) fn shown_address(text: &str) -> String {
    if scheme(text).is_some() || LOCAL.iter().any(|scheme| text.starts_with(scheme)) {
        return shown_text(text);
    }
    let (place, query) = split_query(text);
    let place = place.rsplit_once('@').map_or_else(|| place.to_owned(), |(_, host)| format!("…@{host}"));
    format!("{place}{query}")
}

/// A text as it may be shown, which may be an address. That there is a query is told: it may be all that differs.
pub(crate) fn shown_text(text: &str) -> String {
    let Some((scheme, rest)) = scheme(text).map(|length| text.split_at(length)) else { return text.to_owned() };
    let (place, query) = split_query(rest);
    let (slashes, place) = place.split_at(place.len() - place.trim_start_matches('/').len());
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("…@{host}"));
    format!("{scheme}{slashes}{host}{path}{query}")
}

/// What comes before a query, and what is told of that.
fn split_query(text: &str) -> (&str, &'static str) {
    text.split_once(['?', '#']).map_or((text, ""), |(place, _)| (place, "?…"))
}

/// How long what stands before an address' slashes is, in bytes. Whatever has `://` in it is one: a typing error must
/// not tell a secret.
fn scheme(text: &str) -> Option<usize> {
    let (scheme, _) = text.split_once(':')?;
    let is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme.trim()));
    if is_known { Some(scheme.len() + 1) } else { text.find("://").map(|start| start + 1) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_and_passwords_are_left_out_wherever_they_stand() {
        for (text, told) in [
            ("https://bob:pw@r.example/p.wasm?sig=secret", "https://…@r.example/p.wasm?…"),
            ("https://r.example?sig=secret", "https://r.example?…"),
            ("oci:bob:pw@r/p", "oci:…@r/p"),
            ("oci://bob:pw@r/p@sha256:0123", "oci://…@r/p@sha256:0123"),
            ("oci://r/p@sha256:0123", "oci://r/p@sha256:0123"),
            ("HTTPS://bob:pw@r/p.wasm?sig=x", "HTTPS://…@r/p.wasm?…"),
            ("Https:bob:pw@r/p.wasm", "Https:…@r/p.wasm"),
            ("ftp://bob:pw@r/p.wasm#x", "ftp://…@r/p.wasm?…"),
            (" \thttps://bob:pw@r/p.wasm", " \thttps://…@r/p.wasm"),
            ("htps ://bob:pw@r/p?sig=x", "htps ://…@r/p?…"),
            ("'https://bob:pw@r/p?sig=x'", "'https://…@r/p?…"),
            ("file:https://bob:pw@r/p", "file:https://…@r/p"),
            ("file:/p?x", "file:/p?x"),
            ("builtin:gantry", "builtin:gantry"),
            ("what is it? nobody@home knows", "what is it? nobody@home knows"),
        ] {
            assert_eq!(shown_text(text), told);
        }
        for (text, told) in [
            ("r.example/p.wasm?sig=secret", "r.example/p.wasm?…"),
            ("bob:pw@r.example/p", "…@r.example/p"),
            ("https//bob:pw@r.example/p.wasm?sig=secret", "…@r.example/p.wasm?…"),
            ("https://bob:pw@r.example/p.wasm?sig=x", "https://…@r.example/p.wasm?…"),
            ("r.example/p@sha256:0123", "…@sha256:0123"),
            ("file:/p?x", "file:/p?x"),
            ("unix:run/f@1.sock", "unix:run/f@1.sock"),
            ("builtin:other", "builtin:other"),
        ] {
            assert_eq!(shown_address(text), told);
        }
        let nested = json!({"plugins": [{"component": "https://r/p?sig=secret", "weight": 2}]});
        assert_eq!(shown(&nested), json!({"plugins": [{"component": "https://r/p?…", "weight": 2}]}));
    }
}
