//! What neither the compiler nor clippy sees: the shape of the workspace and what must not be in the repository.

use crate::run::{Fault, fault, output_of, read, root, tool};
use std::collections::BTreeMap;
use std::path::Path;

/// The crates of `src/`, lowest first: each may use those before it.
const LAYERS: [&str; 9] = ["heap", "ondisk", "world", "sched", "kernel", "session", "view", "app", "embed"];
/// `cli` stands beside the layers, on these.
const CLI_USES: [&str; 3] = ["ondisk", "session", "view"];
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Checks everything and prints each finding.
///
/// # Errors
/// When there is at least one finding.
pub fn tidy() -> Result<(), Fault> {
    let mut found = Vec::new();
    let crates = crates()?;
    for (name, manifest) in &crates {
        found.extend(arrows(name, manifest));
        if !manifest.lines().any(has_licence) {
            found.push(format!("src/{name}/Cargo.toml: no `license.workspace = true`"));
        }
    }
    found.extend(docs(&crates)?);
    found.extend(licence()?);
    found.extend(files()?);
    found.extend(stale_lock());
    if found.is_empty() {
        println!("tidy: nothing found in {} crates", crates.len());
        return Ok(());
    }
    for line in &found {
        println!("tidy: {line}");
    }
    Err(fault(format!("tidy found {} thing(s) to mend, listed above", found.len())))
}

/// Name and manifest of each folder in `src/`.
fn crates() -> Result<BTreeMap<String, String>, Fault> {
    let src = root().join("src");
    let entries = std::fs::read_dir(&src).map_err(|error| fault(format!("cannot read src/: {error}")))?;
    let mut all = BTreeMap::new();
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        all.insert(name, read(&entry.path().join("Cargo.toml"))?);
    }
    Ok(all)
}

/// The names in all dependency tables of a manifest, the tests' and the targets' among them.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            // `[dependencies.world]` names one by itself.
            if let Some((_, name)) = table.split_once("dependencies.") {
                names.push(name);
            }
        } else if inside && !line.starts_with('#') && line.contains('=') {
            names.extend(line.split(['.', '=', ' ']).next());
        }
    }
    names
}

/// Arrows of one crate that do not point down.
fn arrows(name: &str, manifest: &str) -> Vec<String> {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let known = |other: &str| layer(other).is_some() || other == "cli";
    if !known(name) {
        return vec![format!("src/{name}: no layer is given to this crate in xtask/src/tidy.rs")];
    }
    let allowed = |other: &str| match (layer(name), layer(other)) {
        (Some(own), Some(other)) => other < own,
        (None, _) => CLI_USES.contains(&other),
        (Some(_), None) => false,
    };
    dependencies(manifest)
        .into_iter()
        .filter(|other| known(other) && !allowed(other))
        .map(|other| format!("src/{name}/Cargo.toml: `{name}` must not depend on `{other}`"))
        .collect()
}

/// Crates without their section in the architecture page, and sections without a crate.
fn docs(crates: &BTreeMap<String, String>) -> Result<Vec<String>, Fault> {
    let page = read(&root().join("docs/ARCHITECTURE.md"))?;
    let has = |name: &str| page.lines().any(|line| line == format!("## {name}"));
    let mut found: Vec<String> = crates
        .keys()
        .filter(|name| !has(name))
        .map(|name| format!("docs/ARCHITECTURE.md: no section `## {name}`"))
        .collect();
    let gone = LAYERS.iter().chain(&["cli"]).filter(|name| !crates.contains_key(**name) && has(name));
    found.extend(gone.map(|name| format!("docs/ARCHITECTURE.md: `## {name}` has no crate")));
    Ok(found)
}

fn has_licence(line: &str) -> bool {
    matches!(line.trim(), "license.workspace = true" | "license = \"GPL-2.0-only\"")
}

fn licence() -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    if !read(&root().join("LICENSE"))?.contains("GNU GENERAL PUBLIC LICENSE") {
        found.push("LICENSE: not the GNU General Public License".into());
    }
    if !read(&root().join("Cargo.toml"))?.lines().any(has_licence) {
        found.push("Cargo.toml: no `license = \"GPL-2.0-only\"`".into());
    }
    Ok(found)
}

/// In CI, whether cargo had to change Cargo.lock: then what was tested is not what was committed.
fn stale_lock() -> Option<String> {
    std::env::var_os("CI")?;
    let same = output_of(tool("git").args(["diff", "--quiet", "--", "Cargo.lock"])).is_some();
    (!same).then(|| "Cargo.lock: not what the manifests ask for; run any cargo command and commit it".into())
}

/// Every file that git has, or would take with the next `git add`.
fn files() -> Result<Vec<String>, Fault> {
    let listed = output_of(tool("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))
        .ok_or_else(|| fault("git cannot list the files: tidy reads each of them; run it in a clone"))?;
    let forbidden = Forbidden::new();
    let mut found = Vec::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let path = root().join(name);
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue; // deleted, not yet committed
        };
        if !meta.is_file() {
            continue;
        }
        if meta.len() > FILE_MAX_BYTES {
            found.push(format!("{name}: {} bytes, the limit is {FILE_MAX_BYTES}", meta.len()));
        }
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue; // not text
        };
        found.extend(forbidden.lines(name, &text));
        if name.ends_with("package.json") && !text.contains("\"license\": \"GPL-2.0-only\"") {
            found.push(format!("{name}: no \"license\": \"GPL-2.0-only\""));
        }
        if Path::new(name).starts_with("src/app") && name.ends_with(".rs") {
            found.extend(inline_styles(name, &text));
        }
    }
    Ok(found)
}

/// `style=` in the views: the policy of the page blocks it, silently for whoever does not look at the console.
fn inline_styles(name: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| {
            let code = line.split("//").next().unwrap_or_default();
            code.match_indices("style=").any(|(at, _)| {
                // `data-style=` and `font_style=` are other attributes.
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_')
            })
        })
        .map(|(at, _)| {
            format!(
                "{name}:{}: `style=` is blocked by the page's policy; use a class, an SVG attribute or set_property",
                at + 1
            )
        })
        .collect()
}

/// Paths and hosts of a machine.
struct Forbidden {
    paths: Vec<String>,
    hosts: Vec<String>,
}

impl Forbidden {
    /// The customary homes, this very machine's, and the hosts that a lock file likes to name.
    fn new() -> Self {
        // A clone right below `/` gives a word, not a path that betrays anything.
        let own = |path: String| {
            let path = path.trim_end_matches('/');
            (path.matches('/').count() > 1).then(|| format!("{path}/"))
        };
        // In pieces, so that this file does not name them.
        let mut paths: Vec<String> = ["work", "root", "home"].iter().map(|dir| format!("/{dir}/")).collect();
        paths.extend(std::env::var("HOME").ok().and_then(own));
        paths.extend(own(root().to_string_lossy().into_owned()));
        let hosts = [
            concat!("registry.", "npmjs.org"),
            concat!("registry.", "yarnpkg.com"),
            concat!("static.", "crates.io"),
            concat!("index.", "crates.io"),
            concat!("\"resolved\": ", "\"http"),
        ];
        Self { paths, hosts: hosts.map(String::from).to_vec() }
    }

    fn lines(&self, name: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let path = self.paths.iter().find(|path| {
                line.match_indices(path.as_str())
                    // Within a longer path or address it is something else.
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/$}~".contains(c)))
            });
            if let Some(bad) = path.or(self.hosts.iter().find(|host| line.contains(host.as_str()))) {
                found.push(format!("{name}:{}: names `{bad}`, which is one machine's own", at + 1));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_every_table_are_read() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nworld.workspace = true\n# sched = 1\nserde = { version = \"1\" }\n\
                        [target.'cfg(unix)'.dev-dependencies]\nkernel = { path = \"../kernel\" }\n[dependencies.view]\npath = \"..\"\n[lints]\nworkspace = true\n";
        assert_eq!(dependencies(manifest), ["world", "serde", "kernel", "view"]);
    }

    #[test]
    fn arrows_point_down_only() {
        let bad = |name, other| !arrows(name, &format!("[dependencies]\n{other}.workspace = true\n")).is_empty();
        assert!(!bad("kernel", "ondisk"));
        assert!(!bad("embed", "app"));
        assert!(bad("world", "sched"));
        assert!(bad("view", "view"));
        assert!(!bad("cli", "session"));
        assert!(bad("cli", "kernel"));
        assert!(bad("view", "cli"));
        assert!(bad("stray", "serde"), "a crate without a layer");
    }

    #[test]
    fn machine_paths_are_seen_where_they_begin() {
        let forbidden = Forbidden::new();
        let bad = |line: String| !forbidden.lines("f", &line).is_empty();
        let home = ["/ho", "me/"].concat();
        assert!(bad(format!("dir = \"{home}me/x\"")));
        assert!(bad(format!("{home}me")));
        assert!(!bad(format!("https://example.org{home}page")));
        assert!(bad(["https://registry.", "npmjs.org/x"].concat()));
    }

    #[test]
    fn a_style_attribute_is_seen_and_a_comment_is_not() {
        let text = "<a style=\"x\">\n// style=\n<a data-style=\"x\" class=\"y\">\n";
        assert_eq!(inline_styles("f", text).len(), 1);
    }
}
