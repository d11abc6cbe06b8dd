//! The pieces of buffers that one call writes: a bar whose borders can be moved, and their numbers.

use std::rc::Rc;

use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use super::form::id;
use crate::components::icon::{Glyph, Icon};
use crate::draw::{pct, to_f64, to_u64};
use crate::editor::draft::{Change, Problem};
use crate::editor::json::{Node, Value, join};
use crate::editor::shape::{Names, SEGMENT};
use crate::t;
use view::{number, tr};

/// Segments with fields and borders; all of them are in the JSON.
const SHOWN: usize = 32;
const SEGMENT_NEW: &str = "{\"buf\": \"$b\", \"len\": $n}";

/// Props of [`Segments`].
#[derive(Properties, PartialEq)]
pub struct SegmentsProps {
    /// The document.
    pub doc: Rc<Node>,
    /// Path of the list.
    pub path: String,
    /// What is wrong with the document.
    pub problem: Option<Rc<Problem>>,
    /// Takes a change.
    pub on_change: Callback<Change>,
}

/// One segment, as far as it is numbers.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    buf: String,
    off: u64,
    len: u64,
}

fn piece(node: &Node) -> Piece {
    let number = |key: &str| node.at(key).and_then(|value| value.shown().parse().ok()).unwrap_or_default();
    Piece { buf: node.at("buf").map(Node::shown).unwrap_or_default(), off: number("off"), len: number("len") }
}

fn num(value: u64) -> Node {
    Value::Bare(value.to_string()).into()
}

/// Moves the border behind piece `n` to `at` bytes from the begin of the piece: what one loses, the next one gains. Where
/// both are neighbours in one buffer, the next one begins elsewhere too.
fn moved(pieces: &[Piece], n: usize, at: u64) -> Option<[Piece; 2]> {
    let (left, right) = (pieces.get(n)?, pieces.get(n + 1)?);
    let both = left.len.checked_add(right.len)?;
    let len = at.min(both);
    let joined = left.buf == right.buf && right.off == left.off + left.len;
    let off = if joined { left.off + len } else { right.off };
    Some([Piece { len, ..left.clone() }, Piece { off, len: both - len, ..right.clone() }])
}

/// Cuts the longest piece in two.
fn split(pieces: &[Piece]) -> Option<(usize, [Piece; 2])> {
    let (n, longest) = pieces.iter().enumerate().max_by_key(|(n, piece)| (piece.len, usize::MAX - n))?;
    let len = longest.len / 2;
    let right = Piece { off: longest.off + len, len: longest.len - len, ..longest.clone() };
    (len > 0).then(|| (n, [Piece { len, ..longest.clone() }, right]))
}

fn node(piece: &Piece) -> Node {
    let mut fields = vec![("buf".to_owned(), Node::text(&piece.buf))];
    if piece.off > 0 {
        fields.push(("off".to_owned(), num(piece.off)));
    }
    fields.push(("len".to_owned(), num(piece.len)));
    Value::Object(fields).into()
}

/// Bar, numbers, and the ways to more or fewer of them.
#[component]
pub fn Segments(props: &SegmentsProps) -> Html {
    let bar = use_node_ref();
    let held = use_state(|| None::<usize>);
    let pieces: Vec<Piece> =
        props.doc.at(&props.path).map(|list| list.items().iter().map(piece).collect()).unwrap_or_default();
    let total: u64 = pieces.iter().map(|piece| piece.len).fold(0, u64::saturating_add);
    let starts: Vec<u64> = pieces
        .iter()
        .scan(0u64, |at, piece| {
            let start = *at;
            *at = at.saturating_add(piece.len);
            Some(start)
        })
        .collect();
    let share = |bytes: u64| if total == 0 { 0.0 } else { 100.0 * to_f64(bytes) / to_f64(total) };
    let set = {
        let (pieces, path, on_change) = (pieces.clone(), props.path.clone(), props.on_change.clone());
        move |n: usize, at: u64| {
            if let Some([left, right]) = moved(&pieces, n, at) {
                // One path, so that one drag is one change.
                let mut all = pieces.clone();
                all[n] = left;
                all[n + 1] = right;
                on_change.emit(Change::Set(path.clone(), Value::List(all.iter().map(node).collect()).into()));
            }
        }
    };
    let onpointermove = {
        let (held, bar, set, starts) = (held.clone(), bar.clone(), set.clone(), starts.clone());
        Callback::from(move |event: PointerEvent| {
            let (Some(n), Some(bar)) = (*held, bar.cast::<Element>()) else { return };
            let frame = bar.get_bounding_client_rect();
            let at = (f64::from(event.client_x()) - frame.left()) / frame.width().max(1.0) * to_f64(total);
            set(n, to_u64(at.round(), total).saturating_sub(starts[n]));
        })
    };
    let onpointerup = {
        let held = held.clone();
        Callback::from(move |_: PointerEvent| held.set(None))
    };
    let border = |n: usize| {
        let (grab, held) = (set.clone(), held.clone());
        let len = pieces[n].len;
        let both = len.saturating_add(pieces[n + 1].len);
        let onkeydown = Callback::from(move |event: KeyboardEvent| {
            let by = if event.shift_key() { 512 } else { 1 };
            let to = match event.key().as_str() {
                "ArrowLeft" | "ArrowDown" => len.saturating_sub(by),
                "ArrowRight" | "ArrowUp" => len.saturating_add(by),
                "PageDown" => len.saturating_sub(4096),
                "PageUp" => len.saturating_add(4096),
                "Home" => 0,
                "End" => both,
                _ => return,
            };
            event.prevent_default();
            grab(n, to);
        });
        let onpointerdown = Callback::from(move |event: PointerEvent| {
            if let Some(target) = event.target_dyn_into::<Element>() {
                // Without it the drag ends at the bar's edge, no more.
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            held.set(Some(n));
        });
        html! {
            <rect key={n} class="ed-border" x={pct(share(starts[n + 1]))} y="0" width="12" height="28" transform="translate(-6 0)" tabindex="0" role="slider"
                aria-label={format!("{} {n}", t().ed_border)} aria-valuemin="0" aria-valuemax={both.to_string()} aria-valuenow={len.to_string()} {onkeydown} {onpointerdown} />
        }
    };
    let row = |n: usize| {
        let at = format!("{}[{n}]", props.path);
        let bad = |path: &str| {
            props.problem.as_ref().filter(|problem| problem.path == path).map(|problem| problem.reason.clone())
        };
        let field = |key: &'static str| {
            let path = join(&at, key);
            let number = key != "buf";
            let value = props.doc.at(&path).map(Node::shown).unwrap_or_default();
            let (on_change, to) = (props.on_change.clone(), path.clone());
            let oninput = Callback::from(move |event: InputEvent| {
                let text = event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
                on_change.emit(match text.trim().parse::<u64>() {
                    _ if text.is_empty() && key == "off" => Change::Remove(to.clone()),
                    Ok(value) if number && value <= 1 << 53 => Change::Set(to.clone(), num(value)),
                    _ => Change::Set(to.clone(), Node::text(text.trim())),
                });
            });
            let reason = bad(&path);
            html! {
                <td>
                    <input type="text" id={id(&path)} aria-label={path.clone()} inputmode={number.then_some("numeric")} list={(!number).then(|| Names::Buffers.id())}
                        placeholder={(key == "off").then_some("0")} {value} {oninput} aria-invalid={reason.is_some().then_some("true")} aria-describedby={reason.is_some().then_some("ed-reason")} spellcheck="false" />
                    if let Some(reason) = reason { <small class="ed-bad" id="ed-reason">{ reason }</small> }
                </td>
            }
        };
        let (on_change, path) = (props.on_change.clone(), at.clone());
        html! {
            <tr key={n}>
                <th scope="row">{ n }</th>
                { for SEGMENT.iter().map(|each| field(each.key)) }
                <td><button class="btn" type="button" aria-label={format!("{} {at}", t().ed_remove)} title={t().ed_remove}
                    onclick={move |_: MouseEvent| on_change.emit(Change::Remove(path.clone()))}><Icon glyph={Glyph::Close} /></button></td>
            </tr>
        }
    };
    let add = {
        let (on_change, path) = (props.on_change.clone(), props.path.clone());
        move |_: MouseEvent| on_change.emit(Change::Push(path.clone(), SEGMENT_NEW))
    };
    let halve = {
        let (on_change, path, pieces) = (props.on_change.clone(), props.path.clone(), pieces.clone());
        move |_: MouseEvent| {
            if let Some((n, two)) = split(&pieces) {
                let mut all = pieces.clone();
                all.splice(n..=n, two);
                // A change by itself: a drag that follows is not joined to it.
                on_change
                    .emit(Change::SetAll(vec![(path.clone(), Value::List(all.iter().map(node).collect()).into())]));
            }
        }
    };
    let shown = pieces.len().min(SHOWN);
    html! {
        <div class="ed-iov" role="group" aria-label={t().ed_segments}>
            <svg ref={bar} class="ed-bar" width="100%" height="28" onpointermove={onpointermove} onpointerup={onpointerup.clone()} onpointercancel={onpointerup}>
                for n in 0..shown {
                    <rect key={n} class="seg" x={pct(share(starts[n]))} y="3" width={pct(share(pieces[n].len))} height="22" />
                }
                if shown > 1 { { for (0..shown - 1).map(border) } }
            </svg>
            <table class="ed-segs">
                <caption class="vh">{ t().ed_segments }</caption>
                <thead><tr><th scope="col">{ "#" }</th><th scope="col">{ t().ed_buffer }</th><th scope="col">{ t().own_offset }</th><th scope="col">{ t().ed_len }</th><td></td></tr></thead>
                <tbody>{ for (0..shown).map(row) }</tbody>
            </table>
            if pieces.len() > shown { <p class="hint">{ format!("+{} {}", pieces.len() - shown, t().ed_more) }</p> }
            <p class="ed-row">
                <button class="btn edge" type="button" onclick={add}>{ "+ " }{ t().ed_segment }</button>
                <button class="btn edge" type="button" disabled={split(&pieces).is_none()} onclick={halve}>{ t().ed_split }</button>
                <span class="hint">{ tr!("{} bytes", number(total)) }</span>
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(off: u64, len: u64) -> Piece {
        Piece { buf: "b".to_owned(), off, len }
    }

    #[test]
    fn a_border_moves_within_its_two() {
        let neighbours = [of(0, 10), of(10, 5)];
        assert_eq!(moved(&neighbours, 0, 12), Some([of(0, 12), of(12, 3)]));
        assert_eq!(moved(&neighbours, 0, 99), Some([of(0, 15), of(15, 0)]));
        assert_eq!(moved(&neighbours, 1, 3), None);
        let apart = [of(100, 10), of(7, 5)];
        assert_eq!(moved(&apart, 0, 4), Some([of(100, 4), of(7, 11)]));
    }

    #[test]
    fn the_longest_is_split() {
        assert_eq!(split(&[of(0, 3), of(3, 9)]), Some((1, [of(3, 4), of(7, 5)])));
        assert_eq!(split(&[of(0, 1)]), None);
        assert_eq!(split(&[]), None);
    }
}
