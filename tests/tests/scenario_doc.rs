//! `docs/scenario.md` is true: each example runs and leaves a clean image, each
//! fragment is taken in its place, and nothing of the format is left out.

use std::path::Path;

use serde_json::{Value, json};
use session::run::{Progress, Run, RunOptions};
use session::scenario::{emit, parse_strict, schema};
use writepath_tests::json_schema::validate;
use writepath_tests::{Scratch, fsck_clean};

fn doc() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenario.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// Fenced blocks of JSON: what they are, and the text.
fn blocks(doc: &str) -> Vec<(String, Value)> {
    let mut blocks = Vec::new();
    for piece in doc.split("\n```json").skip(1) {
        let (what, rest) = piece.split_once('\n').expect("a block has lines");
        let text = rest.split("\n```").next().unwrap_or_default();
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        blocks.push((what.trim().to_owned(), value));
    }
    blocks
}

/// Operations 0 and 1 make a file, 2 and 3 write it; buffer `b` has 4096 bytes.
fn around() -> Value {
    json!({
        "version": 1, "title": {"en": "t"}, "image": {"mkfs": {"size_mib": 16}},
        "buffers": [{"name": "b", "len": 4096}],
        "tasks": [{"name": "A",
            "setup": [
                {"open": {"fd": "f", "path": "file", "flags": "CREAT,RDWR"}},
                {"pwrite": {"fd": "f", "off": 100, "iov": [{"buf": "b", "len": 4000}]}}
            ],
            "ops": [{"pwrite": {"fd": "f", "iov": [{"buf": "b", "len": 9}]}}, {"fsync": {"fd": "f"}}]}]
    })
}

fn run(scenario: &Value, checked: bool) {
    let text = scenario.to_string();
    let parsed = parse_strict(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(parse_strict(&emit(&parsed)), Ok(parsed.clone()));
    assert_eq!(validate(&schema::schema(), scenario), Ok(()), "{text}");
    let mut run = Run::new(&parsed, RunOptions::default()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(run.finish(), Progress::Finished, "{text}");
    assert_eq!(run.lacks(), Vec::<String>::new(), "{text}");
    if checked {
        let scratch = Scratch::default();
        let image = scratch.file("image");
        std::fs::write(&image, run.image()).expect("the image can be stored");
        fsck_clean(&image, &text);
    }
}

#[test]
fn examples_run_and_fragments_fit() {
    let mut seen = Vec::new();
    for (what, value) in blocks(&doc()) {
        let mut scenario = around();
        match what.as_str() {
            "scenario" => scenario = value,
            "ops" => scenario["tasks"][0]["ops"] = value,
            "" => {
                scenario["image"] = value;
                assert_eq!(validate(&schema::schema(), &scenario), Ok(()));
                parse_strict(&scenario.to_string()).expect("an image of the user's is named");
                continue;
            }
            key => scenario[key] = value,
        }
        // A device that fails, and a journal that gave up, leave what e2fsck has to mend.
        let text = scenario.to_string();
        run(&scenario, !text.contains("\"faults\"") && !text.contains("\"abort\""));
        seen.push(what);
    }
    for what in ["scenario", "image", "device", "vm", "buffers", "ops", "interventions", "markers"] {
        assert!(seen.iter().any(|seen| seen == what), "no example of {what}");
    }
}

/// Every key and word of the schema stands in the page, in backticks or in JSON.
#[test]
fn nothing_is_left_out() {
    let doc = doc();
    let keys = schema::keys();
    let mut missing = Vec::new();
    for (name, value) in keys["types"].as_object().expect("types by name") {
        let lists = ["keys", "one", "words"].into_iter().filter_map(|list| value[list].as_array());
        for one in lists.flatten() {
            let Some(word) = one["key"].as_str().or(one["word"].as_str()).filter(|word| !word.starts_with('^')) else {
                continue; // a number, or a feature left out
            };
            let kept = session::scenario::KEPT_FEATURES.contains(&word) || word == "extent";
            if !kept && ![format!("`{word}`"), format!("\"{word}\"")].iter().any(|form| doc.contains(form)) {
                missing.push(format!("{name}.{word}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
