//! One step as an SVG of its own, to be put into a page or a document: no script, no style sheet, no font of ours.
//!
//! It has the panels of the screen that a reader needs to follow the sentence, from the user's bytes down to the disk.
//! Every state has its letters beside its colour.

use std::fmt::Write as _;

use crate::frame::{BufferPlace, ByteKind, CellState, ExtentKind, Frame, RegionKind};

/// Width in pixels; the height follows from what there is to show.
const WIDTH: f64 = 960.0;
/// Where the pictures begin, right of their names.
const LEFT: f64 = 152.0;
/// How wide they are.
const AXIS: f64 = WIDTH - LEFT - 20.0;

const SANS: &str = "system-ui, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK KR', sans-serif";
const MONO: &str = "ui-monospace, 'Cascadia Mono', 'DejaVu Sans Mono', monospace";
const INK: &str = "#14201d";
const QUIET: &str = "#51605b";
const LINE: &str = "#9aa8a2";

/// An SVG being written, from top to bottom.
struct Drawing {
    body: String,
    y: f64,
}

/// What a text looks like.
#[derive(Clone, Copy)]
struct Face {
    size: f64,
    bold: bool,
    mono: bool,
    fill: &'static str,
    anchor: &'static str,
}

const TEXT: Face = Face { size: 13.0, bold: false, mono: false, fill: INK, anchor: "start" };
const CODE: Face = Face { mono: true, size: 12.0, ..TEXT };
const MIDDLE: Face = Face { anchor: "middle", ..CODE };

impl Drawing {
    fn text(&mut self, x: f64, y: f64, text: &str, face: Face) {
        let Face { size, bold, mono, fill, anchor } = face;
        let family = if mono { MONO } else { SANS };
        let weight = if bold { 700 } else { 400 };
        let text = escape(text);
        // Writing to a string does not fail; nor below.
        let _ = write!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-family=\"{family}\" font-size=\"{size}\" font-weight=\"{weight}\" \
             fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// Lines of a text that may be too long for one; the place moves below them.
    fn words(&mut self, x: f64, text: &str, chars: usize, lines: usize, face: Face) {
        let mut rows = wrap(text, chars);
        if rows.len() > lines {
            rows.truncate(lines);
            if let Some(last) = rows.last_mut() {
                last.push('…');
            }
        }
        for row in rows {
            self.y += face.size * 1.35;
            self.text(x, self.y, &row, face);
        }
    }

    fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, stroke: &str, more: &str) {
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" {more}/>",
            width.max(1.0)
        );
    }

    /// A panel's name and facts at the left edge; the place stays.
    fn name(&mut self, name: &str, facts: &[String]) {
        self.text(20.0, self.y + 14.0, name, Face { bold: true, ..TEXT });
        for (n, fact) in facts.iter().take(4).enumerate() {
            self.text(
                20.0,
                self.y + 30.0 + 14.0 * n as f64,
                &short(fact, 18),
                Face { size: 11.0, fill: QUIET, ..CODE },
            );
        }
    }
}

/// The step as an SVG document.
#[must_use]
pub fn picture(frame: &Frame) -> String {
    let mut d = Drawing { body: String::new(), y: 20.0 };
    head(&mut d, frame);
    user(&mut d, frame);
    cache(&mut d, frame);
    disk(&mut d, frame);
    let dirty = &frame.dirty;
    let note = format!(
        "{} {} · bg {} · freerun {} · limit {} · {}/{} · {}",
        crate::text::word("dirty"),
        dirty.dirty,
        dirty.background,
        dirty.freerun,
        dirty.limit,
        dirty.nr_dirtied,
        dirty.nr_dirtied_pause,
        dirty.note
    );
    d.y += 18.0;
    d.text(20.0, d.y, &short(&note, 128), Face { size: 11.0, fill: QUIET, ..CODE });
    let (height, label) = (d.y + 16.0, escape(&format!("{} {}", frame.narration.what, frame.narration.why)));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{label}\"><title>{label}</title>{PATTERNS}<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>{}</svg>\n",
        d.body
    )
}

/// Hatches for what has no bytes yet, and for what is only reserved.
const PATTERNS: &str = "<defs>\
    <pattern id=\"none\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <path d=\"M0 0V6\" stroke=\"#9aa8a2\" stroke-width=\"2\"/></pattern>\
    <pattern id=\"resv\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\">\
    <path d=\"M0 0V6\" stroke=\"#cc79a7\" stroke-width=\"2\"/></pattern></defs>";

fn head(d: &mut Drawing, frame: &Frame) {
    let say = &frame.narration;
    let place = format!("{} · {} · {}", frame.header.scenario, frame.step, frame.header.call);
    d.text(20.0, d.y + 6.0, &short(&place, 100), Face { fill: QUIET, ..CODE });
    let phase = format!("{} {}", say.phase.letter(), say.phase.name());
    d.text(WIDTH - 20.0, d.y + 6.0, phase.trim(), Face { anchor: "end", bold: true, ..CODE });
    d.y += 12.0;
    d.words(20.0, &say.what, 88, 2, Face { size: 19.0, bold: true, ..TEXT });
    d.y += 2.0;
    d.words(20.0, &say.why, 130, 3, Face { fill: QUIET, ..TEXT });
    d.y += 14.0;
}

fn user(d: &mut Drawing, frame: &Frame) {
    let user = &frame.user;
    let total: u64 = user.segments.iter().map(|segment| segment.len).sum();
    d.name(crate::text::word("User memory"), &user.facts);
    if total == 0 {
        d.rect((LEFT, d.y), (AXIS, 34.0), "none", LINE, "stroke-dasharray=\"4 3\"");
        d.text(LEFT + AXIS / 2.0, d.y + 21.0, crate::text::word("no write under way"), Face { fill: QUIET, ..MIDDLE });
        d.y += 78.0;
        return;
    }
    let x = |byte: u64| LEFT + AXIS * byte as f64 / total as f64;
    let mut from = 0;
    for segment in &user.segments {
        let (start, width) = (x(from), x(from + segment.len) - x(from));
        d.rect((start, d.y), (width, 26.0), "#ffffff", INK, "");
        d.rect((start, d.y), (x(from + segment.consumed) - start, 26.0), "url(#none)", "none", "");
        if width > 60.0 {
            d.text(
                start + 6.0,
                d.y + 17.0,
                &format!("{} {}", segment.name, segment.len),
                Face { bold: segment.current, ..CODE },
            );
        }
        from += segment.len;
    }
    for run in &user.residency {
        let (start, end) = (x(run.from), x(run.to));
        d.rect((start, d.y + 30.0), (end - start, 14.0), "#ffffff", "#009e73", "");
        d.text((start + end) / 2.0, d.y + 41.0, run.state.letter(), Face { size: 10.0, ..MIDDLE });
    }
    if let Some(bracket) = &user.bracket {
        let (start, end) = (x(bracket.from), x(bracket.to));
        let y = d.y + 54.0;
        let _ = write!(
            d.body,
            "<path d=\"M{start:.1} {:.1}v10M{end:.1} {:.1}v10M{start:.1} {y:.1}H{end:.1}\" stroke=\"{INK}\" fill=\"none\"/>",
            y - 5.0,
            y - 5.0
        );
        d.text((start + end) / 2.0, y + 14.0, &bracket.text, Face { size: 11.0, bold: true, ..MIDDLE });
    }
    d.y += 82.0;
}

/// Fill, edge and letters' colour of a state.
const fn look(state: CellState) -> (&'static str, &'static str, &'static str) {
    match state {
        CellState::Absent => ("#ffffff", LINE, "stroke-dasharray=\"3 2\""),
        CellState::NotUptodate => ("url(#none)", INK, ""),
        CellState::Clean => ("#d9f0e7", "#009e73", ""),
        CellState::Dirty => ("#fce6d5", "#d55e00", ""),
        CellState::Writeback => ("#d8e8f4", "#0072b2", ""),
        CellState::DirtyWriteback => ("#fce6d5", "#0072b2", "stroke-width=\"2.5\""),
        CellState::Error => ("#14201d", "#14201d", ""),
    }
}

fn cache(d: &mut Drawing, frame: &Frame) {
    let cache = &frame.cache;
    d.name(crate::text::word("Page cache"), &cache.facts);
    let top = d.y;
    if let Some(page) = &cache.selected {
        let flags: String = page.flags.iter().filter(|flag| flag.set).map(|flag| format!("{} ", flag.letter)).collect();
        let dirty: Vec<&str> = page.dirty.iter().filter(|truth| truth.set).map(|truth| &*truth.place).collect();
        let (_, edge, more) = look(page.state);
        d.rect((LEFT, d.y), (AXIS, 92.0), "#ffffff", edge, more);
        let title = format!("{} {}  {}  {flags}", crate::text::word("Page"), page.index, page.range);
        d.text(LEFT + 8.0, d.y + 18.0, &short(&title, 70), Face { bold: true, ..CODE });
        if !dirty.is_empty() {
            let words = format!("{}: {}", crate::text::word("dirty"), dirty.join(", "));
            d.text(LEFT + AXIS - 8.0, d.y + 18.0, &words, Face { anchor: "end", ..CODE });
        }
        let width = AXIS / page.buffers.len().max(1) as f64;
        for (n, buffer) in page.buffers.iter().enumerate() {
            let letters: String =
                buffer.flags.iter().filter(|flag| flag.set).map(|flag| format!("{} ", flag.letter)).collect();
            let words = format!("{} {letters}{}", buffer.name, if page.buffers.len() > 2 { "" } else { &buffer.text });
            let x = LEFT + width * n as f64;
            if buffer.place == BufferPlace::Delayed || buffer.place == BufferPlace::Unwritten {
                d.rect((x + 1.0, d.y + 26.0), (width - 2.0, 20.0), "url(#resv)", "none", "opacity=\".35\"");
            }
            d.text(x + 8.0, d.y + 40.0, &short(&words, (width / 7.6) as usize), CODE);
        }
        for run in &page.strip {
            let x = |byte: u32| LEFT + 1.0 + (AXIS - 2.0) * f64::from(byte) / f64::from(page.size.max(1));
            let (from, to) = (x(run.from), x(run.to));
            let fill = match run.kind {
                ByteKind::NotUptodate => "url(#none)",
                ByteKind::Valid => "#e7ecea",
                ByteKind::WrittenNow => "#4a3fb0",
                ByteKind::KeptEarlier => "#c9c5ee",
                ByteKind::Zeroed | ByteKind::PastEof => "#f6f8f7",
                ByteKind::Refused => "#f2c9d8",
            };
            d.rect((from, d.y + 52.0), (to - from, 22.0), fill, LINE, "stroke-width=\".5\"");
            if to - from > 7.0 * run.label.chars().count() as f64 {
                let fill = if run.kind == ByteKind::WrittenNow { "#ffffff" } else { INK };
                d.text((from + to) / 2.0, d.y + 67.0, &run.label, Face { size: 11.0, fill, ..MIDDLE });
            }
        }
        for (byte, anchor, x) in [(0, "start", LEFT + 4.0), (page.size, "end", LEFT + AXIS - 4.0)] {
            d.text(x, d.y + 87.0, &byte.to_string(), Face { size: 10.0, anchor, fill: QUIET, ..CODE });
        }
        d.y += 102.0;
    }
    let width = AXIS / cache.pages.len().max(1) as f64;
    for (n, cell) in cache.pages.iter().enumerate() {
        let (fill, edge, more) = look(cell.state);
        let x = LEFT + width * n as f64;
        d.rect((x + 1.0, d.y), (width - 2.0, 24.0), fill, edge, more);
        let face =
            Face { fill: if cell.state == CellState::Error { "#ffffff" } else { INK }, bold: cell.changed, ..MIDDLE };
        d.text(x + width / 2.0, d.y + 16.0, &format!("{} {}", cell.index, cell.letters), face);
    }
    d.y += 30.0;
    extents(d, frame);
    d.y = (d.y + 12.0).max(top + 92.0);
}

/// Where the file's blocks are, below its pages.
fn extents(d: &mut Drawing, frame: &Frame) {
    let ext4 = &frame.ext4;
    let width = AXIS / ext4.axis_blocks.max(1) as f64;
    for cell in &ext4.extents {
        let (from, to) = (cell.lblk.max(ext4.axis_from), (cell.lblk + cell.len).min(ext4.axis_from + ext4.axis_blocks));
        if from >= to {
            continue;
        }
        let (x, span) = (LEFT + width * (from - ext4.axis_from) as f64, width * (to - from) as f64);
        let (fill, edge) = match cell.kind {
            ExtentKind::Hole | ExtentKind::Unknown => ("none", "none"),
            ExtentKind::Written => ("#ffffff", "#009e73"),
            ExtentKind::Unwritten | ExtentKind::Delayed => ("#ffffff", "#cc79a7"),
        };
        d.rect((x + 1.0, d.y), (span - 2.0, 18.0), fill, edge, "");
        d.text(x + span / 2.0, d.y + 13.0, &short(&cell.text, (span / 7.0) as usize), Face { size: 11.0, ..MIDDLE });
    }
    d.y += 24.0;
}

fn disk(d: &mut Drawing, frame: &Frame) {
    let disk = &frame.disk;
    let facts: Vec<String> = disk.facts.iter().map(|fact| fact.text.clone()).collect();
    d.name(crate::text::word("Disk"), &facts);
    d.rect((LEFT, d.y + 2.0), (AXIS, 14.0), "#e7ecea", LINE, "");
    let x = |block: u64| LEFT + AXIS * block as f64 / disk.blocks.max(1) as f64;
    for region in &disk.regions {
        let (from, to) = (x(region.from), x(region.from + region.len));
        let fill = match region.kind {
            RegionKind::Journal => "#efe2d8",
            RegionKind::Metadata | RegionKind::Leaf => "#6d5a4c",
            RegionKind::Data => "#009e73",
        };
        d.rect((from, d.y + 2.0), (to - from, 14.0), fill, LINE, "stroke-width=\".5\"");
        if to - from > 60.0 {
            d.text((from + to) / 2.0, d.y + 13.0, &region.text, Face { size: 10.0, ..MIDDLE });
        }
    }
    let tx: Vec<String> =
        frame.journal.transactions.iter().map(|tx| format!("tx {} {}: {}", tx.tid, tx.state, tx.text)).collect();
    let lines = disk
        .bios
        .iter()
        .map(|bio| format!("{} {}", bio.state.name(), bio.text))
        .chain(tx)
        .chain([frame.journal.handle.clone()]);
    let mut y = d.y + 32.0;
    for line in lines.filter(|line| !line.is_empty()).take(4) {
        d.text(LEFT, y, &short(&line, 108), Face { size: 11.0, ..CODE });
        y += 15.0;
    }
    d.y = (d.y + 44.0).max(y - 6.0);
}

fn short(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(chars.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Lines of at most `chars` characters, broken at spaces.
fn wrap(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= chars => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn escape(text: &str) -> String {
    let kept = text.chars().filter(|letter| !letter.is_control());
    kept.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_at_spaces_and_cut_with_a_sign() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(escape("a<b>&\"\u{7}"), "a&lt;b&gt;&amp;&quot;");
    }
}
