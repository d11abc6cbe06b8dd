//! Files in and out, and the browser's own compression.

use gloo::file::futures::read_as_bytes;
use gloo::utils::document;
use js_sys::{Array, Uint8Array};
use session::link::ScenarioRef;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, ReadableStream, Response, Url, WritableStream};

#[wasm_bindgen]
extern "C" {
    /// The browser's packer.
    type CompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<CompressionStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &CompressionStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &CompressionStream) -> WritableStream;

    /// The browser's unpacker.
    type DecompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<DecompressionStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &DecompressionStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &DecompressionStream) -> WritableStream;
}

/// Largest text a link may carry, unpacked.
const LINK_TEXT_MAX: usize = 64 * 1024;

/// Reads a file; `done` gets its name and bytes. A file that cannot be read is left alone: the browser tells.
pub fn read(file: web_sys::File, done: impl FnOnce(String, Vec<u8>) + 'static) {
    let file = gloo::file::File::from(file);
    spawn_local(async move {
        if let Ok(bytes) = read_as_bytes(&file).await {
            done(file.name(), bytes);
        }
    });
}

/// True of a file that says it is JSON: a scenario, not an image.
pub fn is_json(file: &web_sys::File) -> bool {
    file.name().ends_with(".json") || file.type_() == "application/json"
}

/// Offers bytes to save under a name.
pub fn save(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    let kind = BlobPropertyBag::new();
    kind.set_type("application/octet-stream");
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &kind)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let anchor: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    anchor.set_href(&address);
    anchor.set_download(name);
    anchor.click();
    // By then the browser has taken its own hold on the bytes.
    gloo::timers::callback::Timeout::new(10_000, move || {
        let _ = Url::revoke_object_url(&address);
    })
    .forget();
    Ok(())
}

/// Text to `z:` and base64url of its raw deflate. None if it is too long for a link.
pub async fn pack(text: &str) -> Option<ScenarioRef> {
    if text.len() > LINK_TEXT_MAX {
        return None;
    }
    let stream = CompressionStream::new("deflate-raw").ok()?;
    let bytes = through(text.as_bytes(), &stream.readable(), &stream.writable()).await?;
    Some(ScenarioRef::from_deflated(&bytes))
}

/// The text of a scenario that is in its link. None if it is not one.
pub async fn unpack(scenario: &ScenarioRef) -> Option<String> {
    let bytes = scenario.deflated().ok()??;
    let stream = DecompressionStream::new("deflate-raw").ok()?;
    let bytes = through(&bytes, &stream.readable(), &stream.writable()).await?;
    String::from_utf8(bytes).ok()
}

async fn through(bytes: &[u8], out: &ReadableStream, into: &WritableStream) -> Option<Vec<u8>> {
    let writer = into.get_writer().ok()?;
    // Not awaited one by one: the stream only moves while its other end is read.
    let written = JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes)));
    let closed = JsFuture::from(writer.close());
    let answer = Response::new_with_opt_readable_stream(Some(out)).ok()?;
    let buffer = JsFuture::from(answer.array_buffer().ok()?).await;
    let (written, closed) = (written.await, closed.await);
    let buffer = buffer.ok()?;
    written.and(closed).ok()?;
    Some(Uint8Array::new(&buffer).to_vec())
}
