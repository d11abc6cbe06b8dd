//! A sheet over the page: a native modal dialog, so that focus and Escape are the browser's.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

use super::icon::{Glyph, Icon};
use crate::t;

/// Props of [`SheetBox`].
#[derive(Properties, PartialEq)]
pub struct SheetBoxProps {
    /// Heading and accessible name.
    pub title: AttrValue,
    /// Asked to close.
    pub on_close: Callback<()>,
    /// Extra class.
    #[prop_or_default]
    pub class: Classes,
    /// What is in it.
    pub children: Html,
}

/// Opens as soon as it is drawn.
#[component]
pub fn SheetBox(props: &SheetBoxProps) -> Html {
    let node = use_node_ref();
    use_effect_with(node.clone(), |node| {
        if let Some(dialog) = node.cast::<HtmlDialogElement>()
            && !dialog.open()
        {
            // Fails only if it is open already.
            let _ = dialog.show_modal();
        }
    });
    let close = props.on_close.reform(|_: MouseEvent| ());
    let onclose = props.on_close.reform(|_: Event| ());
    // The browser tells that it has closed a while after, and a key pressed by then would still find the sheet there.
    let oncancel = {
        let (node, on_close) = (node.clone(), props.on_close.clone());
        Callback::from(move |event: Event| {
            if let Some(dialog) =
                node.cast::<HtmlDialogElement>().filter(|dialog| event.target().as_ref() == Some(dialog))
            {
                event.prevent_default();
                // This gives the focus back.
                dialog.close();
                on_close.emit(());
            }
        })
    };
    // A click beside the sheet lands on the dialog itself.
    let onclick = {
        let (node, on_close) = (node.clone(), props.on_close.clone());
        Callback::from(move |event: MouseEvent| {
            if event.target().is_some_and(|target| node.get().is_some_and(|dialog| *dialog == target)) {
                on_close.emit(());
            }
        })
    };
    html! {
        <dialog ref={node} class={classes!("sheet", props.class.clone())} aria-labelledby="sheet-title" {onclose} {oncancel} {onclick}>
            <div class="sheet-in">
                <div class="sheet-head">
                    <h2 id="sheet-title">{ &props.title }</h2>
                    <button class="btn" type="button" aria-label={t().close} onclick={close}><Icon glyph={Glyph::Close} /></button>
                </div>
                { props.children.clone() }
            </div>
        </dialog>
    }
}
