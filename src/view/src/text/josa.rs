//! Which form of a Korean particle follows a word: it depends on the word's last sound as it is read aloud.

/// How a word ends when it is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Vowel,
    /// ㄹ, after which 로 stands, not 으로.
    Rieul,
    Consonant,
}

/// The one of `pair`, as in `은/는`, that follows `word`: the first after a consonant, the second after a vowel.
#[must_use]
pub fn josa<'a>(word: &str, pair: &'a str) -> &'a str {
    let (after_consonant, after_vowel) = pair.split_once('/').unwrap_or((pair, pair));
    match ending(word) {
        Ending::Vowel => after_vowel,
        Ending::Rieul if after_consonant.starts_with("으로") => after_vowel,
        Ending::Rieul | Ending::Consonant => after_consonant,
    }
}

fn ending(word: &str) -> Ending {
    // `write(f, b, 100)` is read as `write`.
    let word = match word.strip_suffix(')').and_then(|open| open.split_once('(')) {
        Some((name, _)) if !name.is_empty() => name,
        _ => word,
    };
    let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    match word.chars().last() {
        Some(last @ '가'..='힣') => match (u32::from(last) - u32::from('가')) % 28 {
            0 => Ending::Vowel,
            8 => Ending::Rieul,
            _ => Ending::Consonant,
        },
        Some(last @ '0'..='9') => digit(word, last),
        Some(last) if last.is_ascii_alphabetic() => {
            latin(word.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or(word))
        }
        _ => Ending::Vowel,
    }
}

/// Sino-Korean: 영 일 이 삼 사 오 육 칠 팔 구, and 십 백 천 만 억, but 조.
fn digit(number: &str, last: char) -> Ending {
    match last {
        '1' | '7' | '8' => Ending::Rieul,
        '3' | '6' => Ending::Consonant,
        '0' => {
            let digits = number.chars().rev().filter(|c| *c != '\u{202f}');
            match digits.take_while(|c| *c == '0').count() {
                12..16 => Ending::Vowel,
                _ => Ending::Consonant,
            }
        }
        _ => Ending::Vowel,
    }
}

/// Capitals are spelled out, other words are read as loanwords are.
fn latin(word: &str) -> Ending {
    let small = word.to_ascii_lowercase();
    if ["bit", "init", "wait", "loop", "unit", "page", "write"].contains(&small.as_str()) {
        return Ending::Vowel;
    }
    let mut letters = small.bytes().rev();
    let (last, before) = (letters.next().unwrap_or(b'a'), letters.next());
    let vowel = |byte: Option<u8>| byte.is_some_and(|byte| b"aeiou".contains(&byte));
    if word.len() == 1 || word.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return match last {
            b'l' | b'r' => Ending::Rieul,
            b'm' | b'n' => Ending::Consonant,
            _ => Ending::Vowel,
        };
    }
    match (last, before) {
        (b'l', _) | (b'e', Some(b'l')) => Ending::Rieul,
        (b'm' | b'n', _) | (b'e', Some(b'm' | b'n')) | (b'g', Some(b'n')) => Ending::Consonant,
        (b'k', Some(b'c')) => Ending::Consonant,
        (b'k' | b'p' | b't' | b'b' | b'c', before) if vowel(before) => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, topic: &str, direction: &str) {
        assert_eq!(josa(word, "은/는"), topic, "{word}");
        assert_eq!(josa(word, "으로/로"), direction, "{word}");
    }

    #[test]
    fn hangul() {
        check("페이지", "는", "로");
        check("블록", "은", "으로");
        check("파일", "은", "로");
        check("‘저널’", "은", "로");
    }

    #[test]
    fn numbers() {
        for (number, topic, direction) in [
            ("0", "은", "으로"),
            ("1", "은", "로"),
            ("2", "는", "로"),
            ("3", "은", "으로"),
            ("4", "는", "로"),
            ("5", "는", "로"),
            ("6", "은", "으로"),
            ("7", "은", "로"),
            ("8", "은", "로"),
            ("9", "는", "로"),
            ("10", "은", "으로"),
            ("4096", "은", "으로"),
            ("12\u{202f}300", "은", "으로"),
            ("1\u{202f}000\u{202f}000\u{202f}000\u{202f}000", "는", "로"),
            ("0.25", "는", "로"),
        ] {
            check(number, topic, direction);
            check(&format!("페이지 {number}"), topic, direction);
        }
    }

    #[test]
    fn latin_letters() {
        for (word, topic, direction) in [
            ("EIO", "는", "로"),
            ("EINVAL", "은", "로"),
            ("ENOMEM", "은", "으로"),
            ("ENOSPC", "는", "로"),
            ("write_end", "는", "로"),
            ("generic_perform_write", "는", "로"),
            ("i_size", "는", "로"),
            ("page lock", "은", "으로"),
            ("inode", "는", "로"),
            ("commit", "은", "으로"),
            ("extent", "는", "로"),
            ("file", "은", "로"),
            ("buffer", "는", "로"),
            ("A", "는", "로"),
            ("M", "은", "으로"),
            ("write(f, b0, 100)", "는", "로"),
            ("b0+1000", "은", "으로"),
        ] {
            check(word, topic, direction);
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for word in ["", "…", "()"] {
            check(word, "는", "로");
        }
    }
}
