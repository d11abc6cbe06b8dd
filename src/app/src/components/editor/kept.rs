//! The scenarios kept in this browser: keep, open, rename, delete.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::editor::store;
use crate::t;

/// Props of [`KeptList`].
#[derive(Properties, PartialEq)]
pub struct KeptListProps {
    /// The scenario that is written.
    pub text: Rc<str>,
    /// Its title: what it is kept as unless another name is given.
    pub title: String,
    /// Opens one.
    pub on_open: Callback<String>,
}

/// A button and, below it, the list.
#[component]
pub fn KeptList(props: &KeptListProps) -> Html {
    let all = use_state(|| Some(Vec::<String>::new()));
    let name = use_state(|| None::<String>);
    let said = use_state(String::new);
    // After each change the list is read anew: another tab may have changed it too.
    let refresh = {
        let all = all.clone();
        move || {
            let all = all.clone();
            spawn_local(async move { all.set(store::list().await) });
        }
    };
    use_effect_with((), {
        let refresh = refresh.clone();
        move |()| refresh()
    });
    let oninput = {
        let name = name.clone();
        Callback::from(move |event: InputEvent| {
            name.set(event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()));
        })
    };
    let as_name = (*name).clone().unwrap_or_else(|| props.title.clone());
    let keep = {
        let (text, as_name, said, refresh) =
            (props.text.clone(), as_name.trim().to_owned(), said.clone(), refresh.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (text, as_name, said, refresh) = (text.clone(), as_name.clone(), said.clone(), refresh.clone());
            spawn_local(async move {
                if !as_name.is_empty() {
                    said.set(match store::put(&as_name, &text).await {
                        Some(()) => format!("{} {as_name}", t().ed_kept_as),
                        None => t().ed_no_store.to_owned(),
                    });
                }
                refresh();
            });
        })
    };
    let line = |kept: &String| {
        let open = {
            let (kept, on_open) = (kept.clone(), props.on_open.clone());
            move |_: MouseEvent| {
                let (kept, on_open) = (kept.clone(), on_open.clone());
                spawn_local(async move {
                    if let Some(text) = store::get(&kept).await {
                        on_open.emit(text);
                    }
                });
            }
        };
        let rename = {
            let (kept, refresh) = (kept.clone(), refresh.clone());
            Callback::from(move |event: Event| {
                let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
                let (kept, to, refresh) = (kept.clone(), input.value().trim().to_owned(), refresh.clone());
                if to.is_empty() || to == kept {
                    input.set_value(&kept);
                    return;
                }
                spawn_local(async move {
                    // First the new one: what is not kept twice is not lost.
                    if let Some(text) = store::get(&kept).await
                        && store::put(&to, &text).await.is_some()
                    {
                        store::delete(&kept).await;
                    }
                    refresh();
                });
            })
        };
        let delete = {
            let (kept, refresh) = (kept.clone(), refresh.clone());
            move |_: MouseEvent| {
                let (kept, refresh) = (kept.clone(), refresh.clone());
                spawn_local(async move {
                    store::delete(&kept).await;
                    refresh();
                });
            }
        };
        html! {
            <li key={kept.clone()}>
                <input type="text" aria-label={format!("{} {kept}", t().ed_rename)} value={kept.clone()} onchange={rename} spellcheck="false" />
                <button class="btn edge" type="button" aria-label={format!("{} {kept}", t().ed_open_kept)} onclick={open}>{ t().ed_open_kept }</button>
                <button class="btn" type="button" aria-label={format!("{} {kept}", t().ed_delete)} onclick={delete}>{ t().ed_delete }</button>
            </li>
        }
    };
    html! {
        <details class="ed-kept">
            <summary class="btn edge">{ t().ed_kept }if let Some(all) = &*all { { format!(" ({})", all.len()) } }</summary>
            <div class="ed-kept-in">
                <form onsubmit={keep}>
                    <input type="text" aria-label={t().ed_name} value={as_name} {oninput} spellcheck="false" />
                    <button class="btn edge" type="submit">{ t().ed_keep }</button>
                </form>
                <p class="hint" role="status">{ &*said }</p>
                if let Some(all) = &*all {
                    <ul>{ for all.iter().map(line) }</ul>
                    if all.is_empty() { <p class="hint">{ t().ed_kept_none }</p> }
                } else {
                    <p class="hint">{ t().ed_no_store }</p>
                }
            </div>
        </details>
    }
}
