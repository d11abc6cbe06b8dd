//! Trees on real images. The block numbers are those of a 5.10 kernel.

use super::testing::*;
use super::*;
use crate::fs::ext4::extents_status::es_lookup_extent;
use crate::fs::open;

/// Runs `work` on a fresh file of a fresh image, wants these extents and 512-byte
/// units, and that e2fsck is content.
fn check<F: Future<Output = ()> + 'static>(
    name: &'static str,
    block_size: u32,
    options: &'static str,
    work: impl FnOnce(Kthread, InodeId) -> F + 'static,
    expect: (&[(u32, u64, u16, u8)], u64),
) {
    let machine = machine(block_size, |_| {});
    let (rows, i_blocks) = run(&machine, move |kt| async move {
        let (file, inode) = mount_and_create(&kt, options, "f").await;
        work(kt.clone(), inode).await;
        let result = kt.with(|w| (extents(w, inode), w.sizes.at(inode).i_blocks));
        open::filp_close(&kt, file).await;
        result
    });
    let wanted: Vec<_> =
        expect.0.iter().map(|&(lblk, pblk, len, unwritten)| (lblk, pblk, len, unwritten == 1)).collect();
    assert_eq!((rows, i_blocks), (wanted, expect.1), "{name}");
    unmount_clean(&machine, name);
}

#[test]
fn a_delayed_write_is_unwritten_until_its_data_is_on_disk() {
    check(
        "fsync",
        4096,
        "",
        |kt, inode| async move {
            kt.with(|w| assert!(reserve(w, inode, 0, 2)));
            kt.with(|w| w.trace.records.clear());
            map_range(&kt, inode, 0, 2, writeback_flags(true)).await.unwrap();
            kt.with(|w| assert_eq!(extents(w, inode), [(0, 1099, 2, true)]));
            ext4_convert_unwritten_extents(&kt, inode, 0, 6000).await.unwrap();
            let hit: Vec<_> = kt.with(|w| points(w)).into_iter().map(|(name, _)| name).collect();
            let mapping = [
                "ext4_es_lookup_extent_enter",
                "ext4_es_lookup_extent_exit",
                "ext4_ext_map_blocks_enter",
                "ext4_request_blocks",
                "mm_filemap_add_to_page_cache",
                "ext4_read_block_bitmap_load",
                "block_bio_queue",
                "block_bio_complete",
                "mm_filemap_add_to_page_cache",
                "mm_filemap_add_to_page_cache",
                "ext4_mb_bitmap_load",
                "ext4_mb_buddy_bitmap_load",
                "ext4_mb_new_group_pa",
                "ext4_mballoc_alloc",
                "ext4_allocate_blocks",
                "ext4_mark_inode_dirty",
                "ext4_da_update_reserve_space",
            ];
            let from = hit.iter().position(|name| name.starts_with("ext4_es")).unwrap();
            // Creating the file has read the bitmap for its directory or not at all.
            let seen: Vec<_> = hit[from..].iter().filter(|name| mapping.contains(name)).take(mapping.len()).collect();
            assert_eq!(seen, mapping.iter().collect::<Vec<_>>());
            kt.with(|w| {
                assert_eq!(es_lookup_extent(w, inode, 0).map(|(at, es)| (at, es.len, es.pblk)), Some((0, 2, 1099)))
            });
        },
        (&[(0, 1099, 2, 0)], 16),
    );
}

#[test]
fn a_written_block_is_split_out_of_a_preallocated_extent() {
    check(
        "falloc",
        4096,
        "",
        |kt, inode| async move {
            fallocate(&kt, inode, 0, 16).await.unwrap();
            let flags = writeback_flags(true) - GetBlocks::DELALLOC_RESERVE;
            write_back(&kt, inode, 1, 1, flags).await;
        },
        (&[(0, 1099, 1, 1), (1, 1100, 1, 0), (2, 1101, 14, 1)], 128),
    );
}

#[test]
fn the_fifth_extent_needs_a_leaf_and_few_extents_go_back_into_the_inode() {
    let islands = |kt: Kthread, inode: InodeId| async move {
        for lblk in [0, 2, 4, 6, 8, 10] {
            write_holes(&kt, inode, lblk, 1, true).await;
        }
    };
    let rows = [(0, 1099, 1, 0), (2, 1100, 1, 0), (4, 1101, 1, 0), (6, 1102, 1, 0), (8, 1103, 1, 0), (10, 1104, 1, 0)];
    check("leaf", 4096, "", islands, (&rows, 56));
    // The gaps, once filled from elsewhere, do not merge; without them it is one extent again.
    check(
        "mergeup",
        4096,
        "",
        move |kt, inode| async move {
            islands(kt.clone(), inode).await;
            punch(&kt, inode, 2, EXT_MAX_BLOCKS - 1).await;
            kt.with(|w| {
                w.size_mut(inode).i_size = 4096;
                w.size_mut(inode).i_disksize = 4096;
                assert_eq!(Header::depth(&w.idata.at(inode).0), 1);
            });
            // The next insertion that merges folds the tree.
            write_holes(&kt, inode, 1, 1, true).await;
            kt.with(|w| assert_eq!(Header::depth(&w.idata.at(inode).0), 0));
        },
        (&[(0, 1099, 1, 0), (1, 1105, 1, 0)], 16),
    );
}

#[test]
fn a_hole_is_punched_and_filled() {
    check(
        "punch",
        4096,
        "",
        |kt, inode| async move {
            write_holes(&kt, inode, 0, 8, true).await;
            punch(&kt, inode, 2, 2).await;
            kt.with(|w| assert_eq!(extents(w, inode), [(0, 1099, 2, false), (3, 1102, 5, false)]));
            write_holes(&kt, inode, 2, 1, true).await;
        },
        (&[(0, 1099, 2, 0), (2, 1107, 1, 0), (3, 1102, 5, 0)], 64),
    );
}

#[test]
fn truncated_blocks_are_not_taken_again_before_the_commit() {
    check(
        "truncate",
        4096,
        "",
        |kt, inode| async move {
            write_holes(&kt, inode, 0, 3, true).await;
            kt.with(|w| {
                w.size_mut(inode).i_size = 5000;
                w.size_mut(inode).i_disksize = 5000;
            });
            punch(&kt, inode, 2, EXT_MAX_BLOCKS - 1).await;
            kt.with(|w| {
                assert_eq!(extents(w, inode), [(0, 1099, 2, false)]);
                assert_eq!(w.freed.entries().values().collect::<Vec<_>>(), [&1]);
            });
            write_holes(&kt, inode, 2, 1, true).await;
        },
        (&[(0, 1099, 2, 0), (2, 1102, 1, 0)], 24),
    );
}

#[test]
fn without_preallocation_blocks_are_written_at_once_and_merge() {
    check(
        "nodelalloc",
        4096,
        "nodelalloc",
        |kt, inode| async move {
            for lblk in [0, 1, 3, 2] {
                map_range(&kt, inode, lblk, 1, GetBlocks::CREATE).await.unwrap();
            }
        },
        (&[(0, 1099, 2, 0), (2, 1102, 1, 0), (3, 1101, 1, 0)], 32),
    );
}

#[test]
fn blocks_move_to_a_written_neighbour_or_are_zeroed() {
    check(
        "initialize",
        4096,
        "nodelalloc",
        |kt, inode| async move {
            fallocate(&kt, inode, 0, 64).await.unwrap();
            // In the middle, far from both ends: three extents.
            map_range(&kt, inode, 30, 1, GetBlocks::CREATE).await.unwrap();
            // At the start of the last: moves over to its written neighbour.
            map_range(&kt, inode, 31, 2, GetBlocks::CREATE).await.unwrap();
            // Near the end: the rest of eight blocks is zeroed with it.
            map_range(&kt, inode, 58, 1, GetBlocks::CREATE).await.unwrap();
        },
        (&[(0, 1099, 30, 1), (30, 1129, 3, 0), (33, 1132, 25, 1), (58, 1157, 6, 0)], 512),
    );
}

#[test]
fn a_damaged_tree_is_an_error() {
    for (at, value) in [(0usize, 0u8), (2, 9), (6, 7), (15, 255), (21, 255)] {
        let machine = machine(4096, |_| {});
        let result = run(&machine, move |kt| async move {
            let (_, inode) = mount_and_create(&kt, "", "f").await;
            write_holes(&kt, inode, 0, 2, true).await;
            kt.with(|w| {
                crate::fs::ext4::extents_status::es_clear_inode(w, inode);
                w.idata_mut(inode).0[at] = value;
            });
            let mut map = MapBlocks { lblk: 0, len: 1, ..MapBlocks::default() };
            ext4_map_blocks(&kt, inode, &mut map, GetBlocks::empty()).await
        });
        assert!(matches!(result, Err(Errno::EUCLEAN) | Ok(0)), "byte {at}: {result:?}");
    }
}

/// A small generator: the same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % end
    }
}

/// Many small changes anywhere: the tree always says what was done, and in the
/// end e2fsck agrees.
fn stir(name: &'static str, block_size: u32, options: &'static str, seed: u64, nolock: bool) {
    const BLOCKS: u32 = 300;
    let machine = machine(block_size, |_| {});
    run(&machine, move |kt| async move {
        let (file, inode) = mount_and_create(&kt, options, "f").await;
        let (second, other) = mount_and_create(&kt, options, "g").await;
        let mut numbers = Numbers(seed);
        // 0 hole, 1 unwritten, 2 written
        let mut model = vec![0u8; BLOCKS as usize];
        for _ in 0..600 {
            let lblk = numbers.below(BLOCKS - 8);
            let len = 1 + numbers.below(8);
            let range = lblk as usize..(lblk + len) as usize;
            match numbers.below(8) {
                0 => {
                    fallocate(&kt, inode, lblk, len).await.unwrap();
                    model[range].iter_mut().for_each(|state| *state = (*state).max(1));
                }
                1 => {
                    punch(&kt, inode, lblk, lblk + len - 1).await;
                    model[range].fill(0);
                }
                2 if options.contains("nodelalloc") => {
                    map_range(&kt, other, lblk, len, GetBlocks::CREATE).await.unwrap();
                }
                2 => write_holes(&kt, other, lblk, len.min(1), nolock).await,
                _ => {
                    for at in range {
                        let flags = if model[at] == 0 && !options.contains("nodelalloc") {
                            kt.with(|w| assert!(reserve(w, inode, at as u32, 1)));
                            writeback_flags(nolock)
                        } else {
                            writeback_flags(nolock) - GetBlocks::DELALLOC_RESERVE
                        };
                        write_back(&kt, inode, at as u32, 1, flags).await;
                        model[at] = 2;
                    }
                }
            }
            let rows = kt.with(|w| extents(w, inode));
            let mut found = vec![0u8; BLOCKS as usize];
            for (lblk, _, len, unwritten) in rows {
                found[lblk as usize..lblk as usize + usize::from(len)].fill(if unwritten { 1 } else { 2 });
            }
            // Zeroing may turn unwritten blocks into written ones, never data into none.
            for (at, (&found, &wanted)) in found.iter().zip(&model).enumerate() {
                assert!(found == wanted || !nolock && found == 2 && wanted == 1, "block {at}: {found} for {wanted}");
            }
            model = found;
        }
        kt.with(|w| assert!(Header::depth(&w.idata.at(inode).0) > 0));
        punch(&kt, inode, 100, EXT_MAX_BLOCKS - 1).await;
        kt.with(|w| {
            let size = 100 << w.sb().block_bits;
            w.size_mut(inode).i_size = size;
            w.size_mut(inode).i_disksize = size;
            assert!(extents(w, inode).iter().all(|&(lblk, _, len, _)| lblk + u32::from(len) <= 100));
        });
        ext4_journal_start(&kt, HandleType::Inode, 10).await.unwrap();
        ext4_mark_inode_dirty(&kt, inode).await.unwrap();
        ext4_journal_stop(&kt).await.unwrap();
        open::filp_close(&kt, file).await;
        open::filp_close(&kt, second).await;
    });
    unmount_clean(&machine, name);
}

#[test]
fn stirred_trees_keep_what_was_written() {
    stir("stir4k", 4096, "", 1, true);
    stir("stir1k", 1024, "", 2, false);
    stir("stirlock", 4096, "nodelalloc", 3, false);
}
