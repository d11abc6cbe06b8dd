//! Frames in, DOM out: what a reader of the page finds there, in a real browser.

use std::rc::Rc;

use gloo::utils::document;
use session::link::Link;
use view::frame::{Change, Changes as Rows, Delta, Frame, Local, Place, Sign, Slice, Timeline};
use view::steps::Grain;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::Element;
use yew::platform::time::sleep;
use yew::prelude::*;

use crate::components::bytes::Bytes;
use crate::components::changes::{Changes, ChangesProps};
use crate::components::locals::{Locals, LocalsProps};
use crate::components::path::{Path, PathProps};
use crate::components::steps::{Steps, StepsProps};
use crate::lang::Lang;
use crate::machine;
use crate::player::{Player, Send};

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

/// As the style sheet has it, as far as rows need it.
const LIST_CSS: &str = ".steps { position: relative; height: 180px; overflow: auto } .steps .ruler { position: absolute; height: 18px }
    .steps .tall { position: relative } .steps .drawn { position: absolute } .steps .drawn > div { height: 18px; overflow: hidden }";

#[wasm_bindgen_test]
async fn a_list_of_ninety_thousand_steps_has_a_few_rows_wherever_it_is_scrolled_to() {
    let style = document().create_element("style").expect("a page makes elements");
    style.set_text_content(Some(LIST_CSS));
    document().head().expect("a page has a head").append_child(&style).expect("a head takes styles");
    let rounds: Vec<Slice> = (0..900)
        .map(|n| Slice { from: 1 + 100 * n, to: 101 + 100 * n, text: format!("iteration {n}"), ..Slice::default() })
        .collect();
    let run =
        Timeline { last: 90_000, complete: true, rounds, places: vec![(1, Place::default())], ..Timeline::default() };
    let looker = Player::new(machine::engine(), Link::default(), (Lang::En, false)).looker();
    let props = StepsProps {
        run: Rc::new(run),
        step: 45_000,
        grain: Grain::Statement,
        followed: None,
        looker,
        find: None,
        of_kind: None,
        seeks: false,
    };
    let root = draw::<Steps>(props).await;
    let list: web_sys::HtmlElement =
        root.query_selector(".steps").ok().flatten().and_then(|list| list.dyn_into().ok()).expect("a list");
    let options = || {
        let all = list.query_selector_all("[role=option]").expect("a selector");
        (0..all.length()).filter_map(|at| all.get(at)?.dyn_into::<Element>().ok()).collect::<Vec<_>>()
    };
    assert_eq!(text(&root, "[aria-selected=true] .no"), view::number(45_000), "it begins where the run stands");
    assert_eq!(list.scroll_height(), (90_001 + 900) * 18);
    for part in [0.0, 0.001, 0.25, 0.5, 0.9, 1.0] {
        #[expect(clippy::cast_possible_truncation, reason = "a few millions")]
        list.set_scroll_top((part * f64::from(list.scroll_height())) as i32);
        sleep(std::time::Duration::from_millis(50)).await;
        let rows = options();
        assert!(rows.len() > 10 && rows.len() <= 26, "{} rows at {part}", rows.len());
        let area = list.get_bounding_client_rect();
        let spans = |row: &Element| {
            let row = row.get_bounding_client_rect();
            (row.top() - area.top(), row.bottom() - area.top())
        };
        let drawn: Vec<Element> = list
            .query_selector(".drawn")
            .ok()
            .flatten()
            .map(|drawn| {
                let all = drawn.children();
                (0..all.length()).filter_map(|at| all.item(at)).collect()
            })
            .unwrap_or_default();
        assert!(drawn.first().is_some_and(|row| spans(row).0 <= 0.5), "nothing is missing above at {part}");
        assert!(drawn.last().is_some_and(|row| spans(row).1 >= 179.5), "nothing is missing below at {part}");
        for row in &rows {
            let step: u64 = row.get_attribute("data-to").and_then(|step| step.parse().ok()).expect("a step");
            assert_eq!(row.get_attribute("aria-posinset"), Some((step + 1).to_string()));
            assert_eq!(row.get_attribute("aria-setsize").as_deref(), Some("90001"));
        }
    }
    assert_eq!(options().last().and_then(|row| row.get_attribute("data-to")).as_deref(), Some("90000"));
    style.remove();
    root.remove();
}
