//! All commands in one field: type a part of a name, a scenario or a step.

use std::rc::Rc;

use view::frame::{ScenarioInfo, TaskRow};
use view::table::TableFormat;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::sheet::SheetBox;
use crate::debug::{Ask, Tab};
use crate::engine::{Export, Intervention};
use crate::keys::{self, Action};
use crate::lang::Lang;
use crate::player::{Command, Grain, Panel, SPEEDS, Sheet, use_send};
use crate::t;

/// Commands shown at once.
const SHOWN_MAX: usize = 60;

/// Props of [`Palette`].
#[derive(Properties, PartialEq)]
pub struct PaletteProps {
    /// The library.
    pub scenarios: Rc<Vec<ScenarioInfo>>,
    /// The tasks there are.
    pub tasks: Vec<Rc<TaskRow>>,
    /// The language spoken.
    pub lang: Lang,
    /// What a line does.
    pub on_action: Callback<Action>,
}

/// A line: what it says, its key, what it does.
type Line = (String, &'static str, Action);

/// Every command that needs no more than to be named.
fn lines(scenarios: &[ScenarioInfo], tasks: &[Rc<TaskRow>], lang: Lang) -> Vec<Line> {
    use Action::{Cursor, Find, FullScreen, GoTo, Origin, Press, Send, Watch};
    let send = |words: &str, key: &'static str, command: Command| (words.to_owned(), key, Send(command));
    let debug = |words: &str, key: &'static str, ask: Ask| (words.to_owned(), key, Send(Command::Debug(ask)));
    let grain = |name: &str, grain: Grain| (format!("{} {name}", t().grain), "", Send(Command::SetGrain(grain)));
    let panel = |name: &str, key: &'static str, panel: Panel, id: &'static str| {
        (format!("{}: {name}", t().show_panel), key, Action::Focus(Some(panel), id))
    };
    let mut all = vec![
        send(t().next, "→", Command::Next),
        send(t().back, "←", Command::Back),
        send(t().over, "Shift+→", Command::Over),
        send(t().over_back, "Shift+←", Command::OverBack),
        send(t().out, "Shift+↑", Command::Out),
        send(t().out_back, "Shift+↓", Command::OutBack),
        send(t().next_iteration, "n", Command::NextIteration),
        send(t().prev_iteration, "p", Command::PrevIteration),
        send(t().next_call, "N", Command::NextCall),
        send(t().prev_call, "P", Command::PrevCall),
        send(t().first, "Home", Command::First),
        send(t().last, "End", Command::Last),
        send(&format!("{} / {}", t().play, t().pause), t().space, Command::TogglePlay),
        (t().go_to.to_owned(), "g", GoTo),
        debug(t().run_to_hit, "r", Ask::Run),
        debug(t().run_back_to_hit, "R", Ask::RunBack),
        (t().find_steps.to_owned(), "/", Find),
        debug(&format!("{}: {}", t().show_panel, t().steps_tab), "", Ask::Show(Tab::Steps)),
        (t().watch_field.to_owned(), "w", Watch),
        (t().toggle_break.to_owned(), "B", Action::Break),
        (t().run_to_line.to_owned(), "c", Cursor(false)),
        (t().run_back_to_line.to_owned(), "C", Cursor(true)),
        (t().who_set.to_owned(), "o", Origin),
        debug(t().marker_a, "a", Ask::Put(0)),
        debug(t().marker_b, "b", Ask::Put(1)),
        debug(t().diff_tab, "d", Ask::Diff),
        debug(&format!("{}: {}", t().show_panel, t().changes), "", Ask::Show(Tab::Changes)),
        debug(&format!("{}: {}", t().show_panel, t().origin_tab), "", Ask::Show(Tab::Origin)),
        grain(t().statement, Grain::Statement),
        grain(t().phase, Grain::Phase),
        grain(t().iteration, Grain::Iteration),
        panel(t().code, "1", Panel::Code, "panel-code"),
        panel(t().memory, "2", Panel::Memory, "panel-mem"),
        panel(t().page, "3", Panel::Page, "panel-page"),
        panel(t().disk, "4", Panel::Disk, "panel-disk"),
        panel(t().dirty_balance, "5", Panel::Dirty, "panel-dirty"),
        send(t().evict_source_long, "", Command::Intervene(Intervention::EvictSource)),
        send(t().sigkill_long, "", Command::Intervene(Intervention::Sigkill)),
        send(t().edit_long, "e", Command::Open(Sheet::Edit)),
        send(t().library_long, "", Command::Open(Sheet::Library)),
        send(t().block_long, "", Command::OpenBlock(0)),
        send(t().export_image, "", Command::Export(Export::Image)),
        send(t().export_scenario, "", Command::Export(Export::Scenario)),
        send(t().export_csv, "", Command::Export(Export::Table(TableFormat::Csv))),
        send(t().export_markdown, "", Command::Export(Export::Table(TableFormat::Markdown))),
        send(t().export_picture, "", Command::Export(Export::Picture)),
        (t().open_image_long.to_owned(), "", Press("open-image")),
        (t().share_long.to_owned(), "", Press("share")),
        (t().full_screen.to_owned(), "f", FullScreen),
        (t().theme.to_owned(), "", Press("theme")),
        (lang.other().switch().1.to_owned(), "", Press("lang")),
        send(t().help, "?", Command::Open(Sheet::Help)),
        send(t().about, "", Command::Open(Sheet::About)),
    ];
    all.extend(
        SPEEDS
            .iter()
            .enumerate()
            .map(|(at, (name, _))| send(&format!("{} {name}", t().speed), "", Command::SetSpeed(at))),
    );
    if tasks.len() > 1 {
        let only =
            |name: &str| send(&format!("{} {name}", t().only_steps_of), "", Command::Follow(Some(Rc::from(name))));
        all.extend(tasks.iter().map(|task| only(&task.name)));
        all.push(send(t().only_end, "", Command::Follow(None)));
    }
    all.extend(scenarios.iter().map(|info| {
        let words = format!("{}: {} · {}", t().open_scenario, info.title, info.name);
        (words, "", Send(Command::LoadScenario(info.name.clone())))
    }));
    all
}

/// A sheet with a combobox.
#[component]
pub fn Palette(props: &PaletteProps) -> Html {
    let send = use_send();
    let typed = use_state(String::new);
    let active = use_state(|| 0_usize);
    let all = use_memo((props.scenarios.clone(), props.tasks.clone(), props.lang), |(scenarios, tasks, lang)| {
        lines(scenarios, tasks, *lang)
    });
    let words = typed.to_lowercase();
    let mut found: Vec<Line> = Vec::new();
    if let Ok(step) = words.trim().parse() {
        found.push((format!("{} {step}", t().go_to), "g", Action::Send(Command::Seek(step))));
    } else {
        let fits = |line: &&Line| words.split_whitespace().all(|word| line.0.to_lowercase().contains(word));
        found.extend(all.iter().filter(fits).take(SHOWN_MAX).cloned());
    }
    let found = Rc::new(found);
    let at = (*active).min(found.len().saturating_sub(1));
    let close = send.reform(|()| Command::CloseSheet);
    let run = {
        let (send, found, on_action) = (send.clone(), found.clone(), props.on_action.clone());
        move |at: usize| {
            let Some((_, _, action)) = found.get(at) else { return };
            send.emit(Command::CloseSheet);
            on_action.emit(action.clone());
        }
    };
    let oninput = {
        let (typed, active) = (typed.clone(), active.clone());
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                typed.set(input.value());
                active.set(0);
            }
        })
    };
    let onkeydown = {
        let (active, count, run) = (active.clone(), found.len(), run.clone());
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                "ArrowDown" if count > 0 => active.set((at + 1) % count),
                "ArrowUp" if count > 0 => active.set((at + count - 1) % count),
                "Enter" => run(at),
                _ => return,
            }
            event.prevent_default();
        })
    };
    use_effect_with((at, words.clone()), |_| keys::into_view("#palette-options [aria-selected=true]"));
    use_effect_with((), |()| keys::focus("palette-field"));
    let option = |at: usize| format!("palette-option-{at}");
    html! {
        <SheetBox class="palette" title={t().palette} on_close={close}>
            <input id="palette-field" type="text" role="combobox" autocomplete="off" spellcheck="false" aria-label={t().palette_field}
                aria-expanded="true" aria-controls="palette-options" aria-autocomplete="list"
                aria-activedescendant={(!found.is_empty()).then(|| option(at))} placeholder={t().palette_field} {oninput} {onkeydown} />
            <ul id="palette-options" role="listbox" aria-label={t().palette}>
                for (i, (words, key, _)) in found.iter().enumerate() {
                    <li key={words.clone()} id={option(i)} role="option" aria-selected={(i == at).to_string()}
                        onclick={let run = run.clone(); move |_: MouseEvent| run(i)}>
                        <span>{ words }</span>
                        if !key.is_empty() { <kbd>{ *key }</kbd> }
                    </li>
                }
            </ul>
            if found.is_empty() { <p role="status">{ t().palette_none }</p> }
        </SheetBox>
    }
}
