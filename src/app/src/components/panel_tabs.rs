//! The tabs of small screens: one panel at a time.

use yew::prelude::*;

use crate::player::{Command, Panel, use_send};
use crate::{keys, t};

/// Props of [`PanelTabs`].
#[derive(Properties, PartialEq)]
pub struct PanelTabsProps {
    /// The panel shown.
    pub panel: Panel,
}

/// Hidden where all panels fit.
#[component]
pub fn PanelTabs(props: &PanelTabsProps) -> Html {
    let send = use_send();
    let onkeydown = {
        let send = send.clone();
        let at = Panel::ALL.iter().position(|panel| *panel == props.panel);
        Callback::from(move |event: KeyboardEvent| {
            if let Some(to) = keys::roving(&event, at, Panel::ALL.len()) {
                send.emit(Command::ShowPanel(Panel::ALL[to]));
                keys::focus(&format!("tab-{}", Panel::ALL[to].key()));
            }
        })
    };
    let show = |panel: Panel| {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::ShowPanel(panel))
    };
    html! {
        <nav class="tabs-small" aria-label={t().panels}>
            <div role="tablist" aria-label={t().panels} {onkeydown}>
                for panel in Panel::ALL {
                    <button key={panel.key()} id={format!("tab-{}", panel.key())} class="tab" role="tab" type="button"
                        aria-selected={(panel == props.panel).to_string()} aria-controls="panels"
                        tabindex={if panel == props.panel { "0" } else { "-1" }} onclick={show(panel)}>
                        { name(panel) }
                    </button>
                }
            </div>
        </nav>
    }
}

fn name(panel: Panel) -> &'static str {
    match panel {
        Panel::Code => t().code,
        Panel::Memory => t().memory,
        Panel::Page => t().page,
        Panel::Disk => t().disk,
        Panel::Dirty => t().dirty,
        Panel::Changes => t().changes_short,
    }
}
