//! A member of a tar archive by hand, for archives that no writer of archives makes.

/// Its header and its padded content.
pub(crate) fn member(
    name: impl AsRef<[u8]>,
    kind: u8,
    link: impl AsRef<[u8]>,
    content: &[u8],
) -> Vec<u8> {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_ref());
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{:011o}\x0000000000000\0        ", content.len()).as_bytes());
    put(156, &[kind]);
    put(157, link.as_ref());
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = [&block[..], content].concat();
    out.resize(out.len().next_multiple_of(512), 0);
    out
}
