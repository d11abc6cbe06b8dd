//! `writepath` in a terminal.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cli::conform::{self, Totals};
use cli::image::{BlockFile, write_sparse};
use cli::{mkfs, replay};
use session::{Session, golden, library};
use view::recording::Recording;
use view::text::{Catalogue, speak};

const HELP: &str = "\
writepath: a write(2) through the page cache and ext4, as Linux v5.10 does it

  writepath run SCENARIO --out DIR --image FILE [--upload FILE]
      Replays a scenario, of our own format or the scenario.json of a recorded
      case. Writes loop.txt, events.txt, graph.txt and result.json into DIR, and
      the image after the unmount to FILE. --upload: the image it names.

  writepath conform DIR...
      Replays every recorded case under DIR, prints a line for each and the
      closing line `result A/B loop C/D events X graph Y`. Exit status 1 unless
      every result and every loop agrees.

  writepath mkfs [LETTERS] FILE [SIZE]
      Makes an ext4 image, byte for byte as mke2fs 1.47 does. Letters of mke2fs:
      -t ext4 -b BLOCK -C CLUSTER -O FEATURES -U UUID -N INODES -i RATIO -I 256
      -J size=MIB -L LABEL -m PERCENT
      -E hash_seed=UUID,lazy_itable_init=0,lazy_journal_init=0,nodiscard
      SIZE is 16M and the like, or a number of blocks. UUID, seed and time are
      fixed unless given (E2FSPROGS_FAKE_TIME sets the time, in seconds).

  writepath screens NAME FILE [--words FILE]
      Runs a scenario of the library and writes all its screens to FILE: what the
      page shows on a first visit. --words: another language's texts
      (static/lang/ko.txt).

  writepath schema [--keys]
      Prints the JSON Schema of our own format (static/schema/scenario-1.json),
      or its keys in short.

  writepath --help
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("--help", &[][..]), |(command, rest)| (command.as_str(), rest));
    if rest.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let done = match command {
        "run" => run(rest),
        "conform" => conform(rest),
        "mkfs" => make(rest),
        "screens" => screens(rest),
        "schema" => schema(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("there is no command `{other}`; `writepath --help` lists them")),
    };
    done.unwrap_or_else(|reason| {
        eprintln!("writepath: {reason}");
        ExitCode::from(2)
    })
}

type Done = Result<ExitCode, String>;

fn in_file<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

fn run(args: &[String]) -> Done {
    let (mut scenario, mut out, mut image, mut upload) = (None, None, None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let slot = match arg.as_str() {
            "--out" => &mut out,
            "--image" => &mut image,
            "--upload" => &mut upload,
            option if option.starts_with("--") => return Err(format!("run has no option {option}")),
            _ if scenario.is_none() => {
                scenario = Some(PathBuf::from(arg));
                continue;
            }
            _ => return Err(format!("{arg}: one scenario at a time")),
        };
        *slot = Some(PathBuf::from(args.next().ok_or_else(|| format!("{arg} needs a value"))?));
    }
    let scenario = scenario.ok_or("run needs a scenario; see `writepath --help`")?;
    if out.is_none() && image.is_none() {
        return Err("run needs --out DIR, --image FILE or both".to_owned());
    }
    let json = std::fs::read_to_string(&scenario).map_err(in_file(&scenario))?;
    let name = scenario.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let input = replay::parse(&name, &json).map_err(in_file(&scenario))?;
    for path in &input.warnings {
        eprintln!("writepath: {}: {path}: unknown key, left out", scenario.display());
    }
    let upload = upload.map(|path| std::fs::read(&path).map_err(in_file(&path))).transpose()?;
    let replayed = replay::replay(&input, upload).map_err(in_file(&scenario))?;
    for lack in &replayed.lacks {
        eprintln!("writepath: lacks: {lack}");
    }
    if replayed.result.e2fsck_exit.is_none() {
        eprintln!("writepath: e2fsck cannot be run, so the image was not checked: install e2fsprogs");
    }
    if let Some(out) = &out {
        std::fs::create_dir_all(out).map_err(in_file(out))?;
        let files = [
            ("loop.txt", &replayed.loop_text),
            ("events.txt", &replayed.events_text),
            ("graph.txt", &replayed.graph_text),
            ("result.json", &golden::emit_result(&replayed.result)),
        ];
        for (file, text) in files {
            let path = out.join(file);
            std::fs::write(&path, text).map_err(in_file(&path))?;
        }
    }
    if let Some(path) = &image {
        write_sparse(path, &replayed.image).map_err(in_file(path))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn screens(args: &[String]) -> Done {
    let (name, file, words) = match args {
        [name, file] => (name, file, None),
        [name, file, option, words] if option == "--words" => (name, file, Some(Path::new(words))),
        _ => return Err("screens takes a name, a file, and --words FILE or nothing".to_owned()),
    };
    if let Some(words) = words {
        let text = std::fs::read_to_string(words).map_err(in_file(words))?;
        speak(Some(Catalogue::parse(text).map_err(in_file(words))?));
    }
    let scenario = library::scenario(name).ok_or_else(|| format!("the library has no scenario `{name}`"))?;
    let mut session = Session::open(scenario, None).map_err(|error| format!("{name}: {error}"))?;
    let file = Path::new(file);
    std::fs::write(file, Recording::write(name, &mut session)).map_err(in_file(file))?;
    Ok(ExitCode::SUCCESS)
}

fn schema(args: &[String]) -> Done {
    let schema = match args {
        [] => cli::schema::text(),
        [option] if option == "--keys" => cli::schema::keys_text(),
        _ => return Err("schema takes --keys or nothing".to_owned()),
    };
    print!("{schema}");
    Ok(ExitCode::SUCCESS)
}

fn conform(args: &[String]) -> Done {
    if args.is_empty() {
        return Err("conform needs a folder of recorded cases".to_owned());
    }
    let mut reports = Vec::new();
    for folder in args {
        for case in conform::cases(Path::new(folder))? {
            let report = conform::run_case(&case);
            println!("{report}");
            reports.push(report);
        }
    }
    let totals = Totals::of(&reports);
    println!("{totals}");
    Ok(if totals.all_agree() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn make(args: &[String]) -> Done {
    let size_of = |path: &str| std::fs::metadata(path).ok().map(|meta| meta.len());
    let mut request = mkfs::parse(args, size_of)?;
    let path = &request.path;
    if let Ok(time) = std::env::var("E2FSPROGS_FAKE_TIME") {
        request.options.time = time.parse().map_err(|_| format!("E2FSPROGS_FAKE_TIME={time}: not a number"))?;
    }
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(format!("{}: not a plain file; images are made in files only", path.display()));
    }
    // What does not fit is found before anything is overwritten.
    ondisk::mkfs::mkfs(&request.options, &mut Nowhere).map_err(in_file(path))?;
    let mut file = std::fs::File::create(path).map_err(in_file(path))?;
    file.set_len(request.options.size_bytes).map_err(in_file(path))?;
    let mut device = BlockFile { file: &mut file, block_size: request.options.block_size.into() };
    ondisk::mkfs::mkfs(&request.options, &mut device).map_err(in_file(path))?;
    Ok(ExitCode::SUCCESS)
}

struct Nowhere;

impl ondisk::mkfs::BlockWrite for Nowhere {
    fn write_block(&mut self, _: ondisk::Pblk, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}
