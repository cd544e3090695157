//! The JSON schema of the configuration says what the program takes.

use std::collections::BTreeSet;
use std::path::Path;

use boon::{Compiler, Schemas};
use gantry_extender::config::{self, ConfigError};
use serde_json::{Value, json};

use crate::harness::HEAD;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema() -> Value {
    let text = std::fs::read_to_string(root().join("docs/gantry-configuration.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn is_valid(document: &Value) -> bool {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("configuration.json", schema()).unwrap();
    let compiled = compiler.compile("configuration.json", &mut schemas).unwrap();
    schemas.validate(document, compiled).is_ok()
}

/// A document with `inner` at a place, and where the schema speaks of that place.
const PLACES: [(&str, &str); 17] = [
    ("@", ""),
    ("server: {@}", "/properties/server"),
    ("server: {tls: {@}}", "/properties/server/properties/tls"),
    ("cluster: {@}", "/properties/cluster"),
    ("forecasts: {@}", "/properties/forecasts"),
    ("estimates: {@}", "/properties/estimates"),
    ("cache: {@}", "/properties/cache"),
    ("compile: {@}", "/properties/compile"),
    ("profiles: [{@}]", "/$defs/profile"),
    ("profiles: [{plan: {@}}]", "/$defs/profile/properties/plan"),
    ("profiles: [{plugins: [{@}]}]", "/$defs/plugin"),
    ("profiles: [{plugins: [{fetch: {@}}]}]", "/$defs/plugin/properties/fetch"),
    ("profiles: [{plugins: [{signature: {@}}]}]", "/$defs/plugin/properties/signature"),
    ("profiles: [{plugins: [{limits: {@}}]}]", "/$defs/plugin/properties/limits"),
    ("profiles: [{dictionary: [{@}]}]", "/$defs/entry"),
    ("profiles: [{dictionary: [{pods: {@}}]}]", "/$defs/selector"),
    ("profiles: [{dictionary: [{pods: {matchExpressions: [{@}]}}]}]", "/$defs/expression"),
];

/// Places of words in the types of another crate, which the schema repeats.
const WORDS: [(&str, &str); 2] = [
    ("profiles: [{dictionary: [{type: @}]}]", "/$defs/entry/properties/type"),
    (
        "profiles: [{dictionary: [{pods: {matchExpressions: [{operator: @}]}}]}]",
        "/$defs/expression/properties/operator",
    ),
];

/// What the program takes at a place: it lists that when it meets `zzz`.
fn taken(place: &str, unknown: &str) -> BTreeSet<String> {
    let Err(ConfigError::Refused(problems)) = config::parse(&place.replace('@', unknown), Path::new("x")) else {
        panic!("what is unknown is taken: {place}");
    };
    let (unknown, expected) = problems[0].remedy.split_once("expected").unwrap();
    assert!(unknown.contains("zzz"), "{}", problems[0]);
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_names_every_key_and_no_other() {
    let schema = schema();
    for (place, pointer) in PLACES {
        let object = schema.pointer(pointer).unwrap();
        assert_eq!(object["additionalProperties"], false, "{pointer}");
        let named: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, taken(place, "zzz: 1"), "{place}");
    }
}

#[test]
fn the_schema_names_every_word_of_the_dictionary_and_no_other() {
    let schema = schema();
    for (place, pointer) in WORDS {
        let words = schema.pointer(pointer).unwrap()["enum"].as_array().unwrap();
        let named: BTreeSet<String> = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        assert_eq!(named, taken(place, "zzz"), "{place}");
    }
}

/// Places where the schema forbids other keys: each is one of [`PLACES`], so that none is forgotten, but for the settings
/// of the built-in plugin, which takes them itself.
#[test]
fn no_object_of_the_schema_is_left_out() {
    fn closed(value: &Value) -> usize {
        let own = usize::from(value.get("additionalProperties") == Some(&Value::Bool(false)));
        let inner = value.as_object().into_iter().flat_map(|object| object.values());
        own + inner.map(closed).sum::<usize>()
    }
    let settings = &schema()["$defs"]["plugin"]["then"]["properties"]["settings"];
    assert_eq!(closed(&schema()), PLACES.len() + closed(settings));
}

/// As `check-config` does, up to the plugins: one of the example's is nowhere.
#[test]
fn the_configurations_in_the_manifests_fit_the_schema_and_are_taken_and_a_typing_error_does_not_fit() {
    for file in [
        "manifests/base/gantry.yaml",
        "manifests/components/nominate/gantry.yaml",
        "manifests/overlays/second-scheduler/gantry.yaml",
        "manifests/overlays/plugins/gantry.yaml",
        "manifests/examples/profiles/gantry.yaml",
    ] {
        let bytes = std::fs::read(root().join(file)).unwrap();
        let (document, typed) = config::read_bytes(&bytes, Path::new(file)).unwrap();
        assert!(is_valid(&document), "{file}");
        let checked = config::check::check(typed, config::Surroundings { is_in_cluster: true });
        assert!(checked.is_ok(), "{file}: {}", checked.unwrap_err());
    }
    let (mut document, _) = config::read_bytes(HEAD.as_bytes(), Path::new("x")).unwrap();
    assert!(is_valid(&document));
    document["profiles"] =
        json!([{"schedulerName": "s", "plugins": [{"name": "a", "component": "builtin:gantry", "weight": 0}]}]);
    assert!(!is_valid(&document));
}

#[test]
fn a_typing_error_in_the_settings_of_our_own_plugin_does_not_fit_and_those_of_others_are_their_own() {
    let (mut document, _) = config::read_bytes(HEAD.as_bytes(), Path::new("x")).unwrap();
    for (component, settings, fits) in [
        ("builtin:gantry", json!({"moveWeight": 3, "search": "memetic"}), true),
        ("builtin:gantry", json!({}), true),
        ("builtin:gantry", json!({"moveWeigth": 3}), false),
        ("builtin:gantry", json!({"hotShare": 0}), false),
        ("file:/plugin.wasm", json!({"moveWeigth": 3}), true),
    ] {
        let plugin = json!({"name": "a", "component": component, "settings": settings});
        document["profiles"] = json!([{"schedulerName": "s", "plugins": [plugin]}]);
        assert_eq!(is_valid(&document), fits, "{document}");
    }
}

#[test]
fn the_settings_of_our_own_plugin_stand_in_the_documents_with_their_defaults() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let schema: Value = serde_json::from_str(&read("plugin/src/settings.schema.json")).unwrap();
    let page = read("docs/operations.md");
    for (key, setting) in schema["properties"].as_object().unwrap() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).expect(key);
        let default = setting["default"].as_str().map_or(setting["default"].to_string(), |word| format!("`{word}`"));
        assert!(row.ends_with(&format!("| {} |", default.trim_end_matches(".0"))), "{row}");
        for word in setting["enum"].as_array().into_iter().flatten() {
            assert!(row.contains(&format!("`{}`", word.as_str().unwrap())), "{word}: {row}");
        }
        for bound in ["minimum", "exclusiveMinimum", "maximum"].iter().filter_map(|bound| setting.get(*bound)) {
            assert!(row.contains(&bound.to_string()), "{bound}: {row}");
        }
    }
}
