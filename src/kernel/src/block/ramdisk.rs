//! A block device in memory, in units of 4096 bytes. Persistent memory is one
//! whose bytes the processor reaches without a request, too.
//!
//! With latency 0 a request completes inside [`submit_bio`], as on brd; else it
//! completes on the modelled clock: as many requests in parallel as the queue is
//! deep, their bytes one after the other at the device's bandwidth. A write takes
//! its bytes at submission; they reach the store at completion.
//!
//! [`World::faults`] says which requests fail with `EIO`; their bytes do not move.
//!
//! Not modelled: request queue, merging below the bio, partitions; see
//! docs/omissions.md#block.

use sched::{schedule, wake_all};
use world::{
    BhId, Bio, BioId, BioVec, ContentId, Counter, DeviceFault, Errno, Event, FaultOf, InodeId, PAGE_SIZE, PageFlags,
    UnitId, WaitOn, World,
};

use crate::fs::buffer;
use crate::fs::ext4::page_io;
use crate::point;
use crate::site::{BIO_END, DWORK_TIMER, IDLE};
use crate::trace::Graph as _;

/// Who is told when a request completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Completion {
    /// A task that waits on the buffers (`end_buffer_read_sync`, `end_buffer_write_sync`).
    Buffers = 1,
    /// Data pages (`ext4_end_bio`).
    Pages = 2,
    /// Pages read whole (`mpage_end_io`).
    ReadPages = 3,
    /// A task that waits on the bio itself.
    Waiter = 4,
    /// Buffers of a page under writeback (`end_buffer_async_write`).
    AsyncBuffers = 5,
}

/// rwbs: readahead.
pub const REQ_RAHEAD: u8 = 1;
/// rwbs: synchronous.
pub const REQ_SYNC: u8 = 2;
/// rwbs: metadata.
pub const REQ_META: u8 = 4;

/// A request that a caller is about to submit.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// A write, else a read.
    pub write: bool,
    /// First byte on the device.
    pub offset_bytes: u64,
    /// Its pieces, in order.
    pub vecs: &'a [BioVec],
    /// Who is told.
    pub completion: Completion,
    /// `REQ_` letters.
    pub rwbs: u8,
    /// The inode, for data.
    pub inode: InodeId,
}

fn rwbs_word(bio: &Bio) -> u64 {
    u64::from(bio.rwbs) | if bio.write { 0x80 } else { 0 }
}

/// `submit_bio()`, block/blk-core.c.
pub fn submit_bio(w: &mut World, request: Request<'_>) -> BioId {
    let len = request.vecs.iter().map(|vec| vec.len).sum::<u32>();
    // bio_check_eod(): a damaged map may point past the end.
    let past_end = request.offset_bytes + u64::from(len) > w.device.len() as u64 * PAGE_SIZE;
    let error = if should_fail(w, &request, u64::from(len)) || past_end { Errno::EIO as u16 } else { 0 };
    let bio = Bio {
        used: true,
        write: request.write,
        sector: request.offset_bytes / 512,
        len,
        completion: request.completion as u8,
        nr_vecs: request.vecs.len() as u16,
        inode: request.inode,
        rwbs: request.rwbs,
        error,
    };
    let rec = w.rec;
    let id = w.bios.alloc(rec, bio);
    point!(w, BLOCK_BIO_QUEUE, rwbs_word(&bio), bio.sector, len / 512);
    w.graph("submit_bio { submit_bio_noacct {");
    let latency = w.counter(Counter::DeviceLatency);
    if latency == 0 {
        let brd = w.counter(Counter::DaxDevice) == 0;
        if brd {
            w.graph("brd_submit_bio {");
        }
        for _ in request.vecs.iter().filter(|_| brd) {
            w.graph("brd_do_bvec { brd_lookup_page");
            w.graph(if bio.write { "brd_lookup_page }" } else { "}" });
        }
        // Nobody can look at the pieces before they are done with.
        complete(w, id, request.vecs);
        w.graph(if brd { "} } }" } else { "} }" });
        return id;
    }
    for (n, vec) in request.vecs.iter().enumerate() {
        let mut vec = *vec;
        if bio.write {
            let bytes = w.contents.share(w.pages.at(vec.page).content);
            let content = w.contents.alloc(rec);
            w.contents.replace(rec, content, bytes);
            vec.content = Some(content);
        }
        w.bio_vec_set((id, n as u16), Some(vec));
    }
    let delay = service_time(w, u64::from(len)) + latency;
    schedule(w, delay, Event::BioEnd(id));
    w.graph("} }");
    id
}

/// How long from now until a request of `len` bytes has moved its bytes: with as
/// many in flight as the device takes it waits for one to end, and the bytes of
/// all share one wire.
fn service_time(w: &mut World, len: u64) -> u64 {
    let now = w.counter(Counter::Clock);
    let mut begin = now;
    let depth = w.counter(Counter::DeviceQueueDepth) as usize;
    if depth > 0 {
        // The events are sorted by time: with the first of the last `depth` a place becomes free.
        let ends: Vec<u64> =
            w.events.entries().iter().filter(|(_, e)| matches!(e, Event::BioEnd(_))).map(|(&(at, _), _)| at).collect();
        if ends.len() >= depth {
            begin = begin.max(ends[ends.len() - depth]);
        }
    }
    if let Some(moving) = (len * 1_000_000_000).checked_div(w.counter(Counter::DeviceBandwidth)) {
        begin = begin.max(w.counter(Counter::DeviceBusyUntil)) + moving;
        *w.counter_mut(Counter::DeviceBusyUntil) = begin;
    }
    begin - now
}

/// `should_fail_request()`, block/blk-core.c: true if one of the device's
/// faults is due. Each counts the requests that it is about.
fn should_fail(w: &mut World, request: &Request<'_>, len: u64) -> bool {
    let (first, last) = (request.offset_bytes / 512, (request.offset_bytes + len).saturating_sub(1) / 512);
    let data = request.inode != InodeId::BDEV;
    let about = |fault: &DeviceFault| {
        let of = match fault.of {
            FaultOf::Any => true,
            FaultOf::Data => data,
            FaultOf::Metadata => !data,
        };
        of && fault.write == request.write && fault.first <= last && first <= fault.last
    };
    let hit: Vec<(u32, DeviceFault)> =
        w.faults.entries().iter().filter(|(_, fault)| about(fault)).map(|(&n, &fault)| (n, fault)).collect();
    let mut fails = false;
    for (n, fault) in hit {
        let left = match fault {
            DeviceFault { skip: 0, times, .. } => {
                fails = true;
                // All of them: the rule stays as it is.
                (times != u32::MAX).then(|| DeviceFault { times: times - 1, ..fault })
            }
            DeviceFault { skip, .. } => Some(DeviceFault { skip: skip - 1, ..fault }),
        };
        if let Some(left) = left {
            w.fault_set(n, (left.times > 0).then_some(left));
        }
    }
    fails
}

/// Another fault of the device.
pub fn add_fault(w: &mut World, fault: DeviceFault) {
    let n = w.faults.entries().last_key_value().map_or(0, |(&n, _)| n + 1);
    if fault.times > 0 {
        w.fault_set(n, Some(fault));
    }
}

/// The device is sound again; requests in flight fail if they were to.
pub fn clear_faults(w: &mut World) {
    let all: Vec<u32> = w.faults.entries().keys().copied().collect();
    for n in all {
        w.fault_set(n, None);
    }
}

/// A request completes: bytes move, and whoever waits is told.
///
/// # Panics
/// If the request is not in flight.
pub fn bio_endio(w: &mut World, id: BioId) {
    let nr_vecs = w.bios.at(id).nr_vecs;
    let vecs: Vec<BioVec> = (0..nr_vecs).map(|n| w.bio_vecs.get((id, n)).expect("a bio has all its pieces")).collect();
    for n in 0..nr_vecs {
        w.bio_vec_set((id, n), None);
    }
    complete(w, id, &vecs);
}

fn complete(w: &mut World, id: BioId, vecs: &[BioVec]) {
    let bio = *w.bios.at(id);
    assert!(bio.used, "a request completes once");
    let rec = w.rec;
    let mut at = bio.sector * 512;
    for vec in vecs {
        if bio.error == 0 {
            let content = w.pages.at(vec.page).content;
            if bio.write {
                write_device(w, at, vec.content.unwrap_or(content), vec.offset as usize, vec.len as usize);
            } else {
                read_device(w, at, content, vec.offset as usize, vec.len as usize);
            }
        }
        at += u64::from(vec.len);
        if let Some(content) = vec.content {
            w.contents.release(rec, content);
        }
    }
    if bio.error == 0 {
        count_transfer(w, &bio);
    }
    point!(w, BLOCK_BIO_COMPLETE, rwbs_word(&bio), bio.sector, bio.len / 512, u64::from(bio.error));
    w.bios.release(rec, id);
    w.graph("bio_endio {");
    match bio.completion {
        c if c == Completion::Buffers as u8 => buffer::end_buffers(w, &bio, vecs),
        c if c == Completion::Pages as u8 => page_io::ext4_end_bio(w, &bio, vecs),
        c if c == Completion::AsyncBuffers as u8 => buffer::end_buffers_async_write(w, &bio, vecs),
        c if c == Completion::ReadPages as u8 => crate::mm::filemap::end_read_pages(w, &bio, vecs),
        _ => {
            if bio.error != 0 {
                // The pages are the waiter's own: they tell it.
                vecs.iter().for_each(|vec| w.page_mut(vec.page).flags.insert(PageFlags::ERROR));
            }
            w.graph("iomap_dio_bio_end_io");
            wake_all(w, WaitOn::Work(id.0));
        }
    }
    w.graph("}");
}

/// The irq side of the machine: an event happens while no task runs.
pub fn irq(w: &mut World, event: Event) -> u16 {
    match event {
        Event::BioEnd(id) => {
            bio_endio(w, id);
            BIO_END.id
        }
        Event::Flusher => {
            crate::mm::backing_dev::timer_expired(w);
            DWORK_TIMER.id
        }
        Event::Wake(_) | Event::None => IDLE.id,
    }
}

fn count_transfer(w: &mut World, bio: &Bio) {
    let len = u64::from(bio.len);
    if bio.write {
        *w.counter_mut(Counter::DeviceBytesWritten) += len;
        *w.counter_mut(Counter::SectorsWritten) += len / 512;
    } else {
        *w.counter_mut(Counter::DeviceBytesRead) += len;
    }
}

/// The bytes of `copy` go to a buffer's place, without a request: what a replay
/// of the log at the next mount would do.
pub fn replay_buffer(w: &mut World, bh: BhId, copy: ContentId) {
    let head = *w.bhs.at(bh);
    let at = head.blocknr * u64::from(head.size);
    write_device(w, at, copy, usize::from(head.offset), usize::from(head.size));
}

fn write_device(w: &mut World, at: u64, from: world::ContentId, offset: usize, len: usize) {
    let bytes = w.contents.share(from);
    if len == PAGE_SIZE as usize && at.is_multiple_of(PAGE_SIZE) {
        *w.unit_mut(unit_of(at).0) = Some(bytes);
        return;
    }
    let mut done = 0;
    while done < len {
        let (unit, within) = unit_of(at + done as u64);
        let piece = (PAGE_SIZE as usize - within).min(len - done);
        if piece == PAGE_SIZE as usize {
            *w.unit_mut(unit) = Some(bytes.clone());
        } else {
            let mut block = *unit_bytes(w, unit);
            block[within..within + piece].copy_from_slice(&bytes[offset + done..offset + done + piece]);
            *w.unit_mut(unit) = Some(std::sync::Arc::new(block));
        }
        done += piece;
    }
}

fn read_device(w: &mut World, at: u64, to: world::ContentId, offset: usize, len: usize) {
    let rec = w.rec;
    let mut done = 0;
    while done < len {
        let (unit, within) = unit_of(at + done as u64);
        let piece = (PAGE_SIZE as usize - within).min(len - done);
        let block = unit_bytes(w, unit);
        if piece == PAGE_SIZE as usize {
            w.contents.replace(rec, to, block);
        } else {
            w.contents.range_mut(rec, to, offset + done, piece).copy_from_slice(&block[within..within + piece]);
        }
        done += piece;
    }
}

fn unit_of(at: u64) -> (UnitId, usize) {
    (UnitId((at / PAGE_SIZE) as u32), (at % PAGE_SIZE) as usize)
}

/// The bytes of a unit; zeros if it was never written.
#[must_use]
pub fn unit_bytes(w: &World, unit: UnitId) -> world::Block {
    match w.device.get(unit) {
        Some(Some(block)) => block.clone(),
        _ => world::ZERO_BLOCK.with(Clone::clone),
    }
}

/// Bytes to the device's own memory, without a request: what a store of the
/// processor to persistent memory does.
pub fn store_bytes(w: &mut World, at: u64, bytes: &[u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let (unit, within) = unit_of(at + done as u64);
        let piece = (PAGE_SIZE as usize - within).min(bytes.len() - done);
        let mut block = *unit_bytes(w, unit);
        block[within..within + piece].copy_from_slice(&bytes[done..done + piece]);
        *w.unit_mut(unit) = Some(std::sync::Arc::new(block));
        done += piece;
    }
    *w.counter_mut(Counter::DeviceBytesWritten) += bytes.len() as u64;
}

/// `len` bytes of the device's own memory, without a request.
pub fn load_bytes(w: &World, at: u64, len: u64, out: &mut Vec<u8>) {
    let mut done = 0;
    while done < len {
        let (unit, within) = unit_of(at + done);
        let piece = (PAGE_SIZE - within as u64).min(len - done);
        out.extend_from_slice(&unit_bytes(w, unit)[within..within + piece as usize]);
        done += piece;
    }
}
