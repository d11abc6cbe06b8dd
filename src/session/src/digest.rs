//! Names for uploaded images: their SHA-256.

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, 64 hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standards_own_example() {
        assert!(super::sha256_hex(b"abc").starts_with("ba7816bf8f01cfea"));
    }
}
