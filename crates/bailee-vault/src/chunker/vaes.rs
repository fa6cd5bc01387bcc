//! Cuts with AVX-512 and VAES: 48 positions per step, four to a register.
//!
//! Invariants: a `Vaes` exists only where the processor has every feature the function below is
//! compiled for; loads stay inside the slice. Gives exactly what `soft.rs` gives.
//! Why unsafe at all: calling code compiled for detected features, and unaligned vector loads,
//! have no safe form; nothing else in the crate needs it.

use std::arch::x86_64::{
    __m128i, __m512i, _mm_aeskeygenassist_si128, _mm_loadu_si128, _mm_shuffle_epi32,
    _mm_slli_si128, _mm_xor_si128, _mm512_add_epi8, _mm512_aesenc_epi128, _mm512_aesenclast_epi128,
    _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_mask_testn_epi64_mask,
    _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi64, _mm512_xor_si512,
};

use super::WINDOW;

/// Positions per step: windows that start in the first 48 bytes of a 64-byte load.
const STEP: usize = 48;
const VECTORS: usize = STEP / 4;

/// AES-128 round keys, each in four lanes.
pub(super) struct Vaes([__m512i; 11]);

impl Vaes {
    /// `None` where the processor lacks a feature.
    pub(super) fn new(key: &[u8; 16]) -> Option<Self> {
        let able = is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        // SAFETY: the features `round_keys` is compiled for were just detected.
        able.then(|| Self(unsafe { round_keys(key) }))
    }

    /// The first hit in `from..to`, `None` if there is none, or, as an error, the position from
    /// which on the caller must look for itself because a vector load would leave `data`.
    pub(super) fn find(
        &self,
        data: &[u8],
        from: usize,
        to: usize,
        mask: u64,
    ) -> Result<Option<usize>, usize> {
        // SAFETY: `new` detected the features `find` is compiled for.
        unsafe { find(&self.0, data, from, to, mask) }
    }
}

#[target_feature(enable = "aes,avx512f")]
fn round_keys(key: &[u8; 16]) -> [__m512i; 11] {
    expand(key).map(|k| _mm512_broadcast_i32x4(k))
}

/// The key schedule of AES-128.
#[target_feature(enable = "aes")]
pub(super) fn expand(key: &[u8; 16]) -> [__m128i; 11] {
    macro_rules! next {
        ($previous:expr, $constant:literal) => {{
            let word = _mm_aeskeygenassist_si128::<$constant>($previous);
            let word = _mm_shuffle_epi32::<0xff>(word);
            let mut k: __m128i = $previous;
            k = _mm_xor_si128(k, _mm_slli_si128::<4>(k));
            k = _mm_xor_si128(k, _mm_slli_si128::<8>(k));
            _mm_xor_si128(k, word)
        }};
    }
    // SAFETY: 16 bytes are read from a 16-byte array; the load needs no alignment.
    let k0 = unsafe { _mm_loadu_si128(key.as_ptr().cast()) };
    let k1 = next!(k0, 0x01);
    let k2 = next!(k1, 0x02);
    let k3 = next!(k2, 0x04);
    let k4 = next!(k3, 0x08);
    let k5 = next!(k4, 0x10);
    let k6 = next!(k5, 0x20);
    let k7 = next!(k6, 0x40);
    let k8 = next!(k7, 0x80);
    let k9 = next!(k8, 0x1b);
    let k10 = next!(k9, 0x36);
    [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10]
}

/// For four windows from byte 0 on: 0..16, 1..17, 2..18, 3..19.
const SPREAD: [u8; 64] = {
    let mut table = [0; 64];
    let mut i = 0;
    while i < 64 {
        table[i] = (i / 16 + i % 16) as u8;
        i += 1;
    }
    table
};

#[target_feature(enable = "aes,vaes,avx512f,avx512bw,avx512vbmi")]
fn find(
    keys: &[__m512i; 11],
    data: &[u8],
    from: usize,
    to: usize,
    mask: u64,
) -> Result<Option<usize>, usize> {
    let to = to.min(data.len());
    // SAFETY: 64 bytes are read from a 64-byte array; the load needs no alignment.
    let spread = unsafe { _mm512_loadu_si512(SPREAD.as_ptr().cast()) };
    let four = _mm512_set1_epi8(4);
    let mask = _mm512_set1_epi64(mask.cast_signed());
    let mut at = from;
    while at < to {
        let Some(bytes) = data.get(at - WINDOW..at - WINDOW + 64) else { return Err(at) };
        // SAFETY: `bytes` is a slice of exactly 64 bytes; the load needs no alignment.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let mut lanes = [bytes; VECTORS];
        let mut index = spread;
        for lane in &mut lanes {
            *lane = _mm512_xor_si512(_mm512_permutexvar_epi8(index, bytes), keys[0]);
            index = _mm512_add_epi8(index, four);
        }
        for key in &keys[1..10] {
            for lane in &mut lanes {
                *lane = _mm512_aesenc_epi128(*lane, *key);
            }
        }
        let mut zeros = [0u8; VECTORS];
        for (zero, lane) in zeros.iter_mut().zip(lanes) {
            let block = _mm512_aesenclast_epi128(lane, keys[10]);
            // Even 64-bit words are the first halves of the blocks.
            *zero = _mm512_mask_testn_epi64_mask(0x55, block, mask);
        }
        if let Some(i) = zeros.iter().position(|z| *z != 0) {
            let found = at + 4 * i + zeros[i].trailing_zeros() as usize / 2;
            return Ok((found < to).then_some(found));
        }
        at += STEP;
    }
    Ok(None)
}
