//! A small validator for the part of JSON Schema that our schema uses. A word
//! that it does not know is a failure, so it cannot agree by ignorance.

use serde_json::Value;

/// Whether `value` fits; the path and the word of the first misfit if not.
///
/// # Errors
/// The misfit.
///
/// # Panics
/// If the schema has a word that is not known here.
pub fn validate(root: &Value, value: &Value) -> Result<(), String> {
    fits(root, root, value).map_err(|misfit| misfit.trim_start_matches('.').to_owned())
}

fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => return Err(": nothing may stand here".to_owned()),
        Value::Object(schema) => schema,
        other => panic!("{other} is no schema"),
    };
    for (word, rule) in schema {
        let fine = match (word.as_str(), value) {
            ("$schema" | "title" | "description" | "default" | "$defs" | "then" | "else", _) => true,
            ("$ref", _) => {
                let pointer = rule.as_str().and_then(|of| of.strip_prefix('#')).expect("a place in this schema");
                fits(root, root.pointer(pointer).unwrap_or_else(|| panic!("no {rule}")), value)?;
                true
            }
            ("type", _) => each(rule).iter().any(|of| is_a(value, of)),
            ("const", _) => rule == value,
            ("enum", _) => each(rule).contains(value),
            ("anyOf", _) => each(rule).iter().any(|one| fits(root, one, value).is_ok()),
            ("oneOf", _) => {
                // With one key, or a word, what is meant is clear: its misfit says more.
                if let Some(meant) = each(rule).iter().find(|one| names(one, value)) {
                    fits(root, meant, value)?;
                }
                each(rule).iter().filter(|one| fits(root, one, value).is_ok()).count() == 1
            }
            ("not", _) => fits(root, rule, value).is_err(),
            ("if", _) => {
                let branch = if fits(root, rule, value).is_ok() { "then" } else { "else" };
                schema.get(branch).map_or(Ok(()), |branch| fits(root, branch, value))?;
                true
            }
            ("dependentSchemas", Value::Object(object)) => {
                for (key, one) in rule.as_object().expect("an object").iter() {
                    if object.contains_key(key) {
                        fits(root, one, value)?;
                    }
                }
                true
            }
            ("required", Value::Object(object)) => {
                each(rule).iter().all(|key| object.contains_key(key.as_str().expect("a key")))
            }
            ("properties", Value::Object(object)) => {
                for (key, one) in rule.as_object().expect("an object") {
                    if let Some(value) = object.get(key) {
                        fits(root, one, value).map_err(|misfit| format!(".{key}{misfit}"))?;
                    }
                }
                true
            }
            ("additionalProperties", Value::Object(object)) => {
                assert_eq!(rule, false);
                let known = schema.get("properties").and_then(Value::as_object);
                object.keys().all(|key| known.is_some_and(|known| known.contains_key(key)))
            }
            ("items", Value::Array(items)) => {
                for (n, item) in items.iter().enumerate() {
                    fits(root, rule, item).map_err(|misfit| format!("[{n}]{misfit}"))?;
                }
                true
            }
            ("contains", Value::Array(items)) => items.iter().any(|item| fits(root, rule, item).is_ok()),
            ("minItems", Value::Array(items)) => items.len() as u64 >= number(rule),
            ("maxItems", Value::Array(items)) => items.len() as u64 <= number(rule),
            ("minLength", Value::String(text)) => text.chars().count() as u64 >= number(rule),
            ("maxLength", Value::String(text)) => text.chars().count() as u64 <= number(rule),
            ("pattern", Value::String(text)) => matches(rule.as_str().expect("a pattern"), text),
            ("minimum", Value::Number(_)) => rule.as_i64().is_some_and(|least| whole(value) >= i128::from(least)),
            ("maximum", Value::Number(_)) => whole(value) <= i128::from(number(rule)),
            (
                "dependentSchemas"
                | "required"
                | "properties"
                | "additionalProperties"
                | "items"
                | "contains"
                | "minItems"
                | "maxItems"
                | "minLength"
                | "maxLength"
                | "pattern"
                | "minimum"
                | "maximum",
                _,
            ) => true,
            (other, _) => panic!("the validator does not know `{other}`"),
        };
        if !fine {
            return Err(format!(": {word} {rule}"));
        }
    }
    Ok(())
}

fn each(rule: &Value) -> &[Value] {
    rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice)
}

fn number(rule: &Value) -> u64 {
    rule.as_u64().unwrap_or_else(|| panic!("{rule} is no limit"))
}

/// Of a number that is a whole one; others fail their `type`.
fn whole(value: &Value) -> i128 {
    value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from)).unwrap_or_default()
}

fn is_a(value: &Value, of: &Value) -> bool {
    match of.as_str().expect("a name of a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the validator does not know the type {other}"),
    }
}

/// Whether a choice has the value's one key.
fn names(choice: &Value, value: &Value) -> bool {
    let key = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.keys().next());
    key.is_some_and(|key| choice["properties"].get(key).is_some())
}

/// The patterns of the schema: a row of pieces, each a letter, a class or a
/// group of alternatives, with `?`, `*`, `+` or a count behind it.
fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let inner = pattern.strip_prefix(&['^']).unwrap_or_else(|| panic!("{pattern:?} begins with ^"));
    match inner.strip_suffix(&['$']) {
        Some(inner) => ends(inner, &text, 0).contains(&text.len()),
        None => !ends(inner, &text, 0).is_empty(),
    }
}

/// Where a match that begins at `from` may end.
fn ends(pattern: &[char], text: &[char], from: usize) -> Vec<usize> {
    if let Some(bar) = top_level(pattern, '|') {
        let mut all = ends(&pattern[..bar], text, from);
        all.extend(ends(&pattern[bar + 1..], text, from));
        return all;
    }
    let Some(&first) = pattern.first() else { return vec![from] };
    let (length, least, most, rest) = piece(pattern, first);
    let mut reached = vec![from];
    let mut all = if least == 0 { reached.clone() } else { Vec::new() };
    for count in 1..=most {
        let mut next: Vec<usize> =
            reached.iter().flat_map(|&at| one(&pattern[..length], text, at)).filter(|at| !all.contains(at)).collect();
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            break;
        }
        if count >= least {
            all.extend(&next);
        }
        reached = next;
    }
    all.into_iter().flat_map(|at| ends(&pattern[rest..], text, at)).collect()
}

fn top_level(pattern: &[char], wanted: char) -> Option<usize> {
    let mut depth = 0;
    pattern.iter().position(|&c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && c == wanted
    })
}

/// The length of the first piece, how often it may stand, and where the rest begins.
fn piece(pattern: &[char], first: char) -> (usize, usize, usize, usize) {
    let length = match first {
        '(' => top_level(pattern, ')').expect("a group is closed") + 1,
        '[' => pattern.iter().position(|&c| c == ']').expect("a class is closed") + 1,
        '\\' => 2,
        _ => 1,
    };
    match pattern.get(length) {
        Some('?') => (length, 0, 1, length + 1),
        Some('*') => (length, 0, usize::MAX, length + 1),
        Some('+') => (length, 1, usize::MAX, length + 1),
        Some('{') => {
            let close = length + pattern[length..].iter().position(|&c| c == '}').expect("a count is closed");
            let count: String = pattern[length + 1..close].iter().collect();
            let (least, most) = count.split_once(',').unwrap_or((&count, &count));
            let number = |text: &str| text.parse().expect("a count is a number");
            (length, number(least), number(most), close + 1)
        }
        _ => (length, 1, 1, length),
    }
}

fn one(piece: &[char], text: &[char], at: usize) -> Vec<usize> {
    let fine = |fits: bool| if fits { vec![at + 1] } else { Vec::new() };
    let here = text.get(at).copied();
    match piece {
        ['(', '?', ':', inner @ .., ')'] => ends(inner, text, at),
        ['[', class @ .., ']'] => fine(here.is_some_and(|c| in_class(class, c))),
        ['\\', 'S'] => fine(here.is_some_and(|c| !c.is_whitespace())),
        [letter] => fine(here == Some(*letter)),
        other => panic!("the validator does not know the pattern {other:?}"),
    }
}

fn in_class(class: &[char], c: char) -> bool {
    match class {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || in_class(rest, c),
        [one, rest @ ..] => *one == c || in_class(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("^[A-Za-z0-9_-]{1,3}$", "a-9", true),
            ("^[A-Za-z0-9_-]{1,3}$", "abcd", false),
            ("^[A-Za-z0-9_-]{1,3}$", "", false),
            ("^0*[0-7]{1,4}$", "000755", true),
            ("^0*[0-7]{1,4}$", "10755", false),
            ("^(?:RD|WR|RDWR)(?:,(?:RD|WR|RDWR))*$", "RDWR,RD", true),
            ("^(?:RD|WR|RDWR)(?:,(?:RD|WR|RDWR))*$", "RD,", false),
            ("^/proc/sys/\\S+$", "/proc/sys/vm/x", true),
            ("^\\S+$", "a b", false),
            ("^(?:-*[0-9A-Fa-f]){4}-*$", "1-2ab", true),
            ("^(?:-*[0-9A-Fa-f]){4}-*$", "12-ab1", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
