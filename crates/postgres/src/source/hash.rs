//! The hash of a row's version as Postgres computes it, so that what the server says of rows can be said of them here, too, once
//! they have been read: `hash_array_extended(ARRAY[xmin], key)`, in which the hash of one word is the last round of Bob
//! Jenkins' lookup3 (2006).

/// The hash of a transaction's number with the key of a row as its seed.
pub(super) fn of_version(transaction: u32, key: i64) -> u64 {
    // An array is what came before times 31, beginning with 1, plus the hash of each element.
    of_word(transaction, key.cast_unsigned()).wrapping_add(31)
}

fn of_word(word: u32, seed: u64) -> u64 {
    let start = 0x9e37_79b9_u32.wrapping_add(4).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (start, start, start);
    if seed != 0 {
        a = a.wrapping_add((seed >> 32) as u32);
        b = b.wrapping_add(seed as u32);
        mix(&mut a, &mut b, &mut c);
    }
    a = a.wrapping_add(word);
    finish(&mut a, &mut b, &mut c);
    u64::from(b) << 32 | u64::from(c)
}

fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    let step = |x: &mut u32, y: &mut u32, z: &mut u32, by: u32| {
        *x = x.wrapping_sub(*z) ^ z.rotate_left(by);
        *z = z.wrapping_add(*y);
    };
    step(a, b, c, 4);
    step(b, c, a, 6);
    step(c, a, b, 8);
    step(a, b, c, 16);
    step(b, c, a, 19);
    step(c, a, b, 4);
}

fn finish(a: &mut u32, b: &mut u32, c: &mut u32) {
    let step = |x: &mut u32, y: u32, by: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(by));
    step(c, *b, 14);
    step(a, *c, 11);
    step(b, *a, 25);
    step(c, *b, 16);
    step(a, *c, 4);
    step(b, *a, 14);
    step(c, *b, 24);
}
