//! System calls that write. Mirrors fs/read_write.c.
//!
//! Not modelled: mandatory locks, security modules, inotify's listeners; see
//! docs/omissions.md#vfs.

use bitflags::bitflags;
use sched::Kthread;
use world::{Errno, FileId, Iovec, World};

use crate::fs::ext4::file::ext4_get_maxbytes;
use crate::fs::ext4::file::{Iocb, Kiocb, ext4_file_write_iter};
use crate::fs::inode::is_sync;
use crate::fs::open::OpenFlags;
use crate::fs::super_::{file_end_write, file_start_write};
use crate::iov_iter::{iov_iter_count, iov_iter_init, iov_iter_kvec};
use crate::mm::memory::TASK_SIZE_MAX;
use crate::probe;
use crate::site;
use crate::trace::call;

/// MAX_RW_COUNT: no call writes more, in bytes.
pub const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// UIO_MAXIOV: segments of a call.
const UIO_MAXIOV: usize = 1024;

bitflags! {
    /// RWF_ flags of pwritev2 (include/uapi/linux/fs.h).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Rwf: u32 {
        /// RWF_HIPRI.
        const HIPRI = 1;
        /// RWF_DSYNC.
        const DSYNC = 2;
        /// RWF_SYNC.
        const SYNC = 4;
        /// RWF_NOWAIT.
        const NOWAIT = 8;
        /// RWF_APPEND.
        const APPEND = 16;
    }
}

/// `iocb_flags()`, include/linux/fs.h:3402.
#[must_use]
pub fn iocb_flags(w: &World, file: FileId) -> Iocb {
    let f = w.files.at(file);
    let open = OpenFlags::from_bits_retain(f.f_flags);
    let mut flags = Iocb::empty();
    flags.set(Iocb::APPEND, open.contains(OpenFlags::APPEND));
    flags.set(Iocb::DIRECT, open.contains(OpenFlags::DIRECT));
    let sync_inode = is_sync(w, f.inode);
    flags.set(Iocb::DSYNC, open.contains(OpenFlags::DSYNC) || sync_inode);
    flags.set(Iocb::SYNC, open.contains(OpenFlags::SYNC));
    flags
}

/// `kiocb_set_rw_flags()`, include/linux/fs.h:3416.
fn set_rw_flags(iocb: &mut Iocb, rwf: u32) -> Result<(), Errno> {
    let Some(rwf) = Rwf::from_bits(rwf) else {
        return Err(Errno::EOPNOTSUPP);
    };
    iocb.set(Iocb::NOWAIT, rwf.contains(Rwf::NOWAIT));
    if rwf.intersects(Rwf::DSYNC | Rwf::SYNC) {
        iocb.insert(Iocb::DSYNC);
    }
    if rwf.contains(Rwf::SYNC) {
        iocb.insert(Iocb::SYNC);
    }
    if rwf.contains(Rwf::APPEND) {
        iocb.insert(Iocb::APPEND);
    }
    Ok(())
}

/// The open file of a descriptor.
///
/// # Errors
/// `EBADF` if there is none.
pub fn fdget(w: &World, process: u8, fd: u32) -> Result<FileId, Errno> {
    w.fds.get((process, fd)).ok_or(Errno::EBADF)
}

/// `ksys_write()`, fs/read_write.c:647: at `f_pos`, which moves by what was written.
///
/// # Errors
/// `EBADF`, or what `vfs_write()` gives.
pub async fn ksys_write(kt: &Kthread, fd: u32, base: u64, count: u64) -> Result<u64, Errno> {
    call!(kt, &site::KSYS_WRITE, &[u64::from(fd), count], async {
        let file = kt.with(|w| fdget(w, w.tasks.at(kt.task).process, fd));
        probe!(kt, KW_FDGET).await;
        let file = file?;
        let mut pos = kt.with(|w| w.files.at(file).f_pos);
        probe!(kt, KW_POS, pos = pos).await;
        let ret = vfs_write(kt, file, base, count, &mut pos).await;
        if ret.is_ok() {
            kt.with(|w| w.file_mut(file).f_pos = pos);
        }
        probe!(kt, KW_DONE, pos = pos, ret = ret).await;
        ret
    })
    .await
}

/// `ksys_pwrite64()`, fs/read_write.c:699: at `pos`; `f_pos` stays.
///
/// # Errors
/// `EINVAL` for a negative position, `EBADF`, or what `vfs_write()` gives.
pub async fn ksys_pwrite64(kt: &Kthread, fd: u32, base: u64, count: u64, pos: i64) -> Result<u64, Errno> {
    call!(kt, &site::KSYS_PWRITE64, &[u64::from(fd), count, pos as u64], async {
        let Ok(mut pos) = u64::try_from(pos) else {
            probe!(kt, KPW_CHECK, ret = Errno::EINVAL).await;
            return Err(Errno::EINVAL);
        };
        let file = kt.with(|w| fdget(w, w.tasks.at(kt.task).process, fd));
        probe!(kt, KPW_FDGET).await;
        let ret = vfs_write(kt, file?, base, count, &mut pos).await;
        probe!(kt, KPW_DONE, ret = ret).await;
        ret
    })
    .await
}

/// `vfs_write()`, fs/read_write.c:585.
///
/// # Errors
/// `EBADF`, `EFAULT`, `EINVAL`, or what ext4 gives.
async fn vfs_write(kt: &Kthread, file: FileId, base: u64, count: u64, pos: &mut u64) -> Result<u64, Errno> {
    call!(kt, &site::VFS_WRITE, &[*pos, count], async {
        if !kt.with(|w| w.files.at(file).writable) {
            probe!(kt, VW_MODE, ret = Errno::EBADF).await;
            return Err(Errno::EBADF);
        }
        if !access_ok(base, count) {
            probe!(kt, VW_ACCESS, ret = Errno::EFAULT).await;
            return Err(Errno::EFAULT);
        }
        rw_verify_area(*pos, count)?;
        let count = count.min(MAX_RW_COUNT);
        probe!(kt, VW_AREA, pos = *pos, count = count).await;
        let flags = kt.with(|w| {
            iov_iter_init(w, kt.task, &[Iovec { base, len: count }]);
            iocb_flags(w, file)
        });
        let started = file_start_write(kt, file).await;
        probe!(kt, VW_CALL).await;
        let mut iocb = Kiocb { file, pos: *pos, flags };
        let ret = ext4_file_write_iter(kt, &mut iocb).await;
        file_end_write(kt, started);
        if matches!(ret, Ok(written) if written > 0) {
            *pos = iocb.pos;
        }
        probe!(kt, VW_NOTIFY, pos = *pos, ret = ret).await;
        ret
    })
    .await
}

fn access_ok(base: u64, len: u64) -> bool {
    base.checked_add(len).is_some_and(|end| end <= TASK_SIZE_MAX + 4096)
}

/// `rw_verify_area()`, fs/read_write.c:366.
fn rw_verify_area(pos: u64, count: u64) -> Result<(), Errno> {
    if count > i64::MAX as u64 || pos.checked_add(count).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// `kernel_write()`, fs/read_write.c:569: a write by the kernel itself, such as
/// acct(2) makes to its log; from kernel memory, which needs no fault-in.
///
/// # Errors
/// `EBADF`, `EINVAL`, or what ext4 gives.
pub async fn kernel_write(kt: &Kthread, file: FileId, base: u64, count: u64, pos: &mut u64) -> Result<u64, Errno> {
    call!(kt, &site::KERNEL_WRITE, &[*pos, count], async {
        rw_verify_area(*pos, count)?;
        if !kt.with(|w| w.files.at(file).writable) {
            return Err(Errno::EBADF);
        }
        let flags = kt.with(|w| {
            iov_iter_kvec(w, kt.task, &[Iovec { base, len: count.min(MAX_RW_COUNT) }]);
            iocb_flags(w, file)
        });
        probe!(kt, KW_KVEC).await;
        let mut iocb = Kiocb { file, pos: *pos, flags };
        let ret = ext4_file_write_iter(kt, &mut iocb).await;
        if matches!(ret, Ok(written) if written > 0) {
            *pos = iocb.pos;
        }
        ret
    })
    .await
}

/// `do_writev()`, fs/read_write.c:970: segments at `f_pos`.
///
/// # Errors
/// `EBADF`, or what `vfs_writev()` gives.
pub async fn do_writev(kt: &Kthread, fd: u32, segments: &[Iovec], rwf: u32) -> Result<u64, Errno> {
    call!(kt, &site::DO_WRITEV, &[u64::from(fd), segments.len() as u64], async {
        let file = kt.with(|w| fdget(w, w.tasks.at(kt.task).process, fd));
        probe!(kt, DWV_FDGET).await;
        let file = file?;
        let mut pos = kt.with(|w| w.files.at(file).f_pos);
        let ret = vfs_writev(kt, file, segments, &mut pos, rwf).await;
        if ret.is_ok() {
            kt.with(|w| w.file_mut(file).f_pos = pos);
        }
        probe!(kt, DWV_DONE, pos = pos, ret = ret).await;
        ret
    })
    .await
}

/// `do_pwritev()`, fs/read_write.c:1023; pwritev2 with position -1 is writev with flags.
///
/// # Errors
/// `EINVAL` for a negative position, `EBADF`, or what `vfs_writev()` gives.
pub async fn do_pwritev(kt: &Kthread, fd: u32, segments: &[Iovec], pos: i64, rwf: u32) -> Result<u64, Errno> {
    call!(kt, &site::DO_PWRITEV, &[u64::from(fd), segments.len() as u64, pos as u64], async {
        let Ok(mut pos) = u64::try_from(pos) else {
            return Err(Errno::EINVAL);
        };
        let file = kt.with(|w| fdget(w, w.tasks.at(kt.task).process, fd));
        probe!(kt, DPWV_FDGET).await;
        let ret = vfs_writev(kt, file?, segments, &mut pos, rwf).await;
        probe!(kt, DPWV_DONE, ret = ret).await;
        ret
    })
    .await
}

/// `vfs_writev()`, fs/read_write.c:928, with `do_iter_write()`.
///
/// # Errors
/// `EINVAL`, `EFAULT`, `EBADF`, `EOPNOTSUPP`, or what ext4 gives.
async fn vfs_writev(kt: &Kthread, file: FileId, segments: &[Iovec], pos: &mut u64, rwf: u32) -> Result<u64, Errno> {
    call!(kt, &site::VFS_WRITEV, &[segments.len() as u64, 0, *pos], async {
        let segments = import_iovec(segments)?;
        let count = kt.with(|w| {
            iov_iter_init(w, kt.task, &segments);
            iov_iter_count(w, kt.task)
        });
        probe!(kt, VWV_IMPORT, count = count).await;
        let started = file_start_write(kt, file).await;
        let ret = do_iter_write(kt, file, pos, count, rwf).await;
        file_end_write(kt, started);
        ret
    })
    .await
}

/// `do_iter_write()`, fs/read_write.c:847, without a frame of its own.
async fn do_iter_write(kt: &Kthread, file: FileId, pos: &mut u64, count: u64, rwf: u32) -> Result<u64, Errno> {
    if !kt.with(|w| w.files.at(file).writable) {
        probe!(kt, VWV_MODE, ret = Errno::EBADF).await;
        return Err(Errno::EBADF);
    }
    if count == 0 {
        probe!(kt, VWV_ZERO, ret = 0u64).await;
        return Ok(0);
    }
    rw_verify_area(*pos, count)?;
    let mut flags = kt.with(|w| iocb_flags(w, file));
    set_rw_flags(&mut flags, rwf)?;
    probe!(kt, VWV_CALL).await;
    let mut iocb = Kiocb { file, pos: *pos, flags };
    let ret = ext4_file_write_iter(kt, &mut iocb).await;
    *pos = iocb.pos;
    probe!(kt, VWV_NOTIFY, pos = *pos, ret = ret).await;
    ret
}

/// `import_iovec()`, lib/iov_iter.c:1732: checks each segment and caps the total.
///
/// # Errors
/// `EINVAL` for too many segments or a negative length, `EFAULT` for an
/// address outside user memory.
fn import_iovec(segments: &[Iovec]) -> Result<Vec<Iovec>, Errno> {
    if segments.len() > UIO_MAXIOV {
        return Err(Errno::EINVAL);
    }
    let mut total = 0;
    let mut imported = Vec::with_capacity(segments.len());
    for segment in segments {
        if i64::try_from(segment.len).is_err() {
            return Err(Errno::EINVAL);
        }
        if !access_ok(segment.base, segment.len) {
            return Err(Errno::EFAULT);
        }
        let len = segment.len.min(MAX_RW_COUNT - total);
        total += len;
        imported.push(Iovec { base: segment.base, len });
    }
    Ok(imported)
}

/// `ext4_llseek()` for SEEK_SET, SEEK_CUR and SEEK_END.
///
/// # Errors
/// `EBADF`; `EINVAL` for a position before the file or behind the largest one, or
/// an unknown whence.
pub fn llseek(w: &mut World, process: u8, fd: u32, offset: i64, whence: u32) -> Result<u64, Errno> {
    let file = fdget(w, process, fd)?;
    let base = match whence {
        0 => 0,
        1 => w.files.at(file).f_pos,
        2 => w.sizes.at(w.files.at(file).inode).i_size,
        _ => return Err(Errno::EINVAL),
    };
    let pos = i64::try_from(base).ok().and_then(|base| base.checked_add(offset)).ok_or(Errno::EINVAL)?;
    let max = ext4_get_maxbytes(w, w.files.at(file).inode);
    let pos = u64::try_from(pos).ok().filter(|&pos| pos <= max).ok_or(Errno::EINVAL)?;
    w.file_mut(file).f_pos = pos;
    Ok(pos)
}

/// The process whose descriptors a task uses.
#[must_use]
pub fn current_process(kt: &Kthread) -> u8 {
    kt.with(|w| w.tasks.at(kt.task).process)
}
