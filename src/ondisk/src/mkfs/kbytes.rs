//! `s_kbytes_written` of a new file system.
//!
//! mke2fs counts the bytes that its block cache had written when it puts the
//! superblock together: eight blocks, write-back, the least recently used one
//! leaves. So the number depends on the order of its accesses, replayed here.
//! (lib/ext2fs/unix_io.c of e2fsprogs 1.47.)

/// Blocks that the cache holds.
const BLOCKS: usize = 8;

/// The cache, as far as the number of writes is concerned.
#[derive(Default)]
pub struct Cache {
    /// Block and whether it is dirty; the most recently used one last.
    held: Vec<(u32, bool)>,
    /// Table block of the inode used last.
    itable_block: Option<u32>,
    written: u64,
}

impl Cache {
    fn touch(&mut self, block: u32, dirty: bool) {
        let mut dirty = dirty;
        if let Some(at) = self.held.iter().position(|&(held, _)| held == block) {
            dirty |= self.held.remove(at).1;
        } else if self.held.len() == BLOCKS {
            self.written += u64::from(self.held.remove(0).1);
        }
        self.held.push((block, dirty));
    }

    /// A block is read.
    pub fn read(&mut self, block: u32) {
        self.touch(block, false);
    }

    /// A block is written.
    pub fn write(&mut self, block: u32) {
        self.touch(block, true);
    }

    /// An inode in this block of the inode table is written.
    pub fn write_inode(&mut self, itable_block: u32) {
        if self.itable_block != Some(itable_block) {
            self.read(itable_block);
            self.itable_block = Some(itable_block);
        }
        self.write(itable_block);
    }

    /// Blocks that had to be written to make room.
    pub fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dirty_blocks_that_left_count() {
        let mut cache = Cache::default();
        cache.write(1);
        cache.read(2);
        (3..=8).for_each(|block| cache.write(block));
        cache.read(1);
        cache.write(9);
        assert_eq!(cache.written(), 0, "2 left clean");
        cache.write(10);
        assert_eq!(cache.written(), 1, "3 left dirty");
    }
}
