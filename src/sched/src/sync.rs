//! Sleeping locks: their state is World data, so they rewind too.

use world::{InodeId, RwLock, WaitOn, World};

use crate::{Kthread, wake_all};

/// A reader-writer semaphore of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RwSem {
    /// `i_rwsem`.
    IRwsem(InodeId),
    /// `i_data_sem`.
    IDataSem(InodeId),
    /// `i_mmap_sem`.
    IMmapSem(InodeId),
}

impl RwSem {
    fn lock(self, w: &mut World) -> &mut RwLock {
        match self {
            RwSem::IRwsem(inode) => &mut w.locks_mut(inode).i_rwsem,
            RwSem::IDataSem(inode) => &mut w.locks_mut(inode).i_data_sem,
            RwSem::IMmapSem(inode) => &mut w.locks_mut(inode).i_mmap_sem,
        }
    }

    fn wait(self) -> WaitOn {
        match self {
            RwSem::IRwsem(inode) => WaitOn::InodeRwsem(inode),
            RwSem::IDataSem(inode) => WaitOn::DataSem(inode),
            RwSem::IMmapSem(inode) => WaitOn::MmapSem(inode),
        }
    }
}

/// Takes the semaphore alone; sleeps, uninterruptibly, while others hold it.
pub async fn down_write(kt: &Kthread, sem: RwSem) {
    loop {
        if down_write_trylock(kt, sem) {
            return;
        }
        kt.sleep_on(sem.wait()).await;
    }
}

/// Takes the semaphore alone if nobody holds it: true if it is taken.
pub fn down_write_trylock(kt: &Kthread, sem: RwSem) -> bool {
    let owner = kt.task.0 + 1;
    kt.with(|w| {
        let lock = sem.lock(w);
        let free = lock.writer == 0 && lock.readers == 0;
        if free {
            lock.writer = owner;
        }
        free
    })
}

/// Takes the semaphore together with other readers.
pub async fn down_read(kt: &Kthread, sem: RwSem) {
    loop {
        let free = kt.with(|w| {
            let lock = sem.lock(w);
            let free = lock.writer == 0;
            if free {
                lock.readers += 1;
            }
            free
        });
        if free {
            return;
        }
        kt.sleep_on(sem.wait()).await;
    }
}

/// Releases what [`down_write`] took.
///
/// # Panics
/// If nobody holds it alone.
pub fn up_write(w: &mut World, sem: RwSem) {
    let lock = sem.lock(w);
    assert_ne!(lock.writer, 0, "the semaphore is held");
    lock.writer = 0;
    wake_all(w, sem.wait());
}

/// Releases what [`down_read`] took.
///
/// # Panics
/// If nobody shares it.
pub fn up_read(w: &mut World, sem: RwSem) {
    let lock = sem.lock(w);
    assert_ne!(lock.readers, 0, "the semaphore is shared");
    lock.readers -= 1;
    wake_all(w, sem.wait());
}
