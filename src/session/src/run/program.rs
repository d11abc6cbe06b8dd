//! The modelled user program: mounts, performs its operations, exits, syncs
//! and unmounts. Each operation is the system call of its name.

use std::cell::RefCell;
use std::rc::Rc;

use kernel::fs::attr;
use kernel::fs::ext4::extents::fallocate as falloc;
use kernel::fs::ext4::file::ext4_file_read_iter;
use kernel::fs::ext4::fsync::ext4_sync_file;
use kernel::fs::ext4::ioctl::ext4_shutdown;
use kernel::fs::ext4::super_::{MountOptions, drop_caches, ext4_mount, ext4_umount};
use kernel::fs::iomap::{fiemap, seek_hole_data};
use kernel::fs::namei::do_rename;
use kernel::fs::open::{
    OpenFlags, do_link, do_link_path, do_mkdir, do_rmdir, do_sys_ftruncate, do_sys_open, do_unlink, filp_close,
    vfs_fallocate,
};
use kernel::fs::read_write::{Rwf, do_pwritev, do_writev, fdget, kernel_write, ksys_pwrite64, ksys_write, llseek};
use kernel::fs::splice::{Pipe, create_pipe, free_pipe, splice_read, splice_write};
use kernel::fs::sync::{ksys_sync, vfs_fsync_range};
use kernel::mm::memory::{
    buffer_address, find_vma, madvise_dontneed, map_buffer, mmap_file, mprotect, msync, munmap, user_load, user_store,
};
use kernel::mm::page_writeback::{task_exit, vm_sysctl};
use kernel::mm::readahead::force_page_cache_ra;
use kernel::mm::swapfile::{swapoff, swapon};
use kernel::probe;
use kernel::site;
use kernel::trace::{Word, call, write};
use sched::{Kthread, kill};
use world::{Errno, FileId, Iovec, PAGE_SIZE, TaskId, TraceEvent, Vma, VmaKind, WaitOn, World};

use super::{OpResult, ProcessEnd, admin};
use crate::scenario::ops::{Advice, FallocateMode, Prot, SetClear, Sharing, Whence};
use crate::scenario::{Buffer, BufferKind, HELPER, Op, Scenario, Segment, Task};

/// The process of every program (threads share it).
const PROCESS: u8 = 1;
/// Where a race helper waits for its moment.
const RACE: WaitOn = WaitOn::Work(u32::MAX);
/// Signals that do not kill: SIGCHLD, SIGURG, SIGWINCH, SIGCONT.
const HARMLESS: u64 = 1 << 17 | 1 << 23 | 1 << 28 | 1 << 18;

/// What programs tell the run, and each other. Nothing of the machine's state.
#[derive(Default)]
pub(super) struct Shared {
    pub set_up_done: bool,
    pub mount_error: Option<String>,
    pub results: Vec<OpResult>,
    pub end: ProcessEnd,
    pub lacks: Vec<String>,
    /// Descriptors by name.
    fds: Vec<String>,
    ignored_signals: u64,
    /// Files that a buffer is a mapping of; each holds a reference.
    mapped: Vec<(u16, FileId)>,
    pipes: Vec<PipeEnds>,
    /// A helper thread, and whether its moment has come.
    race: Option<Race>,
}

/// A pipe, by the names of its ends; a closed end has none.
struct PipeEnds {
    read: Option<String>,
    write: Option<String>,
    pipe: Pipe,
}

struct Race {
    task: TaskId,
    armed: bool,
    result: Option<Result<u64, Errno>>,
}

/// Names of a scenario's buffers; their place is their number.
pub(super) fn buffer_names(scenario: &Scenario) -> Vec<String> {
    let declared = scenario.buffers.iter().map(|buffer| buffer.name.clone());
    let made = scenario.tasks.iter().flat_map(Task::all_ops).filter_map(|(op, _)| match op {
        Op::Buf(buffer) => Some(buffer.name.clone()),
        Op::Bufmap { name, .. } => Some(name.clone()),
        _ => None,
    });
    declared.chain(made).collect()
}

/// True if the engine runs this operation.
pub(super) fn is_modelled(op: &Op) -> bool {
    match op {
        Op::Fadvise { advice, .. } => matches!(advice, Advice::Willneed | Advice::Normal),
        _ => true,
    }
}

/// One program.
pub(super) struct Program {
    ops: Vec<(Op, bool)>,
    mount: String,
    buffers: Vec<String>,
    declared: Vec<Buffer>,
    gap_ns: u64,
    shared: Rc<RefCell<Shared>>,
    recording: bool,
    trace: bool,
}

type Ret = Result<u64, Errno>;

impl Program {
    pub(super) fn new(
        task: &Task,
        scenario: &Scenario,
        shared: Rc<RefCell<Shared>>,
        recording: bool,
        trace: bool,
    ) -> Self {
        Program {
            ops: task.all_ops().map(|(op, traced)| (op.clone(), traced)).collect(),
            mount: scenario.mount.clone(),
            buffers: buffer_names(scenario),
            declared: scenario.buffers.clone(),
            gap_ns: u64::from(scenario.op_gap_ms) * 1_000_000,
            shared,
            recording,
            trace,
        }
    }

    /// The whole life of the program.
    pub(super) async fn run(self, kt: Kthread) {
        if let Err(reason) = self.mount(&kt).await {
            self.shared.borrow_mut().mount_error = Some(reason);
            self.shared.borrow_mut().set_up_done = true;
            return;
        }
        for buffer in &self.declared {
            self.make_buffer(&kt, buffer);
        }
        let mut recording = false;
        for (index, (op, traced)) in self.ops.iter().enumerate() {
            if *traced && !recording {
                recording = true;
                self.begin_recording(&kt).await;
            }
            if !self.operation(&kt, index, op, *traced).await {
                break;
            }
        }
        if !recording {
            self.begin_recording(&kt).await;
        }
        self.exit(&kt).await;
    }

    async fn mount(&self, kt: &Kthread) -> Result<(), String> {
        let options = MountOptions::parse(&self.mount).map_err(|error| error.to_string())?;
        // mount(8) is a process of its own: what it dirties does not count here.
        let dirtied = kt.with(|w| w.accts.at(kt.task).nr_dirtied);
        let mounted = Box::pin(ext4_mount(kt, options)).await.map_err(|error| error.to_string());
        kt.with(|w| w.acct_mut(kt.task).nr_dirtied = dirtied);
        mounted
    }

    async fn begin_recording(&self, kt: &Kthread) {
        if self.recording {
            kt.machine().record_from_here();
        }
        self.shared.borrow_mut().set_up_done = true;
        kt.pause().await;
    }

    /// One operation: false if the process died in it.
    async fn operation(&self, kt: &Kthread, index: usize, op: &Op, traced: bool) -> bool {
        if self.gap_ns > 0 {
            kt.sleep_for(self.gap_ns).await;
        }
        let number = index as u64;
        kt.with(|w| {
            let run = w.run_mut(kt.task);
            (run.syscall, run.iteration, run.retry) = (index as u16 + 1, 0, 0);
            w.trace.on = self.trace && traced;
            write(w, TraceEvent::OpBegin, 0, &[number]);
        });
        let outcome = call!(kt, &site::USER, &[number], async {
            probe!(kt, OP_BEGIN).await;
            self.arm_race(kt, op);
            // One allocation a call keeps the program's own future small.
            let outcome = Box::pin(self.perform(kt, op)).await;
            self.disarm_race();
            probe!(kt, OP_END).await;
            outcome
        })
        .await;
        let deadly = kt.with(|w| deadly_signal(w, kt.task, self.shared.borrow().ignored_signals));
        let mut shared = self.shared.borrow_mut();
        let ret = outcome.word() as i64;
        let errno = outcome.err().map(|errno| errno.number() as u16);
        shared.results.push(OpResult {
            index,
            text: op.text(),
            ret: if errno.is_some() { -1 } else { ret },
            errno,
            killed: deadly.is_some(),
            kernel_ret: deadly.map(|_| ret),
            traced,
        });
        if let Some(signal) = deadly {
            kt.with(|w| kernel::point!(w, SIGNAL_DELIVER, signal));
            shared.end = ProcessEnd { exit: None, signal: Some(signal), killed_op: Some(index) };
            return false;
        }
        let args = [number, shared.results[index].ret as u64, u64::from(errno.unwrap_or(0))];
        kt.with(|w| write(w, TraceEvent::OpEnd, 0, &args));
        shared.end = ProcessEnd { exit: Some(0), ..ProcessEnd::default() };
        true
    }

    /// Exit, then what the harness does: sync(2) and umount.
    async fn exit(&self, kt: &Kthread) {
        // The closes of a killed process belong to its last operation.
        let killed = self.shared.borrow().end.signal.is_some();
        kt.with(|w| {
            w.trace.on &= killed;
            let run = w.run_mut(kt.task);
            (run.syscall, run.iteration, run.retry) = (self.ops.len() as u16 + 1, 0, 0);
        });
        if self.shared.borrow().end == ProcessEnd::default() {
            self.shared.borrow_mut().end.exit = Some(0);
        }
        call!(kt, &site::USER, &[self.ops.len() as u64], async {
            Box::pin(self.close_all(kt)).await;
            kt.with(|w| w.trace.on = false);
            probe!(kt, TASK_EXIT).await;
            admin::let_go(kt).await;
            Box::pin(ksys_sync(kt)).await;
            let unmounted = Box::pin(ext4_umount(kt)).await;
            probe!(kt, OP_END).await;
            unmounted
        })
        .await
        .unwrap_or(()); // a failed unmount leaves the image as it is, which is then looked at
    }

    async fn close_all(&self, kt: &Kthread) {
        for ends in &mut self.shared.borrow_mut().pipes {
            (ends.read, ends.write) = (None, None);
            kt.with(|w| free_pipe(w, PROCESS, &mut ends.pipe));
        }
        let mapped = std::mem::take(&mut self.shared.borrow_mut().mapped);
        for (buf, file) in mapped {
            self.unmap_file(kt, buf);
            filp_close(kt, file).await;
        }
        let open: Vec<(u32, FileId)> =
            kt.with(|w| w.fds.entries().iter().map(|(&(_, fd), &file)| (fd, file)).collect());
        for (fd, file) in open {
            kt.with(|w| w.fd_set((PROCESS, fd), None));
            filp_close(kt, file).await;
        }
    }

    fn buffer(&self, name: &str) -> u16 {
        self.buffers.iter().position(|known| known == name).unwrap_or(usize::from(u16::MAX)) as u16
    }

    fn address(&self, name: &str, off: u64) -> u64 {
        buffer_address(self.buffer(name), off)
    }

    fn fd(&self, name: &str) -> u32 {
        let mut shared = self.shared.borrow_mut();
        let known = shared.fds.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            shared.fds.push(name.to_owned());
            shared.fds.len() - 1
        }) as u32
    }

    fn file(&self, kt: &Kthread, name: &str) -> Result<FileId, Errno> {
        let fd = self.fd(name);
        kt.with(|w| fdget(w, PROCESS, fd))
    }

    fn make_buffer(&self, kt: &Kthread, buffer: &Buffer) {
        let kind = match buffer.kind {
            BufferKind::Anon => VmaKind::Anon,
            BufferKind::Memfd => VmaKind::Memfd,
            BufferKind::Filepriv => VmaKind::FilePrivate,
        };
        // `Scenario::check` has read the fill once already.
        let mut bytes = buffer.fill.bytes(buffer.len).unwrap_or_default();
        bytes.resize(buffer.len as usize, 0);
        kt.with(|w| map_buffer(w, PROCESS, self.buffer(&buffer.name), kind, &bytes));
    }

    /// splice(2) between a file and a pipe.
    async fn splice(&self, kt: &Kthread, from: (&str, Option<u64>), to: (&str, Option<u64>), len: u64) -> Ret {
        let end = |name: &str, read: bool| {
            let shared = self.shared.borrow();
            let of = |ends: &PipeEnds| if read { ends.read.clone() } else { ends.write.clone() };
            shared.pipes.iter().position(|ends| of(ends).as_deref() == Some(name))
        };
        if len == 0 {
            return Ok(0);
        }
        let (source, target) = (end(from.0, true), end(to.0, false));
        match (source, target) {
            (None, Some(pipe)) => {
                let file = self.file(kt, from.0)?;
                if to.1.is_some() {
                    return Err(Errno::ESPIPE);
                }
                let pos = from.1.unwrap_or_else(|| kt.with(|w| w.files.at(file).f_pos));
                let mut taken = std::mem::take(&mut self.shared.borrow_mut().pipes[pipe].pipe);
                let read = splice_read(kt, PROCESS, file, pos, len, &mut taken).await;
                self.shared.borrow_mut().pipes[pipe].pipe = taken;
                if let (Ok(read), None) = (read, from.1) {
                    kt.with(|w| w.file_mut(file).f_pos = pos + read);
                }
                read
            }
            (Some(pipe), None) => {
                let file = self.file(kt, to.0)?;
                if from.1.is_some() {
                    return Err(Errno::ESPIPE);
                }
                let mut pos = to.1.unwrap_or_else(|| kt.with(|w| w.files.at(file).f_pos));
                let mut taken = std::mem::take(&mut self.shared.borrow_mut().pipes[pipe].pipe);
                let written = splice_write(kt, PROCESS, &mut taken, file, &mut pos, len).await;
                self.shared.borrow_mut().pipes[pipe].pipe = taken;
                if written.is_ok() && to.1.is_none() {
                    kt.with(|w| w.file_mut(file).f_pos = pos);
                }
                written
            }
            // Not modelled: from pipe to pipe.
            (Some(_), Some(_)) => Err(Errno::ENOSYS),
            (None, None) => {
                self.file(kt, from.0)?;
                self.file(kt, to.0)?;
                Err(Errno::EINVAL)
            }
        }
    }

    /// Closes an end of a pipe; false if the descriptor is none.
    fn close_pipe(&self, kt: &Kthread, fd: &str) -> bool {
        let mut shared = self.shared.borrow_mut();
        let is = |end: &Option<String>| end.as_deref() == Some(fd);
        let Some(ends) = shared.pipes.iter_mut().find(|ends| is(&ends.read) || is(&ends.write)) else { return false };
        if is(&ends.read) {
            ends.read = None;
        } else {
            ends.write = None;
        }
        if ends.read.is_none() && ends.write.is_none() {
            kt.with(|w| free_pipe(w, PROCESS, &mut ends.pipe));
        }
        true
    }

    /// A file of this file system as a buffer.
    async fn map(&self, kt: &Kthread, op: &Op) -> Ret {
        let Op::Bufmap { name, fd, off, len, prot, sharing } = op else { return Err(Errno::EINVAL) };
        let file = self.file(kt, fd)?;
        let buf = self.buffer(name);
        let vma = Vma {
            start: buffer_address(buf, 0),
            len: *len,
            buf,
            process: PROCESS,
            readable: *prot != Prot::None,
            writable: *prot == Prot::Rw,
            shared: *sharing == Sharing::Shared,
            ..Vma::default()
        };
        mmap_file(kt, file, vma, *off).await?;
        kt.with(|w| w.file_mut(file).refs += 1);
        self.shared.borrow_mut().mapped.push((buf, file));
        Ok(0)
    }

    /// munmap(2); with the last page of a file's mapping goes its reference.
    async fn unmap(&self, kt: &Kthread, buf: &str, off: u64, len: u64) -> Ret {
        kt.with(|w| munmap(w, PROCESS, self.address(buf, off), len));
        let number = self.buffer(buf);
        let left = kt.with(|w| w.vmas.iter().any(|(_, vma)| vma.kind != VmaKind::None && vma.buf == number));
        let place = self.shared.borrow().mapped.iter().position(|&(mapped, _)| mapped == number);
        if let Some(place) = place.filter(|_| !left) {
            let (_, file) = self.shared.borrow_mut().mapped.remove(place);
            filp_close(kt, file).await;
        }
        Ok(0)
    }

    fn unmap_file(&self, kt: &Kthread, buf: u16) {
        kt.with(|w| {
            let start = buffer_address(buf, 0);
            munmap(w, PROCESS, start, kernel::mm::memory::BUFFERS_APART);
            debug_assert!(find_vma(w, PROCESS, start).is_none(), "nothing of the mapping is left");
        });
    }

    fn iovecs(&self, segments: &[Segment]) -> Vec<Iovec> {
        segments.iter().map(|s| Iovec { base: self.address(&s.buf, s.off), len: s.len }).collect()
    }

    async fn perform(&self, kt: &Kthread, op: &Op) -> Ret {
        if !is_modelled(op) {
            self.shared.borrow_mut().lacks.push(op.text());
            return Err(Errno::ENOSYS);
        }
        match op {
            Op::Buf(buffer) => {
                self.make_buffer(kt, buffer);
                Ok(0)
            }
            Op::Open { fd, path, flags, mode } => self.open(kt, fd, path, flags, mode.as_deref()).await,
            Op::Close { fd } if self.close_pipe(kt, fd) => Ok(0),
            Op::Close { fd } => {
                let file = self.file(kt, fd)?;
                kt.with(|w| w.fd_set((PROCESS, self.fd(fd)), None));
                filp_close(kt, file).await;
                Ok(0)
            }
            Op::Write { .. } | Op::Writev { .. } | Op::Pwrite { .. } | Op::Pwritev { .. } | Op::Pwritev2 { .. } => {
                self.write_call(kt, op).await
            }
            Op::Fsync { fd } => self.fsync(kt, fd, false).await,
            // A future of its own, and in a page code that is fetched when it is wanted.
            _ => Box::pin(self.perform_other(kt, op)).await,
        }
    }

    /// The operations that most programs do without.
    async fn perform_other(&self, kt: &Kthread, op: &Op) -> Ret {
        match op {
            Op::Bufmap { .. } => self.map(kt, op).await,
            Op::Unmap { buf, off, len } => self.unmap(kt, buf, *off, *len).await,
            Op::Msync { buf, off, len } => {
                let number = self.buffer(buf);
                let file = self.shared.borrow().mapped.iter().find(|(mapped, _)| *mapped == number).map(|&(_, f)| f);
                msync(kt, PROCESS, self.address(buf, *off), *len, file).await.map(|()| 0)
            }
            Op::Fallocate { fd, mode, off, len } => {
                let file = self.file(kt, fd)?;
                vfs_fallocate(kt, file, fallocate_mode(*mode), *off, *len).await.map(|()| 0)
            }
            Op::Fiemap { fd, flags } => {
                let file = self.file(kt, fd)?;
                fiemap(kt, file, *flags).await.map(|extents| extents.len() as u64)
            }
            Op::Dontneed { buf, off, len } => {
                kt.with(|w| madvise_dontneed(w, PROCESS, self.address(buf, *off), *len));
                Ok(0)
            }
            Op::Protect { buf, off, len, prot } => {
                let (readable, writable) = (*prot != Prot::None, *prot == Prot::Rw);
                kt.with(|w| mprotect(w, PROCESS, self.address(buf, *off), *len, readable, writable));
                Ok(0)
            }
            Op::Fill { buf, off, len, seed } => {
                user_store(kt, PROCESS, self.address(buf, *off), *len, u64::from(*seed)).await.map(|()| 0)
            }
            Op::Load { buf, off, len } => user_load(kt, PROCESS, self.address(buf, *off), *len).await.map(|()| 0),
            Op::KernelWrite { fd, off, iov } => {
                let (file, mut pos) = (self.file(kt, fd)?, *off);
                let one = self.iovecs(iov).first().copied().unwrap_or_default();
                kernel_write(kt, file, one.base, one.len, &mut pos).await
            }
            Op::Pread { fd, off, len } => {
                let file = self.file(kt, fd)?;
                ext4_file_read_iter(kt, file, *off, *len, &mut Vec::new()).await
            }
            Op::Lseek { fd, off, whence: Whence::Data } => seek_hole_data(kt, self.file(kt, fd)?, *off, false).await,
            Op::Lseek { fd, off, whence: Whence::Hole } => seek_hole_data(kt, self.file(kt, fd)?, *off, true).await,
            Op::Lseek { fd, off, whence } => {
                let whence = match whence {
                    Whence::Cur => 1,
                    Whence::End => 2,
                    _ => 0,
                };
                kt.with(|w| llseek(w, PROCESS, self.fd(fd), *off, whence))
            }
            Op::Fdatasync { fd } => self.fsync(kt, fd, true).await,
            Op::Sync {} => {
                ksys_sync(kt).await;
                Ok(0)
            }
            Op::Ftruncate { fd, len } => self.truncate(kt, fd, *len).await,
            Op::Fchmod { fd, mode } => {
                let file = self.file(kt, fd)?;
                attr::fchmod(kt, file, octal(mode)).await.map(|()| 0)
            }
            Op::Setflags { fd, action, flags } => {
                let file = self.file(kt, fd)?;
                attr::setflags(kt, file, inode_flags(flags)?, *action == SetClear::Set).await.map(|()| 0)
            }
            Op::Fadvise { fd, off, len, advice } => {
                let file = self.file(kt, fd)?;
                if *advice == Advice::Willneed {
                    let inode = kt.with(|w| w.files.at(file).inode);
                    let (first, end) = (off / PAGE_SIZE, (off + len).div_ceil(PAGE_SIZE));
                    force_page_cache_ra(kt, inode, first as u32, (end - first) as u32).await;
                }
                Ok(0)
            }
            Op::Pipe { rfd, wfd } => {
                let n = self.shared.borrow().pipes.len() as u16;
                let pipe = kt.with(|w| create_pipe(w, PROCESS, n));
                let ends = PipeEnds { read: Some(rfd.clone()), write: Some(wfd.clone()), pipe };
                self.shared.borrow_mut().pipes.push(ends);
                Ok(0)
            }
            Op::Splice { from, inoff, to, outoff, len } => {
                Box::pin(self.splice(kt, (from, *inoff), (to, *outoff), *len)).await
            }
            Op::Shutdown { fd, how } => {
                self.file(kt, fd)?;
                ext4_shutdown(kt, *how).await.map(|()| 0)
            }
            Op::Unlink { path } => do_unlink(kt, path).await.map(|()| 0),
            Op::Rmdir { path } => do_rmdir(kt, path).await.map(|()| 0),
            Op::Link { from, to } => do_link_path(kt, from, to).await.map(|()| 0),
            Op::Rename { from, to } => do_rename(kt, from, to).await.map(|()| 0),
            Op::Mkdir { path, mode } => do_mkdir(kt, path, mode.as_deref().map_or(0o755, octal)).await.map(|()| 0),
            Op::Linkfd { fd, path } => {
                let file = self.file(kt, fd)?;
                do_link(kt, file, path).await.map(|()| 0)
            }
            Op::Sigign { signal } => {
                self.shared.borrow_mut().ignored_signals |= 1 << signal;
                Ok(0)
            }
            Op::RlimitFsize { bytes } => {
                kt.with(|w| w.acct_mut(kt.task).rlimit_fsize = *bytes);
                Ok(0)
            }
            Op::Seteuid { uid } => {
                kt.with(|w| w.acct_mut(kt.task).euid = *uid);
                Ok(0)
            }
            Op::Sysctl { path, value } => sysctl(kt, path, value),
            Op::Msleep { ms } => {
                kt.sleep_for(u64::from(*ms) * 1_000_000).await;
                Ok(0)
            }
            Op::Remount {} => {
                match self.unmount(kt).await {
                    // After an umount there is nothing to unmount.
                    Ok(()) | Err(Errno::EINVAL) => {}
                    Err(errno) => return Err(errno),
                }
                kt.with(drop_caches);
                self.mount(kt).await.map_err(|_| Errno::EINVAL)?;
                Ok(0)
            }
            Op::Umount {} => self.unmount(kt).await.map(|()| 0),
            Op::Fault(_) | Op::Mend {} | Op::Freeze {} | Op::Thaw {} | Op::Abort {} => admin::act(kt, op).await,
            Op::Swapon { path } => swapon(kt, path).await.map(|()| 0),
            Op::Swapoff { path } => swapoff(kt, path).await.map(|()| 0),
            Op::Race(_)
            | Op::RaceDontneed { .. }
            | Op::RaceWrite { .. }
            | Op::RaceTruncate { .. }
            | Op::RaceKill {} => {
                self.make_ready(kt, op);
                Ok(0)
            }
            Op::RaceWait {} => self.race_wait(kt).await,
            // `perform` does these itself.
            Op::Buf(_)
            | Op::Open { .. }
            | Op::Close { .. }
            | Op::Write { .. }
            | Op::Writev { .. }
            | Op::Pwrite { .. }
            | Op::Pwritev { .. }
            | Op::Pwritev2 { .. }
            | Op::Fsync { .. } => Err(Errno::ENOSYS),
        }
    }

    async fn unmount(&self, kt: &Kthread) -> Result<(), Errno> {
        self.close_all(kt).await;
        admin::let_go(kt).await;
        ksys_sync(kt).await;
        ext4_umount(kt).await
    }

    async fn open(&self, kt: &Kthread, fd: &str, path: &str, flags: &str, mode: Option<&str>) -> Ret {
        let flags = open_flags(flags)?;
        let file = do_sys_open(kt, path, flags, mode.map_or(0o644, octal)).await?;
        let number = self.fd(fd);
        kt.with(|w| w.fd_set((PROCESS, number), Some(file)));
        Ok(0)
    }

    async fn write_call(&self, kt: &Kthread, op: &Op) -> Ret {
        match op {
            Op::Write { fd, iov } => {
                let one = self.iovecs(iov).first().copied().unwrap_or_default();
                ksys_write(kt, self.fd(fd), one.base, one.len).await
            }
            Op::Pwrite { fd, off, iov } => {
                let one = self.iovecs(iov).first().copied().unwrap_or_default();
                ksys_pwrite64(kt, self.fd(fd), one.base, one.len, *off as i64).await
            }
            Op::Writev { fd, iov } => do_writev(kt, self.fd(fd), &self.iovecs(iov), 0).await,
            Op::Pwritev { fd, off, iov } | Op::RaceWrite { fd, off, iov } => {
                do_pwritev(kt, self.fd(fd), &self.iovecs(iov), *off as i64, 0).await
            }
            Op::Pwritev2 { fd, off, rwf, iov } => {
                let segments = self.iovecs(iov);
                if *off as i64 == -1 {
                    return do_writev(kt, self.fd(fd), &segments, rwf_flags(rwf)).await;
                }
                do_pwritev(kt, self.fd(fd), &segments, *off as i64, rwf_flags(rwf)).await
            }
            _ => Err(Errno::EINVAL),
        }
    }

    async fn fsync(&self, kt: &Kthread, fd: &str, datasync: bool) -> Ret {
        let file = self.file(kt, fd)?;
        if datasync {
            // The compiler has inlined vfs_fsync_range() here: no frame of its own in a trace.
            let args = [0, i64::MAX as u64, 1];
            let synced = call!(kt, &site::VFS_FSYNC_RANGE_INLINED, &args, async {
                ext4_sync_file(kt, file, 0, i64::MAX as u64, true).await
            });
            return synced.await.map(|()| 0);
        }
        vfs_fsync_range(kt, file, 0, i64::MAX as u64, false).await.map(|()| 0)
    }

    async fn truncate(&self, kt: &Kthread, fd: &str, len: u64) -> Ret {
        do_sys_ftruncate(kt, self.file(kt, fd)?, len).await.map(|()| 0)
    }

    // ---- a second thread that acts while the first one sleeps ----

    /// Starts the helper; it waits for the first thread's next write, fsync or
    /// ftruncate to sleep.
    fn make_ready(&self, kt: &Kthread, op: &Op) {
        let helper = self.helper(kt.task);
        let op = op.clone();
        let task = kt.machine().spawn(HELPER, PROCESS, 1, move |kt| async move {
            while !helper.shared.borrow().race.as_ref().is_some_and(|race| race.armed) {
                kt.sleep_on(RACE).await;
            }
            let result = helper.act(&kt, &op).await;
            if let Some(race) = &mut helper.shared.borrow_mut().race {
                race.result = Some(result);
            }
            kt.with(|w| {
                task_exit(w, kt.task);
                sched::wake_all(w, WaitOn::Task(kt.task));
            });
        });
        self.shared.borrow_mut().race = Some(Race { task, armed: false, result: None });
    }

    fn helper(&self, first: TaskId) -> Helper {
        Helper {
            first,
            shared: Rc::clone(&self.shared),
            program: Program {
                ops: Vec::new(),
                mount: String::new(),
                buffers: self.buffers.clone(),
                declared: Vec::new(),
                gap_ns: 0,
                shared: Rc::clone(&self.shared),
                recording: false,
                trace: false,
            },
        }
    }

    /// From here on the helper runs whenever this thread sleeps.
    fn arm_race(&self, kt: &Kthread, op: &Op) {
        if op.lets_a_helper_act() {
            self.let_the_helper_act(kt);
        }
    }

    fn let_the_helper_act(&self, kt: &Kthread) {
        if let Some(race) = &mut self.shared.borrow_mut().race {
            race.armed = true;
            kt.with(|w| sched::wake_all(w, RACE));
        }
    }

    fn disarm_race(&self) {
        if let Some(race) = &mut self.shared.borrow_mut().race {
            race.armed = false;
        }
    }

    /// Waits until the helper has acted; one that had no moment yet has it now.
    async fn race_wait(&self, kt: &Kthread) -> Ret {
        self.let_the_helper_act(kt);
        loop {
            let (task, result) = match &self.shared.borrow().race {
                Some(race) => (race.task, race.result),
                None => return Err(Errno::EINVAL),
            };
            if let Some(result) = result {
                self.shared.borrow_mut().race = None;
                return result;
            }
            kt.sleep_on(WaitOn::Task(task)).await;
        }
    }
}

/// The second thread.
struct Helper {
    first: TaskId,
    shared: Rc<RefCell<Shared>>,
    program: Program,
}

impl Shared {
    /// The file that a descriptor's name stands for.
    pub(super) fn file(&self, w: &World, name: &str) -> Option<FileId> {
        let fd = self.fds.iter().position(|known| known == name)?;
        fdget(w, PROCESS, u32::try_from(fd).ok()?).ok()
    }
}

impl Helper {
    async fn act(&self, kt: &Kthread, op: &Op) -> Ret {
        match op {
            Op::RaceDontneed { buf, off, len } => {
                call!(kt, &site::USER, &[0], async {
                    kt.with(|w| madvise_dontneed(w, PROCESS, self.program.address(buf, *off), *len));
                    probe!(kt, USER_ACT).await;
                    Ok(0)
                })
                .await
            }
            Op::RaceWrite { .. } => self.program.write_call(kt, op).await,
            Op::RaceTruncate { fd, len } => self.program.truncate(kt, fd, *len).await,
            Op::Race(op) => call!(kt, &site::USER, &[0], async { Box::pin(self.program.perform(kt, op)).await }).await,
            _ => {
                call!(kt, &site::USER, &[0], async {
                    kt.with(|w| kill(w, self.first));
                    probe!(kt, USER_ACT).await;
                    Ok(0)
                })
                .await
            }
        }
    }
}

/// A signal that ends the process, if one is pending.
fn deadly_signal(w: &World, task: TaskId, ignored: u64) -> Option<u8> {
    let task = w.tasks.at(task);
    if task.killed {
        return Some(9);
    }
    let pending = task.signals & !ignored & !HARMLESS;
    (pending != 0).then(|| pending.trailing_zeros() as u8)
}

fn octal(text: &str) -> u16 {
    u16::from_str_radix(text, 8).unwrap_or(0) // `Scenario::check` has read it once already
}

fn open_flags(text: &str) -> Result<OpenFlags, Errno> {
    let mut flags = OpenFlags::LARGEFILE;
    for word in text.split(',').filter(|word| !word.is_empty()) {
        flags |= match word {
            // There are no symbolic links, and no exec.
            "RDONLY" | "NOFOLLOW" | "CLOEXEC" => OpenFlags::empty(),
            "WRONLY" => OpenFlags::WRONLY,
            "RDWR" => OpenFlags::RDWR,
            "CREAT" => OpenFlags::CREAT,
            "EXCL" => OpenFlags::EXCL,
            "TRUNC" => OpenFlags::TRUNC,
            "APPEND" => OpenFlags::APPEND,
            "NONBLOCK" => OpenFlags::NONBLOCK,
            "DSYNC" => OpenFlags::DSYNC,
            "SYNC" => OpenFlags::SYNC | OpenFlags::DSYNC,
            "DIRECT" => OpenFlags::DIRECT,
            "DIRECTORY" => OpenFlags::DIRECTORY,
            "NOATIME" => OpenFlags::NOATIME,
            "TMPFILE" => OpenFlags::TMPFILE | OpenFlags::DIRECTORY,
            _ => return Err(Errno::EINVAL),
        };
    }
    Ok(flags)
}

fn fallocate_mode(mode: FallocateMode) -> u32 {
    match mode {
        FallocateMode::Plain => 0,
        FallocateMode::Keep => falloc::FALLOC_FL_KEEP_SIZE,
        FallocateMode::Punch => falloc::FALLOC_FL_PUNCH_HOLE | falloc::FALLOC_FL_KEEP_SIZE,
        FallocateMode::Zero => falloc::FALLOC_FL_ZERO_RANGE,
        FallocateMode::Collapse => falloc::FALLOC_FL_COLLAPSE_RANGE,
        FallocateMode::Insert => falloc::FALLOC_FL_INSERT_RANGE,
    }
}

fn rwf_flags(text: &str) -> u32 {
    let mut flags = Rwf::empty();
    for word in text.split(',') {
        flags |= match word {
            "HIPRI" => Rwf::HIPRI,
            "DSYNC" => Rwf::DSYNC,
            "SYNC" => Rwf::SYNC,
            "NOWAIT" => Rwf::NOWAIT,
            "APPEND" => Rwf::APPEND,
            _ => Rwf::empty(),
        };
    }
    flags.bits()
}

/// Inode flags by the words of FS_IOC_SETFLAGS.
fn inode_flags(text: &str) -> Result<u32, Errno> {
    let mut flags = 0;
    for word in text.split(',') {
        flags |= match word.to_ascii_lowercase().as_str() {
            "sync" => 0x8,
            "immutable" => 0x10,
            "append" => 0x20,
            "dax" => 0x200_0000,
            _ => return Err(Errno::EOPNOTSUPP),
        };
    }
    Ok(flags)
}

/// Writes under /proc/sys/vm that the model knows.
fn sysctl(kt: &Kthread, path: &str, value: &str) -> Ret {
    let number: u64 = value.trim().parse().map_err(|_| Errno::EINVAL)?;
    let name = path.trim_start_matches("/proc/sys/").replace('.', "/");
    let name = name.strip_prefix("vm/").ok_or(Errno::ENOSYS)?;
    kt.with(|w| vm_sysctl(w, name, number)).map(|()| 0)
}
