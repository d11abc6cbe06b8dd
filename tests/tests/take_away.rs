//! What is taken away as a file: the table of steps, and the picture of one.

use view::table::TableFormat;
use writepath_tests::whole::whole;

/// Records of a CSV file by RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            other => cell.push(other),
        }
    }
    records
}

#[test]
fn the_table_has_a_row_for_each_step() {
    let (session, mut viewer) = whole("short-copy");
    let last = u64::from(session.run().len());
    let csv = viewer.table(session.run(), 0, last, TableFormat::Csv).expect("it is short");
    let rows = records(&csv);
    assert_eq!(rows.len() as u64, last + 2, "a head, and steps from 0");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    for (step, row) in rows[1..].iter().enumerate() {
        let frame = viewer.frame(session.run(), step as u64, None);
        assert_eq!((&row[0], &row[6], &row[7]), (&step.to_string(), &frame.narration.what, &frame.narration.why));
    }
    let markdown = viewer.table(session.run(), 10, 12, TableFormat::Markdown).expect("it is short");
    assert_eq!(markdown.lines().count(), 5);
    assert!(markdown.lines().all(|line| line.starts_with("| ") && line.ends_with(" |")));
    assert!(viewer.table(session.run(), 0, 20_000, TableFormat::Csv).is_err());
}

/// Every picture is XML, stays in its box, and says its sentence.
#[test]
fn each_step_has_a_picture() {
    for name in ["short-copy", "block-1k-overwrite-uncached", "inline-data", "throttled-slow", "writev-odd-segments"] {
        let (session, mut viewer) = whole(name);
        for step in (0..=session.run().len()).step_by(9) {
            let frame = viewer.frame(session.run(), u64::from(step), None);
            let text = view::picture(&frame);
            let at = format!("{name}, step {step}");
            let doc = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{at}: {error}"));
            let root = doc.root_element();
            assert!(root.attribute("aria-label").is_some_and(|label| label.contains(&frame.narration.what)), "{at}");
            let number =
                |node: &roxmltree::Node<'_, '_>, name| node.attribute(name).and_then(|v| v.parse::<f64>().ok());
            let (width, height) = (960.0, number(&root, "height").unwrap_or_default());
            for node in doc.descendants().filter(|node| node.has_tag_name("rect") || node.has_tag_name("text")) {
                let (Some(x), Some(y)) = (number(&node, "x"), number(&node, "y")) else { continue };
                let right = x + number(&node, "width").unwrap_or(0.0);
                let below = y + number(&node, "height").unwrap_or(0.0);
                assert!(x >= 0.0 && y >= 0.0 && right <= width && below <= height, "{at}: {x} {y} {right} {below}");
            }
        }
    }
}
