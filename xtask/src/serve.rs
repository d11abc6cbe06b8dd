//! A small static file server for the built site: what a plain host does, under the page's own policy.

use crate::run::{Fault, fault};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const HEAD_MAX_BYTES: u64 = 16 * 1024;

/// Takes the port, on this machine's own address only.
pub fn bind(port: u16) -> Result<TcpListener, Fault> {
    TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
        fault(format!("port {port} cannot be used ({error}): the site is served there; choose another with --port"))
    })
}

/// Serves `dir` until the process is ended.
pub fn serve(listener: &TcpListener, dir: &Path) -> Result<(), Fault> {
    let address = listener.local_addr().map_err(|error| fault(format!("the server has no address: {error}")))?;
    let site = Arc::new(Site::new(dir)?);
    println!("Writepath is at http://{address}/ (Ctrl+C ends it)");
    for stream in listener.incoming().flatten() {
        let site = Arc::clone(&site);
        // A visitor who goes away in the middle is no fault of ours.
        thread::spawn(move || drop(answer(&stream, &site)));
    }
    Ok(())
}

struct Site {
    dir: PathBuf,
    policy: String,
}

impl Site {
    fn new(dir: &Path) -> Result<Self, Fault> {
        let unreadable = |error| fault(format!("cannot serve {}: {error}", dir.display()));
        let dir = dir.canonicalize().map_err(unreadable)?;
        let page = fs::read_to_string(dir.join("index.html")).map_err(unreadable)?;
        let policy = policy(&page).ok_or_else(|| {
            fault("index.html has no Content-Security-Policy: the page must work under it; put the <meta> back")
        })?;
        Ok(Self { dir, policy: policy.to_string() })
    }

    /// The answer to a request for `target`.
    fn find(&self, target: &str) -> Answer {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let Some(relative) = plain_path(path) else {
            return Answer::Missing;
        };
        // Symbolic links are followed, but not out of the site.
        let Ok(found) = self.dir.join(relative).canonicalize() else {
            return Answer::Missing;
        };
        if !found.starts_with(&self.dir) {
            return Answer::Missing;
        }
        if found.is_dir() {
            if !path.ends_with('/') {
                // One slash in front: two would name another host.
                return Answer::Moved(format!("/{}/", path.trim_matches('/')));
            }
            let index = found.join("index.html");
            return if index.is_file() { Answer::File(index) } else { Answer::Missing };
        }
        Answer::File(found)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    File(PathBuf),
    Moved(String),
    Missing,
}

/// The policy in the page's `<meta http-equiv="Content-Security-Policy" content="…">`.
fn policy(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("http-equiv=\"Content-Security-Policy\"")?;
    let (_, rest) = rest.split_once("content=\"")?;
    Some(rest.split_once('"')?.0)
}

/// A request's path as a relative one: decoded, without any way up or around. `None` if it has one.
fn plain_path(path: &str) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in decoded(path.strip_prefix('/')?)?.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part if part.contains(['\\', '\0']) => return None,
            part => plain.push(part),
        }
    }
    Some(plain)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let hex = [*rest.next()?, *rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "rs" | "md" | "ts") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn answer(mut stream: &TcpStream, site: &Site) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(stream.take(HEAD_MAX_BYTES));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let (status, kind, extra, body) = match (method, target) {
        ("GET" | "HEAD", Some(target)) => match site.find(target) {
            Answer::File(path) => ("200 OK", mime(&path), String::new(), fs::read(&path)?),
            Answer::Moved(to) => {
                ("308 Permanent Redirect", "text/plain; charset=utf-8", format!("Location: {to}\r\n"), Vec::new())
            }
            Answer::Missing => text("404 Not Found", "There is no such file in the site.\n"),
        },
        _ => text("405 Method Not Allowed", "This server only reads.\n"),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nContent-Security-Policy: {}\r\n\
         X-Content-Type-Options: nosniff\r\nCache-Control: no-cache\r\nConnection: close\r\n{extra}\r\n",
        body.len(),
        site.policy,
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn text(status: &'static str, body: &str) -> (&'static str, &'static str, String, Vec<u8>) {
    (status, "text/plain; charset=utf-8", String::new(), body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_site() {
        let plain = |path| plain_path(path).map(|found| found.to_string_lossy().into_owned());
        assert_eq!(plain("/"), Some(String::new()));
        assert_eq!(plain("/a/./b%20c.js"), Some("a/b c.js".into()));
        assert_eq!(plain("//etc/passwd"), Some("etc/passwd".into()));
        for bad in ["/../x", "/a/%2e%2e/x", "/..%2fx", "/a%00b", "/a\\b", "x", "/%zz", "/%2", "/%ff"] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_policy_is_the_pages_own() {
        let page = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
        assert_eq!(policy(page), Some("default-src 'none'"));
        assert_eq!(policy("<html>"), None);
        let ours = include_str!("../../index.html");
        assert!(
            policy(ours).is_some_and(|p| p.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"))
        );
    }

    #[test]
    fn wasm_has_the_type_that_streaming_needs() {
        assert_eq!(mime(Path::new("a/app_bg.wasm")), "application/wasm");
        assert_eq!(mime(Path::new("disk.img")), "application/octet-stream");
    }
}
