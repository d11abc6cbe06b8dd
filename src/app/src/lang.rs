//! Which language the page speaks: English is in the wasm, Korean a file beside the page.

use std::cell::Cell;

use gloo::net::http::Request;
use gloo::utils::{document, window};
use view::frame::Notice;
use view::text::{Catalogue, speak};
use wasm_bindgen_futures::spawn_local;

use crate::player::{Command, Send};
use crate::{store, t};
use session::link::Link;

/// Where the choice is kept.
const LANG_KEY: &str = "writepath.lang";

/// A language.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// As in links, in the store and on the root element.
    pub const fn key(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// From a link, the store or the browser: `ko-KR` is Korean.
    pub fn from_key(key: &str) -> Option<Self> {
        match key.split('-').next() {
            Some("en") => Some(Self::En),
            Some("ko") => Some(Self::Ko),
            _ => None,
        }
    }

    /// The one that the page does not speak.
    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Ko,
            Self::Ko => Self::En,
        }
    }

    /// The sign of the switch to it, and what it does: in the language itself, for those who read it.
    pub const fn switch(self) -> (&'static str, &'static str) {
        match self {
            Self::En => ("EN", "EN: switch to English"),
            Self::Ko => ("한", "한국어로 바꾸기"),
        }
    }
}

thread_local! {
    /// The Korean texts, once they are fetched.
    static KOREAN: Cell<Option<&'static Catalogue>> = const { Cell::new(None) };
}

/// Speaks the language of the link, else the one chosen last, else the browser's. Gives it, and whether it was chosen.
pub async fn start(link: &Link) -> (Lang, bool) {
    let chosen = link.language.as_deref().and_then(Lang::from_key);
    let chosen = chosen.or_else(|| Lang::from_key(&store::get(LANG_KEY)?));
    let browsers = window().navigator().languages();
    let browsers = || browsers.iter().find_map(|tag| Lang::from_key(&tag.as_string()?));
    let wanted = chosen.or_else(browsers).unwrap_or_default();
    if say(wanted).await {
        mark(wanted);
        (wanted, chosen.is_some())
    } else {
        (Lang::En, false)
    }
}

/// Switches to a language; what the player shows follows when its words are there.
pub async fn choose(lang: Lang, send: &Send) {
    if say(lang).await {
        mark(lang);
        store::set(LANG_KEY, lang.key());
        send.emit(Command::Speak(lang));
    } else {
        let notice = Notice { title: t().no_korean.to_owned(), text: String::new(), error: true };
        send.emit(Command::Tell(notice));
    }
}

/// The same, for whom does not wait for it.
pub fn choose_later(lang: Lang, send: Send) {
    spawn_local(async move { choose(lang, &send).await });
}

/// Screen readers and line breaking go by it.
fn mark(lang: Lang) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("lang", lang.key());
    }
}

/// False if the texts cannot be had.
async fn say(lang: Lang) -> bool {
    if lang == Lang::Ko && KOREAN.get().is_none() {
        KOREAN.set(fetch().await);
    }
    let catalogue = KOREAN.get().filter(|_| lang == Lang::Ko);
    if lang == Lang::En || catalogue.is_some() {
        speak(catalogue);
        true
    } else {
        false
    }
}

async fn fetch() -> Option<&'static Catalogue> {
    let answer = Request::get("static/lang/ko.txt").send().await.ok()?;
    let text = if answer.ok() { answer.text().await.ok()? } else { return None };
    Catalogue::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_language() {
        for (tag, lang) in [("ko", Some(Lang::Ko)), ("ko-KR", Some(Lang::Ko)), ("en-GB", Some(Lang::En)), ("de", None)]
        {
            assert_eq!(Lang::from_key(tag), lang);
        }
    }
}
