//! The run as a list: a row for each step that the grain stops at, and only those in sight are in the document.
//!
//! The box inside is as tall as all rows; the rows in sight and a few around them stand in it where they would stand
//! among all. Past what browsers lay out, a px of the scroll bar stands for more than one of the rows.

use std::rc::Rc;

use gloo::events::EventListener;
use view::frame::{Phase, Slice, StepLine, Timeline as Run};
use view::listing::{Choice, Kind, Listing, Notes, Row, count_text};
use view::number;
use view::steps::Grain;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlElement, HtmlInputElement, HtmlSelectElement, ResizeObserver};
use yew::prelude::*;

use super::call_stack::name;
use super::icon::{Glyph, Icon};
use crate::debug::{Ask, Find};
use crate::draw::{phase_class, share, to_f64, to_u64};
use crate::player::{Command, Looker, use_send};
use crate::{keys, t};

/// Most px of the box inside: Firefox lays out 17.8 million, Chromium 33.
const TALL_MAX_PX: f64 = 10_000_000.0;
/// Rows drawn before and behind those in sight.
const AROUND: usize = 6;
/// The rows that are drawn change by so many at once.
const HOP: usize = 4;

/// What can be seen of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sight {
    rows: usize,
    row_px: f64,
    /// Height of the list.
    client_px: f64,
}

/// The rows that are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Drawn {
    first: usize,
    count: usize,
    /// Where the first of them stands in the box.
    top_px: f64,
}

impl Sight {
    fn all_px(self) -> f64 {
        to_f64(self.rows as u64) * self.row_px
    }

    fn tall_px(self) -> f64 {
        self.all_px().min(TALL_MAX_PX)
    }

    /// Px of rows that a px of the scroll bar stands for.
    fn ratio(self) -> f64 {
        let room = self.tall_px() - self.client_px;
        if room > 0.0 { (self.all_px() - self.client_px) / room } else { 1.0 }
    }

    fn draw(self, scroll_px: f64) -> Drawn {
        if self.row_px <= 0.0 {
            return Drawn::default();
        }
        let above_px = scroll_px * self.ratio();
        let row = |px: f64| usize::try_from(to_u64(px / self.row_px, self.rows as u64)).unwrap_or(self.rows);
        let first = row(above_px).saturating_sub(AROUND) / HOP * HOP;
        let count = row(self.client_px) + 2 * AROUND + HOP;
        // Rows scroll by themselves until the next ones are drawn.
        Drawn { first, count: count.min(self.rows - first), top_px: scroll_px + self.row_top(first) - above_px }
    }

    fn row_top(self, row: usize) -> f64 {
        to_f64(row as u64) * self.row_px
    }

    /// Where to scroll so that a row can be seen: not at all if it can, a little if it is near, else to the middle.
    fn reveal(self, scroll_px: f64, row: usize) -> f64 {
        let (above, top, edge) = (scroll_px * self.ratio(), self.row_top(row), self.row_px);
        let (low, high) = (top + self.row_px - self.client_px, top);
        let to = if low <= above && above <= high {
            return scroll_px;
        } else if above > high && above - high < self.client_px {
            high - edge
        } else if above < low && low - above < self.client_px {
            low + edge
        } else {
            top - (self.client_px - self.row_px) / 2.0
        };
        // A row begins at the upper edge.
        let to = (to / self.row_px - 0.01).ceil() * self.row_px;
        to.clamp(0.0, (self.all_px() - self.client_px).max(0.0)) / self.ratio()
    }
}

/// Props of [`Steps`].
#[derive(Clone, Properties)]
pub struct StepsProps {
    /// The run.
    pub run: Rc<Run>,
    /// The step on screen.
    pub step: u64,
    /// What a step is.
    pub grain: Grain,
    /// The only task that is stepped in.
    pub followed: Option<u32>,
    /// Says what happened in a step.
    pub looker: Looker,
    /// What is looked for.
    pub find: Option<Rc<Find>>,
    /// The only events whose steps are listed.
    pub of_kind: Option<Kind>,
    /// The field for words takes the focus as it comes.
    pub seeks: bool,
}

impl PartialEq for StepsProps {
    /// It is drawn as often as the panel around it.
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// Equal if it is the same object: what a run holds is long.
struct Same<T>(Rc<T>);

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// What is rare in a run, and how many tasks take its steps.
struct Rare {
    notes: Notes,
    many: bool,
}

/// The field for words, and the list.
#[component]
pub fn Steps(props: &StepsProps) -> Html {
    let send = use_send();
    let run = &props.run;
    let rare = use_memo(Same(run.clone()), |run| {
        let takes = |id: u32| run.0.places.iter().any(|(_, place)| place.by == Some(id));
        Rare { notes: Notes::new(&run.0), many: run.0.lanes.iter().filter(|lane| takes(lane.id)).count() > 1 }
    });
    let found = props.find.as_ref().map(|find| Same(find.found.steps.clone()));
    let deps = (Same(run.clone()), props.grain, props.followed, props.of_kind, found);
    let list = use_memo(deps, |(run, grain, task, kind, found)| {
        let steps = kind.map(|kind| rare.notes.steps(kind));
        let found = found.as_ref().map(|found| found.0.as_slice());
        Listing::new(&run.0, Choice { grain: *grain, task: *task, of_kind: steps.as_deref(), found })
    });

    // The row that keys are at: the step on screen, until they leave it.
    let cursor = use_state_eq(|| None::<u64>);
    use_effect_with(props.step, {
        let cursor = cursor.clone();
        move |_| cursor.set(None)
    });
    let at = list.place(cursor.unwrap_or(props.step));
    let now = list.place(props.step);

    let node = use_node_ref();
    let size = use_state_eq(|| (0.0, 0.0));
    let sight = Sight { rows: list.rows(), row_px: size.0, client_px: size.1 };
    let drawn = use_state_eq(Drawn::default);
    use_sizes(&node, &size);
    // The list follows the step on screen, and nothing but the list scrolls.
    let choice = (props.grain, props.followed, props.of_kind, props.find.as_ref().map(|find| find.text.clone()));
    let followed = use_mut_ref(|| None);
    use_effect_with((sight, at.map(|at| list.row_of(at)), choice), {
        let (node, drawn) = (node.clone(), drawn.clone());
        move |(sight, row, choice)| {
            let Some(list) = node.cast::<HtmlElement>() else { return };
            set_px(&list, ".tall", "height", sight.tall_px());
            let follow = Some((*row, (sight.row_px, sight.client_px), choice.clone()));
            if *followed.borrow() != follow {
                *followed.borrow_mut() = follow;
                if let Some(row) = row {
                    scroll_to(&list, sight.reveal(scrolled(&list), *row));
                }
            }
            drawn.set(sight.draw(scrolled(&list)));
        }
    });
    use_effect_with(drawn.top_px, {
        let node = node.clone();
        move |top| {
            if let Some(list) = node.cast::<HtmlElement>() {
                set_px(&list, ".drawn", "top", *top);
            }
        }
    });
    let onscroll = {
        let (node, drawn) = (node.clone(), drawn.clone());
        Callback::from(move |_: Event| {
            if let Some(list) = node.cast::<HtmlElement>() {
                drawn.set(sight.draw(scrolled(&list)));
            }
        })
    };
    let onkeydown = {
        let (send, cursor, list) = (send.clone(), cursor.clone(), list.clone());
        let page = usize::try_from(to_u64(sight.client_px / sight.row_px.max(1.0), 1000)).unwrap_or(1).max(2) - 1;
        Callback::from(move |event: KeyboardEvent| {
            let Some(at) =
                at.filter(|_| !(event.shift_key() || event.ctrl_key() || event.alt_key() || event.meta_key()))
            else {
                return;
            };
            let to = match event.key().as_str() {
                "ArrowDown" => at + 1,
                "ArrowUp" => at.saturating_sub(1),
                "PageDown" => at + page,
                "PageUp" => at.saturating_sub(page),
                "Home" => 0,
                "End" => usize::MAX,
                "Enter" => {
                    event.prevent_default();
                    list.step(at).into_iter().for_each(|step| send.emit(Command::Seek(step)));
                    return;
                }
                _ => return,
            };
            event.prevent_default();
            cursor.set(list.step(to.min(list.steps() - 1)));
        })
    };
    let onclick = {
        let send = send.clone();
        Callback::from(move |event: MouseEvent| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let row = target.and_then(|target| target.closest("[data-to]").ok().flatten());
            if let Some(step) = row.and_then(|row| row.get_attribute("data-to")?.parse().ok()) {
                send.emit(Command::Seek(step));
            }
        })
    };

    let rows: Vec<Row> = (drawn.first..drawn.first + drawn.count).map_while(|row| list.row(run, row)).collect();
    let steps: Vec<u64> =
        rows.iter().filter_map(|row| if let Row::Step(step, _) = row { Some(*step) } else { None }).collect();
    let mut lines = props.looker.lines(&steps).into_iter();
    let whole = props.find.is_none() && props.of_kind.is_none();
    let drawer = Drawer {
        run,
        notes: &rare.notes,
        many: rare.many,
        units: whole && props.grain != Grain::Statement,
        size: list.steps(),
        now: now.and_then(|now| list.step(now)),
        at: at.and_then(|at| list.step(at)),
    };
    let mut rest = steps.first().and_then(|step| list.place(*step)).unwrap_or(0);
    let html_of = |row: Row| match row {
        Row::Head(slice, call) => head(slice, call),
        Row::Step(step, before) => {
            rest += 1;
            drawer.step(step, before, rest, &lines.next().unwrap_or_default())
        }
    };
    let active = drawer.at.filter(|at| steps.contains(at)).map(row_id);
    let rows: Vec<Html> = rows.into_iter().map(html_of).collect();
    html! {
        <>
            <Bar list={Same(list.clone())} step={props.step} complete={run.complete} last={run.last} find={props.find.clone()} of_kind={props.of_kind} seeks={props.seeks} />
            <div ref={node} id="steps" class={classes!("steps", rare.many.then_some("many"))} role="listbox" tabindex="0" aria-label={t().steps_tab}
                aria-activedescendant={active} data-testid="steps" {onscroll} {onkeydown} {onclick}>
                <i class="ruler" aria-hidden="true"></i>
                <div class="tall" role="presentation"><div class="drawn" role="presentation">{ rows }</div></div>
            </div>
        </>
    }
}

fn row_id(step: u64) -> String {
    format!("row-{step}")
}

fn scrolled(list: &HtmlElement) -> f64 {
    f64::from(list.scroll_top())
}

fn scroll_to(list: &HtmlElement, px: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "below ten million")]
    list.set_scroll_top(px.round() as i32);
}

/// Sets a length of a part of the list. The policy forbids the attribute, not this.
fn set_px(list: &HtmlElement, part: &str, property: &str, px: f64) {
    let part = list.query_selector(part).ok().flatten().and_then(|part| part.dyn_into::<HtmlElement>().ok());
    if let Some(part) = part {
        // A browser without it shows the rows from the top.
        let _ = part.style().set_property(property, &format!("{px}px"));
    }
}

/// Keeps the heights of a row and of the list as they are on screen.
#[hook]
fn use_sizes(node: &NodeRef, size: &UseStateHandle<(f64, f64)>) {
    let (node, size) = (node.clone(), size.clone());
    use_effect_with((), move |()| {
        let list = node.cast::<HtmlElement>();
        let measure = {
            let list = list.clone();
            move || {
                let Some(list) = &list else { return };
                let ruler = list.query_selector(".ruler").ok().flatten();
                let row = ruler.map_or(0.0, |ruler| ruler.get_bounding_client_rect().height());
                size.set((row, f64::from(list.client_height())));
            }
        };
        measure();
        let window = EventListener::new(&gloo::utils::window(), "resize", {
            let measure = measure.clone();
            move |_| measure()
        });
        let observed = Closure::<dyn FnMut()>::new(measure);
        let observer = ResizeObserver::new(observed.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(list)) = (&observer, &list) {
            observer.observe(list);
        }
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            drop((observed, window));
        }
    });
}

/// A heading; a click on it goes to where it begins.
fn head(slice: &Slice, call: bool) -> Html {
    let level = if call { "call" } else { "round" };
    html! {
        <div key={format!("{level}-{}", slice.from)} class={classes!("hd", level)} data-to={slice.from.to_string()} aria-hidden="true">
            <span class="t">{ &slice.text }</span><span class="r">{ number(slice.from) }{ "–" }{ number(slice.to - 1) }</span>
        </div>
    }
}

/// What rows are drawn with.
struct Drawer<'a> {
    run: &'a Run,
    notes: &'a Notes,
    /// Several tasks take steps.
    many: bool,
    /// A row stands for a phase or an iteration.
    units: bool,
    size: usize,
    /// The step of the list that the step on screen belongs to.
    now: Option<u64>,
    /// The one that keys are at.
    at: Option<u64>,
}

impl Drawer<'_> {
    fn step(&self, step: u64, before: u64, position: usize, line: &StepLine) -> Html {
        let place = self.run.place(step);
        let phase = if step == 0 { Phase::None } else { place.phase };
        let task = place.by.filter(|_| self.many).and_then(|by| self.run.lanes.iter().find(|lane| lane.id == by));
        let task = task.map_or("", |lane| lane.name.as_str());
        let since = if self.units { before } else { step.saturating_sub(1) };
        let mut notes = self.notes.within(self.run, since, step).map(|(_, text)| text);
        let note = notes.next().map(|first| match notes.count() {
            0 => first,
            more => format!("{first} +{more}"),
        });
        let length = (self.units && step > 0).then(|| view::listing::length_text(step - before));
        let code = if line.function.is_empty() { String::new() } else { format!("{}: {}", line.function, line.code) };
        let title = [code.as_str(), &line.source]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("\n");
        let level = ["lv0", "lv1", "lv2"][usize::from(Listing::level(self.run, step))];
        let (now, at) = (self.now == Some(step), self.at == Some(step));
        html! {
            <div key={step} id={row_id(step)} class={classes!("st", "ph", phase_class(phase), level, now.then_some("now"), at.then_some("at"))} role="option"
                aria-selected={now.to_string()} aria-setsize={self.size.to_string()} aria-posinset={position.to_string()}
                data-to={step.to_string()} {title}>
                <i></i><span class="no">{ number(step) }</span>
                <b class="le" aria-hidden="true">{ phase.letter() }</b><span class="vh">{ phase.name() }</span>
                if self.many { <span class="who">{ name(task) }</span> }
                <span class="tells">{ &line.what }</span>
                <span class={if note.is_some() { "fn ev" } else { "fn" }}>{ note.or(length).unwrap_or(code) }</span>
            </div>
        }
    }
}

#[derive(Properties, PartialEq)]
struct BarProps {
    list: Same<Listing>,
    step: u64,
    complete: bool,
    last: u64,
    find: Option<Rc<Find>>,
    of_kind: Option<Kind>,
    seeks: bool,
}

/// What is looked for, how often it is there, and the way from one to the next.
#[component]
fn Bar(props: &BarProps) -> Html {
    let send = use_send();
    let node = use_node_ref();
    let (list, step) = (&props.list.0, props.step);
    let before = use_mut_ref(|| None::<HtmlElement>);
    use_effect_with((), {
        let seeks = props.seeks;
        move |()| {
            if seeks {
                keys::focus("find-field");
            }
        }
    });
    let some = props.find.is_some() || props.of_kind.is_some();
    let walked = props.find.as_ref().is_none_or(|find| find.walked);
    let done = walked && props.complete;
    // Where Enter leads may not be found yet.
    let wanted = use_state_eq(|| None::<bool>);
    let seen = props.find.as_ref().map_or(u64::MAX, |find| if find.walked { u64::MAX } else { find.found.walked });
    use_effect_with((*wanted, list.steps(), done, seen), {
        let (wanted, list, send) = (wanted.clone(), list.clone(), send.clone());
        move |(forward, total, done, seen)| {
            let Some(forward) = *forward else { return };
            let next = list.next(step, forward).filter(|_| forward || *seen >= step);
            // Behind the last one comes the first.
            let around = || list.step(if forward { 0 } else { total.saturating_sub(1) }).filter(|_| *done);
            if let Some(to) = next.or_else(around) {
                send.emit(Command::Seek(to));
                wanted.set(None);
            } else if *done {
                wanted.set(None);
            }
        }
    });
    let go = |forward: bool| {
        let wanted = wanted.clone();
        move |_: MouseEvent| wanted.set(Some(forward))
    };
    let oninput = {
        let send = send.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                send.emit(Command::Debug(Ask::Find(input.value())));
            }
        })
    };
    let onfocus = {
        let before = before.clone();
        Callback::from(move |event: FocusEvent| {
            *before.borrow_mut() = event.related_target().and_then(|target| target.dyn_into().ok());
        })
    };
    let onkeydown = {
        let (send, wanted, node) = (send.clone(), wanted.clone(), node.clone());
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                "Enter" if some && !event.is_composing() => wanted.set(Some(!event.shift_key())),
                "ArrowDown" => keys::focus("steps"),
                "Escape" => {
                    send.emit(Command::Debug(Ask::Find(String::new())));
                    wanted.set(None);
                    let back = before.borrow_mut().take().filter(|element| element.is_connected());
                    let left = back.or_else(|| node.cast());
                    if let Some(element) = left {
                        // Whoever had the focus gets it back; if nobody had it, the field lets it go.
                        let _ = if node.cast::<HtmlElement>().as_ref() == Some(&element) {
                            element.blur()
                        } else {
                            element.focus()
                        };
                    }
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    let onchange = {
        let send = send.clone();
        Callback::from(move |event: Event| {
            if let Some(choice) = event.target_dyn_into::<HtmlSelectElement>() {
                let kind = choice.value().parse().ok().and_then(|at: usize| Kind::ALL.get(at).copied());
                send.emit(Command::Debug(Ask::OfKind(kind)));
            }
        })
    };
    let (total, at) = (list.steps(), list.place(step).filter(|_| list.has(step)).map(|at| at + 1));
    let said = match (some, total) {
        (false, _) => String::new(),
        (_, 0) if done => t().find_none.to_owned(),
        _ => count_text(at, total),
    };
    let progress = share(props.find.as_ref().map_or(0, |find| find.found.walked), props.last.max(1));
    html! {
        <div class="findbar" role="search">
            <input ref={node} id="find-field" type="search" autocomplete="off" spellcheck="false" autocapitalize="off" maxlength="200" enterkeyhint="search"
                aria-label={t().find_steps} aria-controls="steps" aria-describedby="find-said" placeholder={t().find_hint}
                value={props.find.as_ref().map_or_else(String::new, |find| find.text.clone())} {oninput} {onfocus} {onkeydown} />
            <span class="nth" aria-hidden="true">{ if done || !some { said.clone() } else { format!("{said} · {progress:.0} %") } }</span>
            <output id="find-said" class="vh" role="status">{ if done { said } else { String::new() } }</output>
            <button class="btn" type="button" aria-label={t().find_back} title={format!("{} (Shift+Enter)", t().find_back)} disabled={!some} onclick={go(false)}><Icon glyph={Glyph::Back} /></button>
            <button class="btn" type="button" aria-label={t().find_on} title={format!("{} (Enter)", t().find_on)} disabled={!some} onclick={go(true)}><Icon glyph={Glyph::Next} /></button>
            <select class="kind" aria-label={t().find_kinds} {onchange}>
                <option value="" selected={props.of_kind.is_none()}>{ t().find_all }</option>
                for (at, kind) in Kind::ALL.into_iter().enumerate() {
                    <option value={at.to_string()} selected={props.of_kind == Some(kind)}>{ kind.name() }</option>
                }
            </select>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGHT: Sight = Sight { rows: 90_000, row_px: 18.0, client_px: 180.0 };

    #[test]
    fn few_rows_are_drawn_and_they_cover_what_is_in_sight() {
        for rows in [0, 1, 9, 10, 11, 1000, 90_000, 1_000_000, 100_000_000] {
            let sight = Sight { rows, ..SIGHT };
            assert!(sight.tall_px() <= TALL_MAX_PX);
            let end = (sight.tall_px() - sight.client_px).max(0.0);
            for part in [0.0, 0.001, 0.3, 0.77, 1.0] {
                let scroll = end * part;
                let drawn = sight.draw(scroll);
                assert!(drawn.count <= 26, "{rows}: {drawn:?}");
                let (top, bottom) = (drawn.top_px, drawn.top_px + to_f64(drawn.count as u64) * 18.0);
                assert!(top <= scroll + 0.01, "{rows} at {part}: {drawn:?}");
                assert!(bottom >= (scroll + 180.0).min(sight.tall_px()) - 0.01, "{rows} at {part}: {drawn:?}");
                assert!(drawn.first + drawn.count <= rows);
                if part == 1.0 {
                    assert_eq!(drawn.first + drawn.count, rows, "the end can be seen");
                }
            }
        }
    }

    #[test]
    fn a_row_is_revealed_wherever_it_is_and_what_is_in_sight_stays() {
        for rows in [5, 90_000, 1_000_000, 100_000_000] {
            let sight = Sight { rows, ..SIGHT };
            for row in [0, 1, rows / 3, rows - 1] {
                for from in [0.0, 0.5, 1.0] {
                    let from = (sight.tall_px() - sight.client_px).max(0.0) * from;
                    let to = sight.reveal(from, row);
                    let above = to * sight.ratio();
                    let top = sight.row_top(row);
                    assert!(above - 0.01 <= top && top + 18.0 <= above + 180.01, "{row} of {rows}: {to}");
                    assert_eq!(sight.reveal(to, row).to_bits(), to.to_bits(), "{row} of {rows}");
                }
            }
        }
    }

    #[test]
    fn a_near_row_scrolls_by_little() {
        assert!((SIGHT.reveal(1800.0, 110) - 1836.0).abs() < 0.01);
        assert!((SIGHT.reveal(1800.0, 99) - 1764.0).abs() < 0.01);
        // The middle of the list, from the row next to it on.
        assert!((SIGHT.reveal(1800.0, 5000) - 4996.0 * 18.0).abs() < 0.01);
    }
}
