//! `www/styles/main.css` with all that it imports, as one file: one request.
//!
//! `@import url("tokens.css") layer(tokens);` becomes `@layer tokens { … }`. Each component keeps its own source file,
//! and since this runs before Trunk names the result by its hash, a change in any of them changes the name. `url()`s
//! in the sources are relative to the site's root, where the one file lies.

use crate::run::{Fault, fault, read, root};
use std::path::Path;

/// Writes `www/.build/main.css`.
pub fn bundle() -> Result<(), Fault> {
    let www = root().join("www");
    let css = flatten(&www.join("styles/main.css"), 0)?;
    let out = www.join(".build/main.css");
    let write = || {
        std::fs::create_dir_all(www.join(".build"))?;
        // Left alone when equal: Trunk's watch mode then sees nothing new.
        if std::fs::read_to_string(&out).is_ok_and(|old| old == css) {
            return Ok(());
        }
        std::fs::write(&out, &css)
    };
    write().map_err(|error: std::io::Error| fault(format!("cannot write {}: {error}", out.display())))
}

fn flatten(file: &Path, depth: u32) -> Result<String, Fault> {
    if depth > 8 {
        return Err(fault(format!("{}: imports go in a circle", file.display())));
    }
    let dir = file.parent().expect("a file has a folder");
    let mut css = String::new();
    for line in read(file)?.lines() {
        match import(line) {
            None => css.push_str(line),
            Some((path, layer)) => {
                let inner = flatten(&dir.join(&path), depth + 1)?;
                match layer {
                    Some(layer) => css.push_str(&format!("@layer {layer} {{\n{inner}}}")),
                    None => css.push_str(inner.trim_end()),
                }
            }
        }
        css.push('\n');
    }
    Ok(css)
}

/// The file and layer of a line that is an `@import` of a file beside it.
fn import(line: &str) -> Option<(String, Option<String>)> {
    let rest = line.trim().strip_prefix("@import ")?.trim_start();
    let rest = rest.strip_prefix("url(").unwrap_or(rest);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (path, rest) = rest[1..].split_once(quote)?;
    let layer = rest.split_once("layer(").and_then(|(_, rest)| Some(rest.split_once(')')?.0.trim().to_string()));
    (!path.contains("://")).then(|| (path.to_string(), layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_both_spellings() {
        let found = |line| import(line).map(|(path, layer)| (path, layer.unwrap_or_default()));
        let want = |path: &str, layer: &str| Some((path.to_string(), layer.to_string()));
        assert_eq!(found("@import url(\"tokens.css\") layer(tokens);"), want("tokens.css", "tokens"));
        assert_eq!(found("  @import 'a/b.css';"), want("a/b.css", ""));
        assert_eq!(found("@layer reset, tokens;"), None);
        assert_eq!(found("@import url(\"https://example.org/x.css\");"), None);
    }
}
