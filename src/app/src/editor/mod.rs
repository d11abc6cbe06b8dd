//! The scenario that is being written, without its screen.

pub mod complete;
pub mod draft;
pub mod json;
pub mod shape;
pub mod store;

use json::Node;
use shape::Names;

/// The names that stand in a document, for the fields that take one. Probes and files it does not know.
#[must_use]
pub fn names(doc: &Node, which: Names) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |name: Option<&Node>| {
        if let Some(name) = name.map(Node::shown).filter(|name| !found.contains(name)) {
            found.push(name);
        }
    };
    let items = |key: &str| doc.at(key).map(Node::items).unwrap_or_default();
    if which == Names::Buffers {
        items("buffers").iter().for_each(|buffer| add(buffer.at("name")));
    }
    for task in items("tasks") {
        if which == Names::Tasks {
            add(task.at("name"));
        }
        for op in ["setup", "ops"].iter().filter_map(|list| task.at(list)).flat_map(Node::items) {
            match which {
                Names::Buffers => ["buf.name", "bufmap.name"].iter().for_each(|path| add(op.at(path))),
                Names::Fds => ["open.fd", "pipe.rfd", "pipe.wfd"].iter().for_each(|path| add(op.at(path))),
                _ => {}
            }
        }
    }
    found
}
