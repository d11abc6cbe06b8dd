//! The sentence of the step.

use std::rc::Rc;

use view::frame::{Narration as Row, Notice};
use view::number;
use yew::prelude::*;

use crate::draw::phase_class;
use crate::player::{Command, Send, use_send};
use crate::t;

/// Props of [`Narration`].
#[derive(Properties, PartialEq)]
pub struct NarrationProps {
    /// The words.
    pub row: Rc<Row>,
    /// Number of the step.
    pub step: u64,
    /// Number of the last step so far.
    pub last: u64,
    /// The run is computed to its end.
    pub complete: bool,
    /// How far it is, of 100.
    pub percent: u64,
    /// The reader has stopped that.
    pub halted: bool,
    /// The run plays: the live region keeps quiet.
    pub playing: bool,
    /// The page's heading.
    pub title: AttrValue,
    /// A message, shown above the sentence.
    pub notice: Option<Rc<Notice>>,
}

/// A run that is shorter is there before anyone could stop it.
const LONG_RUN: u64 = 5000;

/// How far the run is computed, and the way to stop that.
fn computing(props: &NarrationProps, send: &Send) -> Html {
    if props.complete || props.last < LONG_RUN {
        return Html::default();
    }
    let (send, halted) = (send.clone(), props.halted);
    let (word, long) = if halted {
        (t().go_on_computing, t().go_on_computing_long)
    } else {
        (t().stop_computing, t().stop_computing_long)
    };
    html! {
        <span class="computing" data-testid="computing">
            <progress max="100" value={props.percent.to_string()} aria-label={t().computing}></progress>
            <button class="btn edge" type="button" title={long} onclick={move |_: MouseEvent| send.emit(Command::Halt(!halted))}>{ word }</button>
        </span>
    }
}

/// What happened and why. The live region is there before the first step, and stays.
#[component]
pub fn Narration(props: &NarrationProps) -> Html {
    let (row, send) = (&props.row, use_send());
    let last = format!(" / {}{}", number(props.last), if props.complete { "" } else { "+" });
    html! {
        <section class="say" aria-label={t().narration}>
            <h1 class="vh">{ &props.title }</h1>
            <div class="where">
                <span class="step"><span data-testid="step">{ number(props.step) }</span><small>{ last }</small></span>
                <span class="phase">
                    if !row.phase.letter().is_empty() {
                        <span class={classes!("badge", "ph", phase_class(row.phase))} aria-hidden="true">{ row.phase.letter() }</span>
                        <span data-testid="phase">{ row.phase.name() }</span>
                    }
                </span>
                <span class="crumb">{ &row.crumb }</span>
                { computing(props, &send) }
            </div>
            <div class="words">
                <Message notice={props.notice.clone()} />
                <div aria-live={if props.playing { "off" } else { "polite" }} aria-atomic="true" data-testid="narration">
                    <p class="what">{ &row.what }</p>
                    <p class="why">if !row.mark.is_empty() { <b class="mk"><span aria-hidden="true">{ "◆ " }</span>{ &row.mark }</b>{ " " } }{ &row.why }</p>
                </div>
            </div>
        </section>
    }
}

/// Props of [`Message`].
#[derive(Properties, PartialEq)]
pub struct MessageProps {
    /// The message, if any.
    pub notice: Option<Rc<Notice>>,
}

/// A message in the narration's slot; the picture below it stays.
#[component]
pub fn Message(props: &MessageProps) -> Html {
    let send = use_send();
    let error = props.notice.as_ref().is_some_and(|notice| notice.error);
    html! {
        <div role={if error { "alert" } else { "status" }} data-testid="notice">
            if let Some(notice) = &props.notice {
                <div class="notice">
                    <p><b>{ &notice.title }</b>{ " " }{ &notice.text }</p>
                    <button class="btn edge" type="button" onclick={move |_| send.emit(Command::DismissNotice)}>{ t().dismiss }</button>
                </div>
            }
        </div>
    }
}
