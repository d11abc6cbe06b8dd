//! The JSON Schema of scenarios, from the types and their comments, with the
//! limits of `check` that a schema can say. Published as
//! `static/schema/scenario-1.json`.
//!
//! [`keys`] is the same in short, for an editor's completion.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::check::{DIRTY_BYTES_MIN, INT_MAX, OPS_MAX, PAGE_LIMIT_MIN};
use super::import::{FEATURES, KEPT_FEATURES};
use super::names::{OPEN_FLAGS, RWF_FLAGS};
use super::{BUFFER_LEN_MAX, Big, IMAGE_MIB_MAX, Mkfs, SEGMENTS_MAX, Scenario, VERSION, memory_default};

impl JsonSchema for Big {
    fn schema_name() -> Cow<'static, str> {
        "Big".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number from 0 to 2^64-1; over 2^53 as a decimal string.",
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": u64::MAX,
            "pattern": "^[0-9]{1,20}$"
        })
    }
}

/// The schema (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
    tidy(&mut schema);
    schema["title"] = format!("A scenario of Writepath, version {VERSION}").into();
    for (name, patch) in fields() {
        for of in ["Op", "Act"] {
            for variant in variants(&mut schema, of) {
                if let Some(field) = variant.pointer_mut(&format!("/properties/{name}")) {
                    merge(field, &patch);
                }
            }
        }
    }
    for (pointer, patch) in limits() {
        merge(at(&mut schema, pointer).unwrap_or_else(|| panic!("the schema has no {pointer}")), &patch);
    }
    schema
}

/// The objects of the variants of an enum, but for those that are a type of
/// their own.
fn variants<'a>(schema: &'a mut Value, of: &str) -> impl Iterator<Item = &'a mut Value> {
    let all = schema["$defs"][of]["oneOf"].as_array_mut().into_iter().flatten();
    all.filter_map(|one| one["properties"].as_object_mut()?.values_mut().next())
}

/// `Type.property` or `Type.variant.property`; the scenario itself has no name.
fn at<'a>(schema: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    let mut parts = pointer.split('.');
    let mut here = match parts.next()? {
        "Scenario" => schema,
        name => schema.get_mut("$defs")?.get_mut(name)?,
    };
    for part in parts {
        let one = |one: &Value| one["properties"].get(part).is_some();
        here = match here.get("oneOf").and_then(Value::as_array).and_then(|all| all.iter().position(one)) {
            Some(n) => here.pointer_mut(&format!("/oneOf/{n}/properties/{part}"))?,
            None => here.get_mut("properties")?.get_mut(part)?,
        };
    }
    Some(here)
}

fn merge(into: &mut Value, patch: &Value) {
    if let (Value::Object(into), Value::Object(patch)) = (into, patch) {
        into.extend(patch.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// No key but those that are listed; no null, which is read but never written;
/// bounds instead of the names of Rust's integers; a comment on one line.
fn tidy(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        tidy_one(object);
    }
    match value {
        Value::Object(object) => object.values_mut().for_each(tidy),
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn tidy_one(object: &mut Map<String, Value>) {
    if object.get("type").is_some_and(|of| of == "object") {
        object.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|of| of != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = object.get_mut("anyOf") {
        any.retain(|one| one.get("type").is_none_or(|of| of != "null"));
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
    let bounds = match object.get("format").and_then(Value::as_str) {
        Some("uint8") => Some((0, u8::MAX.into())),
        Some("uint16") => Some((0, u16::MAX.into())),
        Some("uint32") => Some((0, u32::MAX.into())),
        Some("uint64") => Some((0, u64::MAX)),
        Some("int64") => Some((i64::MIN, i64::MAX.unsigned_abs())),
        _ => None,
    };
    if let Some((least, most)) = bounds {
        object.remove("format");
        object.insert("minimum".to_owned(), least.into());
        object.insert("maximum".to_owned(), most.into());
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// Words of a list, comma separated.
fn words(known: &[&str]) -> String {
    let one = known.join("|");
    format!("^(?:{one})(?:,(?:{one}))*$")
}

const NAME: &str = "^[A-Za-z0-9_-]{1,32}$";
const OCTAL: &str = "^0*[0-7]{1,4}$";

/// What the fields of operations and interventions are, by their names.
fn fields() -> Vec<(&'static str, Value)> {
    let path = |text: &str| json!({"description": text, "minLength": 1, "maxLength": 4095, "pattern": "^\\S+$"});
    vec![
        ("name", json!({"description": "The buffer's name.", "pattern": NAME})),
        ("buf", json!({"description": "The buffer's name."})),
        ("fd", json!({"description": "The descriptor's name, from `open`."})),
        ("rfd", json!({"description": "Name of the descriptor to read from.", "pattern": NAME})),
        ("wfd", json!({"description": "Name of the descriptor to write to.", "pattern": NAME})),
        ("path", path("A path from the root of the file system.")),
        ("from", path("The path that there is.")),
        ("to", path("The new path.")),
        ("in", json!({"description": "The descriptor to read from; one end is a pipe."})),
        ("out", json!({"description": "The descriptor to write to."})),
        ("inoff", json!({"description": "Where to read; absent for the file's position."})),
        ("outoff", json!({"description": "Where to write; absent for the file's position."})),
        ("off", json!({"description": "First byte.", "default": 0})),
        ("len", json!({"description": "Bytes."})),
        ("iov", json!({"description": "Pieces of buffers, in order.", "maxItems": SEGMENTS_MAX})),
        ("prot", json!({"description": "Which access it allows."})),
        ("sharing", json!({"description": "Who sees its stores."})),
        ("mode", json!({"description": "Permissions, octal."})),
        ("rwf", json!({"description": "RWF_ flags, comma separated.", "pattern": words(&RWF_FLAGS)})),
        ("whence", json!({"description": "What it counts from or looks for."})),
        ("advice", json!({"description": "The advice."})),
        ("action", json!({"description": "Sets or clears."})),
        ("seed", json!({"description": "Which bytes, as in `fill` of a buffer."})),
        ("bytes", json!({"description": "The longest that a file may become."})),
        ("uid", json!({"description": "Who the program is from now on; 0 is root."})),
        ("value", json!({"description": "A number in quotes.", "pattern": "^[0-9]{1,20}$"})),
    ]
}

/// What `check` refuses and a schema can say, and defaults that are left out
/// when a scenario is written.
fn limits() -> Vec<(&'static str, Value)> {
    let mkfs = Mkfs::default();
    let one = json!({"minItems": 1, "maxItems": 1, "description": "One piece of a buffer."});
    let switched = FEATURES.iter().flat_map(|name| [(*name).to_owned(), format!("^{name}")]);
    let feature: Vec<String> = switched.chain(KEPT_FEATURES.map(str::to_owned)).collect();
    let without = |keys: &[&str]| -> Value {
        let each: Vec<Value> = keys.iter().map(|key| json!({"required": [key]})).collect();
        json!({"not": {"anyOf": each}})
    };
    let races = ["race", "race_dontneed", "race_write", "race_truncate", "race_kill", "race_wait"];
    let no_helper = without(&[&races[..], &["remount", "umount", "buf"]].concat());
    vec![
        ("Scenario.version", json!({"const": VERSION})),
        ("Scenario.title", json!({"properties": {"en": {"minLength": 1}}})),
        ("Scenario.memory_mib", json!({"minimum": 16, "maximum": 65_536, "default": memory_default()})),
        ("Vm.page_limit", json!({"minimum": PAGE_LIMIT_MIN})),
        ("Scenario.op_gap_ms", json!({"maximum": 60_000, "default": super::gap_default()})),
        ("Scenario.tasks", json!({"minItems": 1, "maxItems": 1})),
        ("Task.ops", json!({"maxItems": OPS_MAX})),
        ("Mkfs.size_mib", json!({"minimum": 2, "maximum": IMAGE_MIB_MAX})),
        ("Mkfs.block_size", json!({"enum": [1024, 2048, 4096], "default": mkfs.block_size})),
        ("Mkfs.features", json!({"items": {"enum": feature}})),
        ("Mkfs.reserved_percent", json!({"maximum": 50, "default": mkfs.reserved_percent})),
        ("Mkfs.inode_ratio", json!({"minimum": 1})),
        ("Mkfs.inodes", json!({"minimum": 1})),
        ("Mkfs.label", json!({"maxLength": 16})),
        ("Mkfs.uuid", json!({"pattern": "^(?:-*[0-9A-Fa-f]){32}-*$", "default": mkfs.uuid})),
        (
            "Mkfs",
            json!({
                "dependentSchemas": {"cluster_size": {
                    "required": ["features"], "properties": {"features": {"contains": {"const": "bigalloc"}}}
                }},
                "not": {"required": ["inodes", "inode_ratio"]}
            }),
        ),
        ("Upload.name", json!({"minLength": 1})),
        ("Upload.sha256", json!({"pattern": "^[0-9A-Fa-f]{64}$"})),
        ("Device.latency_ms", json!({"maximum": 60_000, "default": 0})),
        ("Device.bandwidth_kib_s", json!({"minimum": 1})),
        ("Device.queue_depth", json!({"minimum": 1})),
        ("Device.stable_writes", json!({"default": false})),
        (
            "Device",
            json!({
                "if": {"properties": {"kind": {"const": "slow"}}},
                "then": {"required": ["latency_ms"], "properties": {"latency_ms": {"minimum": 1}}},
                "else": {
                    "properties": {"latency_ms": {"const": 0}},
                    "not": {"anyOf": [{"required": ["bandwidth_kib_s"]}, {"required": ["queue_depth"]}]}
                }
            }),
        ),
        ("Vm.dirty_ratio", json!({"maximum": 100})),
        ("Vm.dirty_background_ratio", json!({"maximum": 100})),
        ("Vm.dirty_bytes", json!({"minimum": DIRTY_BYTES_MIN})),
        ("Vm.dirty_background_bytes", json!({"minimum": 1})),
        ("Vm.dirty_expire_centisecs", json!({"maximum": INT_MAX})),
        ("Vm.dirty_writeback_centisecs", json!({"maximum": INT_MAX})),
        (
            "Vm",
            json!({"not": {"anyOf": [
                {"required": ["dirty_ratio", "dirty_bytes"]},
                {"required": ["dirty_background_ratio", "dirty_background_bytes"]}
            ]}}),
        ),
        ("Fault.of", json!({"default": "any"})),
        ("Fault.sector", json!({"default": 0})),
        ("Fault.sectors", json!({"minimum": 1})),
        ("Fault.skip", json!({"default": 0})),
        ("Fault.times", json!({"minimum": 1})),
        ("Buffer.name", json!({"pattern": NAME})),
        ("Buffer.len", json!({"minimum": 1, "maximum": BUFFER_LEN_MAX})),
        ("Segment.off", json!({"default": 0})),
        ("Task.name", json!({"pattern": NAME})),
        ("ProbeAt.iteration", json!({"default": 0})),
        ("ProbeAt.retry", json!({"default": 0})),
        ("ProbeAt.nth", json!({"minimum": 1, "default": 1})),
        ("Act.fail.times", json!({"minimum": 1, "default": 1})),
        ("Op.bufmap.len", json!({"minimum": 1, "maximum": BUFFER_LEN_MAX})),
        ("Op.open.fd", json!({"description": "A new name for the descriptor.", "pattern": NAME})),
        (
            "Op.open.flags",
            json!({"description": "O_ flags without the O_, comma separated.", "pattern": words(&OPEN_FLAGS)}),
        ),
        ("Op.open.mode", json!({"default": "0644", "pattern": OCTAL})),
        ("Op.mkdir.mode", json!({"default": "0755", "pattern": OCTAL})),
        ("Op.fchmod.mode", json!({"pattern": OCTAL})),
        ("Op.write.iov", one.clone()),
        ("Op.pwrite.iov", one.clone()),
        ("Op.kernel_write.iov", one.clone()),
        ("Op.race_write.iov", one),
        ("Op.ftruncate.len", json!({"description": "The file's new length, bytes."})),
        ("Op.race_truncate.len", json!({"description": "The file's new length, bytes."})),
        ("Op.lseek.off", json!({"description": "Bytes, also negative."})),
        ("Op.fallocate.mode", json!({"description": "What it does."})),
        (
            "Op.setflags.flags",
            json!({"description": "Attributes of the file, comma separated: sync, immutable, append, dax."}),
        ),
        ("Op.shutdown.how", json!({"enum": [0, 1, 2], "description": "0 flush, 1 log flush, 2 no log flush."})),
        ("Op.fiemap.flags", json!({"description": "FIEMAP_FLAG_ bits."})),
        ("Op.sigign.signal", json!({"minimum": 1, "maximum": 64, "description": "Its number."})),
        ("Op.sysctl.path", json!({"description": "A file under /proc/sys/.", "pattern": "^/proc/sys/\\S+$"})),
        ("Op.msleep.ms", json!({"maximum": 600_000, "description": "Milliseconds."})),
        ("Op.race", no_helper),
    ]
}

/// The schema in short: for each type the keys or words that may stand there,
/// each with what its value is and one line about it. An editor completes from
/// this (`static/schema/keys-1.json`).
///
/// ```json
/// {"root": "Scenario", "types": {
///   "Scenario": {"keys": [{"key": "memory_mib", "value": "integer", "doc": "Memory of the machine, MiB."}]},
///   "Op": {"one": [{"key": "pwrite", "value": "Op.pwrite", "doc": "`pwrite`."}]},
///   "DeviceKind": {"words": [{"word": "ram", "doc": "Completes at once, inside submit."}]}
/// }}
/// ```
///
/// `keys` is an object, each key at most once (`need` with those that must
/// stand), `one` an object with exactly one of the keys, `words` a string. A
/// `value` is the name of a type, `[name]` a list of such, or one of
/// `integer`, `string`, `boolean`.
#[must_use]
pub fn keys() -> Value {
    let schema = schema();
    let mut types = Map::new();
    add_type("Scenario", &schema, &mut types);
    if let Some(definitions) = schema["$defs"].as_object() {
        for (name, definition) in definitions {
            add_type(name, definition, &mut types);
        }
    }
    json!({ "root": "Scenario", "types": types })
}

fn add_type(name: &str, schema: &Value, types: &mut Map<String, Value>) {
    let short = |mut object: Map<String, Value>, from: &Value| {
        for (to, key) in [("doc", "description"), ("default", "default")] {
            if let Some(value) = from.get(key) {
                object.insert(to.to_owned(), value.clone());
            }
        }
        Value::Object(object)
    };
    let entry = |pairs: &[(&str, Value)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let mut list = Vec::new();
        for one in choices {
            if let Some(word) = one.get("const") {
                list.push(short(entry(&[("word", word.clone())]), one));
            } else if let Some((key, inner)) = one["properties"].as_object().and_then(|all| all.iter().next()) {
                let value = value_name(&format!("{name}.{key}"), inner, types);
                list.push(short(entry(&[("key", key.clone().into()), ("value", value.into())]), one));
            }
        }
        let what = if list.iter().any(|one| one.get("word").is_some()) { "words" } else { "one" };
        types.insert(name.to_owned(), json!({ what: list }));
    } else if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let needed = schema.get("required").and_then(Value::as_array);
        let mut list = Vec::new();
        for (key, inner) in properties {
            let value = value_name(&format!("{name}.{key}"), inner, types);
            let mut one: Map<String, Value> = entry(&[("key", key.clone().into()), ("value", value.into())]);
            if needed.is_some_and(|needed| needed.iter().any(|need| need == key)) {
                one.insert("need".to_owned(), true.into());
            }
            list.push(short(one, inner));
        }
        types.insert(name.to_owned(), json!({ "keys": list }));
    }
}

fn value_name(name: &str, schema: &Value, types: &mut Map<String, Value>) -> String {
    if let Some(of) = schema.get("$ref").and_then(Value::as_str) {
        let of = of.trim_start_matches("#/$defs/");
        return if of == "Big" { "integer".to_owned() } else { of.to_owned() };
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<Value> = choices.iter().map(|word| json!({ "word": word })).collect();
        types.insert(name.to_owned(), json!({ "words": words }));
        return name.to_owned();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => format!("[{}]", value_name(name, &schema["items"], types)),
        Some("object") => {
            add_type(name, schema, types);
            name.to_owned()
        }
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}
