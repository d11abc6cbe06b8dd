//! One module per structure on the disk.
//!
//! Fixed structures ([`Superblock`](superblock::Superblock),
//! [`GroupDesc`](group_desc::GroupDesc), [`Inode`](inode::Inode), the journal's
//! headers) are `#[repr(C)]` with endian-typed fields under their kernel names,
//! so `of(&bytes)` and `of_mut(&mut bytes)` look at a cached block in place,
//! while `parse` and `write_to` copy. Packed structures (extent nodes,
//! directory blocks, bitmaps, journal tags) are functions over the block.
//!
//! Layouts follow fs/ext4/ext4.h, fs/ext4/ext4_extents.h and
//! include/linux/jbd2.h of v5.10.

use thiserror::Error;

pub mod bitmap;
pub mod dir;
pub mod dir_hash;
pub mod extent;
pub mod group_desc;
pub mod htree;
pub mod inode;
pub mod journal;
pub mod superblock;
pub mod xattr;

/// Why bytes are not the structure they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// The slice ends before the structure does.
    #[error("{what}: {found} bytes where {need} are needed")]
    TooShort {
        /// The structure.
        what: &'static str,
        /// Bytes that it takes.
        need: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// The magic number is another one.
    #[error("{what}: magic is {found:#x}, not {want:#x}")]
    BadMagic {
        /// The structure.
        what: &'static str,
        /// The magic of this structure.
        want: u32,
        /// What stands there.
        found: u32,
    },
    /// A field breaks a rule of the format.
    #[error("{what}: {field} at byte {at} is {found}, {rule}")]
    BadField {
        /// The structure.
        what: &'static str,
        /// The field's kernel name.
        field: &'static str,
        /// Offset of the field in the bytes given.
        at: usize,
        /// What stands there.
        found: u64,
        /// What should hold, to be read after the value.
        rule: &'static str,
    },
    /// The stored checksum is not that of the bytes.
    #[error("{what}: checksum is {found:#010x}, computed {want:#010x}")]
    BadChecksum {
        /// The structure.
        what: &'static str,
        /// Computed over the bytes.
        want: u32,
        /// Stored in them.
        found: u32,
    },
}

/// Compares a stored checksum with the computed one.
pub(crate) fn same_checksum(what: &'static str, want: u32, found: u32) -> Result<(), LayoutError> {
    if want == found { Ok(()) } else { Err(LayoutError::BadChecksum { what, want, found }) }
}

/// `N` bytes at `at`, or an error that names the structure.
pub(crate) fn take<const N: usize>(what: &'static str, bytes: &[u8], at: usize) -> Result<[u8; N], LayoutError> {
    at.checked_add(N)
        .and_then(|end| bytes.get(at..end))
        .and_then(|taken| taken.try_into().ok())
        .ok_or(LayoutError::TooShort { what, need: at.saturating_add(N), found: bytes.len() })
}

/// Puts `value` at `at`, or an error that names the structure.
pub(crate) fn put(what: &'static str, bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), LayoutError> {
    let (found, need) = (bytes.len(), at.saturating_add(value.len()));
    let slot = bytes.get_mut(at..need).ok_or(LayoutError::TooShort { what, need, found })?;
    slot.copy_from_slice(value);
    Ok(())
}

/// A 32-bit number as an index.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).expect("usize has at least 32 bits on every target")
}

/// The little-endian u16 at `at`; past the end it reads as zero.
pub(crate) fn le16(bytes: &[u8], at: usize) -> u16 {
    take("u16", bytes, at).map_or(0, u16::from_le_bytes)
}

/// The little-endian u32 at `at`; past the end it reads as zero.
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    take("u32", bytes, at).map_or(0, u32::from_le_bytes)
}

/// One field of a structure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Byte offset from the start of the block or structure.
    pub offset: u32,
    /// Bytes that it takes.
    pub len: u32,
    /// Its kernel name, or a few words where the kernel has none.
    pub name: std::borrow::Cow<'static, str>,
    /// Its value in words and numbers.
    pub value: String,
}

/// How a field type is shown when nothing better is known of it.
pub(crate) trait Show {
    fn show(&self) -> String;
}

macro_rules! show_numbers {
    ($($t:ty),*) => { $(impl Show for $t { fn show(&self) -> String { self.to_string() } })* };
}
show_numbers!(
    u8,
    zerocopy::little_endian::U16,
    zerocopy::little_endian::U32,
    zerocopy::little_endian::U64,
    zerocopy::big_endian::U32
);

impl<const N: usize> Show for [u8; N] {
    fn show(&self) -> String {
        hex(self)
    }
}

impl<const N: usize> Show for [zerocopy::little_endian::U32; N] {
    fn show(&self) -> String {
        self.iter().map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
    }
}

/// Bytes as text if they are printable and end in zeros, else as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let used = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    match &bytes[..used] {
        [] => "0".to_owned(),
        text if text.iter().all(|b| (b' '..=b'~').contains(b)) => text.iter().map(|&b| char::from(b)).collect(),
        _ => bytes.iter().map(|b| format!("{b:02x}")).collect(),
    }
}

/// Declares a fixed structure: its layout, its copies and views, its fields by name.
macro_rules! on_disk {
    (
        $(#[$doc:meta])*
        $what:literal pub struct $Name:ident ($size:literal) {
            $( $(#[$field_doc:meta])* $field:ident : $Type:ty, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, zerocopy::FromBytes, zerocopy::IntoBytes,
            zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $Name {
            $( $(#[$field_doc])* pub $field: $Type, )*
        }

        const _: () = assert!(size_of::<$Name>() == $size);

        impl $Name {
            /// Bytes that it takes.
            pub const SIZE: usize = $size;

            /// All fields zero.
            #[must_use]
            pub fn zeroed() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }

            /// A copy of the structure at the start of `bytes`.
            ///
            /// # Errors
            /// `TooShort` if it does not fit.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::LayoutError> {
                Self::of(bytes).copied()
            }

            /// The structure at the start of `bytes`, in place.
            ///
            /// # Errors
            /// `TooShort` if it does not fit.
            pub fn of(bytes: &[u8]) -> Result<&Self, $crate::LayoutError> {
                let found = bytes.len();
                zerocopy::FromBytes::ref_from_prefix(bytes).map(|(this, _)| this).map_err(|_| {
                    $crate::LayoutError::TooShort { what: $what, need: $size, found }
                })
            }

            /// The structure at the start of `bytes`, to be changed in place.
            ///
            /// # Errors
            /// `TooShort` if it does not fit.
            pub fn of_mut(bytes: &mut [u8]) -> Result<&mut Self, $crate::LayoutError> {
                let found = bytes.len();
                zerocopy::FromBytes::mut_from_prefix(bytes).map(|(this, _)| this).map_err(|_| {
                    $crate::LayoutError::TooShort { what: $what, need: $size, found }
                })
            }

            /// Writes it to the start of `bytes`.
            ///
            /// # Errors
            /// `TooShort` if it does not fit.
            pub fn write_to(&self, bytes: &mut [u8]) -> Result<(), $crate::LayoutError> {
                *Self::of_mut(bytes)? = *self;
                Ok(())
            }

            /// Its bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                zerocopy::IntoBytes::as_bytes(self)
            }

            /// All fields in order, offsets counted from the structure's start.
            #[must_use]
            pub fn fields(&self) -> Vec<$crate::layout::Field> {
                vec![ $( $crate::layout::Field {
                    offset: core::mem::offset_of!($Name, $field) as u32,
                    len: size_of::<$Type>() as u32,
                    name: stringify!($field).into(),
                    value: $crate::layout::Show::show(&self.$field),
                }, )* ]
            }
        }
    };
}
pub(crate) use on_disk;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    macro_rules! round_trips {
        ($bytes:expr, $($Name:ty),*) => { $(
            match <$Name>::parse($bytes) {
                Ok(this) => {
                    let mut out = $bytes.to_vec();
                    out[..<$Name>::SIZE].fill(0);
                    this.write_to(&mut out).unwrap();
                    prop_assert_eq!(&out, $bytes);
                    prop_assert_eq!(this.fields().iter().map(|f| index(f.len)).sum::<usize>(), <$Name>::SIZE);
                }
                Err(error) => prop_assert!($bytes.len() < <$Name>::SIZE, "{}", error),
            }
        )* };
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
            round_trips!(
                &bytes, superblock::Superblock, group_desc::GroupDesc, inode::Inode, journal::JournalSuperblock
            );
            if let Ok(sb) = superblock::Superblock::parse(&bytes) {
                let _ = (sb.groups(), sb.desc_blocks(), sb.inode_table_blocks(), sb.cluster_ratio());
                let mut map = [0; 64];
                bitmap::init_block_bitmap(&mut map, &sb, crate::Group(2), &group_desc::GroupDesc::zeroed());
                let _ = (sb.verify_checksum(), crate::mountable::check_mountable(&sb));
            }
            if let Ok(sb) = journal::JournalSuperblock::parse(&bytes) {
                let _ = sb.verify();
            }
        }
    }
}
