//! Bios of data pages and their end. Mirrors fs/ext4/page-io.c.

use world::{Bio, BioVec, World};

/// `ext4_end_bio()`, fs/ext4/page-io.c:327.
pub fn ext4_end_bio(_w: &mut World, _bio: &Bio, _vecs: &[BioVec]) {
    unimplemented!()
}
