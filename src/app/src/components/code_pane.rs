//! Code: our outline of the kernel function, the engine's own source, or the kernel's.

use std::rc::Rc;

use view::frame::{Code, CodeLine, KernelAt, LineState, SourceAt};
use view::kernel_source::{Stops, engine_stops};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::Element;
use yew::prelude::*;
use yew::virtual_dom::Key;

use super::kernel_source::{Files, KernelSource};
use super::source_lines::{Course, Margin, source_lines, use_passes};
use crate::debug::{Ask, Watch, stop};
use crate::draw::{base_name, phase_class};
use crate::player::{Command, use_send};
use crate::{keys, t};

/// Where the kernel's source can be read.
const SOURCE_BROWSER: &str = "https://elixir.bootlin.com/linux/v5.10.238/source/";

/// Props of [`CodePane`].
#[derive(Properties, PartialEq)]
pub struct CodePaneProps {
    /// The outline.
    pub code: Rc<Code>,
    /// Where in the engine's source the step ended.
    pub source: Option<Rc<SourceAt>>,
    /// Where in the kernel's source it is.
    pub kernel: Option<KernelAt>,
    /// Breakpoints, among other watches.
    pub watches: Rc<Vec<Watch>>,
    /// The run, once it is complete.
    pub course: Option<Course>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tab {
    Outline,
    Engine,
    Kernel,
}

const TABS: [Tab; 3] = [Tab::Outline, Tab::Engine, Tab::Kernel];

impl Tab {
    const fn id(self) -> &'static str {
        match self {
            Self::Outline => "code-outline",
            Self::Engine => "code-engine",
            Self::Kernel => "code-kernel",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Outline => t().outline,
            Self::Engine => t().engine,
            Self::Kernel => t().kernel,
        }
    }
}

/// The code panel with its tabs.
#[component]
pub fn CodePane(props: &CodePaneProps) -> Html {
    let tab = use_state(|| Tab::Outline);
    // Here, so that the files outlive a look at another tab.
    let files = use_reducer(Files::default);
    let onkeydown = {
        let tab = tab.clone();
        let at = TABS.iter().position(|each| *each == *tab);
        Callback::from(move |event: KeyboardEvent| {
            if let Some(to) = keys::roving(&event, at, TABS.len()) {
                tab.set(TABS[to]);
                keys::focus(TABS[to].id());
            }
        })
    };
    let show = |each: Tab| {
        let tab = tab.clone();
        move |_: MouseEvent| tab.set(each)
    };
    let caption = match (*tab, &props.source) {
        (Tab::Outline, _) if props.code.at.is_empty() => props.code.function.clone(),
        (Tab::Outline, _) => format!("{} · {}", props.code.function, props.code.at),
        (Tab::Engine, Some(at)) => format!("{}:{}", at.file, at.line),
        (Tab::Kernel, _) => props.kernel.as_ref().map_or_else(String::new, |at| format!("{}:{}", at.file, at.line)),
        _ => String::new(),
    };
    html! {
        <section class="panel code" id="panel-code" tabindex="-1" aria-label={t().code}>
            <div class="tabs">
                <div role="tablist" aria-label={t().code_view} {onkeydown}>
                    for each in TABS {
                        <button key={each.id()} id={each.id()} class="tab" role="tab" type="button" aria-controls="code-body"
                            aria-selected={(each == *tab).to_string()} tabindex={if each == *tab { "0" } else { "-1" }} onclick={show(each)}>
                            { each.name() }
                        </button>
                    }
                </div>
                <span class="fn" title={caption.clone()}>{ caption.clone() }</span>
            </div>
            <div id="code-body" class="codebody" role="tabpanel" aria-labelledby={tab.id()} tabindex="0" data-rove="">
                {
                    match *tab {
                        Tab::Outline => html! { <Outline code={props.code.clone()} watches={props.watches.clone()} /> },
                        Tab::Engine => html! { <EngineSource at={props.source.clone()} watches={props.watches.clone()} course={props.course.clone()} /> },
                        Tab::Kernel => html! { <KernelSource at={props.kernel.clone()} {files} watches={props.watches.clone()} course={props.course.clone()} /> },
                    }
                }
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct OutlineProps {
    code: Rc<Code>,
    watches: Rc<Vec<Watch>>,
}

#[component]
fn Outline(props: &OutlineProps) -> Html {
    let send = use_send();
    let now = props.code.lines.iter().rposition(|line| line.state == LineState::Now);
    use_effect_with((now, props.code.function.clone()), |_| keys::into_view(".lines .now"));
    if props.code.lines.is_empty() {
        return html! { <p class="none">{ t().no_code }</p> };
    }
    // A line and a line inside it are both under way; the step is the inner one.
    let step = props.code.lines.iter().rposition(|line| line.state == LineState::Now);
    // A line that ran inside another is pushed in between, and goes again: what is around it stays as it was drawn.
    let mut own = 0;
    let lines = props.code.lines.iter().enumerate().map(|(i, line)| {
        let stops = !props.watches.is_empty() && stop(&props.watches, &at_probes(&line.probe));
        let key = if line.sub {
            Key::from(line.probe.as_str())
        } else {
            own += 1;
            Key::from(own)
        };
        html! { <Line {key} line={line.clone()} now={Some(i) == step} {stops} /> }
    });
    // One listener for the buttons of all lines.
    let onclick = Callback::from(move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let button = target.and_then(|target| target.closest(".ln button").ok().flatten());
        let named =
            button.as_ref().and_then(|button| button.parent_element()?.query_selector("[data-line]").ok().flatten());
        let (Some(button), Some(named)) = (button, named) else { return };
        let probes = at_probes(&named.get_attribute("data-line").unwrap_or_default());
        let ask = if button == named { Ask::RunTo(probes, !event.shift_key()) } else { Ask::Break(probes) };
        send.emit(Command::Debug(ask));
    });
    html! {
        <>
            if !props.code.about.is_empty() { <p class="about" data-testid="about-scenario">{ &props.code.about }</p> }
            <ol class="lines" data-testid="outline" {onclick}>{ for lines }</ol>
        </>
    }
}

/// Where a line's probes are, by their names as in `data-line`: an expression each.
pub fn at_probes(probes: &str) -> Vec<String> {
    probes.split_whitespace().map(|probe| format!("probe == {probe}")).collect()
}

/// File and line in so many letters as there is room for: the file's name gives way, never the number.
fn place(file: &str, line: u32) -> String {
    const ROOM: usize = 14;
    let line = format!(":{line}");
    if file.len() + line.len() <= ROOM {
        return format!("{file}{line}");
    }
    let kept: String = file.chars().take(ROOM.saturating_sub(line.len() + 1)).collect();
    format!("{kept}…{line}")
}

#[derive(Properties, PartialEq)]
struct LineProps {
    line: Rc<CodeLine>,
    now: bool,
    stops: bool,
}

/// A line of the outline. Most stay as they are from one step to the next.
#[component]
fn Line(props: &LineProps) -> Html {
    let LineProps { line, now, stops } = props;
    let now = *now;
    let (state, word) = match line.state {
        LineState::Done => ("done", t().line_done),
        LineState::Now if now => ("now", t().line_now),
        LineState::Now => ("in", t().line_now),
        LineState::Ahead => ("todo", t().line_ahead),
    };
    let place = if line.file.is_empty() { String::new() } else { place(base_name(&line.file), line.line) };
    html! {
        <li class={classes!("ln", "ph", phase_class(line.phase), state, line.sub.then_some("sub"))} aria-current={now.then_some("step")}>
            if line.probe.is_empty() {
                <span class="gut"></span>
                <i></i>
                <span class="src" title={line.text.clone()}><span class="vh">{ word }</span>{ &line.text }</span>
            } else {
                <button class="gut" type="button" tabindex="-1" aria-pressed={stops.to_string()} aria-label={format!("{} {}", t().breakpoint_on, line.text)}
                    title={t().toggle_break}></button>
                <i></i>
                <button class="src" type="button" tabindex="-1" data-line={line.probe.clone()} title={format!("{}: {}", t().run_to_line, line.text)}><span class="vh">{ word }</span>{ &line.text }</button>
            }
            <span class="val" title={line.value.clone()}>{ &line.value }</span>
            if now && !line.file.is_empty() {
                <a class="loc" target="_blank" rel="noreferrer" href={format!("{SOURCE_BROWSER}{}#L{}", line.file, line.line)}
                    title={format!("{} {} {}", line.file, t().line, line.line)}>{ place }</a>
            } else {
                <span class="loc">{ place }</span>
            }
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct EngineSourceProps {
    at: Option<Rc<SourceAt>>,
    watches: Rc<Vec<Watch>>,
    course: Option<Course>,
}

#[derive(Clone, PartialEq)]
enum Text {
    Loading,
    Failed,
    Lines(Rc<Vec<String>>, Rc<Stops>),
}

/// The engine's own Rust source, fetched from beside the page when it is first looked at.
#[component]
fn EngineSource(props: &EngineSourceProps) -> Html {
    let text = use_state(|| Text::Loading);
    let file = props.at.as_ref().map(|at| at.file.clone());
    use_effect_with(file, {
        let text = text.clone();
        move |file: &Option<String>| {
            if let Some(file) = file.clone() {
                text.set(Text::Loading);
                spawn_local(async move { text.set(fetch(&file).await) });
            }
        }
    });
    let at = props.at.as_ref().map(|at| at.line);
    use_effect_with((props.at.clone(), matches!(*text, Text::Lines(..))), |_| keys::into_view(".rust .now"));
    let stops = if let Text::Lines(_, stops) = &*text { stops.clone() } else { Rc::default() };
    let passes = use_passes(props.course.as_ref(), &stops);
    let send = use_send();
    match (&props.at, &*text) {
        (None, _) => html! { <p class="none">{ t().no_source }</p> },
        (_, Text::Loading) => html! { <p class="none">{ t().loading }</p> },
        (_, Text::Failed) => html! { <p class="none">{ t().source_failed }</p> },
        (_, Text::Lines(lines, _)) => {
            let margin = Margin { stops: &stops, passes: &passes, watches: &props.watches };
            html! { <ol class="rust" data-testid="engine-source">{ source_lines(&send, lines, 1, at, &margin) }</ol> }
        }
    }
}

/// The built site keeps the sources of steps under `engine/`: `src/kernel/src/mm/filemap.rs` as `kernel/mm/filemap.rs`.
async fn fetch(file: &str) -> Text {
    let address = format!("engine/{}", file.trim_start_matches("src/").replacen("/src/", "/", 1));
    let Ok(answer) = gloo::net::http::Request::get(&address).send().await else { return Text::Failed };
    if !answer.ok() {
        return Text::Failed;
    }
    match answer.text().await {
        Ok(text) => Text::Lines(Rc::new(text.lines().map(str::to_owned).collect()), Rc::new(engine_stops(&text))),
        Err(_) => Text::Failed,
    }
}
