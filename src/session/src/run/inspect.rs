//! A look at an image before anything is written to it.

use std::cell::RefCell;
use std::rc::Rc;

use kernel::block::ramdisk::irq;
use kernel::fs::ext4::super_::{MountOptions, ext4_mount, raw_super};
use kernel::fs::open::list_dir;
use ondisk::layout::dir::file_type;
use sched::{Kthread, Machine, Pause};
use world::World;

use super::{RunError, image};
use crate::scenario::{Image, Scenario, Upload};

/// Files named at most.
const FILES_MAX: usize = 200;
/// Folders gone into, one within the other.
const DEPTH_MAX: usize = 4;

/// What an image is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes of the device.
    pub size_bytes: u64,
    /// Bytes of a block.
    pub block_size: u32,
    /// Its features by name.
    pub features: Vec<String>,
    /// Paths of regular files, some if there are many.
    pub files: Vec<String>,
}

/// Mounts an image on a machine of its own and looks around.
///
/// # Errors
/// [`RunError::Mount`] with the feature, the checksum or the object at fault.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, RunError> {
    let mut scenario = Scenario::new("inspect", 1);
    scenario.image = Image::Upload(Upload { name: String::new(), sha256: String::new() });
    let mut world = World::default();
    let size_bytes = image::load(&mut world, &scenario, Some(bytes))?;
    super::boot(&mut world, &scenario);
    let machine = Machine::new(world, false);
    let found = Rc::new(RefCell::new(Err(RunError::Mount("the mount did not end".to_owned()))));
    let result = Rc::clone(&found);
    machine.spawn("inspect", 1, 0, |kt| async move {
        let looked = look(&kt).await;
        *result.borrow_mut() = looked.map(|inspection| Inspection { size_bytes, ..inspection });
    });
    while machine.run(u32::MAX, irq) == Pause::Budget {}
    let found = found.borrow();
    found.clone()
}

async fn look(kt: &Kthread) -> Result<Inspection, RunError> {
    let options = MountOptions::parse("ro").map_err(|error| RunError::Mount(error.to_string()))?;
    ext4_mount(kt, options).await.map_err(|error| RunError::Mount(error.to_string()))?;
    let (block_size, features) = kt.with(|w| {
        let sb = raw_super(w);
        let names = [sb.compat().names(), sb.incompat().names(), sb.ro_compat().names()].concat();
        (1 << w.sb().block_bits, names)
    });
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let path = if folder.is_empty() { "/" } else { &folder };
        // A folder that cannot be read is left out: the mount itself was good.
        for entry in list_dir(kt, path).await.unwrap_or_default() {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            if name == "." || name == ".." || files.len() >= FILES_MAX {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type == file_type::DIR && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if entry.file_type == file_type::REG_FILE {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(Inspection { size_bytes: 0, block_size, features, files })
}
