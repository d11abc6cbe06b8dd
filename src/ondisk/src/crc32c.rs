//! CRC-32C as the kernel's `crc32c_le` computes it.
//!
//! Castagnoli, reflected, with the seed given and **no** inversion at the end:
//! a library that inverts at the end returns the complement. Checksums chain,
//! `crc32c(crc32c(seed, a), b)` being that of `a` followed by `b`.

use std::sync::LazyLock;

/// The reflected Castagnoli polynomial.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Table `k` holds the CRC of each byte followed by `k` zero bytes.
static TABLES: LazyLock<[[u32; 256]; 8]> = LazyLock::new(|| {
    let mut tables = [[0; 256]; 8];
    for (byte, slot) in (0u32..).zip(&mut tables[0]) {
        *slot = (0..8).fold(byte, |crc, _| (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 });
    }
    for k in 1..8 {
        for byte in 0..256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][usize::from(before.to_le_bytes()[0])];
        }
    }
    tables
});

/// The seed that every chain starts with.
pub const START: u32 = !0;

/// Continues `seed` over `bytes`, eight at a time.
#[must_use]
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let t = &*TABLES;
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(seed, |crc, &[a, b, c, d, e, f, g, h]| {
        let [w, x, y, z] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        t[7][usize::from(w)]
            ^ t[6][usize::from(x)]
            ^ t[5][usize::from(y)]
            ^ t[4][usize::from(z)]
            ^ t[3][usize::from(e)]
            ^ t[2][usize::from(f)]
            ^ t[1][usize::from(g)]
            ^ t[0][usize::from(h)]
    });
    rest.iter().fold(crc, |crc, &byte| (crc >> 8) ^ t[0][usize::from(crc.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_the_complement_of_the_published_check_value() {
        assert_eq!(!crc32c(START, b"123456789"), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn agrees_with_the_crc_crate(bytes: Vec<u8>, cut: usize) {
            let iscsi = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
            prop_assert_eq!(!crc32c(START, &bytes), iscsi.checksum(&bytes));
            let (a, b) = bytes.split_at(cut % (bytes.len() + 1));
            prop_assert_eq!(crc32c(crc32c(START, a), b), crc32c(START, &bytes));
        }
    }
}
