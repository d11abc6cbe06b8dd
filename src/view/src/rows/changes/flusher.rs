//! What changed about the flusher: its lists, works, rates and the dirty domain.

use world::{Change as Raw, PercpuCounter, WbList, WbWork, WordId};

use super::{Groups, Key, inode_name, leaf, maybe, seconds, yes};
use crate::moment::{Moment, count, number, task_name};

pub(super) fn flusher(m: &Moment, change: &Raw, groups: &mut Groups) {
    match change {
        Raw::io_lists((list, seq), old) => {
            let now = m.w.io_lists.get((*list, *seq));
            let id = now.or(*old).unwrap_or_default();
            let words = |there: bool| there.then(|| "listed".to_owned());
            groups.add(
                Key::Inode(id.0),
                inode_name(m.w, id),
                maybe(list_name(*list), words(old.is_some()), words(now.is_some())),
            );
        }
        Raw::wb_works(seq, old) => {
            let now = m.w.wb_works.get(*seq);
            let show = |work: Option<WbWork>| {
                work.map(|work| {
                    if work.sync_all { "all that is dirty, waited for" } else { "all that is dirty" }.to_owned()
                })
            };
            groups.add(Key::Other, "flusher", maybe("work", show(*old), show(now)));
        }
        Raw::wb_waits(task, old) => {
            let now = m.w.wb_waits.get(*task);
            let show = |open: Option<u32>| open.map(|open| count(u64::from(open), "work"));
            groups.add(
                Key::Other,
                "flusher",
                maybe(&tr!("{} waits for", task_name(m.w, *task)), show(*old), show(now)),
            );
        }
        Raw::flushers(_, old) => {
            let now = m.w.flushers.at(WordId(0));
            let timer = |timer: (u64, u64)| if timer.0 == 0 { "off".to_owned() } else { seconds(timer.0) };
            fields!(groups, Key::Other, "flusher", *old, *now,
                "queued": queued => yes, "WB_writeback_running": running => yes, "WB_has_dirty_io": has_dirty_io => yes,
                "WB_start_all": start_all => yes, "dirty_exceeded": dirty_exceeded => yes,
                "strictlimit": strictlimit => yes, "start_all_reason": start_all_reason, "timer": timer => timer,
                "last_old_flush": last_old_flush, "works": works);
        }
        Raw::wb_rates(_, old) => {
            let now = m.w.wb_rates.at(WordId(0));
            fields!(groups, Key::Other, "rates", *old, *now,
                "bw_time_stamp": bw_time_stamp, "dirtied_stamp": dirtied_stamp, "written_stamp": written_stamp,
                "write_bandwidth": write_bandwidth, "avg_write_bandwidth": avg_write_bandwidth,
                "dirty_ratelimit": dirty_ratelimit, "balanced_dirty_ratelimit": balanced_dirty_ratelimit);
        }
        Raw::wb_domains(_, old) => {
            let now = m.w.wb_domains.at(WordId(0));
            let sum = |counter: PercpuCounter| number(counter.sum());
            fields!(groups, Key::Other, "dirty domain", *old, *now,
                "dirty_limit": dirty_limit, "dirty_limit_tstamp": dirty_limit_tstamp, "period_time": period_time,
                "period": period, "device's period": wb_period, "completions": completions => sum,
                "device's completions": wb_completions => sum);
        }
        _ => {}
    }
}

fn list_name(list: WbList) -> &'static str {
    match list {
        WbList::None => "no list",
        WbList::Dirty => "b_dirty",
        WbList::Io => "b_io",
        WbList::MoreIo => "b_more_io",
        WbList::DirtyTime => "b_dirty_time",
    }
}
