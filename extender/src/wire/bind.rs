//! `ExtenderBindingArgs` and `ExtenderBindingResult`.
//!
//! Promises that an answer without an error is written only by who bound the pod:
//! kube-scheduler believes it for ever.

use super::go::{Text, go_struct};
use super::{WireError, parse};

go_struct! {
    /// What to bind.
    pub struct BindingArgs<'a> {
        /// The pod's name.
        "PodName" => pod_name: Text<'a>,
        /// The pod's namespace.
        "PodNamespace" => pod_namespace: Text<'a>,
        /// The pod's unique id; a pod of the same name made later is another one.
        "PodUID" => pod_uid: Text<'a>,
        /// The node's name.
        "Node" => node: Text<'a>,
    }
}

impl<'a> BindingArgs<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// With the path of what is malformed or missing.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let args: Self = parse(body)?;
        match args.empty_key() {
            Some(key) => Err(WireError::Missing { path: key.to_owned(), missing: "a value is required" }),
            None => Ok(args),
        }
    }

    fn empty_key(&self) -> Option<&'static str> {
        let Self { pod_name, pod_namespace, pod_uid, node } = self;
        let values = [("PodName", pod_name), ("PodNamespace", pod_namespace), ("PodUID", pod_uid), ("Node", node)];
        values.into_iter().find_map(|(key, value)| value.is_empty().then_some(key))
    }
}

/// Writes the answer; an empty text says that the pod is bound.
///
/// # Panics
/// Never: a string can always be written.
#[must_use]
pub fn answer(error: &str) -> Vec<u8> {
    let mut out = b"{\"Error\":".to_vec();
    serde_json::to_writer(&mut out, error).expect("invariant: writing a string to memory cannot fail");
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_binding_is_read() {
        let body = br#"{"PodName":"p","PodNamespace":"default","PodUID":"u-1","Node":"node-a"}"#;
        let args = BindingArgs::parse(body).unwrap();
        assert_eq!(
            [&*args.pod_name, &*args.pod_namespace, &*args.pod_uid, &*args.node],
            ["p", "default", "u-1", "node-a"]
        );
    }

    #[test]
    fn a_binding_without_a_node_is_refused_with_its_path() {
        let error = BindingArgs::parse(br#"{"PodName":"p","PodNamespace":"d","PodUID":"u"}"#).unwrap_err();
        assert_eq!(error.to_string(), "malformed request at Node: a value is required");
    }

    #[test]
    fn answers_have_exactly_these_bytes() {
        assert_eq!(answer(""), br#"{"Error":""}"#);
        assert_eq!(answer("no \"node\""), br#"{"Error":"no \"node\""}"#);
    }
}
