//! Scenarios kept in this browser: one IndexedDB store, by name.
//!
//! Where storage is forbidden (a private window, a sandbox) every call gives `None`, and the editor says so.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode};

const DATABASE: &str = "writepath";
const STORE: &str = "scenarios";

/// What a request gives.
async fn result(request: &IdbRequest) -> Option<JsValue> {
    let asked = request.clone();
    let promise = Promise::new(&mut |resolve, reject| {
        let done = Closure::once_into_js(move |_: JsValue| resolve.call0(&JsValue::NULL));
        let failed = Closure::once_into_js(move |event: web_sys::Event| {
            // Else the browser tells it as an error of the page.
            event.prevent_default();
            reject.call0(&JsValue::NULL)
        });
        asked.set_onsuccess(Some(done.unchecked_ref()));
        asked.set_onerror(Some(failed.unchecked_ref()));
    });
    JsFuture::from(promise).await.ok()?;
    request.result().ok()
}

async fn open() -> Option<IdbDatabase> {
    let factory = gloo::utils::window().indexed_db().ok()??;
    let request: IdbOpenDbRequest = factory.open_with_u32(DATABASE, 1).ok()?;
    let asked = request.clone();
    let make = Closure::once_into_js(move |_: JsValue| {
        let made = asked.result().ok().and_then(|database| database.dyn_into::<IdbDatabase>().ok());
        // Without its store the open fails, and that is told.
        made.map(|database| database.create_object_store(STORE).is_ok())
    });
    request.set_onupgradeneeded(Some(make.unchecked_ref()));
    result(&request).await?.dyn_into().ok()
}

async fn store(mode: IdbTransactionMode) -> Option<(IdbDatabase, IdbObjectStore)> {
    let database = open().await?;
    let store = database.transaction_with_str_and_mode(STORE, mode).ok()?.object_store(STORE).ok()?;
    Some((database, store))
}

/// The names of all, in order.
pub async fn list() -> Option<Vec<String>> {
    let (database, store) = store(IdbTransactionMode::Readonly).await?;
    let keys = result(&store.get_all_keys().ok()?).await?;
    database.close();
    Some(Array::from(&keys).iter().filter_map(|key| key.as_string()).collect())
}

/// The text of one.
pub async fn get(name: &str) -> Option<String> {
    let (database, store) = store(IdbTransactionMode::Readonly).await?;
    let text = result(&store.get(&name.into()).ok()?).await?;
    database.close();
    text.as_string()
}

/// Keeps a text under a name; one of that name goes.
pub async fn put(name: &str, text: &str) -> Option<()> {
    let (database, store) = store(IdbTransactionMode::Readwrite).await?;
    let done = result(&store.put_with_key(&text.into(), &name.into()).ok()?).await.map(|_| ());
    database.close();
    done
}

/// Takes one away.
pub async fn delete(name: &str) -> Option<()> {
    let (database, store) = store(IdbTransactionMode::Readwrite).await?;
    let done = result(&store.delete(&name.into()).ok()?).await.map(|_| ());
    database.close();
    done
}
