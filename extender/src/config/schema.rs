//! The JSON schema of the configuration, made of the types in `file`.
//!
//! Promises that the file in `docs/` is what those types and their comments say, and
//! that its defaults are the program's. Built for tests only: nothing of it is shipped.
#![allow(dead_code, reason = "these types are told of, and never made")]

use std::collections::BTreeMap;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::check::check;
use super::file::{API_VERSION, KIND};
use super::{Config, ConfigFile, Surroundings, typed};

/// A whole number with its unit: `ms`, `s`, `m` or `h`.
#[derive(JsonSchema)]
#[schemars(rename = "duration", extend("pattern" = "^[0-9]+(ms|s|m|h)$"))]
pub(super) struct Duration(String);

/// A whole number of bytes, or of `Ki`, `Mi` or `Gi`.
#[derive(JsonSchema)]
#[schemars(rename = "size", extend("type" = ["string", "integer"], "pattern" = "^[0-9]+(Ki|Mi|Gi)?$"))]
pub(super) struct Size(String);

#[derive(JsonSchema)]
#[schemars(inline, extend("exclusiveMinimum" = 0, "maximum" = 10))]
pub(super) struct Factor(f64);

#[derive(JsonSchema)]
#[schemars(inline, extend("minimum" = 0, "maximum" = 1000))]
pub(super) struct Weight(f64);

/// An entry of the admins' validation dictionary.
// As `gantry_cluster::DictionaryEntry`, which is of another crate and is shipped; `tests/system/schema.rs` compares.
#[derive(JsonSchema)]
#[schemars(rename = "entry", deny_unknown_fields)]
pub(super) struct Entry {
    /// The pods it speaks of.
    pods: Selector,
    /// The nodes it speaks of.
    nodes: Selector,
    /// `Forbid` keeps the pods off the nodes; `Affine` lets them go to their `Affine` nodes only.
    r#type: Effect,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum Effect {
    Forbid,
    Affine,
}

/// As in Kubernetes; at least one label. Everything in it must hold.
#[derive(Default, JsonSchema)]
#[schemars(rename = "selector", default, deny_unknown_fields, rename_all = "camelCase", extend("minProperties" = 1))]
struct Selector {
    /// Labels that must be there with exactly these values.
    match_labels: BTreeMap<String, String>,
    /// Further requirements.
    match_expressions: Vec<Expression>,
}

/// One requirement of a label selector.
#[derive(JsonSchema)]
#[schemars(rename = "expression", deny_unknown_fields)]
struct Expression {
    /// The label.
    key: String,
    /// How it is compared.
    operator: Operator,
    /// The values: at least one for `In` and `NotIn`, none for `Exists` and `DoesNotExist`.
    #[schemars(default)]
    values: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Of the plugins the built-in one.
pub(super) fn is_builtin() -> Value {
    json!({"properties": {"component": {"const": "builtin:gantry"}}, "required": ["component"]})
}

/// Its settings are those that its own schema knows.
pub(super) fn has_own_settings() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/src/settings.schema.json");
    let mut settings: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // The dialect is said of the whole.
    settings.as_object_mut().unwrap().remove("$schema");
    json!({"properties": {"settings": settings}})
}

fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    settings.into_generator().into_root_schema_for::<ConfigFile>()
}

/// Takes out what is true of the types and of no use to an admin.
fn tidy(schema: &mut Schema) {
    // An optional key may be `null`. Where somebody wrote that, a value was forgotten.
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some([kind, null]) = schema.get("type").and_then(Value::as_array).map(Vec::as_slice)
        && null == "null"
    {
        let kind = kind.clone();
        schema.insert("type".to_owned(), kind);
    }
    // The widths of numbers: strict readers refuse formats that JSON Schema does not know.
    schema.remove("format");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

#[test]
fn the_schema_in_the_documents_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/gantry-configuration.schema.json");
    let text = format!("{:#}\n", schema().as_value());
    if std::env::var_os("GANTRY_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "{} is not what the types say. If that is meant: GANTRY_BLESS=1 cargo test --workspace --lib config::schema",
        path.display()
    );
}

/// Every section that has defaults, with no more than it must have.
fn sections() -> Value {
    let plugin = json!({"name": "a", "component": "https://plugins.example/a.wasm", "fetch": {}, "limits": {}});
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "server": {},
        "cluster": {},
        "forecasts": {"from": "http://127.0.0.1:8887"},
        "estimates": {},
        "compile": {},
        "profiles": [{"schedulerName": "s", "plugins": [plugin], "plan": {}}],
    })
}

/// Writes out what the schema says of the keys that are left out of a part, and yields how many these are.
fn write_out_defaults(value: &mut Value, part: &Value, schema: &Value) -> usize {
    let reference = part["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    let part = reference.unwrap_or(part);
    if let Some(items) = value.as_array_mut() {
        return items.iter_mut().map(|item| write_out_defaults(item, &part["items"], schema)).sum();
    }
    let (Some(keys), Some(properties)) = (value.as_object_mut(), part["properties"].as_object()) else { return 0 };
    let mut written = 0;
    for (key, part) in properties {
        if let Some(value) = keys.get_mut(key) {
            written += write_out_defaults(value, part, schema);
        } else if let Some(default) = part.get("default") {
            keys.insert(key.clone(), default.clone());
            written += 1;
        }
    }
    written
}

fn checked(document: &Value) -> Config {
    check(typed(document).unwrap(), Surroundings { is_in_cluster: true }).unwrap()
}

#[test]
fn a_default_of_the_schema_is_what_the_program_takes_for_a_key_that_is_left_out() {
    let (mut document, schema) = (sections(), schema().to_value());
    let left_out = checked(&document);
    let written = write_out_defaults(&mut document, &schema, &schema);
    assert!(written > 20, "{document:#}");
    assert_eq!(checked(&document), left_out);
}
