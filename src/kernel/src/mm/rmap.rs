//! From a page to the page table entries that map it. Mirrors mm/rmap.c.

use world::{PageId, Pte, World};

use crate::fs::splice::FIRST_PIPE;
use crate::mm::filemap::put_page;
use crate::mm::memory::buffer_address;

/// The entries of programs that map the page; what a pipe holds is no mapping.
fn mappings(w: &World, page: PageId) -> Vec<((u8, u64), Pte)> {
    let pipes = buffer_address(FIRST_PIPE, 0) / world::PAGE_SIZE;
    let maps = |pte: &Pte| matches!(pte, Pte::Cache { page: mapped, .. } if *mapped == page);
    w.ptes.entries().iter().filter(|(key, pte)| key.1 < pipes && maps(pte)).map(|(key, pte)| (*key, *pte)).collect()
}

/// `page_mapped()`.
#[must_use]
pub fn page_mapped(w: &World, page: PageId) -> bool {
    !mappings(w, page).is_empty()
}

/// `page_referenced()`, mm/rmap.c:850: how many entries were used since the last look; the marks are cleared.
pub fn page_referenced(w: &mut World, page: PageId) -> usize {
    let mut referenced = 0;
    for (key, pte) in mappings(w, page) {
        if let Pte::Cache { page, writable, young: true } = pte {
            w.pte_set(key, Some(Pte::Cache { page, writable, young: false }));
            referenced += 1;
        }
    }
    referenced
}

/// `try_to_unmap()`, mm/rmap.c:1767: the entries go, and their references.
pub fn try_to_unmap(w: &mut World, page: PageId) {
    for (key, _) in mappings(w, page) {
        w.pte_set(key, None);
        put_page(w, page);
    }
}
