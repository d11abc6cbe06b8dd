//! Icons: a 14 px box, 1.5 px stroke, `currentColor`.

use yew::prelude::*;

/// Which icon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Glyph {
    /// An arrow out of a tray.
    Share,
    /// An arrow into a tray.
    Save,
    /// A folder.
    Open,
    /// A pen.
    Edit,
    /// Books on a shelf.
    Library,
    /// Half light, half dark.
    Theme,
    /// Three lines.
    Menu,
    /// Bar and triangle to the left.
    First,
    /// Two triangles to the left.
    BackFast,
    /// A triangle to the left.
    Back,
    /// A large triangle to the right.
    Play,
    /// Two bars.
    Pause,
    /// A triangle to the right.
    Next,
    /// Two triangles to the right.
    NextFast,
    /// Triangle and bar to the right.
    Last,
    /// A cross.
    Close,
    /// An arc over a dot.
    Over,
    /// An arrow up from a dot.
    Out,
    /// A chevron up.
    Up,
    /// A chevron down.
    Down,
    /// Two sheets.
    Copy,
    /// An arrow back to the left.
    Undo,
    /// An arrow on to the right.
    Redo,
}

/// Props of [`Icon`].
#[derive(Properties, PartialEq)]
pub struct IconProps {
    /// Which icon.
    pub glyph: Glyph,
}

/// One icon; hidden from assistive technology, the button around it has the words.
#[component]
pub fn Icon(props: &IconProps) -> Html {
    let (line, fill) = match props.glyph {
        Glyph::Share => ("M7 9V1.8M4.2 4.4 7 1.6l2.8 2.8M2.5 8v4h9V8", ""),
        Glyph::Save => ("M7 1.6v7M4.2 6.2 7 9l2.8-2.8M2.5 9.5v2.7h9V9.5", ""),
        Glyph::Open => ("M1.8 11.5V3h3.7l1.3 1.7h5.4v6.8z", ""),
        Glyph::Edit => ("M2.5 11.5l.6-2.6 6.2-6.2 2 2-6.2 6.2z", ""),
        Glyph::Library => ("M2.5 2v10M5.5 2v10M8.4 2.6l3 9.2", ""),
        Glyph::Theme => ("M7 2a5 5 0 1 0 0 10a5 5 0 1 0 0-10z", "M7 2a5 5 0 0 1 0 10z"),
        Glyph::Menu => ("M2.5 3.5h9M2.5 7h9M2.5 10.5h9", ""),
        Glyph::First => ("M3 2.5v9", "M11.5 2.5v9L5 7z"),
        Glyph::BackFast => ("", "M7 3v8L1.5 7zM12.5 3v8L7 7z"),
        Glyph::Back => ("", "M10 2.5v9L3.5 7z"),
        Glyph::Play => ("", "M3.5 2v10l8.5-5z"),
        Glyph::Pause => ("", "M3.5 2.5H6v9H3.5zM8 2.5h2.5v9H8z"),
        Glyph::Next => ("", "M4 2.5v9L10.5 7z"),
        Glyph::NextFast => ("", "M7 3v8l5.5-4zM1.5 3v8L7 7z"),
        Glyph::Last => ("M11 2.5v9", "M2.5 2.5v9L9 7z"),
        Glyph::Close => ("M3 3l8 8M11 3l-8 8", ""),
        Glyph::Over => ("M1.5 7.5a5.3 5 0 0 1 10.4-1M12.3 3v4h-4", "M6.8 8.6a1.6 1.6 0 1 0 .01 0z"),
        Glyph::Up => ("M3 8.8 7 4.8l4 4", ""),
        Glyph::Down => ("M3 5.2l4 4 4-4", ""),
        Glyph::Copy => ("M5 5h6.5v7H5zM9 5V2H2.5v7H5", ""),
        Glyph::Undo => ("M5 2 2 5l3 3M2 5h6a3.5 3.5 0 0 1 0 7H5", ""),
        Glyph::Redo => ("M9 2l3 3-3 3M12 5H6a3.5 3.5 0 0 0 0 7h3", ""),
        Glyph::Out => ("M7 8V1.8M4.2 4.6 7 1.8l2.8 2.8", "M7 9.6a1.6 1.6 0 1 0 .01 0z"),
    };
    html! {
        <svg class="icon" viewBox="0 0 14 14" aria-hidden="true" focusable="false">
            if !line.is_empty() { <path d={line} /> }
            if !fill.is_empty() { <path class="f" d={fill} /> }
        </svg>
    }
}
