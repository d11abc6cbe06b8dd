//! Bytes that can be asked about, wherever they are drawn: by the pointer, by a tap, or by the arrow keys along a bar of
//! them.
//!
//! What is asked is a [`Spot`]; the answer is a card beside it, and the same words stand in the row under the page's
//! bytes and in the bar's accessible value.

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::utils::{document, window};
use view::frame::{Disk, Ext4, ExtentCell, RegionKind, UserMemory};
use view::trail::{Spot, Trail};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use super::user_memory::Axis;
use crate::draw::{decimal, pct, share, to_f64, to_u64};
use crate::player::Looker;
use crate::{rest, t};

/// How long the pointer rests on a byte before its card comes.
pub const REST_MS: u32 = 300;
/// Between a card and what it is about, px.
const GAP: f64 = 8.0;
/// So far beside a drawing a finger still means it, px.
const FINGER: f64 = 12.0;

/// A place on the page, px.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    x: f64,
    top: f64,
    bottom: f64,
}

/// What is asked of a byte.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// About this byte there, once the pointer has rested for so long.
    About(Spot, Place, u32),
    /// Nothing any more.
    Nothing,
}

/// The answer on screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which byte.
    pub spot: Spot,
    /// What there is to say.
    pub trail: Rc<Trail>,
    place: Place,
    step: u64,
}

/// What every bar of bytes knows.
#[derive(Clone, PartialEq)]
pub struct Bytes {
    /// The answer on screen, if any.
    pub told: Option<Rc<Told>>,
    /// To ask.
    pub ask: Callback<Ask>,
    step: u64,
}

impl Bytes {
    /// Nobody to ask.
    #[cfg(all(test, target_arch = "wasm32"))]
    pub fn deaf() -> Self {
        Self { told: None, ask: Callback::noop(), step: 0 }
    }

    /// Asks about an element as a whole.
    pub fn about<E: AsRef<Event> + 'static>(&self, spot: Spot, ms: u32) -> Callback<E> {
        self.ask.reform(move |event: E| Ask::About(spot, place_of(event.as_ref()), ms))
    }

    /// Asks about nothing any more.
    pub fn nothing<E: 'static>(&self) -> Callback<E> {
        self.ask.reform(|_: E| Ask::Nothing)
    }
}

/// Bytes to ask about at this step.
#[hook]
pub fn use_bytes(looker: Looker, step: u64) -> Bytes {
    let told = use_state(|| None::<Rc<Told>>);
    // The question that waits for the pointer to rest, or for the engine; another one takes its place.
    let waiting = use_mut_ref(|| (0_u32, None::<Timeout>));
    use_effect_with(told.is_some(), {
        let told = told.clone();
        move |shown| {
            let on = |kind: &'static str, closes: fn(&Event) -> bool| {
                let told = told.clone();
                EventListener::new(&document(), kind, move |event| {
                    if closes(event) {
                        told.set(None);
                    }
                })
            };
            let listeners = shown.then(|| [on("keydown", is_escape), on("pointerdown", is_elsewhere)]);
            move || drop(listeners)
        }
    });
    let ask = {
        let told = told.clone();
        Callback::from(move |ask: Ask| {
            let mut slot = waiting.borrow_mut();
            slot.0 = slot.0.wrapping_add(1);
            slot.1 = None;
            let mine = slot.0;
            let Ask::About(spot, place, ms) = ask else {
                drop(slot);
                return told.set(None);
            };
            let (told, looker, waiting) = (told.clone(), looker.clone(), waiting.clone());
            slot.1 = Some(Timeout::new(ms, move || {
                wasm_bindgen_futures::spawn_local(async move {
                    // Without the engine there is no answer; whoever asks for more is told why.
                    if rest::loaded(None).await.is_err() || waiting.borrow().0 != mine {
                        return;
                    }
                    told.set(looker.trail(step, spot).map(|trail| Rc::new(Told { spot, trail, place, step })));
                });
            }));
        })
    };
    // What was told of another step is past.
    Bytes { told: (*told).clone().filter(|told| told.step == step), ask, step }
}

fn is_escape(event: &Event) -> bool {
    event.dyn_ref::<web_sys::KeyboardEvent>().is_some_and(|event| event.key() == "Escape")
}

/// A finger that comes down anywhere but on the card: a tap, or the begin of a scroll.
fn is_elsewhere(event: &Event) -> bool {
    let on_card = || event.target().and_then(|target| target.dyn_into::<Element>().ok()?.closest(".card").ok()?);
    event.dyn_ref::<PointerEvent>().is_some_and(is_touch) && on_card().is_none()
}

/// A finger: it rests on nothing, so it asks by a tap.
pub fn is_touch(event: &PointerEvent) -> bool {
    event.pointer_type() == "touch"
}

/// The end of a tap; a scroll ends otherwise. What a tap does to a button it does alone.
pub fn is_tap(event: &PointerEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let busy = target.and_then(|target| target.closest("button, a, [role=button]").ok().flatten());
    is_touch(event) && busy.is_none()
}

/// The bytes of the context. There is always one.
#[hook]
pub fn use_asker() -> Bytes {
    use_context::<Bytes>().expect("the app provides it")
}

/// A drawing of bytes side by side.
#[derive(Clone, PartialEq)]
pub enum Bar {
    /// The user's segments.
    User(Rc<UserMemory>, Rc<Axis>),
    /// A page of the file: index and bytes.
    Page(u64, u32),
    /// The file's blocks.
    File(Rc<Ext4>),
    /// The device's blocks.
    Device(Rc<Disk>),
    /// One block's bytes: block and how many.
    Block(u64, u32),
}

impl Bar {
    fn label(&self) -> &'static str {
        match self {
            Bar::User(..) => t().user_bytes,
            Bar::Page(..) => t().page_bytes,
            Bar::File(_) | Bar::Device(_) => t().device_blocks,
            Bar::Block(..) => t().block_bytes,
        }
    }

    /// Bytes or blocks.
    fn len(&self) -> u64 {
        match self {
            Bar::User(row, _) => row.segments.iter().map(|segment| segment.len).sum(),
            Bar::Page(_, bytes) | Bar::Block(_, bytes) => u64::from(*bytes),
            Bar::File(ext4) => ext4.axis_blocks,
            Bar::Device(disk) => disk.blocks,
        }
    }

    /// The first one to tell about.
    fn first(&self) -> u64 {
        match self {
            Bar::User(row, _) => row.caret.unwrap_or(0),
            Bar::Device(disk) => {
                let data = disk.regions.iter().find(|region| region.kind == RegionKind::Data);
                data.map_or(0, |region| region.from)
            }
            _ => 0,
        }
    }

    fn at(&self, share_pct: f64) -> u64 {
        let last = self.len().saturating_sub(1);
        match self {
            Bar::User(_, axis) => axis.byte_at(share_pct).min(last),
            _ => to_u64(share_pct / 100.0 * to_f64(self.len()), last),
        }
    }

    fn x(&self, n: u64) -> f64 {
        match self {
            Bar::User(_, axis) => axis.at(n),
            _ => share(n, self.len()),
        }
    }

    fn spot(&self, n: u64) -> Option<Spot> {
        let byte = u32::try_from(n).ok()?;
        Some(match self {
            Bar::User(..) => Spot::User(n),
            Bar::Page(index, _) => Spot::Page(*index, byte),
            Bar::Block(block, _) => Spot::Device(*block, byte),
            Bar::Device(_) => Spot::Device(n, 0),
            Bar::File(ext4) => {
                let lblk = ext4.axis_from + n;
                let holds = |extent: &&Rc<ExtentCell>| (extent.lblk..extent.lblk + extent.len).contains(&lblk);
                let extent = ext4.extents.iter().find(holds)?;
                Spot::Device(extent.pblk? + lblk - extent.lblk, 0)
            }
        })
    }
}

/// Props of [`ByteBar`].
#[derive(Properties, PartialEq)]
pub struct ByteBarProps {
    /// What is drawn.
    pub bar: Bar,
    /// Where in the drawing its bytes are.
    pub class: &'static str,
    /// The arrow keys move along it.
    #[prop_or(true)]
    pub keys: bool,
    /// The drawing.
    #[prop_or_default]
    pub children: Html,
}

/// A drawing whose bytes can be asked about.
#[component]
pub fn ByteBar(props: &ByteBarProps) -> Html {
    let bytes = use_asker();
    let node = use_node_ref();
    let at = use_state(|| None::<u64>);
    let focused = use_state(|| false);
    let bar = &props.bar;
    let n = at.unwrap_or_else(|| bar.first()).min(bar.len().saturating_sub(1));
    let about = {
        let (bar, ask, node) = (bar.clone(), bytes.ask.clone(), node.clone());
        move |n: u64, ms: u32| {
            let place = node.cast::<Element>().map(|element| place(&element, bar.x(n)));
            match bar.spot(n).zip(place) {
                Some((spot, place)) => ask.emit(Ask::About(spot, place, ms)),
                None => ask.emit(Ask::Nothing),
            }
        }
    };
    // Another step: what has the focus is asked about again.
    use_effect_with(bytes.step, {
        let (about, focused) = (about.clone(), *focused);
        move |_| {
            if focused {
                about(n, 0);
            }
        }
    });
    // The byte there, or so far above or below it.
    let under = {
        let (bar, node) = (bar.clone(), node.clone());
        move |event: &PointerEvent, slack: f64| {
            let shape = node.cast::<Element>()?.get_bounding_client_rect();
            let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
            let inside = y >= shape.top() - slack && y < shape.bottom() + slack && shape.width() > 0.0;
            inside.then(|| bar.at(100.0 * (x - shape.left()) / shape.width()))
        }
    };
    let onpointermove = {
        let (about, ask, under) = (about.clone(), bytes.ask.clone(), under.clone());
        let last = use_mut_ref(|| None::<u64>);
        Callback::from(move |event: PointerEvent| {
            if is_touch(&event) {
                return;
            }
            let now = under(&event, 0.0);
            if last.replace(now) != now {
                match now {
                    Some(n) => about(n, REST_MS),
                    None => ask.emit(Ask::Nothing),
                }
            }
        })
    };
    let onpointerup = {
        let about = about.clone();
        Callback::from(move |event: PointerEvent| {
            if is_tap(&event)
                && let Some(n) = under(&event, FINGER)
            {
                about(n, 0);
            }
        })
    };
    let leave = {
        let ask = bytes.ask.clone();
        move || ask.emit(Ask::Nothing)
    };
    let onpointerleave = {
        let leave = leave.clone();
        Callback::from(move |event: PointerEvent| {
            if !is_touch(&event) {
                leave();
            }
        })
    };
    let onfocus = {
        let (about, focused) = (about.clone(), focused.clone());
        Callback::from(move |_: FocusEvent| {
            focused.set(true);
            about(n, 0);
        })
    };
    let onblur = {
        let (leave, focused) = (leave.clone(), focused.clone());
        Callback::from(move |_: FocusEvent| {
            focused.set(false);
            leave();
        })
    };
    let onkeydown = {
        let (about, last, at) = (about, bar.len().saturating_sub(1), at.clone());
        Callback::from(move |event: KeyboardEvent| {
            if event.shift_key() || event.ctrl_key() || event.alt_key() || event.meta_key() {
                return;
            }
            let to = match event.key().as_str() {
                "ArrowRight" | "ArrowUp" => n.saturating_add(1).min(last),
                "ArrowLeft" | "ArrowDown" => n.saturating_sub(1),
                "PageUp" => n.saturating_add(64).min(last),
                "PageDown" => n.saturating_sub(64),
                "Home" => 0,
                "End" => last,
                _ => return,
            };
            event.prevent_default();
            at.set(Some(to));
            about(to, 0);
        })
    };
    let text = bytes.told.as_ref().filter(|told| bar.spot(n) == Some(told.spot)).map(|told| told.trail.text());
    html! {
        <div class={classes!("bytes", props.class)} {onpointermove} {onpointerup} {onpointerleave}>
            { props.children.clone() }
            if props.keys && bar.len() > 0 {
                <div ref={node} class="bytes-at" role="spinbutton" tabindex="0" aria-label={bar.label()} aria-valuemin="0"
                    aria-valuemax={(bar.len() - 1).to_string()} aria-valuenow={n.to_string()} aria-valuetext={text.unwrap_or_else(|| n.to_string())}
                    {onfocus} {onblur} {onkeydown}>
                    if *focused { <svg width="100%" height="100%" aria-hidden="true"><rect x={pct(bar.x(n))} y="0" width="2" height="100%" /></svg> }
                </div>
            } else {
                <div ref={node} class="bytes-at"></div>
            }
        </div>
    }
}

fn place(element: &Element, x: f64) -> Place {
    let shape = element.get_bounding_client_rect();
    Place { x: shape.left() + shape.width() * x / 100.0, top: shape.top(), bottom: shape.bottom() }
}

/// Where an element is, to ask about it as a whole.
fn place_of(event: &Event) -> Place {
    let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    element.map_or_else(Place::default, |element| place(&element, 0.0))
}

/// Where the pointer is, in the element under it.
pub fn place_under(event: &PointerEvent) -> Place {
    Place { x: f64::from(event.client_x()), ..place_of(event) }
}

/// Props of [`ByteCard`].
#[derive(Properties, PartialEq)]
pub struct ByteCardProps {
    /// What is told.
    pub told: Rc<Told>,
}

/// The card: off what it is about, and off what this step changed.
#[component]
pub fn ByteCard(props: &ByteCardProps) -> Html {
    let node = use_node_ref();
    use_effect_with((props.told.clone(), node.clone()), |(told, node)| {
        if let Some(card) = node.cast::<HtmlElement>() {
            put(&card, told.place);
        }
    });
    let trail = &props.told.trail;
    html! {
        <div ref={node} class="card" role="tooltip" data-testid="byte-card">
            <p><b>{ &trail.title }</b>if !trail.value.is_empty() { { " = " }<b>{ &trail.value }</b> }</p>
            <dl>for (name, says) in trail.lines.iter() { <div><dt>{ *name }</dt><dd>{ says }</dd></div> }</dl>
        </div>
    }
}

/// Below, above, or beside; where it covers nothing that changed, if there is such a place.
fn put(card: &HtmlElement, place: Place) {
    let size = |length: Option<f64>| length.unwrap_or(0.0);
    let (width, height) = {
        let shape = card.get_bounding_client_rect();
        (shape.width(), shape.height())
    };
    let room_x = size(window().inner_width().ok().and_then(|value| value.as_f64()));
    let room_y = size(window().inner_height().ok().and_then(|value| value.as_f64()));
    let changed = document().query_selector_all(".path .chg, .path .chg-o, .path .chgdot");
    let changed: Vec<_> = changed
        .iter()
        .flat_map(|list| (0..list.length()).filter_map(|n| list.get(n)?.dyn_into::<Element>().ok()))
        .map(|element| element.get_bounding_client_rect())
        .filter(|shape| shape.width() > 0.0)
        .collect();
    let free = |x: f64, y: f64| {
        let over = |shape: &web_sys::DomRect| {
            x < shape.right() && x + width > shape.left() && y < shape.bottom() && y + height > shape.top()
        };
        y >= 0.0 && y + height <= room_y && !changed.iter().any(over)
    };
    let (left, right) = (place.x - width - GAP, place.x + GAP);
    let fits = |x: f64| x.clamp(GAP, (room_x - width - GAP).max(GAP));
    let columns = [fits(place.x - width / 2.0), fits(right), fits(left)];
    let rows = [place.bottom + GAP, place.top - height - GAP];
    let tried = rows.into_iter().flat_map(|y| columns.map(|x| (x, y)));
    let (x, y) = tried.into_iter().find(|&(x, y)| free(x, y)).unwrap_or_else(|| {
        let below = rows[0] + height <= room_y;
        (columns[0], if below { rows[0] } else { rows[1].max(0.0) })
    });
    let style = card.style();
    // A browser that refuses leaves the card in its corner.
    let _ = style.set_property("left", &(decimal(x, 0) + "px"));
    let _ = style.set_property("top", &(decimal(y, 0) + "px"));
}
