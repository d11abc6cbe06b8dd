//! Numbers that must not be mixed up, each a type of its own.

use core::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $Name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(pub $inner);

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($Name), "({})"), self.0)
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $Name {
            fn from(number: $inner) -> Self {
                Self(number)
            }
        }

        impl From<$Name> for $inner {
            fn from(id: $Name) -> Self {
                id.0
            }
        }
    };
}

number! {
    /// A block of the device, counted in file system blocks from its start.
    Pblk(u64)
}
number! {
    /// A block of a file, counted in file system blocks from its start.
    Lblk(u32)
}
number! {
    /// An inode number; the first is 1, 0 means none.
    Ino(u32)
}
number! {
    /// A block group.
    Group(u32)
}

impl Ino {
    /// The root directory.
    pub const ROOT: Ino = Ino(2);
    /// The file that owns the reserved descriptor blocks.
    pub const RESIZE: Ino = Ino(7);
    /// The journal.
    pub const JOURNAL: Ino = Ino(8);
    /// The first inode that is not reserved; mke2fs gives it to lost+found.
    pub const FIRST: Ino = Ino(11);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_bare_number_and_debugs_with_its_type() {
        assert_eq!(format!("{} {:?} {:>4}", Pblk(7), Ino(2), Lblk(3)), "7 Ino(2)    3");
    }
}
