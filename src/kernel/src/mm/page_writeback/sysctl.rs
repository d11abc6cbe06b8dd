//! Writes under /proc/sys/vm. Mirrors the handlers of mm/page-writeback.c.

use world::{Counter, Errno, World};

use super::limits::{IN_BYTES, writeback_set_ratelimit};
use crate::fs::fs_writeback::{Reason, wakeup_flusher_threads};

/// `dirty_bytes_min`: two pages.
const DIRTY_BYTES_MIN: u64 = 2 * 4096;

/// Writes `value` to vm.`name`. Ratio and bytes are two forms of one setting:
/// the one written last holds.
///
/// # Errors
/// `EINVAL` out of range, `ENOSYS` for a name that is not modelled.
pub fn vm_sysctl(w: &mut World, name: &str, value: u64) -> Result<(), Errno> {
    let in_range = |least: u64, most: u64| if (least..=most).contains(&value) { Ok(()) } else { Err(Errno::EINVAL) };
    match name {
        "dirty_ratio" => {
            in_range(0, 100)?;
            set_dirty_limit(w, value);
        }
        "dirty_bytes" => {
            in_range(DIRTY_BYTES_MIN, u64::MAX >> 1)?;
            set_dirty_limit(w, IN_BYTES | value);
        }
        "dirty_background_ratio" => {
            in_range(0, 100)?;
            *w.counter_mut(Counter::DirtyBackground) = value;
        }
        "dirty_background_bytes" => {
            in_range(1, u64::MAX >> 1)?;
            *w.counter_mut(Counter::DirtyBackground) = IN_BYTES | value;
        }
        "dirty_expire_centisecs" => {
            in_range(0, i32::MAX as u64)?;
            *w.counter_mut(Counter::DirtyExpire) = value;
        }
        "dirty_writeback_centisecs" => {
            in_range(0, i32::MAX as u64)?;
            // A new interval that is not 0 takes effect at once: the flusher runs.
            let changed = w.counter(Counter::DirtyWriteback) != value;
            *w.counter_mut(Counter::DirtyWriteback) = value;
            if value != 0 && changed {
                wakeup_flusher_threads(w, Reason::Periodic);
            }
        }
        // Not modelled: the timer that writes after a read has spun the disk up, see docs/omissions.md#throttling.
        "laptop_mode" => *w.counter_mut(Counter::LaptopMode) = value,
        _ => return Err(Errno::ENOSYS),
    }
    Ok(())
}

fn set_dirty_limit(w: &mut World, word: u64) {
    if w.counter(Counter::DirtyLimit) != word {
        *w.counter_mut(Counter::DirtyLimit) = word;
        writeback_set_ratelimit(w);
    }
}

/// `page_writeback_init()`: the defaults, with the limit of a machine that
/// knows `early_pages` of its memory so far. The rest of it is set up later
/// (CONFIG_DEFERRED_STRUCT_PAGE_INIT), and the limit does not follow before
/// somebody is throttled.
pub fn page_writeback_init(w: &mut World, early_pages: u64) {
    *w.counter_mut(Counter::DirtyLimit) = 20;
    *w.counter_mut(Counter::DirtyBackground) = 10;
    *w.counter_mut(Counter::DirtyExpire) = 3000;
    let all = std::mem::replace(w.counter_mut(Counter::MemoryPages), early_pages);
    writeback_set_ratelimit(w);
    *w.counter_mut(Counter::MemoryPages) = all;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::backing_dev::domain;

    #[test]
    fn the_golden_machines_limit_is_that_of_its_early_memory() {
        let mut w = World::default();
        *w.counter_mut(Counter::MemoryPages) = 110_100;
        page_writeback_init(&mut w, 52_690);
        assert_eq!(domain(&w).dirty_limit, 10_535);
        // dirty-throttle: sysctls written by a real-time task.
        w.current = world::TaskId(0);
        *w.task_mut(world::TaskId(0)) =
            world::Task { process: 1, state: world::TaskState::Runnable, ..world::Task::default() };
        assert_eq!(vm_sysctl(&mut w, "dirty_background_bytes", 262_144), Ok(()));
        assert_eq!(vm_sysctl(&mut w, "dirty_bytes", 1_048_576), Ok(()));
        assert_eq!((domain(&w).dirty_limit, w.counter(Counter::RatelimitPages)), (649, 20));
        assert_eq!(vm_sysctl(&mut w, "dirty_bytes", 8191), Err(Errno::EINVAL));
        assert_eq!(vm_sysctl(&mut w, "dirty_ratio", 101), Err(Errno::EINVAL));
        assert_eq!(vm_sysctl(&mut w, "swappiness", 1), Err(Errno::ENOSYS));
        assert_eq!(vm_sysctl(&mut w, "dirty_ratio", 10), Ok(()));
        assert_eq!(domain(&w).dirty_limit, 110_101 * 409 / 4096 / 4 * 5 + 649 / 32 + 1);
    }
}
