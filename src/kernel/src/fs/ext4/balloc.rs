//! Free space: claims, bitmaps, descriptors. Mirrors fs/ext4/balloc.c.

use world::World;

/// `ext4_claim_free_clusters()`, fs/ext4/balloc.c: true if `count` clusters may be reserved.
pub fn ext4_claim_free_clusters(_w: &mut World, _count: u64) -> bool {
    unimplemented!()
}

/// `ext4_should_retry_alloc()`, fs/ext4/balloc.c:677.
pub async fn ext4_should_retry_alloc(_kt: &sched::Kthread, _retries: &mut u32) -> bool {
    unimplemented!()
}
