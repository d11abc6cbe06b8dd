//! The path of the bytes: user memory, page cache, ext4, disk, on one rail.

use std::rc::Rc;

use view::frame::{Fact, Frame};
use yew::prelude::*;

use super::disk_map::DiskMap;
use super::page_view::PageView;
use super::user_memory::{Axis, UserMemory};
use crate::t;

/// Props of [`Path`].
#[derive(Clone, Properties, PartialEq)]
pub struct PathProps {
    /// The screen.
    pub frame: Rc<Frame>,
}

/// The picture. A filled station holds this call's data now; a solid rail has been passed.
#[component]
pub fn Path(props: &PathProps) -> Html {
    let frame = &props.frame;
    let axis = use_memo(frame.user.clone(), |user| Axis::new(user));
    let (user, cache, ext4, disk) = (frame.user.active, frame.cache.active, frame.ext4.active, frame.disk.active);
    html! {
        <section class="panel path" aria-label={t().path}>
            { station(None, "mem", t().user_memory, user, cache, plain(&frame.user.facts)) }
            <div class="pic" data-tab="mem" id="panel-mem" tabindex="-1"><UserMemory row={frame.user.clone()} axis={axis.clone()} /></div>
            { station(None, "page", t().page_cache, cache, ext4, plain(&frame.cache.facts)) }
            <div class="pic" data-tab="page" id="panel-page" tabindex="-1">
                <PageView row={frame.cache.selected.clone()} copy={frame.copy.clone()} {axis} />
            </div>
            { station(Some("e4"), "disk", "ext4", ext4, disk, facts(&frame.ext4.facts)) }
            <div class="pic two-r" data-tab="disk" id="panel-disk" tabindex="-1">
                <DiskMap cache={frame.cache.clone()} ext4={frame.ext4.clone()} disk={frame.disk.clone()} journal={frame.journal.clone()} />
            </div>
            { station(Some("last"), "disk", t().disk, disk, true, facts(&frame.disk.facts)) }
        </section>
    }
}

fn station(
    class: Option<&'static str>,
    tab: &'static str,
    name: &'static str,
    at: bool,
    passed: bool,
    facts: Html,
) -> Html {
    html! {
        <div class={classes!("stn", class, at.then_some("at"), (!passed).then_some("ghost"))} data-tab={tab}>
            <h2>{ name }if at { <span class="vh">{ t().holds_data }</span> }</h2>
            { facts }
        </div>
    }
}

fn plain(facts: &[String]) -> Html {
    html! { <ul class="facts m">for fact in facts.iter() { <li>{ fact }</li> }</ul> }
}

fn facts(facts: &[Fact]) -> Html {
    html! {
        <ul class="facts">
            for fact in facts.iter() {
                <li class={fact.changed.then_some("now")}>{ &fact.text }if fact.changed { { " ●" }<span class="vh">{ t().changed_now }</span> }</li>
            }
        </ul>
    }
}
