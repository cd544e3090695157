//! `replay` before records that it must not take. That it finds the same bytes is shown where there is an extender.

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::run;

fn file(folder: &TempDir, text: &str) -> String {
    let path: PathBuf = folder.path().join("record.json");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn what_is_no_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "{}", r#"{"time": null, "questions": []}"#] {
        let (code, message) = run(&["replay", &file(&folder, text)]).failed();
        assert!(code == 2 && message.contains("RECORD") && message.contains("--record"), "{message}");
    }
}

#[test]
fn only_the_component_that_was_asked_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let snapshot = json!({
        "generation": 1, "nodes": ["a"], "resources": ["cpu"], "allocatable": "1", "requested": "0", "usedP50": "",
        "usedP90": "", "planned": "", "weights": "1", "classes": [],
    });
    let pod = json!({"class": 0, "request": "1", "estimate": "", "plannedRow": -1});
    let asked = json!({
        "plugin": {"name": "theirs", "digest": digest, "settings": ""},
        "snapshot": snapshot, "question": {"filter": pod}, "answer": {"verdicts": [0]},
    });
    let record = json!({"time": null, "questions": [asked]}).to_string();
    let (code, message) = run(&["replay", &file(&folder, &record)]).failed();
    assert!(code == 2 && message.contains("theirs") && message.contains("--plugin"), "{message}");
    assert!(message.contains(&digest), "{message}");
}
