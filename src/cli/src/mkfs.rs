//! `writepath mkfs`: the letters of mke2fs on our own mkfs.

use std::path::PathBuf;

use ondisk::mkfs::MkfsOptions;
use session::scenario::Mkfs;

/// Extended options that say what is done anyway.
const DONE_ANYWAY: [&str; 3] = ["lazy_itable_init=0", "lazy_journal_init=0", "nodiscard"];

/// What to make, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What.
    pub options: MkfsOptions,
    /// Where.
    pub path: PathBuf,
}

/// Reads the command line. Without a size, `size_of` is asked for that of the
/// file that is there.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn parse(args: &[String], size_of: impl Fn(&str) -> Option<u64>) -> Result<Request, String> {
    let mut letters: Vec<String> = Vec::new();
    let mut places: Vec<&String> = Vec::new();
    let mut hash_seed = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-q" | "-F" | "-v" => {}
            "-t" | "-T" => match args.next().map(String::as_str) {
                Some("ext4") => {}
                other => return Err(format!("{arg} {}: only ext4 is made", other.unwrap_or(""))),
            },
            "-E" => {
                let list = args.next().ok_or("-E needs a value")?;
                for option in list.split(',') {
                    match option.split_once('=') {
                        Some(("hash_seed", seed)) => hash_seed = Some(seed.to_owned()),
                        _ if DONE_ANYWAY.contains(&option) => {}
                        _ => return Err(format!("-E {option}: not what is done here")),
                    }
                }
            }
            letter if letter.starts_with('-') && letter.len() > 1 => {
                letters.push(arg.clone());
                letters.push(args.next().ok_or_else(|| format!("{letter} needs a value"))?.clone());
            }
            _ => places.push(arg),
        }
    }
    let (path, size) = match places.as_slice() {
        [path] => (path, None),
        [path, size] => (path, Some(size.as_str())),
        [] => return Err("the file to make is missing".to_owned()),
        _ => return Err("one file and one size, not more".to_owned()),
    };
    let mkfs = Mkfs::from_letters(&letters)?;
    let size_bytes = match size {
        Some(size) => size_bytes(size, mkfs.block_size)?,
        None => size_of(path).filter(|size| *size > 0).ok_or_else(|| format!("{path}: say how large, such as 16M"))?,
    };
    let mut options = mkfs.options().map_err(|reason| reason.to_string())?;
    options.size_bytes = size_bytes;
    if let Some(seed) = hash_seed {
        let by_seed = Mkfs { uuid: seed, ..Mkfs::default() };
        options.hash_seed = by_seed.options().map_err(|reason| format!("-E hash_seed: {reason}"))?.hash_seed;
    }
    Ok(Request { options, path: PathBuf::from(path) })
}

/// `16M`, or a number of blocks, as mke2fs takes it.
fn size_bytes(text: &str, block_size: u32) -> Result<u64, String> {
    let (digits, unit) = match text.to_ascii_lowercase().chars().last() {
        Some('k') => (&text[..text.len() - 1], 1 << 10),
        Some('m') => (&text[..text.len() - 1], 1 << 20),
        Some('g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, u64::from(block_size)),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| format!("{text}: not a size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Result<(u64, u32), &str>) {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let ours = parse(&args, |path| (path == "there").then_some(5 << 20));
        let ours = ours.map(|request| (request.options.size_bytes, request.options.block_size));
        match (ours, expect) {
            (Ok(ours), Ok(expect)) => assert_eq!(ours, expect, "{line}"),
            (Err(ours), Err(expect)) => assert!(ours.contains(expect), "{line}: {ours}"),
            (ours, expect) => panic!("{line}: {ours:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn letters_and_sizes() {
        check("-t ext4 -b 1024 x 8M", Ok((8 << 20, 1024)));
        check("-b 4096 x 4096", Ok((16 << 20, 4096)));
        check("there", Ok((5 << 20, 4096)));
        check("elsewhere", Err("say how large"));
        check("-O bigalloc,^has_journal -C 16384 -m 0 -N 64 -L home -J size=4 x 32m", Ok((32 << 20, 4096)));
        check(
            "-E hash_seed=5a3c0f5e-0000-4000-8000-00000000e4e4,lazy_itable_init=0,lazy_journal_init=0,nodiscard x 16M",
            Ok((16 << 20, 4096)),
        );
        check("-t xfs x 16M", Err("only ext4"));
        check("-O quota x 16M", Err("quota"));
        check("-Z 4 x 16M", Err("-Z"));
        check("-E stride=4 x 16M", Err("stride"));
        check("-E lazy_itable_init=1 x 16M", Err("lazy_itable_init=1"));
        check("-E wizard x 16M", Err("wizard"));
        check("x 16M y", Err("one file"));
        check("-b 4096", Err("missing"));
        check("-b", Err("needs a value"));
        check("x 16Q", Err("not a size"));
        check("-I 128 x 16M", Err("256"));
    }
}
