//! Frames in, DOM out: what a reader of the page finds there, in a real browser.

use std::rc::Rc;

use gloo::utils::document;
use view::frame::{Change, Changes as Rows, Delta, Frame, Local, Sign};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::Element;
use yew::platform::time::sleep;
use yew::prelude::*;

use crate::components::bytes::Bytes;
use crate::components::changes::{Changes, ChangesProps};
use crate::components::locals::{Locals, LocalsProps};
use crate::components::path::{Path, PathProps};
use crate::machine;
use crate::player::Send;

wasm_bindgen_test_configure!(run_in_browser);

/// Renders one component into a fresh element and waits until it is drawn.
async fn draw<C>(props: C::Properties) -> Element
where
    C: BaseComponent,
    C::Properties: PartialEq + Clone,
{
    let root = document().create_element("div").expect("a page makes elements");
    document().body().expect("a page has a body").append_child(&root).expect("a body takes children");
    yew::Renderer::<Host<C>>::with_root_and_props(root.clone(), HostProps { props }).render();
    sleep(std::time::Duration::from_millis(20)).await;
    root
}

#[derive(PartialEq, Properties)]
struct HostProps<P: PartialEq> {
    props: P,
}

/// Gives a component the contexts that the app has.
#[component]
fn Host<C>(host: &HostProps<C::Properties>) -> Html
where
    C: BaseComponent,
    C::Properties: PartialEq + Clone,
{
    html! {
        <ContextProvider<Send> context={Callback::noop()}>
            <ContextProvider<Bytes> context={Bytes::deaf()}><C ..host.props.clone() /></ContextProvider<Bytes>>
        </ContextProvider<Send>>
    }
}

fn text(root: &Element, selector: &str) -> String {
    let found = root.query_selector(selector).expect("a selector").unwrap_or_else(|| panic!("no {selector}"));
    found.text_content().unwrap_or_default()
}

fn label(root: &Element, selector: &str) -> String {
    let found = root.query_selector(selector).expect("a selector").unwrap_or_else(|| panic!("no {selector}"));
    found.get_attribute("aria-label").unwrap_or_default()
}

#[wasm_bindgen_test]
async fn a_changed_local_keeps_its_old_value_struck() {
    let row = Local {
        name: "copied".into(),
        c: "size_t".into(),
        value: "0".into(),
        was: Some("1000".into()),
        unit: "bytes".into(),
        path: String::new(),
    };
    let root = draw::<Locals>(LocalsProps { rows: vec![Rc::new(row)], outer: None }).await;
    assert_eq!(text(&root, "dd"), "was 1000 0 ●");
    assert_eq!(text(&root, "s"), "was 1000");
    assert_eq!(text(&root, "dt"), "copied: size_t, bytes");
}

#[wasm_bindgen_test]
async fn a_change_tells_sign_and_both_values_in_words() {
    let part = Delta { name: "nr_dirtied".into(), old: Some("6".into()), new: Some("7".into()), paths: vec![] };
    let row = Change { sign: Sign::Changed, object: "counters".into(), parts: vec![part] };
    let rows = Rows { since: "since 73".into(), rows: vec![Rc::new(row)] };
    let root = draw::<Changes>(ChangesProps { rows: Rc::new(rows), label: "changes", testid: "changes" }).await;
    assert_eq!(text(&root, "li .d"), "nr_dirtied 6 → 7");
    assert_eq!(label(&root, "li .k"), "changed");
}

/// The library's short copy, at the step that turns its page uptodate.
fn short_copy() -> Rc<Frame> {
    let mut engine = machine::engine();
    engine.load("short-copy").expect("the library has it");
    engine.run_slice(10_000.0);
    let last = engine.timeline().last;
    let turns_uptodate = |frame: &Rc<Frame>| {
        let page = frame.cache.selected.as_ref();
        page.is_some_and(|page| page.flags.iter().any(|flag| flag.letter == "U" && flag.set && flag.changed))
    };
    (0..=last).map(|step| engine.frame(step, None)).find(turns_uptodate).expect("write_end zeroes the page")
}

#[wasm_bindgen_test]
async fn every_state_of_the_page_is_there_as_text() {
    let root = draw::<Path>(PathProps { frame: short_copy() }).await;
    assert_eq!(label(&root, ".pgh .fl.U"), "uptodate set, changed in this step");
    assert!(text(&root, ".cell[aria-pressed=true]").contains("Page 0: "));
    assert!(root.query_selector("[style]").expect("a selector").is_none(), "the policy forbids style attributes");
}

#[wasm_bindgen_test]
async fn an_empty_frame_keeps_every_slot() {
    let root = draw::<Path>(PathProps { frame: Rc::new(Frame::default()) }).await;
    assert_eq!(root.query_selector_all(".stn").expect("a selector").length(), 4);
    assert_eq!(text(&root, ".mem.empty"), "no write under way");
    assert_eq!(text(&root, ".pg.empty"), "no page to show");
}
