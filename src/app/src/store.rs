//! What the browser keeps of a reader's choices. Where it may keep nothing, a choice lasts as long as the page.

use gloo::utils::window;
use web_sys::Storage;

/// A private window or a sandboxed frame refuses the store itself.
fn store() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// What was kept under a name as long as the tab is open.
pub fn kept(name: &str) -> Option<String> {
    window().session_storage().ok().flatten()?.get_item(name).ok().flatten()
}

/// Keeps a value under a name as long as the tab is open, if that is allowed.
pub fn keep(name: &str, value: &str) {
    if let Some(store) = window().session_storage().ok().flatten() {
        let _ = store.set_item(name, value);
    }
}

/// What was kept under a name.
pub fn get(name: &str) -> Option<String> {
    store()?.get_item(name).ok().flatten()
}

/// Keeps a value under a name, if that is allowed.
pub fn set(name: &str, value: &str) {
    if let Some(store) = store() {
        // A full store keeps what it has.
        let _ = store.set_item(name, value);
    }
}
