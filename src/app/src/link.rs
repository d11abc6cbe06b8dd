//! The link: everything after `#`, as plain text.
//!
//! `1;s=lib:short-copy;t=74;g=phase` — a version, then `key=value` pairs. Keys this version does not
//! know are kept in place and written back, so that a link survives an older page.

/// A parsed link. `parse(emit(x)) == x`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Scenario: `lib:NAME`, or `z:` and its compressed JSON.
    pub scenario: Option<String>,
    /// Step, an index for now.
    pub step: Option<u64>,
    /// Grain: `statement`, `phase` or `iteration`.
    pub grain: Option<String>,
    /// Theme: `light` or `dark`.
    pub theme: Option<String>,
    /// Language: `en` or `ko`.
    pub lang: Option<String>,
    /// Pairs that are not understood, in their order.
    pub unknown: Vec<String>,
}

/// Version this page writes.
const VERSION: &str = "1";

/// Reads what stands after `#` (the `#` itself may be there too).
///
/// Nothing is an error: a link without a version is taken as empty, a pair without meaning is kept.
#[must_use]
pub fn parse(hash: &str) -> Link {
    let text = hash.strip_prefix('#').unwrap_or(hash);
    let mut parts = text.split(';');
    let mut link = Link::default();
    if parts.next() != Some(VERSION) {
        return link;
    }
    for part in parts.filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match (key, value.parse::<u64>()) {
            ("s", _) if link.scenario.is_none() && !value.is_empty() => link.scenario = Some(unescape(value)),
            ("t", Ok(step)) if link.step.is_none() => link.step = Some(step),
            ("g", _) if link.grain.is_none() && ["statement", "phase", "iteration"].contains(&value) => {
                link.grain = Some(value.to_owned());
            }
            ("th", _) if link.theme.is_none() && ["light", "dark"].contains(&value) => {
                link.theme = Some(value.to_owned());
            }
            ("l", _) if link.lang.is_none() && ["en", "ko"].contains(&value) => link.lang = Some(value.to_owned()),
            _ => link.unknown.push(part.to_owned()),
        }
    }
    link
}

/// Writes a link, with its `#`.
#[must_use]
pub fn emit(link: &Link) -> String {
    let mut pairs = vec![VERSION.to_owned()];
    let mut pair = |key: &str, value: Option<String>| pairs.extend(value.map(|value| format!("{key}={value}")));
    pair("s", link.scenario.as_deref().map(escape));
    pair("t", link.step.map(|step| step.to_string()));
    pair("g", link.grain.clone());
    pair("th", link.theme.clone());
    pair("l", link.lang.clone());
    pairs.extend(link.unknown.iter().cloned());
    format!("#{}", pairs.join(";"))
}

/// Escapes what would end a pair or not survive in an address: `%`, `;`, `#`, blanks and anything not ASCII.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%;#\"<>\\^`{|}".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Undoes [`escape`]; a `%` that escapes nothing stands for itself.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|two| std::str::from_utf8(two).ok());
        match hex.map(|two| u8::from_str_radix(two, 16)) {
            Some(Ok(byte)) if bytes[i] == b'%' => {
                out.push(byte);
                i += 3;
            }
            _ => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash: &str, expect: &Link) {
        let link = parse(hash);
        assert_eq!(&link, expect, "{hash}");
        assert_eq!(&parse(&emit(&link)), expect, "{hash} written back");
    }

    #[test]
    fn a_plain_link() {
        check(
            "#1;s=lib:short-copy;t=74;g=phase;th=dark;l=ko",
            &Link {
                scenario: Some("lib:short-copy".into()),
                step: Some(74),
                grain: Some("phase".into()),
                theme: Some("dark".into()),
                lang: Some("ko".into()),
                unknown: vec![],
            },
        );
    }

    #[test]
    fn unknown_pairs_are_written_back() {
        let text = "#1;s=lib:x;t=3;h=9f;bp=a~b;flag;t=8;g=never";
        let unknown = ["h=9f", "bp=a~b", "flag", "t=8", "g=never"].map(str::to_owned).to_vec();
        check(text, &Link { scenario: Some("lib:x".into()), step: Some(3), unknown, ..Link::default() });
        assert_eq!(emit(&parse(text)), text);
    }

    #[test]
    fn what_is_no_link_is_empty() {
        for text in ["", "#", "#2;s=lib:x", "#main", "1"] {
            check(text, &Link::default());
        }
    }

    #[test]
    fn a_name_may_hold_anything() {
        let link = Link { scenario: Some("lib:a b;c%#é".into()), ..Link::default() };
        assert_eq!(parse(&emit(&link)), link);
        check("#1;s=lib:100%", &Link { scenario: Some("lib:100%".into()), ..Link::default() });
    }
}
