//! What the model is, and what it leaves out.

use yew::prelude::*;

use super::sheet::SheetBox;
use crate::player::{Command, use_send};
use crate::t;

/// The page "About this model"; its words are true or they are a defect.
#[component]
pub fn About() -> Html {
    let send = use_send();
    html! {
        <SheetBox title={t().about} on_close={move |()| send.emit(Command::CloseSheet)}>
            for (heading, paragraphs) in t().about_text.iter() {
                <h3>{ *heading }</h3>
                for paragraph in paragraphs.iter() { <p>{ *paragraph }</p> }
            }
        </SheetBox>
    }
}
