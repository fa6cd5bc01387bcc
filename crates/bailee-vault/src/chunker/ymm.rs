//! Cuts with VAES on 256-bit registers, for processors without AVX-512: 16 positions per step,
//! two to a register.
//!
//! Invariants: a `Ymm` exists only where the processor has every feature the function below is
//! compiled for; loads stay inside the slice. Gives exactly what `soft.rs` gives.
//! Why unsafe: as in `vaes.rs`.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm256_aesenc_epi128, _mm256_aesenclast_epi128,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64,
    _mm256_movemask_pd, _mm256_or_si256, _mm256_set_m128i, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_xor_si256,
};

use super::WINDOW;
use super::vaes::expand;

/// Positions per step.
const STEP: usize = 16;
const VECTORS: usize = STEP / 2;
/// Bytes the windows of one step lie in.
const SPAN: usize = WINDOW + STEP - 1;

/// AES-128 round keys, each in two lanes.
pub(super) struct Ymm([__m256i; 11]);

impl Ymm {
    /// `None` where the processor lacks a feature.
    pub(super) fn new(key: &[u8; 16]) -> Option<Self> {
        let able = is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("avx2");
        // SAFETY: the features `round_keys` is compiled for were just detected.
        able.then(|| Self(unsafe { round_keys(key) }))
    }

    /// As `Vaes::find`.
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

#[target_feature(enable = "aes,avx2")]
fn round_keys(key: &[u8; 16]) -> [__m256i; 11] {
    expand(key).map(|k| _mm256_broadcastsi128_si256(k))
}

#[target_feature(enable = "aes,vaes,avx2")]
fn find(
    keys: &[__m256i; 11],
    data: &[u8],
    from: usize,
    to: usize,
    mask: u64,
) -> Result<Option<usize>, usize> {
    let to = to.min(data.len());
    let mask = _mm256_set1_epi64x(mask.cast_signed());
    let zero = _mm256_setzero_si256();
    let mut at = from;
    while at < to {
        let Some(bytes) = data.get(at - WINDOW..at - WINDOW + SPAN) else { return Err(at) };
        let window = |i: usize| -> __m128i {
            let bytes: &[u8; WINDOW] = bytes[i..].first_chunk().expect("SPAN bytes hold them all");
            // SAFETY: 16 bytes are read from a 16-byte array; the load needs no alignment.
            unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
        };
        let mut lanes = [zero; VECTORS];
        for (i, lane) in lanes.iter_mut().enumerate() {
            let pair = _mm256_set_m128i(window(2 * i + 1), window(2 * i));
            *lane = _mm256_xor_si256(pair, keys[0]);
        }
        for key in &keys[1..10] {
            for lane in &mut lanes {
                *lane = _mm256_aesenc_epi128(*lane, *key);
            }
        }
        // A hit is rare: one question for all lanes, and only then which.
        let mut any = zero;
        for lane in &mut lanes {
            let block = _mm256_aesenclast_epi128(*lane, keys[10]);
            *lane = _mm256_cmpeq_epi64(_mm256_and_si256(block, mask), zero);
            any = _mm256_or_si256(any, *lane);
        }
        if words(any) != 0 {
            let hits = lanes.iter().enumerate().fold(0, |hits, (i, lane)| {
                let words = words(*lane);
                hits | (words & 1 | words >> 1 & 2) << (2 * i)
            });
            let found = at + hits.trailing_zeros() as usize;
            return Ok((found < to).then_some(found));
        }
        at += STEP;
    }
    Ok(None)
}

/// Which first halves of the blocks of a comparison are ones: bits 0 and 2.
#[target_feature(enable = "avx2")]
fn words(equal: __m256i) -> u32 {
    _mm256_movemask_pd(_mm256_castsi256_pd(equal)).cast_unsigned() & 0b101
}
