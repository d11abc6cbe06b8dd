//! English: dirty balancing, and the flusher.

use super::Said;
use super::write::{Words, plural_is, say};
use crate::moment::{count, number};

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    checks(t, probe).or_else(|| pauses(t, probe)).or_else(|| flusher(t, probe)).or_else(|| inodes(t, probe))
}

/// Jiffies as a time.
fn time(jiffies: u64) -> String {
    tr!("{} ms", number(jiffies * 4))
}

fn checks(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "BDR_LIMIT" => say(
            tr!("The task has dirtied {}; it checks at {}.", count(t.v("nr_dirtied"), "page"), t.n("ratelimit")),
            "Only pages that turned from clean to dirty count, over all files and calls of the task.",
        ),
        "BDR_CPU" => say(
            if t.v("ratelimit") == 0 {
                tr!("This processor's own count is full: a check is due whatever the task's says.")
            } else if t.v("nr_dirtied") >= t.v("ratelimit") {
                tr!("The task's count is full: a check is due.")
            } else {
                tr!("{} of {}: no check is due.", t.n("nr_dirtied"), t.n("ratelimit"))
            },
            "So most rounds cost two comparisons; writing over a dirty page counts nothing.",
        ),
        "BDR_LEAK" => say(
            tr!("Pages that an exited task left uncounted are added: {}.", t.n("nr_dirtied")),
            "Otherwise many short tasks could each dirty a few pages and never be asked.",
        ),
        "BDR_CALL" => {
            say("The real check begins.", "It compares all dirty pages with the limits, and may let the task pause.")
        }
        "BDP_LIMITS" => say(
            tr!(
                "{} dirty or under writeback; the limit is {}, the background threshold {}.",
                plural_is(t.v("nr_dirty"), "page"),
                t.n("thresh"),
                t.n("bg_thresh")
            ),
            "Both are shares of the memory that pages may take; a real-time task gets a quarter more.",
        ),
        "BDP_FREERUN" => say(
            tr!("No pause: the next check comes after {}.", count(t.v("intv"), "page")),
            tr!(
                "Up to {} dirty pages nobody is throttled; the less room is left, the sooner the next check.",
                number(u64::midpoint(t.v("thresh"), t.v("bg_thresh")))
            ),
        ),
        "BDP_KICK" => say(
            tr!(
                "Past the free-run line of {}: the flusher has work.",
                count(u64::midpoint(t.v("thresh"), t.v("bg_thresh")), "page")
            ),
            "If it is not at work already, it is woken here.",
        ),
        "BDP_POS" => say(
            tr!("By position, the task may go at {} % of the rate limit.", t.v("pos_ratio") * 100 / 1024),
            "100 % at the setpoint, up to 200 % far below it, nothing at the limit.",
        ),
        "BDP_BANDWIDTH" => say(
            "What the device wrote and what tasks dirtied in the last 200 ms sets the rates anew.",
            "The limit follows the threshold too: up at once, down by a 32nd at a time.",
        ),
        "BDP_RATE" => say(
            tr!("The task may dirty {} a second.", count(t.v("task_ratelimit"), "page")),
            "The device's rate limit, times the position.",
        ),
        _ => None,
    }
}

fn pauses(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "BDP_ZERO" => say(
            tr!("At the limit nothing more may become dirty: the longest pause, {}.", time(t.v("pause"))),
            "After it the counts are looked at again.",
        ),
        "BDP_RESET" => say(
            "The task has thought for more than a second since its last pause: it owes nothing.",
            "Its clock starts anew.",
        ),
        "BDP_PERIOD" => say(
            "The pause would be too short to be worth it; it is kept in mind.",
            "The task's clock is set forward by it, so that a later pause is the longer.",
        ),
        "BDP_TINY" => say(
            "At this rate the pages dirtied so far make no pause at all.",
            "If the task's count was full, it may dirty more before it asks again.",
        ),
        "BDP_CLAMP" => say(
            tr!("The pause is cut to {}.", time(t.v("pause"))),
            "Longer, and the device might have written everything before the task wakes.",
        ),
        "BDP_SLEEP" => say(tr!("The task pauses for {}.", time(t.v("pause"))), "Only a fatal signal wakes it earlier."),
        "BDP_WOKEN" => say("The pause is over.", "The task's count starts at 0."),
        "BDP_SMALL" => say(
            "Hardly anything of this device is dirty: the task goes on.",
            "It is another device that fills the memory.",
        ),
        "BDP_KILLED" => say(
            "A fatal signal is pending: no more pauses.",
            "The page just written stays; the next round of the loop gives up.",
        ),
        "BDP_CLEAR" => say("The limits are no longer exceeded.", "Tasks check at their own pace again."),
        "BDP_RUNNING" => say("The flusher is at work already.", ""),
        "BDP_LAPTOP" => {
            say("In laptop mode nothing is started below the limit.", "The disk is to stay asleep as long as it can.")
        }
        "BDP_BACKGROUND" => say(
            tr!("More than the background threshold of {} is dirty: the flusher is woken.", t.n("bg_thresh")),
            "It runs when this task sleeps or ends its turn.",
        ),
        _ => None,
    }
}

fn flusher(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "DWORK_TIMER" => say(
            "The flusher's delay is over: it is queued to run.",
            "It looks for old data once in dirty_writeback_centisecs while anything is dirty.",
        ),
        "WDW_WORK" => say(
            tr!("The flusher takes up a work: {}.", reason(t.v("reason"))),
            "Works that somebody waits for come first.",
        ),
        "WDW_FINISH" => say("The work is done.", "Whoever waits for it is woken."),
        "WDW_START_ALL" => say(
            tr!("Everything that is dirty is to go out: {}.", reason(t.v("reason"))),
            tr!("At most {}, an inode in use counted as one.", count(t.v("nr_pages"), "page")),
        ),
        "WDW_OLD_DATA" => say(
            "It is time to look for old data.",
            "Inodes that have been dirty for longer than dirty_expire_centisecs are written.",
        ),
        "WDW_BACKGROUND" => {
            if t.v("over") == 0 {
                say("Not over the background threshold.", "The flusher has nothing more to do.")
            } else {
                say("Over the background threshold.", "The flusher writes until that is no longer so.")
            }
        }
        "WF_WRITTEN" => say(tr!("Written in this round: {}.", t.n("pages_written")), "Pages that were skipped count."),
        "WF_REARM" => {
            say("The flusher goes to sleep.", "If anything is still dirty and the interval is not 0, its timer is set.")
        }
        "WBW_LOOP" => {
            if t.failed("nr_pages") || t.v("nr_pages") == 0 {
                say("As many pages as were asked for are written.", "")
            } else {
                say("A round over the dirty inodes.", "As long as something is written, another one follows.")
            }
        }
        "WBW_YIELD" => say("Other works wait: this one gives way.", "It is taken up again when they are done."),
        "WBW_UNDER" => say("Below the background threshold again: enough.", ""),
        "WBW_QUEUE" => say(
            "Inodes that are due stand in b_io, eldest first.",
            "Those that had to be left in the round before come ahead of them.",
        ),
        "WBW_PROGRESS" => say(
            if t.v("progress") == 0 {
                tr!("Nothing was written in this round.")
            } else {
                tr!("{} written in this round, inodes counted in.", t.n("progress"))
            },
            "Now and then the device's bandwidth is measured here.",
        ),
        "WIS_QUEUED" => say(
            "The flusher is asked to send all that is dirty now.",
            "Pages are tagged first, so that ones dirtied later do not prolong it.",
        ),
        "WIS_DONE" => say("All of it has been sent.", "The device may still be writing."),
        "SIS_QUEUED" => say(
            "The flusher is asked to write every dirty inode of the file system.",
            "Sync itself writes no page: there is one road to the disk.",
        ),
        "SIS_WRITTEN" => say("The flusher is done.", "Every page that was dirty has been sent."),
        "SIS_WAITED" => say("No page of the file system is under writeback any more.", ""),
        _ => None,
    }
}

/// Who asked, by the number of an `enum wb_reason`.
fn reason(reason: u64) -> &'static str {
    match reason {
        0 => "too much is dirty",
        2 => "a sync",
        3 => "the interval was changed, or is over",
        5 => "the file system runs out of space",
        _ => "somebody asked",
    }
}

fn inodes(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "WSB_OTHER" => say(tr!("Inode {} belongs to another file system.", t.n("ino")), "It goes back to b_dirty."),
        "WSB_FREEING" => say(
            tr!("Inode {} is just made, or about to go.", t.n("ino")),
            "Who makes or frees it looks after its pages.",
        ),
        "WSB_CHUNK" => say(
            if t.v("write_chunk") > 1 << 60 {
                tr!("Inode {}: all its dirty pages.", t.n("ino"))
            } else {
                tr!("Inode {}: up to {}.", t.n("ino"), count(t.v("write_chunk"), "page"))
            },
            "I_SYNC keeps others off; the share is what the device writes in half a second, so that every file gets its turn.",
        ),
        "WSB_REQUEUE" => say(
            tr!("{} of inode {} written; it goes where its state belongs.", count(t.v("wrote"), "page"), t.n("ino")),
            "Clean: off the lists. Share used up: b_more_io. Dirtied again meanwhile: back to b_dirty.",
        ),
        "WSI_PAGES" => say(tr!("The pages of inode {} have been submitted.", t.n("ino")), ""),
        "WSI_CLEAR" => say(
            tr!("Inode {} counts as clean.", t.n("ino")),
            "Cleared before the inode is written: a change from here on marks it again. Pages still tagged keep it dirty.",
        ),
        "SFS_STARTED" => say("All writes of the file system have been started.", "The second round waits for them."),
        "SFS_DONE" => say("Data, journal and the device's own blocks are written.", ""),
        "KS_WAKE" => say(
            "sync tells the flusher to write everything that is dirty.",
            "Several devices would all begin at once; what follows waits for one after the other.",
        ),
        _ => None,
    }
}
