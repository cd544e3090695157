//! The document that is served follows the schema that is published, and the schema refuses what is no such document.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::bench::{Bench, NOW, SMALL, config};
use crate::faults::{Faults, nodes};

fn schema() -> (Schemas, SchemaIndex) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/forecast-snapshot.schema.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("schema.json", document).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    (schemas, index)
}

fn served() -> Value {
    let faults = Faults::start(|asked| nodes(asked, &["a", "b"], |_, at| Some(format!("0.{}", 1 + at / 60 % 5))));
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    serde_json::from_slice(&bench.publication.current().unwrap().body()).unwrap()
}

#[test]
fn what_is_served_follows_the_schema() {
    let (schemas, index) = schema();
    let document = served();
    assert_eq!(document["entries"].as_array().unwrap().len(), 2);
    schemas.validate(&document, index).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn what_is_no_such_document_is_refused() {
    let (schemas, index) = schema();
    let wrongs: [(&str, Value); 8] = [
        ("/apiVersion", json!("gantry.dev/v2")),
        ("/generation", json!("NOT HEX")),
        ("/issuedAt", json!("yesterday")),
        ("/entries/0/kind", json!("Pod")),
        ("/entries/0/resources/cpu/unit", json!("percent")),
        ("/entries/0/resources/cpu/values", json!([[0.1, 0.2, 0.3]])),
        ("/entries/0/resources/cpu/model", json!("oracle")),
        ("/entries/0/resources/cpu/error", json!({})),
    ];
    for (pointer, wrong) in wrongs {
        let mut document = served();
        *document.pointer_mut(pointer).unwrap() = wrong;
        assert!(schemas.validate(&document, index).is_err(), "{pointer}");
    }
}

#[test]
fn a_reader_may_meet_fields_that_it_does_not_know() {
    let (schemas, index) = schema();
    let mut document = served();
    document["later"] = json!(true);
    assert!(schemas.validate(&document, index).is_ok());
}
