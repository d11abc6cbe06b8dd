//! The page's allocator: wasm's own, which takes memory in large pieces ahead of need.
//!
//! By itself it grows the memory by as little as 64 KiB. A browser makes a new buffer object of the whole memory each
//! time and reckons it to its garbage: of 128 MiB written in 4 KiB writes that was four fifths of the time. So whoever
//! sees that the memory grew takes a quarter more and gives it back: the heap has it then, and no page of it is
//! touched before it is used. `use heap as _;` in a program is all; natively this crate is empty.

#[cfg(target_arch = "wasm32")]
mod ahead {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::arch::wasm32::memory_size;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Bytes of a page of wasm's memory, of which `memory_size` is a number.
    const PAGE: usize = 1 << 16;
    /// The part of the memory that is taken ahead.
    const PART: usize = 4;

    struct Ahead;

    #[global_allocator]
    static ALLOCATOR: Ahead = Ahead;

    /// Pages of the memory when it was last looked at.
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    // SAFETY: every call goes to `System` as it came. Not inlined: a call of it is everywhere.
    unsafe impl GlobalAlloc for Ahead {
        #[inline(never)]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            grown(unsafe { System.alloc(layout) })
        }

        #[inline(never)]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            grown(unsafe { System.alloc_zeroed(layout) })
        }

        #[inline(never)]
        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            unsafe { System.dealloc(at, layout) }
        }

        #[inline(never)]
        unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            grown(unsafe { System.realloc(at, layout, size) })
        }
    }

    #[inline]
    fn grown(at: *mut u8) -> *mut u8 {
        if memory_size::<0>() != SEEN.load(Relaxed) {
            take_ahead();
        }
        at
    }

    #[cold]
    fn take_ahead() {
        if let Ok(ahead) = Layout::from_size_align(memory_size::<0>() * PAGE / PART, 8) {
            // SAFETY: a memory has pages, so the layout is not empty; what was given goes back as it came.
            unsafe {
                let at = System.alloc(ahead);
                if !at.is_null() {
                    System.dealloc(at, ahead);
                }
            }
        }
        SEEN.store(memory_size::<0>(), Relaxed);
    }
}
