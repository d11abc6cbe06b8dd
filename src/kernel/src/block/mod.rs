//! The block layer: requests and the RAM disk behind them.

pub mod ramdisk;
