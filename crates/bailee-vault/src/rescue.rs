//! What a medium gave and what it did not, as a map file of GNU ddrescue.
//!
//! Invariants: the blocks cover the file from its first byte to its last, in order, without gaps
//! and overlaps; `+` is what was read, `-` what was not. ddrescue reads the map and tries the bad
//! ranges again. Out of scope: reading maps that others wrote.

use std::fmt::Write;

use crate::manifest::Content;

/// The map of one file or device (format: section "Mapfile structure" of ddrescue's manual).
pub fn rescue_map(content: &Content) -> String {
    let mut map = String::from(
        "# Mapfile. Ranges a preserved copy has (+) and its medium did not give (-)\n\
         # current_pos  current_status  current_pass\n",
    );
    let mut blocks = String::new();
    let mut at = 0;
    let mut block = |start: u64, end: u64, status: char| {
        if end > start {
            // Writing to a string does not fail.
            _ = writeln!(blocks, "0x{start:08X}  0x{:08X}  {status}", end - start);
        }
    };
    for (offset, len) in &content.unreadable {
        block(at, *offset, '+');
        at = offset.saturating_add(*len);
        block(*offset, at, '-');
    }
    block(at, content.size, '+');
    _ = writeln!(map, "0x{:08X}     +               1", content.size);
    map.push_str("#      pos        size  status\n");
    map + &blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(size: u64, unreadable: &[(u64, u64)]) -> Vec<String> {
        let content = Content { size, unreadable: unreadable.to_vec(), ..Content::default() };
        let map = rescue_map(&content);
        let lines: Vec<&str> = map.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines[0], format!("0x{size:08X}     +               1"));
        lines[1..].iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn blocks_cover_all_of_it() {
        assert_eq!(blocks(0, &[]), [""; 0]);
        assert_eq!(blocks(4096, &[]), ["0x00000000  0x00001000  +"]);
        assert_eq!(
            blocks(0x5000, &[(0, 0x1000), (0x2000, 0x800), (0x4000, 0x1000)]),
            [
                "0x00000000  0x00001000  -",
                "0x00001000  0x00001000  +",
                "0x00002000  0x00000800  -",
                "0x00002800  0x00001800  +",
                "0x00004000  0x00001000  -",
            ]
        );
        assert_eq!(blocks(0x1_0000_0000, &[(1, 1)])[2], "0x00000002  0xFFFFFFFE  +");
    }
}
