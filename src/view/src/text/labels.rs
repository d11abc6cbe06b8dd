//! Words of buttons, headings and messages. Each is named after its English.

/// Keys or letters, separated by blanks, and what they mean.
pub type Meanings = &'static [(&'static str, &'static str)];
/// Headings and paragraphs.
pub type Chapters = &'static [(&'static str, &'static [&'static str])];

macro_rules! labels {
    ($($name:ident: $english:literal,)*) => {
        /// Words of buttons, headings and messages.
        #[expect(missing_docs, reason = "each label says itself what it is")]
        #[derive(Debug)]
        pub struct Labels {
            $(pub $name: &'static str,)*
            /// Keys and what they do.
            pub keys: Meanings,
            /// Letters of flags and phases, and what they mean.
            pub letter_list: Meanings,
            /// "About this model".
            pub about_text: Chapters,
        }

        /// English.
        pub static ENGLISH: Labels =
            Labels { $($name: $english,)* keys: KEYS, letter_list: LETTERS, about_text: ABOUT };

        impl Labels {
            /// The same in another language.
            pub(super) fn translated(&self, find: &dyn Fn(&'static str) -> &'static str) -> Labels {
                Labels {
                    $($name: find(self.$name),)*
                    keys: meanings(self.keys, find),
                    letter_list: meanings(self.letter_list, find),
                    about_text: chapters(self.about_text, find),
                }
            }
        }
    };
}

fn meanings(list: Meanings, find: &dyn Fn(&'static str) -> &'static str) -> Meanings {
    list.iter().map(|(sign, text)| (*sign, find(text))).collect::<Vec<_>>().leak()
}

fn chapters(list: Chapters, find: &dyn Fn(&'static str) -> &'static str) -> Chapters {
    let texts = |texts: &'static [&'static str]| -> &'static [&'static str] {
        texts.iter().map(|text| find(text)).collect::<Vec<_>>().leak()
    };
    list.iter().map(|(heading, paragraphs)| (find(heading), texts(paragraphs))).collect::<Vec<_>>().leak()
}

labels! {
    intact: "What was open before is intact.",
    own_scenario: "own write",
    image_wanted: "This needs an image that is not open:",
    nothing_loaded: "No scenario is open.",
    no_scenario: "The library has no scenario",
    no_step: "There is no such step.",
    no_call_source: "No call reads user memory at this step.",
    no_image: "No image is open yet.",
    no_korean: "The Korean texts could not be loaded from beside the page.",
    blocks_of: "blocks of",
    about: "About this model",
    about_short: "About",
    act_here: "Act here",
    all_steps: "all",
    back: "Step back",
    background: "background",
    bad_link: "This link cannot be read.",
    bad_link_text: "Its scenario is damaged; nothing was taken from it.",
    no_rest: "A part of the program could not be loaded.",
    no_rest_text: "Try again when the network is back; the run stays as it is.",
    before: "before",
    bg: "bg",
    block: "Block",
    block_long: "Any block of the device, decoded",
    blocks: "Blocks",
    byte_range: "Bytes to tell about",
    bytes: "bytes",
    call: "call",
    call_stack: "Call stack",
    changed_now: ", changed in this step",
    changes: "Changes in this step",
    changes_short: "Changes",
    clear: "clear",
    close: "Close",
    code: "Code",
    code_view: "Code view",
    counters: "counters",
    device: "device",
    dirty: "Dirty",
    dirty_balance: "Dirty balance",
    dirty_pages: "Dirty pages",
    dirty_places: "Dirty in four places",
    dirty_word: "dirty",
    disk: "Disk",
    dismiss: "Dismiss",
    download: "Image",
    download_long: "Download the device image as it is at this step",
    engine: "Engine",
    events: "faults, I/O",
    evict_source: "Evict source",
    evict_source_long: "Drop the source page the call is about to read, at this step; the run after it is computed anew",
    field: "field",
    fields: "Decoded fields",
    first: "First step",
    freerun: "freerun",
    go_to: "Go to step",
    grain: "One step is one",
    help: "Keys and help",
    hex: "Bytes in hex and text",
    holds_data: ", holds data of this call",
    in_flight: "In flight",
    iteration: "iteration",
    last: "Last step",
    letters: "Letters",
    library: "Library",
    library_long: "Choose a scenario by the question it answers",
    limit: "limit",
    line: "line",
    line_ahead: "ahead: ",
    line_done: "done: ",
    line_now: "now: ",
    link_copied: "Link copied.",
    link_not_copied: "The link could not be copied; here it is:",
    loading: "Loading",
    kernel: "Kernel",
    kernel_blocked: "The policy of this site forbids the request. Open the file instead.",
    kernel_bring: "The kernel's source is not part of this page. The line of this step is in",
    kernel_drop: "Or drop the file here.",
    kernel_failed: "The file did not come. Open it instead.",
    kernel_fetch: "Fetch it from raw.githubusercontent.com",
    kernel_moved: "Not v5.10.238: functions that stand on another line",
    kernel_open: "Open it from your own tree",
    kernel_outside: "This step is not in the kernel's source.",
    kernel_recorded: "with a real kernel's trace",
    kernel_too_short: "The file ends before the line of this step.",
    kernel_unknown: "defines no function that this page steps through.",
    kernel_said: "The kernel said",
    kernel_none: "no line of the kernel’s trace falls here",
    kernel_no_file: "The kernel’s trace cannot be fetched.",
    kernel_other_run: "The kernel’s trace belongs to another version of this run.",
    first_difference: "Go to the first line that differs",
    said_agrees: "agrees",
    said_differs: "differs; the engine says",
    said_missing: "the engine has no such line",
    said_extra: "the engine alone says",
    said_aside: "not compared",
    locals: "Locals",
    logical_block: "logical block",
    memory: "Memory",
    narration: "Narration",
    next: "Step",
    next_block: "Next block",
    next_iteration: "Next iteration",
    no_buffers: "no buffer heads",
    no_call: "no write under way",
    no_changes: "nothing changed",
    no_code: "no kernel function runs",
    no_fields: "nothing known about this block; its bytes are beside",
    no_frames: "not in the kernel",
    no_handle: "no handle open",
    no_page: "no page to show",
    no_pages: "no pages cached",
    no_source: "no engine code ran yet",
    no_transaction: "no transaction",
    none: "none",
    not_a_number: "Not a number:",
    not_cached: "not cached",
    not_uptodate: "not uptodate",
    now_in: "now",
    of_limit: "of limit",
    offset: "offset",
    open_block: "Open this block",
    open_image: "Open",
    open_image_long: "Open an ext4 image file",
    out: "Step out of the function",
    outline: "Outline",
    over: "Step over calls",
    own: "Write",
    own_block_size: "Block size, bytes",
    own_bytes: "Bytes",
    own_call: "Call",
    own_file_bytes: "or a file’s bytes",
    own_fresh: "a fresh file system",
    own_image: "Image",
    own_long: "Write your own",
    own_name: "your own",
    own_no_upload: "an uploaded image (none yet)",
    own_offset: "Offset, bytes",
    own_path: "File",
    own_placeholder: "Type the bytes to write, or drop a file here",
    own_run: "Run",
    own_segments: "Segment lengths, bytes; the last takes the rest",
    own_size: "Size, KiB",
    own_syscall: "System call",
    own_text: "Text",
    own_unmount: "After the call the program closes the file and exits; then come sync and unmount, so that the image can be read back.",
    own_upload: "Upload an image",
    page: "Page",
    page_cache: "Page cache",
    pages: "pages",
    pages_at: "pages at",
    pages_of_file: "Pages of the file",
    panels: "Panels",
    path: "The write path",
    pause: "Pause",
    phase: "phase",
    play: "Play",
    prev_block: "Block before",
    prev_iteration: "Previous iteration",
    scenario: "Scenario",
    segments_too_long: "The segments are longer than the bytes.",
    segments_too_many: "More than 1024 segments: the kernel refuses them.",
    set: "set",
    setpoint: "setpoint",
    share: "Share",
    share_long: "Copy the link to this very step",
    sigkill_long: "Deliver SIGKILL to the task at this step; the run after it is computed anew",
    since_check: "since last check",
    source_failed: "The source could not be loaded from beside the page.",
    space: "Space",
    speed: "speed",
    statement: "statement",
    step: "step",
    task: "Task",
    theme: "Switch light and dark",
    timeline: "Timeline and transport",
    transport: "Transport",
    user_memory: "User memory",
    value: "value",
    waits_for: "waits for",
    was: "was ",
    writeback: "writeback",
    zone_free: "free",
    zone_more: "throttled more",
    zone_throttled: "throttled",
}

const KEYS: Meanings = &[
    ("→ .", "step on"),
    ("← ,", "step back"),
    ("Shift+→ Shift+←", "step over calls, on and back"),
    ("Shift+↑", "step out of the function"),
    ("n p", "next and previous iteration"),
    ("Space", "play and pause"),
    ("Home End", "first and last step"),
    ("g", "go to a step by its number"),
    ("PgUp PgDn", "ten steps, on the timeline"),
    ("e", "write your own"),
    ("1 2 3 4 5 6", "code, memory, page, disk, dirty balance, changes"),
    ("7", "timeline"),
    ("f", "full screen"),
    ("?", "this help"),
    ("Esc", "close"),
];

const LETTERS: Meanings = &[
    ("L U D W", "page: locked, uptodate, dirty, writeback"),
    ("M U D N d u E", "buffer head: mapped, uptodate, dirty, new, delayed, unwritten, error"),
    ("R F X", "user memory: resident, will fault, unmapped; a dot is a byte that fault-in read"),
    ("F B C E D W J", "phase: fault-in, write_begin, copy, write_end, balance, writeback, journal"),
    ("D T W", "tags of the xarray: dirty, towrite, writeback"),
    ("●", "changed in this step"),
];

const ABOUT: Chapters = &[
    (
        "What it is",
        &[
            "Writepath runs a model of the buffered write path of Linux v5.10.238 on ext4, written in Rust, in your browser. It follows the kernel function by function and branch by branch; the outline names the file and line each step stands for.",
            "Nothing is scripted: every value on screen comes from running the model, on an image with the real on-disk format. The image can be downloaded and read with e2fsck and debugfs.",
            "Nothing you type or drop leaves this page.",
        ],
    ),
    (
        "What it leaves out",
        &[
            "No processor, no scheduler of its own time: one task runs at a time, from probe to probe, in an order that the scenario fixes. Time passes only where the model says so.",
            "No memory pressure, no reclaim but the evictions that a scenario or you ask for; no huge pages, no NUMA, no cgroups.",
            "No mappings of DAX files, no swap, no asynchronous I/O; no encryption, verity, quota or online resize. An image that needs a feature the model lacks is refused, with the feature’s name.",
            "The device is a RAM disk that does what it is told: no elevator, no device cache.",
            "The journal: a commit writes nothing to the log yet, so no crash and no recovery can be shown; an image that was not unmounted cleanly is refused.",
            "Kernel work takes no time, so a throttled task pauses as if it had not thought since its last check; there is one flusher for one device.",
            "Names: symbolic links are not followed, and there is no access control list. A file without extents cannot be turned into one with them.",
        ],
    ),
    (
        "Sources",
        &[
            "Function names, lines and branches are those of Linux v5.10.238. Kernel source text is not part of this page; the current line links to a public source browser.",
        ],
    ),
];
