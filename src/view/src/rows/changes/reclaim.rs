//! What changed about memory pressure: places on the LRU lists, and what reclaimed pages left.

use world::{Change as Raw, LruList, LruPlace, Shadow};

use super::{Groups, Key, inode_name, maybe};
use crate::moment::{Moment, number};

pub(super) fn reclaim(m: &Moment, change: &Raw, groups: &mut Groups) {
    match change {
        Raw::lru_places(page, old) => {
            let now = m.w.lru_places.get(*page).copied().unwrap_or_default();
            let show = |place: LruPlace| {
                let list = match place.list {
                    LruList::None => return None,
                    LruList::Inactive => "inactive",
                    LruList::Active => "active",
                };
                Some(list.to_owned())
            };
            let (old, now) = (show(*old), show(now));
            if old == now {
                groups.add(Key::Page(page.0), m.page_name(*page), maybe("to the head of its LRU list", None, now));
            } else {
                groups.add(Key::Page(page.0), m.page_name(*page), maybe("LRU list", old, now));
            }
        }
        Raw::shadows((inode, index), old) => {
            let now = m.w.shadows.get((*inode, *index));
            let show = |shadow: Option<Shadow>| shadow.map(|shadow| tr!("age {}", number(shadow.eviction)));
            groups.add(
                Key::Inode(inode.0),
                inode_name(m.w, *inode),
                maybe(&tr!("shadow of page {}", index), show(*old), show(now)),
            );
        }
        _ => {}
    }
}
