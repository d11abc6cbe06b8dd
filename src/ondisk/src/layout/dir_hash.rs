//! Hashes of names in indexed directories: fs/ext4/hash.c.

/// How names are hashed; numbers as in `s_def_hash_version` and `dx_root_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashVersion {
    /// 0, characters signed.
    Legacy,
    /// 1, characters signed.
    HalfMd4,
    /// 2, characters signed.
    Tea,
    /// 3
    LegacyUnsigned,
    /// 4
    HalfMd4Unsigned,
    /// 5
    TeaUnsigned,
}

impl HashVersion {
    /// From the number on the disk; `None` for 6 (siphash) and unknown ones.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Legacy,
            1 => Self::HalfMd4,
            2 => Self::Tea,
            3 => Self::LegacyUnsigned,
            4 => Self::HalfMd4Unsigned,
            5 => Self::TeaUnsigned,
            _ => return None,
        })
    }

    /// The number on the disk.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Legacy => 0,
            Self::HalfMd4 => 1,
            Self::Tea => 2,
            Self::LegacyUnsigned => 3,
            Self::HalfMd4Unsigned => 4,
            Self::TeaUnsigned => 5,
        }
    }

    /// The twin for file systems whose `s_flags` say unsigned characters.
    #[must_use]
    pub fn unsigned(self) -> Self {
        match self {
            Self::Legacy | Self::LegacyUnsigned => Self::LegacyUnsigned,
            Self::HalfMd4 | Self::HalfMd4Unsigned => Self::HalfMd4Unsigned,
            Self::Tea | Self::TeaUnsigned => Self::TeaUnsigned,
        }
    }

    fn signed_chars(self) -> bool {
        matches!(self, Self::Legacy | Self::HalfMd4 | Self::Tea)
    }
}

/// The hash of `name` and its minor part (`ext4fs_dirhash`).
///
/// The lowest bit of the hash is clear: index entries use it to say that a hash
/// goes on in the next block. An all-zero `seed` means the built-in one.
#[must_use]
pub fn dx_hash(version: HashVersion, seed: [u32; 4], name: &[u8]) -> (u32, u32) {
    let signed = version.signed_chars();
    let mut state = seed;
    if seed == [0; 4] {
        state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    }
    let (hash, minor) = match version {
        HashVersion::Legacy | HashVersion::LegacyUnsigned => (legacy(name, signed), 0),
        HashVersion::HalfMd4 | HashVersion::HalfMd4Unsigned => {
            for rest in rests(name, 32) {
                half_md4(&mut state, words::<8>(rest, signed));
            }
            (state[1], state[2])
        }
        HashVersion::Tea | HashVersion::TeaUnsigned => {
            for rest in rests(name, 16) {
                tea(&mut state, words::<4>(rest, signed));
            }
            (state[0], state[1])
        }
    };
    /// Kept for the end of a directory.
    const END: u32 = 0x7fff_ffff << 1;
    let hash = hash & !1;
    (if hash == END { END - 2 } else { hash }, minor)
}

/// `name` from byte 0, from byte `step`, and so on.
fn rests(name: &[u8], step: usize) -> impl Iterator<Item = &[u8]> {
    (0..name.len()).step_by(step).map(move |at| &name[at..])
}

/// One character as the kernel adds it: sign-extended or not.
fn char_word(byte: u8, signed: bool) -> u32 {
    if signed { i32::from(byte.cast_signed()).cast_unsigned() } else { byte.into() }
}

/// The next `N` words of a name, padded with what is left of its length.
fn words<const N: usize>(rest: &[u8], signed: bool) -> [u32; N] {
    let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
    let pad = len | len << 8;
    let pad = pad | pad << 16;
    let mut out = [pad; N];
    for (word, chars) in out.iter_mut().zip(rest.chunks(4)) {
        for &byte in chars {
            *word = char_word(byte, signed).wrapping_add(*word << 8);
        }
    }
    out
}

fn legacy(name: &[u8], signed: bool) -> u32 {
    let (mut before, mut hash) = (0x37ab_e8f9_u32, 0x12a3_fe2d_u32);
    for &byte in name {
        let mixed = hash ^ char_word(byte, signed).wrapping_mul(7_152_373);
        let mut next = before.wrapping_add(mixed);
        if next & 0x8000_0000 != 0 {
            next = next.wrapping_sub(0x7fff_ffff);
        }
        (before, hash) = (hash, next);
    }
    hash << 1
}

/// Three rounds of MD4 over eight words: RFC 1320 cut in half.
fn half_md4(state: &mut [u32; 4], input: [u32; 8]) {
    type Mix = fn(u32, u32, u32) -> u32;
    /// Mixing function, constant, order of the words, and shifts.
    const ROUNDS: [(Mix, u32, [usize; 8], [u32; 4]); 3] = [
        (|x, y, z| z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
        (|x, y, z| (x & y).wrapping_add((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
        (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for (mix, constant, order, shifts) in ROUNDS {
        for (word, shift) in order.into_iter().zip(shifts.into_iter().cycle()) {
            let sum = a.wrapping_add(mix(b, c, d)).wrapping_add(input[word]);
            (a, b, c, d) = (d, sum.wrapping_add(constant).rotate_left(shift), b, c);
        }
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(add);
    }
}

/// Sixteen rounds of the Tiny Encryption Algorithm.
fn tea(state: &mut [u32; 4], [a, b, c, d]: [u32; 4]) {
    let [mut x, mut y, ..] = *state;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        let mix = |v: u32, k: u32, l: u32| (v << 4).wrapping_add(k) ^ v.wrapping_add(sum) ^ (v >> 5).wrapping_add(l);
        x = x.wrapping_add(mix(y, a, b));
        y = y.wrapping_add(mix(x, c, d));
    }
    state[0] = state[0].wrapping_add(x);
    state[1] = state[1].wrapping_add(y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 00112233-4455-6677-8899-aabbccddeeff as the superblock stores it.
    const SEED: [u32; 4] = [0x3322_1100, 0x7766_5544, 0xbbaa_9988, 0xffee_ddcc];

    /// Expected values: `debugfs -R "dx_hash -h VERSION -s SEED NAME"` of e2fsprogs 1.47.
    #[test]
    fn agrees_with_debugfs() {
        let names = ["file", "lost+found", "a-rather-long-name-that-takes-more-than-one-round.txt", "na\u{ef}ve"];
        let check = |version, expected: [(u32, u32); 4]| {
            assert_eq!(names.map(|name| dx_hash(version, SEED, name.as_bytes())), expected);
        };
        check(HashVersion::Legacy, [(0x10c3_0fca, 0), (0x5e2a_ba24, 0), (0xebc4_b40e, 0), (0x442f_7420, 0)]);
        check(
            HashVersion::HalfMd4,
            [
                (0x4e6f_bf3c, 0xdafe_64d6),
                (0x1efb_822c, 0x2a3b_b222),
                (0x8b38_eba0, 0x9e84_3ebb),
                (0x58c3_ee5c, 0x956b_31db),
            ],
        );
        check(
            HashVersion::Tea,
            [
                (0x0346_35fe, 0xb9af_b93d),
                (0xd062_09f0, 0x605a_7d48),
                (0x80c6_c25e, 0x3806_5549),
                (0x82a8_9006, 0x09eb_64a0),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_name_hashes_to_an_even_number(name: Vec<u8>, number in 0u8..6, seed: [u32; 4]) {
            let version = HashVersion::from_number(number).unwrap();
            prop_assert_eq!(version.number(), number);
            prop_assert_eq!(dx_hash(version, seed, &name).0 & 1, 0);
        }

        #[test]
        fn signs_matter_only_above_ascii(name in "[ -~]{0,60}", number in 0u8..3) {
            let version = HashVersion::from_number(number).unwrap();
            prop_assert_eq!(
                dx_hash(version, SEED, name.as_bytes()),
                dx_hash(version.unsigned(), SEED, name.as_bytes())
            );
        }
    }
}
