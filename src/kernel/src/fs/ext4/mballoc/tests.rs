//! Block numbers that a 5.10 kernel gives on new images of 16 MiB.

use super::*;
use crate::fs::ext4::balloc::ext4_count_free_clusters;
use crate::fs::ext4::extents::testing::*;
use crate::fs::open;
use world::{BhFlags, Counter};

/// Maps runs of a new file (lblk, len), closed first or not, as writeback does.
fn check(name: &'static str, block_size: u32, closed: bool, runs: &'static [(u32, u32)], expect: &[(u32, u64, u16)]) {
    let machine = machine(block_size, |_| {});
    let rows = run(&machine, move |kt| async move {
        let (file, inode) = mount_and_create(&kt, "", "f").await;
        for &(lblk, len) in runs {
            kt.with(|w| assert!(reserve(w, inode, lblk, len)));
        }
        kt.with(|w| w.inode_mut(inode).writers = u16::from(!closed));
        for &(lblk, len) in runs {
            write_back(&kt, inode, lblk, len, writeback_flags(block_size == 4096)).await;
        }
        kt.with(|w| w.inode_mut(inode).writers = 1);
        let rows = kt.with(|w| extents(w, inode));
        open::filp_close(&kt, file).await;
        rows
    });
    let rows: Vec<_> = rows.into_iter().map(|(lblk, pblk, len, _)| (lblk, pblk, len)).collect();
    assert_eq!(rows, expect, "{name}");
    unmount_clean(&machine, name);
}

#[test]
fn an_open_file_takes_from_a_locality_groups_preallocation() {
    check("mb-open", 4096, false, &[(0, 1)], &[(0, 1099, 1)]);
    check("mb-open2", 4096, false, &[(0, 1), (5, 2)], &[(0, 1099, 1), (5, 1100, 2)]);
}

#[test]
fn a_closed_files_end_has_no_preallocation() {
    check("mb-closed", 4096, true, &[(0, 1)], &[(0, 1099, 1)]);
    check("mb-closed2", 4096, true, &[(0, 1), (5, 1)], &[(0, 1099, 1), (5, 1611, 1)]);
}

#[test]
fn small_blocks_look_at_the_second_group_first() {
    check("mb-1k-open", 1024, false, &[(0, 4)], &[(0, 15361, 4)]);
    check("mb-1k-closed", 1024, true, &[(0, 2)], &[(0, 9346, 2)]);
}

#[test]
fn the_last_blocks_are_found_by_dropping_preallocations() {
    let machine = machine(4096, |options| options.reserved_percent = 0);
    let free = run(&machine, |kt| async move {
        let (g, filler) = mount_and_create(&kt, "nodelalloc", "g").await;
        fallocate(&kt, filler, 0, 2895).await.unwrap();
        let (f, inode) = mount_and_create(&kt, "nodelalloc", "f").await;
        kt.with(|w| w.trace.records.clear());
        let flags = crate::fs::ext4::inode::map::GetBlocks::CREATE;
        for lblk in 0..21 {
            map_range(&kt, inode, lblk, 1, flags).await.unwrap();
        }
        assert_eq!(map_range(&kt, inode, 21, 1, flags).await, Err(Errno::ENOSPC));
        kt.with(|w| {
            assert_eq!(extents(w, filler), [(0, 1099, 2895, true)]);
            assert_eq!(extents(w, inode), [(0, 3994, 21, false)]);
            let of = |name: &str| -> Vec<[u64; 10]> {
                points(w).into_iter().filter(|point| point.0 == name).map(|point| point.1).collect()
            };
            // ino, pstart, len, lstart
            let group: Vec<_> = of("ext4_mb_new_group_pa").iter().map(|args| (args[1], args[2])).collect();
            assert_eq!(group, [(3994, 102)]);
            let own: Vec<_> = of("ext4_mb_new_inode_pa").iter().map(|args| (args[1], args[2], args[3])).collect();
            assert_eq!(own, [(4010, 16, 16)]);
            let dropped: Vec<_> = of("ext4_mb_release_group_pa").iter().map(|args| (args[0], args[1])).collect();
            assert_eq!(dropped, [(4010, 86)]);
            // orig 0/4010/1@16 goal 0/1099/16@16 result 0/4010/16@16 blks 2 grps 1 cr 1, tail 10 broken 16
            let last = *of("ext4_mballoc_alloc").last().unwrap();
            assert_eq!(
                last[1..8],
                [4010, 1 << 32 | 16, 1099, 16 << 32 | 16, 4010, 16 << 32 | 16, 2 << 32 | 1 << 8 | 1]
            );
            assert_eq!(last[9], 10 << 32 | 16);
        });
        open::filp_close(&kt, g).await;
        open::filp_close(&kt, f).await;
        kt.with(ext4_count_free_clusters)
    });
    assert_eq!(free, 81);
    unmount_clean(&machine, "mb-enospc");
}

#[test]
fn a_damaged_bitmap_is_not_allocated_from() {
    let machine = machine(4096, |_| {});
    let result = run(&machine, |kt| async move {
        let (_, inode) = mount_and_create(&kt, "", "f").await;
        kt.with(|w| {
            let (desc, _) = ext4_get_group_desc(w, 0).unwrap();
            let bh = crate::fs::buffer::getblk(w, desc.block_bitmap_nr());
            w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
            w.bh_bytes_mut(bh, 0, 1)[0] = 0;
            assert!(reserve(w, inode, 0, 1));
        });
        let result = map_range(&kt, inode, 0, 1, writeback_flags(true)).await;
        kt.with(|w| assert_eq!(w.counter(Counter::FreeClusters), 0));
        result
    });
    // The read-ahead finds the damage, the search then skips the group.
    assert_eq!(result, Err(Errno::ENOSPC));
}
