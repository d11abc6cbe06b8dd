//! Any block of the device, decoded, with hex and text beside.

use std::rc::Rc;

use view::frame::{BlockField, BlockView};
use view::trail::Spot;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use super::bytes::{Ask, Bar, ByteBar, ByteCard, REST_MS, is_tap, is_touch, place_under, use_asker};
use super::sheet::SheetBox;
use crate::draw::{to_f64, to_u64};
use crate::player::{Command, use_send};
use crate::t;
use view::{number, tr};

/// Bytes in a row of the hex dump.
const ROW: usize = 16;

/// Props of [`BlockInspector`].
#[derive(Properties, PartialEq)]
pub struct BlockInspectorProps {
    /// The block.
    pub view: Rc<BlockView>,
    /// The step it is shown at.
    pub step: u64,
}

/// A sheet with a table of fields and a hex dump; choosing a field marks its bytes.
#[component]
pub fn BlockInspector(props: &BlockInspectorProps) -> Html {
    let send = use_send();
    let picked = use_state(|| None::<usize>);
    let bytes = use_asker();
    let view = &props.view;
    use_effect_with(view.block, {
        let picked = picked.clone();
        move |_| picked.set(None)
    });
    let field = picked.and_then(|i| view.fields.get(i)).cloned();
    let go = {
        let send = send.clone();
        let block = view.block;
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            match input.value().trim().parse() {
                Ok(block) => send.emit(Command::OpenBlock(block)),
                Err(_) => input.set_value(&block.to_string()),
            }
        })
    };
    let turn = |to: Option<u64>, label: &'static str, glyph: &'static str| {
        let send = send.clone();
        html! {
            <button class="btn edge" type="button" aria-label={label} disabled={to.is_none()}
                onclick={move |_| if let Some(block) = to { send.emit(Command::OpenBlock(block)) }}>{ glyph }</button>
        }
    };
    let rows = view.fields.iter().enumerate().map(|(i, row)| {
        let picked_now = *picked == Some(i);
        let picked = picked.clone();
        html! { <FieldRow key={i} row={row.clone()} picked={picked_now} on_pick={move |()| picked.set(Some(i))} /> }
    });
    let close = {
        let send = send.clone();
        move |()| send.emit(Command::CloseBlock)
    };
    html! {
        <SheetBox class="inspector" title={format!("{} {} · {}", t().block, number(view.block), view.title)} on_close={close}>
            <div class="blk-bar">
                { turn(view.block.checked_sub(1), t().prev_block, "‹") }
                <label>{ t().block }{ " " }<input type="text" inputmode="numeric" autocomplete="off" value={view.block.to_string()} onchange={go} /></label>
                { turn((view.block < view.last).then(|| view.block + 1), t().next_block, "›") }
                <span class="q">{ format!("/ {} · {} {}", number(view.last), t().step, props.step) }</span>
                if !view.note.is_empty() { <span>{ &view.note }</span> }
            </div>
            <div class="blk-two">
                <div class="blk-fields" tabindex="0" role="region" aria-label={t().fields}>
                    if view.fields.is_empty() {
                        <p class="none">{ t().no_fields }</p>
                    } else {
                        <table data-testid="block-fields">
                            <thead><tr><th>{ t().offset }</th><th>{ t().field }</th><th>{ t().value }</th></tr></thead>
                            <tbody>{ for rows }</tbody>
                        </table>
                    }
                </div>
                <div class="blk-right">
                    <Hex view={view.clone()} {field} />
                    <ByteBar bar={Bar::Block(view.block, u32::try_from(view.bytes.len()).unwrap_or(0))} class="by-block">
                        <p data-testid="block-byte">{ bytes.told.as_ref().map_or_else(|| t().block_bytes_how.to_owned(), |told| told.trail.text()) }</p>
                    </ByteBar>
                </div>
            </div>
            if let Some(told) = bytes.told { <ByteCard {told} /> }
        </SheetBox>
    }
}

#[derive(Properties, PartialEq)]
struct FieldRowProps {
    row: Rc<BlockField>,
    picked: bool,
    on_pick: Callback<()>,
}

#[component]
fn FieldRow(props: &FieldRowProps) -> Html {
    let row = &props.row;
    let onclick = props.on_pick.reform(|_: MouseEvent| ());
    html! {
        <tr class={classes!(props.picked.then_some("picked"), row.changed.then_some("now"))}>
            <td>{ row.offset }<span class="vh">{ format!(", {}", tr!("{} bytes", row.len)) }</span></td>
            <td><button type="button" aria-pressed={props.picked.to_string()} {onclick}>{ &row.name }</button></td>
            <td>{ &row.value }if row.changed { { " ●" }<span class="vh">{ t().changed_now }</span> }</td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
struct HexProps {
    view: Rc<BlockView>,
    field: Option<Rc<BlockField>>,
}

/// Plain text in rows, so that it can be selected and copied. Runs of equal rows fold, as in `hexdump`.
#[component]
fn Hex(props: &HexProps) -> Html {
    let view = &props.view;
    let marked = props.field.as_ref().map(|field| (field.offset as usize, (field.offset + field.len) as usize));
    let meets = |from: usize, to: usize, at: usize| from < at + ROW && to > at;
    let changed = |at: usize| view.changed.iter().any(|&(from, to)| meets(from as usize, to as usize, at));
    let mut rows = Vec::new();
    let (mut last, mut folded) = (None, false);
    for (i, row) in view.bytes.chunks(ROW).enumerate() {
        let at = i * ROW;
        let special = changed(at) || marked.is_some_and(|(from, to)| meets(from, to, at));
        if last == Some(row) && !special {
            if !folded {
                rows.push(html! { <div class="hx">{ "*" }</div> });
                folded = true;
            }
            continue;
        }
        (last, folded) = (Some(row), false);
        rows.push(hex_row(at, row, marked, changed(at)));
    }
    // The byte under the pointer: three letters each.
    let bytes = use_asker();
    let block = view.block;
    let about = move |event: &PointerEvent, byte, ms| Ask::About(Spot::Device(block, byte), place_under(event), ms);
    let onpointermove = {
        let last = use_mut_ref(|| None::<u32>);
        let ask = bytes.ask.clone();
        Callback::from(move |event: PointerEvent| {
            let now = byte_under(&event);
            if !is_touch(&event) && last.replace(now) != now {
                ask.emit(now.map_or(Ask::Nothing, |byte| about(&event, byte, REST_MS)));
            }
        })
    };
    let onpointerup = {
        let ask = bytes.ask.clone();
        Callback::from(move |event: PointerEvent| {
            if is_tap(&event)
                && let Some(byte) = byte_under(&event)
            {
                ask.emit(about(&event, byte, 0));
            }
        })
    };
    let onpointerleave = {
        let ask = bytes.ask.clone();
        Callback::from(move |event: PointerEvent| {
            if !is_touch(&event) {
                ask.emit(Ask::Nothing);
            }
        })
    };
    html! { <div class="blk-hex" {onpointermove} {onpointerup} {onpointerleave} tabindex="0" role="region" aria-label={t().hex} data-testid="block-hex">{ for rows }</div> }
}

fn byte_under(event: &PointerEvent) -> Option<u32> {
    let row = event.target_dyn_into::<Element>()?.closest(".by16").ok()??;
    let x = f64::from(event.client_x());
    let shape = row.get_bounding_client_rect();
    let first = u32::from_str_radix(&row.previous_element_sibling()?.text_content()?, 16).ok()?;
    let count = row.text_content()?.len() as u64 / 3;
    let nth = to_u64((x - shape.left()) / shape.width() * to_f64(count), count.saturating_sub(1));
    Some(first + u32::try_from(nth).ok()?)
}

fn hex_row(at: usize, row: &[u8], marked: Option<(usize, usize)>, changed: bool) -> Html {
    let inside = |byte: usize| byte.saturating_sub(at).min(row.len());
    let (from, to) = marked.map_or((row.len(), row.len()), |(from, to)| (inside(from), inside(to)));
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
    let plain = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    let text: String = row.iter().map(plain).collect();
    html! {
        <div class={classes!("hx", changed.then_some("now"))}>
            <span class="at">{ format!("{at:04x}") }</span>
            <span class="by16">{ hex(&row[..from]) }if from < to { <mark>{ hex(&row[from..to]) }</mark> }{ hex(&row[to..]) }</span>
            <span class="tx16">{ text }</span>
        </div>
    }
}
