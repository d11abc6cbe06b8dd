//! Lines of source, the kernel's or the engine's: those that steps end at are run to and carry breakpoints, as lines of
//! the outline do.

use std::rc::Rc;

use view::frame::Timeline;
use view::kernel_source::Stops;
use view::number;
use yew::prelude::*;

use super::code_pane::at_probes;
use crate::debug::{Ask, Watch, stop};
use crate::player::{Command, Looker, Send};
use crate::t;

/// A run that is computed to its end, to be counted in.
#[derive(Clone)]
pub struct Course {
    looker: Looker,
    timeline: Rc<Timeline>,
}

impl PartialEq for Course {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.timeline, &other.timeline)
    }
}

impl Course {
    /// Of a run with this timeline.
    #[must_use]
    pub fn new(looker: Looker, timeline: Rc<Timeline>) -> Self {
        Self { looker, timeline }
    }
}

/// How often a run ends a step at each line of `stops`, in their order; nothing as long as it is not known.
#[hook]
pub fn use_passes(course: Option<&Course>, stops: &Rc<Stops>) -> Rc<Vec<u64>> {
    use_memo((course.cloned(), stops.clone()), |(course, stops)| {
        course.as_ref().map_or_else(Vec::new, |course| course.looker.passes(stops))
    })
}

/// What a list of lines shows beside them.
pub struct Margin<'a> {
    /// Where steps end.
    pub stops: &'a Stops,
    /// How often they do.
    pub passes: &'a [u64],
    /// Breakpoints, among other watches.
    pub watches: &'a [Watch],
}

/// The lines from number `first` on; the step is at line `now`.
pub fn source_lines(send: &Send, lines: &[String], first: u32, now: Option<u32>, margin: &Margin) -> Html {
    html! {
        for (at, text) in (first..).zip(lines) {
            <li key={at} class={(Some(at) == now).then_some("now")} aria-current={(Some(at) == now).then_some("step")}>
                { line(send, at, text, margin) }
            </li>
        }
    }
}

fn line(send: &Send, at: u32, text: &str, margin: &Margin) -> Html {
    let Some(probes) = margin.stops.get(&at) else {
        return html! { <><span class="gut"></span><span class="no">{ at }</span><span class="n"></span><code>{ text }</code></> };
    };
    let texts = at_probes(&probes.join(" "));
    let stops = stop(margin.watches, &texts);
    let count = margin.passes.get(margin.stops.range(..at).count()).copied();
    let turn = {
        let (send, texts) = (send.clone(), texts.clone());
        move |_: MouseEvent| send.emit(Command::Debug(Ask::Break(texts.clone())))
    };
    let run = {
        let send = send.clone();
        move |event: MouseEvent| send.emit(Command::Debug(Ask::RunTo(texts.clone(), !event.shift_key())))
    };
    let passed = count.map(|count| format!("{} {}", t().passes, number(count)));
    html! {
        <>
            <button class="gut" type="button" tabindex="-1" aria-pressed={stops.to_string()} aria-label={format!("{} {}", t().breakpoint_on, text.trim())}
                title={t().toggle_break} onclick={turn}></button>
            <span class="no">{ at }</span>
            <span class="n" aria-hidden="true" title={passed.clone()}>if let Some(count) = count { { format!("{}×", number(count)) } }</span>
            <button class="src" type="button" tabindex="-1" data-line={probes.join(" ")} title={t().run_to_line} onclick={run}>
                <code>{ text }</code>if let Some(passed) = passed { <span class="vh">{ " " }{ passed }</span> }
            </button>
        </>
    }
}
