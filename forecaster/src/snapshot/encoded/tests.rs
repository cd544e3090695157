//! What bytes a snapshot has, and which bytes are none.

use std::collections::BTreeMap;

use super::*;
use crate::snapshot::{ErrorFigures, ResourceForecast, Unit};

fn entry(kind: Kind, namespace: &str, name: &str, p50: f32) -> Entry {
    let forecast = ResourceForecast {
        unit: Unit::Share,
        values: [[p50, p50 + 0.1, p50 + 0.2]; 5],
        model: "lstm".to_owned(),
        error: ErrorFigures { mae: Some(0.03), coverage90: Some(0.9), ..ErrorFigures::default() },
        trained_at: None,
        data_until: 1_795_319_970,
    };
    let resources = BTreeMap::from([("cpu".to_owned(), forecast)]);
    Entry { kind, namespace: namespace.to_owned(), name: name.to_owned(), resources }
}

fn snapshot() -> Snapshot {
    let entries = vec![entry(Kind::Node, "", "node-1", 0.41), entry(Kind::Workload, "shop", "web", 0.1)];
    Snapshot { issued_at: 1_795_320_000, entries }
}

#[test]
fn the_document_says_what_the_wire_format_says() {
    let encoded = Encoded::new(&snapshot()).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&encoded.body()).unwrap();
    assert_eq!(document["apiVersion"], "gantry.dev/v1alpha1");
    assert_eq!(document["kind"], "ForecastSnapshot");
    assert_eq!(document["generation"], encoded.generation());
    assert_eq!(document["issuedAt"], "2026-11-22T04:00:00Z");
    assert_eq!((&document["stepSeconds"], &document["quantiles"][2]), (&60.into(), &0.95.into()));
    let cpu = &document["entries"][0]["resources"]["cpu"];
    assert_eq!(cpu["values"][4][0], 0.41);
    assert_eq!((&cpu["unit"], &cpu["dataUntil"]), (&"share".into(), &"2026-11-22T03:59:30Z".into()));
    assert!(cpu["trainedAt"].is_null() && cpu["error"]["mase"].is_null());
}

#[test]
fn equal_content_has_equal_generations_and_other_content_another() {
    let one = Encoded::new(&snapshot()).unwrap();
    assert_eq!(one.generation(), Encoded::new(&snapshot()).unwrap().generation());
    assert_eq!(one.generation().len(), 16);
    let later = Snapshot { issued_at: 1_795_320_001, ..snapshot() };
    assert_ne!(one.generation(), Encoded::new(&later).unwrap().generation());
}

#[test]
fn one_entry_is_the_same_text_as_in_the_document() {
    let encoded = Encoded::new(&snapshot()).unwrap();
    let entry = encoded.entry(&(Kind::Workload, "shop".to_owned(), "web".to_owned())).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&encoded.body()).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&entry).unwrap(), document["entries"][1]);
    assert_eq!(encoded.entry(&(Kind::Node, String::new(), "web".to_owned())), None);
}

#[test]
fn what_was_written_is_read_back() {
    let encoded = Encoded::new(&snapshot()).unwrap();
    let (again, read) = Encoded::decode(&encoded.body()).unwrap();
    assert_eq!((again.body(), read), (encoded.body(), snapshot()));
    assert_eq!((again.data_until(), again.len()), (Some(1_795_319_970), 2));
}

#[test]
fn cut_foreign_and_damaged_bytes_are_told_apart() {
    let body = Encoded::new(&snapshot()).unwrap().body();
    let reason = |bytes: &[u8]| Encoded::decode(bytes).unwrap_err().reason();
    assert_eq!(reason(&body[..body.len() - 1]), "malformed");
    assert_eq!(reason(b""), "malformed");
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(reason(text.replace("v1alpha1", "v1alpha0").as_bytes()), "version");
    assert_eq!(reason(b"{\"apiVersion\":\"gantry.dev/v2\"}"), "version");
    assert_eq!(reason(text.replace("0.41,", "0.42,").as_bytes()), "damaged");
}
