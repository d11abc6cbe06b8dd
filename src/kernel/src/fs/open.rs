//! Opening and closing. Mirrors fs/open.c, the open part of fs/namei.c, and
//! `ext4_file_open()`, `ext4_release_file()` of fs/ext4/file.c.
//!
//! A path is walked from the root directory; "." and ".." mean what the
//! directory's own entries say.
//!
//! Not modelled: symbolic links on the way (`ENOSYS`), access control lists,
//! leases, the working directory, device files; see docs/omissions.md#names.

use bitflags::bitflags;
use sched::{Kthread, RwSem, down_write, up_write};
use world::{Errno, File, FileId, InodeBits, InodeId, TaskId, World};

use crate::fs::ext4::dir::{DirEntry, ext4_readdir};
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::inode::disk::{I_LINKABLE, Iget, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, ext4_iget, iput, is_dir};
use crate::fs::ext4::inode::truncate::ext4_setattr_size;
use crate::fs::ext4::mballoc::ext4_discard_preallocations;
use crate::fs::ext4::namei::{
    EXT4_NAME_LEN, cached_dentry, ext4_create, ext4_link, ext4_lookup, ext4_mkdir, ext4_rmdir, ext4_tmpfile,
    ext4_unlink,
};
use crate::fs::ext4::super_::{MountOpts, journal_super};
use crate::fs::super_::{Freeze, file_end_write, file_start_write, sb_end_write, sb_start_write};
use crate::mm::page_writeback::ino_of;
use crate::mm::readahead::file_ra_state_init;
use crate::mm::writeback::{filemap_flush, filemap_sample_wb_err};
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};

bitflags! {
    /// Flags of open(2) in the numbers of x86-64.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct OpenFlags: u32 {
        /// O_WRONLY.
        const WRONLY = 0o1;
        /// O_RDWR.
        const RDWR = 0o2;
        /// O_CREAT.
        const CREAT = 0o100;
        /// O_EXCL.
        const EXCL = 0o200;
        /// O_NOCTTY.
        const NOCTTY = 0o400;
        /// O_TRUNC.
        const TRUNC = 0o1000;
        /// O_APPEND.
        const APPEND = 0o2000;
        /// O_NONBLOCK.
        const NONBLOCK = 0o4000;
        /// O_DSYNC.
        const DSYNC = 0o1_0000;
        /// O_DIRECT.
        const DIRECT = 0o4_0000;
        /// O_LARGEFILE; set on every 64-bit open.
        const LARGEFILE = 0o10_0000;
        /// O_DIRECTORY.
        const DIRECTORY = 0o20_0000;
        /// O_NOFOLLOW.
        const NOFOLLOW = 0o40_0000;
        /// O_NOATIME.
        const NOATIME = 0o100_0000;
        /// O_CLOEXEC.
        const CLOEXEC = 0o200_0000;
        /// O_SYNC: the kernel's __O_SYNC with O_DSYNC.
        const SYNC = 0o401_0000;
        /// O_TMPFILE: the kernel's __O_TMPFILE with O_DIRECTORY.
        const TMPFILE = 0o2020_0000;
        const _ = !0;
    }
}

impl OpenFlags {
    /// Opened for reading.
    #[must_use]
    pub fn reads(self) -> bool {
        self.bits() & 3 != 1
    }

    /// Opened for writing.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self.bits() & 3, 1 | 2)
    }
}

pub(super) const MAY_EXEC: u16 = 1;
pub(super) const MAY_WRITE: u16 = 2;
const MAY_READ: u16 = 4;

/// Where the file system is mounted, as `s_last_mounted` will say.
const MOUNT_POINT: &[u8] = b"/mnt";

// ---- paths ----

/// A path's directory and its last name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent<'a> {
    pub(super) dir: InodeId,
    /// Empty for the root directory itself.
    pub(super) name: &'a [u8],
}

/// `inode_permission()`, fs/namei.c: mode bits for the task's user; root may all.
pub(super) fn inode_permission(w: &World, task: TaskId, inode: InodeId, want: u16) -> Result<(), Errno> {
    let head = w.inodes.at(inode);
    if want & MAY_WRITE != 0 {
        if w.sb().read_only {
            return Err(Errno::EROFS);
        }
        if head.bits.contains(InodeBits::IMMUTABLE) {
            return Err(Errno::EPERM);
        }
    }
    let user = w.accts.get(task).map_or(0, |acct| acct.euid);
    if user == 0 {
        return Ok(());
    }
    let shift = if user == head.uid { 6 } else { 0 };
    if head.mode >> shift & want == want { Ok(()) } else { Err(Errno::EACCES) }
}

/// One name of a directory: from memory, or by a real look-up. The inode has one
/// more user.
pub(super) async fn walk_component(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<InodeId>, Errno> {
    if let Some(inode) = kt.with(|w| cached_dentry(w, dir, name)) {
        kt.with(|w| w.inode_mut(inode).count += 1);
        return Ok(Some(inode));
    }
    ext4_lookup(kt, dir, name).await
}

/// `link_path_walk()`, fs/namei.c:2121: all but the last name. The directory has
/// one more user.
pub(super) async fn link_path_walk<'a>(kt: &Kthread, path: &'a str) -> Result<Parent<'a>, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let names: Vec<&[u8]> =
        path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::as_bytes).collect();
    if names.iter().any(|name| name.len() > EXT4_NAME_LEN) {
        return Err(Errno::ENAMETOOLONG);
    }
    // After an unmount, or a mount that failed, the name would be looked up below the mount point, which is empty.
    if !kt.with(|w| w.sb().mounted) {
        return Err(Errno::ENOENT);
    }
    let mut dir = ext4_iget(kt, ondisk::Ino::ROOT.0, Iget::Normal).await?;
    let Some((last, before)) = names.split_last() else { return Ok(Parent { dir, name: b"" }) };
    for name in before {
        let step = match kt.with(|w| inode_permission(w, kt.task, dir, MAY_EXEC)) {
            Ok(()) => walk_component(kt, dir, name).await,
            Err(errno) => Err(errno),
        };
        iput(kt, dir).await?;
        let next = step?.ok_or(Errno::ENOENT)?;
        if !kt.with(|w| is_dir(w, next)) {
            let link = kt.with(|w| w.inodes.at(next).mode & S_IFMT == S_IFLNK);
            iput(kt, next).await?;
            return Err(if link { Errno::ENOSYS } else { Errno::ENOTDIR });
        }
        dir = next;
    }
    Ok(Parent { dir, name: last })
}

/// The inode a path names, with one more user.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`, `ENAMETOOLONG`, or what reading directories gives.
pub async fn path_lookup(kt: &Kthread, path: &str) -> Result<InodeId, Errno> {
    let parent = link_path_walk(kt, path).await?;
    if parent.name.is_empty() {
        return Ok(parent.dir);
    }
    let found = walk_component(kt, parent.dir, parent.name).await;
    iput(kt, parent.dir).await?;
    found?.ok_or(Errno::ENOENT)
}

// ---- open ----

/// `do_sys_openat2()`, fs/open.c:1213: opens a path. `mode` is for a file that is
/// created; the caller has taken the umask off.
///
/// # Errors
/// What open(2) gives: `ENOENT`, `EEXIST`, `EISDIR`, `ENOTDIR`, `EPERM`, `EACCES`,
/// `EROFS`, `ETXTBSY`, `ENAMETOOLONG`, `ENOSPC`, `EIO`, `EUCLEAN`, `EFSBADCRC`.
pub async fn do_sys_open(kt: &Kthread, path: &str, flags: OpenFlags, mode: u16) -> Result<FileId, Errno> {
    call!(kt, &site::DO_SYS_OPENAT2, &[u64::from(flags.bits()), u64::from(mode)], async {
        let tmpfile = flags.contains(OpenFlags::TMPFILE);
        if (tmpfile && !flags.writes()) || flags.contains(OpenFlags::CREAT | OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL);
        }
        let flags = flags | OpenFlags::LARGEFILE;
        probe!(kt, DSO_OPEN).await;
        let opened = if tmpfile {
            Box::pin(do_tmpfile(kt, path, flags, mode & 0o7777)).await
        } else {
            Box::pin(path_openat(kt, path, flags, mode & 0o7777)).await
        };
        probe!(kt, DSO_DONE).await;
        opened
    })
    .await
}

/// `path_openat()`, fs/namei.c:3413.
async fn path_openat(kt: &Kthread, path: &str, flags: OpenFlags, mode: u16) -> Result<FileId, Errno> {
    let parent = link_path_walk(kt, path).await?;
    let found = if parent.name.is_empty() {
        kt.with(|w| w.inode_mut(parent.dir).count += 1);
        Ok((parent.dir, false))
    } else {
        open_last_lookups(kt, parent, flags, mode).await
    };
    iput(kt, parent.dir).await?;
    let (inode, created) = found?;
    probe!(kt, PO_FOUND, inode = inode, created = created).await;
    let opened = do_open(kt, inode, flags, created).await;
    if opened.is_err() {
        iput(kt, inode).await?;
    }
    opened
}

/// `open_last_lookups()` and `lookup_open()`, fs/namei.c:3080: the inode of the
/// last name, created if it must be; true if it was.
async fn open_last_lookups(
    kt: &Kthread,
    parent: Parent<'_>,
    flags: OpenFlags,
    mode: u16,
) -> Result<(InodeId, bool), Errno> {
    let Parent { dir, name } = parent;
    kt.with(|w| inode_permission(w, kt.task, dir, MAY_EXEC))?;
    if let Some(inode) = kt.with(|w| cached_dentry(w, dir, name)) {
        kt.with(|w| w.inode_mut(inode).count += 1);
        return Ok((inode, false));
    }
    let create = flags.contains(OpenFlags::CREAT);
    // mnt_want_write(): even a look-up waits for a frozen file system if the open may change something.
    let writes = flags.writes() || flags.intersects(OpenFlags::CREAT | OpenFlags::TRUNC);
    if writes {
        sb_start_write(kt, Freeze::Write).await;
    }
    let found = look_up_or_create(kt, dir, name, create, mode).await;
    if writes {
        kt.with(|w| sb_end_write(w, Freeze::Write));
    }
    found
}

/// The rest of `lookup_open()`.
async fn look_up_or_create(
    kt: &Kthread,
    dir: InodeId,
    name: &[u8],
    create: bool,
    mode: u16,
) -> Result<(InodeId, bool), Errno> {
    if !create {
        return Ok((ext4_lookup(kt, dir, name).await?.ok_or(Errno::ENOENT)?, false));
    }
    down_write(kt, RwSem::IRwsem(dir)).await;
    let found = match ext4_lookup(kt, dir, name).await {
        Ok(Some(inode)) => Ok((inode, false)),
        Ok(None) => match kt.with(|w| inode_permission(w, kt.task, dir, MAY_WRITE | MAY_EXEC)) {
            Ok(()) => Box::pin(ext4_create(kt, dir, name, mode)).await.map(|inode| (inode, true)),
            Err(errno) => Err(errno),
        },
        Err(errno) => Err(errno),
    };
    kt.with(|w| up_write(w, RwSem::IRwsem(dir)));
    found
}

/// `do_open()`, fs/namei.c:3273: permission, the file, O_TRUNC. The inode's user
/// becomes the file's.
async fn do_open(kt: &Kthread, inode: InodeId, flags: OpenFlags, created: bool) -> Result<FileId, Errno> {
    let kind = kt.with(|w| w.inodes.at(inode).mode & S_IFMT);
    if flags.contains(OpenFlags::CREAT) {
        if flags.contains(OpenFlags::EXCL) && !created {
            return Err(Errno::EEXIST);
        }
        if kind == S_IFDIR {
            return Err(Errno::EISDIR);
        }
    }
    if flags.contains(OpenFlags::DIRECTORY) && kind != S_IFDIR {
        return Err(Errno::ENOTDIR);
    }
    if !created {
        kt.with(|w| may_open(w, kt.task, inode, flags))?;
    }
    let do_truncate = kind == S_IFREG && flags.contains(OpenFlags::TRUNC) && !created;
    if do_truncate {
        sb_start_write(kt, Freeze::Write).await; // mnt_want_write()
    }
    let opened = do_dentry_open(kt, inode, flags).await;
    let truncated = if do_truncate && opened.is_ok() { handle_truncate(kt, inode).await } else { Ok(()) };
    if do_truncate {
        kt.with(|w| sb_end_write(w, Freeze::Write));
    }
    let file = opened?;
    if let Err(errno) = truncated {
        kt.with(|w| w.inode_mut(inode).count += 1); // the caller drops its own
        filp_close(kt, file).await;
        return Err(errno);
    }
    Ok(file)
}

/// `may_open()`, fs/namei.c:2908.
fn may_open(w: &World, task: TaskId, inode: InodeId, flags: OpenFlags) -> Result<(), Errno> {
    let head = *w.inodes.at(inode);
    let mut want = if flags.reads() { MAY_READ } else { 0 };
    if flags.writes() || flags.contains(OpenFlags::TRUNC) {
        want |= MAY_WRITE;
    }
    match head.mode & S_IFMT {
        S_IFLNK => return Err(Errno::ENOSYS),
        S_IFDIR if want & MAY_WRITE != 0 => return Err(Errno::EISDIR),
        _ => {}
    }
    inode_permission(w, task, inode, want)?;
    if head.bits.contains(InodeBits::APPEND) {
        let overwrites = flags.writes() && !flags.contains(OpenFlags::APPEND);
        if overwrites || flags.contains(OpenFlags::TRUNC) {
            return Err(Errno::EPERM);
        }
    }
    let user = w.accts.get(task).map_or(0, |acct| acct.euid);
    if flags.contains(OpenFlags::NOATIME) && user != 0 && user != head.uid {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// `do_dentry_open()`, fs/open.c:763: the open file description.
async fn do_dentry_open(kt: &Kthread, inode: InodeId, flags: OpenFlags) -> Result<FileId, Errno> {
    let counts = kt.with(|w| flags.writes() && matches!(w.inodes.at(inode).mode & S_IFMT, S_IFREG | S_IFDIR));
    if counts {
        kt.with(|w| w.inode_mut(inode).writers += 1);
    }
    if let Err(errno) = ext4_file_open(kt, inode).await {
        if counts {
            kt.with(|w| w.inode_mut(inode).writers -= 1);
        }
        return Err(errno);
    }
    let kept = flags - (OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::NOCTTY | OpenFlags::TRUNC);
    let file = kt.with(|w| {
        let rec = w.rec;
        let wb_err = filemap_sample_wb_err(w, inode);
        let file = w.files.alloc(
            rec,
            File {
                inode,
                f_flags: kept.bits(),
                f_pos: 0,
                refs: 1,
                readable: flags.reads(),
                writable: flags.writes(),
                wb_err,
            },
        );
        file_ra_state_init(w, file);
        file
    });
    probe!(kt, PO_OPENED, file = file).await;
    Ok(file)
}

/// `ext4_file_open()`, fs/ext4/file.c:820: the first open of a file after the
/// mount writes the mount point into the superblock. Directories have an open of
/// their own, which does nothing.
async fn ext4_file_open(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    if kt.with(|w| is_dir(w, inode)) {
        return Ok(());
    }
    call!(kt, &site::EXT4_FILE_OPEN, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        let sampled = kt.with(|w| MountOpts::of(w).contains(MountOpts::MNTDIR_SAMPLED) || w.sb().read_only);
        if sampled {
            return Ok(());
        }
        kt.with(|w| w.sb_mut().mount_opts |= MountOpts::MNTDIR_SAMPLED.bits());
        ext4_journal_start(kt, HandleType::Misc, 1).await?;
        let written = journal_super(kt, |es| {
            es.s_last_mounted = [0; 64];
            es.s_last_mounted[..MOUNT_POINT.len()].copy_from_slice(MOUNT_POINT);
        })
        .await;
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, EFO_SAMPLED).await;
        written.and(stopped)
    })
    .await
}

/// `handle_truncate()`, fs/namei.c:2964: O_TRUNC.
async fn handle_truncate(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    down_write(kt, RwSem::IRwsem(inode)).await;
    let truncated = Box::pin(ext4_setattr_size(kt, inode, 0)).await;
    kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
    truncated
}

/// `do_tmpfile()`, fs/namei.c:3369: O_TMPFILE in the directory that `path` names.
async fn do_tmpfile(kt: &Kthread, path: &str, flags: OpenFlags, mode: u16) -> Result<FileId, Errno> {
    let dir = path_lookup(kt, path).await?;
    sb_start_write(kt, Freeze::Write).await; // mnt_want_write()
    let opened = tmpfile_in(kt, dir, flags, mode).await;
    kt.with(|w| sb_end_write(w, Freeze::Write));
    opened
}

async fn tmpfile_in(kt: &Kthread, dir: InodeId, flags: OpenFlags, mode: u16) -> Result<FileId, Errno> {
    let made = if !kt.with(|w| is_dir(w, dir)) {
        Err(Errno::ENOTDIR)
    } else {
        match kt.with(|w| inode_permission(w, kt.task, dir, MAY_WRITE | MAY_EXEC)) {
            Ok(()) => ext4_tmpfile(kt, dir, mode).await,
            Err(errno) => Err(errno),
        }
    };
    iput(kt, dir).await?;
    let inode = made?;
    if !flags.contains(OpenFlags::EXCL) {
        kt.with(|w| w.inode_mut(inode).state.insert(I_LINKABLE));
    }
    let opened = do_dentry_open(kt, inode, flags).await;
    if opened.is_err() {
        iput(kt, inode).await?;
    }
    opened
}

// ---- close ----

/// `filp_close()`, fs/open.c:1329, and `fput()`: one descriptor less; the last
/// one releases the file, and an unlinked inode with it.
///
/// A file that is not open is left alone; an error of deleting the inode is
/// only logged by the kernel.
pub async fn filp_close(kt: &Kthread, file: FileId) {
    let Some(head) = kt.with(|w| w.files.get(file).copied()).filter(|head| head.refs > 0) else { return };
    call!(kt, &site::FILP_CLOSE, &[u64::from(file.0)], async {
        if head.refs > 1 {
            kt.with(|w| w.file_mut(file).refs -= 1);
            probe!(kt, FC_SHARED).await;
            return;
        }
        ext4_release_file(kt, file).await;
        let released = kt.with(|w| {
            let inode = head.inode;
            if head.writable {
                w.inode_mut(inode).writers -= 1;
            }
            let rec = w.rec;
            w.files.release(rec, file);
            inode
        });
        probe!(kt, FC_RELEASED).await;
        let _ = iput(kt, released).await;
    })
    .await;
}

/// `ext4_release_file()`, fs/ext4/file.c:139: a file truncated to nothing is
/// allocated now; the last writer gives preallocated blocks back.
async fn ext4_release_file(kt: &Kthread, file: FileId) {
    let (head, is_dir) = kt.with(|w| (*w.files.at(file), is_dir(w, w.files.at(file).inode)));
    if is_dir {
        return;
    }
    kt.graph("ext4_release_file {");
    let inode = head.inode;
    if kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::DA_ALLOC_CLOSE)) {
        ext4_alloc_da_blocks(kt, inode).await;
        kt.with(|w| w.inode_mut(inode).bits.remove(InodeBits::DA_ALLOC_CLOSE));
    }
    let discard = kt.with(|w| head.writable && w.inodes.at(inode).writers == 1 && w.sizes.at(inode).reserved == 0);
    if discard {
        down_write(kt, RwSem::IDataSem(inode)).await;
        ext4_discard_preallocations(kt, inode).await;
        kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
    }
    kt.graph("}");
}

/// `ext4_alloc_da_blocks()`, fs/ext4/inode.c:3190: starts the writing of a file
/// that has delayed blocks; nobody waits for it.
pub async fn ext4_alloc_da_blocks(kt: &Kthread, inode: InodeId) {
    let reserved = kt.with(|w| {
        let reserved = w.sizes.at(inode).reserved;
        point!(w, EXT4_ALLOC_DA_BLOCKS, ino_of(w, inode), reserved);
        reserved
    });
    if reserved != 0 {
        // Errors are for the next fsync.
        let _ = filemap_flush(kt, inode).await;
    }
}

// ---- other calls on names ----

/// Runs `work` on the last name's directory, locked.
async fn with_parent<T>(
    kt: &Kthread,
    path: &str,
    work: impl AsyncFnOnce(InodeId, &[u8]) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let parent = link_path_walk(kt, path).await?;
    sb_start_write(kt, Freeze::Write).await; // mnt_want_write()
    let done = if parent.name.is_empty() {
        Err(Errno::EEXIST)
    } else {
        match kt.with(|w| inode_permission(w, kt.task, parent.dir, MAY_WRITE | MAY_EXEC)) {
            Ok(()) => {
                down_write(kt, RwSem::IRwsem(parent.dir)).await;
                let done = work(parent.dir, parent.name).await;
                kt.with(|w| up_write(w, RwSem::IRwsem(parent.dir)));
                done
            }
            Err(errno) => Err(errno),
        }
    };
    kt.with(|w| sb_end_write(w, Freeze::Write));
    iput(kt, parent.dir).await?;
    done
}

/// `do_mkdirat()`, fs/namei.c:3721.
///
/// # Errors
/// What mkdir(2) gives.
pub async fn do_mkdir(kt: &Kthread, path: &str, mode: u16) -> Result<(), Errno> {
    let made = with_parent(kt, path, async |dir, name| match walk_component(kt, dir, name).await? {
        Some(inode) => {
            iput(kt, inode).await?;
            Err(Errno::EEXIST)
        }
        None => Box::pin(ext4_mkdir(kt, dir, name, mode & 0o1777)).await,
    })
    .await?;
    iput(kt, made).await
}

/// `do_unlinkat()`, fs/namei.c:3923.
///
/// # Errors
/// What unlink(2) gives.
pub async fn do_unlink(kt: &Kthread, path: &str) -> Result<(), Errno> {
    let inode = with_parent(kt, path, async |dir, name| {
        let inode = walk_component(kt, dir, name).await?.ok_or(Errno::ENOENT)?;
        let unlinked = match kt.with(|w| may_delete(w, inode)) {
            Ok(()) if kt.with(|w| is_dir(w, inode)) => Err(Errno::EISDIR),
            Ok(()) => ext4_unlink(kt, dir, name, inode).await,
            Err(errno) => Err(errno),
        };
        if unlinked.is_err() {
            iput(kt, inode).await?;
        }
        unlinked.map(|()| inode)
    })
    .await?;
    iput(kt, inode).await
}

/// `do_rmdir()`, fs/namei.c:3794.
///
/// # Errors
/// What rmdir(2) gives.
pub async fn do_rmdir(kt: &Kthread, path: &str) -> Result<(), Errno> {
    let inode = with_parent(kt, path, async |dir, name| {
        let inode = walk_component(kt, dir, name).await?.ok_or(Errno::ENOENT)?;
        let removed = match kt.with(|w| may_delete(w, inode)) {
            Ok(()) => ext4_rmdir(kt, dir, name, inode).await,
            Err(errno) => Err(errno),
        };
        if removed.is_err() {
            iput(kt, inode).await?;
        }
        removed.map(|()| inode)
    })
    .await?;
    iput(kt, inode).await
}

/// `may_delete()`, fs/namei.c: not what is immutable, append-only or swapped to.
pub(super) fn may_delete(w: &World, inode: InodeId) -> Result<(), Errno> {
    let fixed = InodeBits::IMMUTABLE | InodeBits::APPEND | InodeBits::SWAPFILE;
    if w.inodes.at(inode).bits.intersects(fixed) { Err(Errno::EPERM) } else { Ok(()) }
}

/// `do_linkat()`, fs/namei.c:4161, of an open file (linkat with AT_EMPTY_PATH).
///
/// # Errors
/// As [`do_link_path`], and `ENOENT` for an unlinked file that may not get a name.
pub async fn do_link(kt: &Kthread, file: FileId, path: &str) -> Result<(), Errno> {
    vfs_link(kt, kt.with(|w| w.files.at(file).inode), path).await
}

/// The same by a name.
///
/// # Errors
/// `EEXIST`, `EPERM` for directories and immutable files, and what adding a name gives.
pub async fn do_link_path(kt: &Kthread, from: &str, to: &str) -> Result<(), Errno> {
    let inode = path_lookup(kt, from).await?;
    let linked = vfs_link(kt, inode, to).await;
    iput(kt, inode).await?;
    linked
}

/// `vfs_link()`, fs/namei.c.
async fn vfs_link(kt: &Kthread, inode: InodeId, path: &str) -> Result<(), Errno> {
    with_parent(kt, path, async |dir, name| {
        if let Some(there) = walk_component(kt, dir, name).await? {
            iput(kt, there).await?;
            return Err(Errno::EEXIST);
        }
        kt.with(|w| {
            let head = w.inodes.at(inode);
            if head.mode & S_IFMT == S_IFDIR || head.bits.intersects(InodeBits::IMMUTABLE | InodeBits::APPEND) {
                return Err(Errno::EPERM);
            }
            if head.nlink == 0 && !head.state.contains(I_LINKABLE) { Err(Errno::ENOENT) } else { Ok(()) }
        })?;
        down_write(kt, RwSem::IRwsem(inode)).await;
        let linked = ext4_link(kt, inode, dir, name).await;
        kt.with(|w| {
            if linked.is_ok() {
                w.inode_mut(inode).state.remove(I_LINKABLE);
            }
            up_write(w, RwSem::IRwsem(inode));
        });
        linked
    })
    .await
}

/// All names of a directory.
///
/// # Errors
/// As [`path_lookup`], `ENOTDIR`.
pub async fn list_dir(kt: &Kthread, path: &str) -> Result<Vec<DirEntry>, Errno> {
    let dir = path_lookup(kt, path).await?;
    let names = ext4_readdir(kt, dir).await;
    iput(kt, dir).await?;
    names
}

/// `do_sys_ftruncate()`, fs/open.c:155, with `do_truncate()`.
///
/// # Errors
/// `EINVAL` for what is not a regular file open for writing, `EPERM` for one
/// that only grows, or what ext4 gives.
pub async fn do_sys_ftruncate(kt: &Kthread, file: FileId, len: u64) -> Result<(), Errno> {
    let inode = kt.with(|w| {
        let head = *w.files.at(file);
        let node = w.inodes.at(head.inode);
        if i64::try_from(len).is_err() || node.mode & S_IFMT != S_IFREG || !head.writable {
            return Err(Errno::EINVAL);
        }
        if node.bits.contains(InodeBits::APPEND) { Err(Errno::EPERM) } else { Ok(head.inode) }
    })?;
    sb_start_write(kt, Freeze::Write).await;
    down_write(kt, RwSem::IRwsem(inode)).await;
    let done = ext4_setattr_size(kt, inode, len).await;
    kt.with(|w| {
        up_write(w, RwSem::IRwsem(inode));
        sb_end_write(w, Freeze::Write);
    });
    done
}

/// `vfs_fallocate()`, fs/open.c:228: what is checked before the file system is asked.
///
/// # Errors
/// `EINVAL`, `EOPNOTSUPP`, `EBADF`, `EPERM`, `ETXTBSY`, `EISDIR`, `ENODEV`,
/// `EFBIG`, or what ext4 gives.
pub async fn vfs_fallocate(kt: &Kthread, file: FileId, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
    use crate::fs::ext4::extents::fallocate::{
        FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
        FALLOC_FL_ZERO_RANGE, ext4_fallocate,
    };
    let (Ok(signed), Ok(signed_len)) = (i64::try_from(offset), i64::try_from(len)) else { return Err(Errno::EINVAL) };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let punch_and_zero = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if mode & punch_and_zero == punch_and_zero || mode & FALLOC_FL_PUNCH_HOLE != 0 && mode & FALLOC_FL_KEEP_SIZE == 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    for alone in [FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE] {
        if mode & alone != 0 && mode & !alone != 0 {
            return Err(Errno::EINVAL);
        }
    }
    let (head, inode) = kt.with(|w| {
        let head = *w.files.at(file);
        (head, *w.inodes.at(head.inode))
    });
    if !head.writable {
        return Err(Errno::EBADF);
    }
    if mode & !FALLOC_FL_KEEP_SIZE != 0 && inode.bits.contains(InodeBits::APPEND)
        || inode.bits.contains(InodeBits::IMMUTABLE)
    {
        return Err(Errno::EPERM);
    }
    if inode.bits.contains(InodeBits::SWAPFILE) {
        return Err(Errno::ETXTBSY);
    }
    match inode.mode & S_IFMT {
        S_IFREG => {}
        S_IFDIR => return Err(Errno::EISDIR),
        _ => return Err(Errno::ENODEV),
    }
    let max = kt.with(|w| crate::fs::ext4::file::maxbytes(w));
    if signed.checked_add(signed_len).is_none_or(|end| end.cast_unsigned() > max) {
        return Err(Errno::EFBIG);
    }
    let started = file_start_write(kt, file).await;
    kt.graph("vfs_fallocate {");
    let done = ext4_fallocate(kt, file, mode, offset, len).await;
    kt.graph("}");
    file_end_write(kt, started);
    done
}
