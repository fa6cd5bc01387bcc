//! Where the data of a sparse member lies: GNU's old form, and its pax forms 0.0, 0.1 and 1.0.
//!
//! Invariant: a map has at most [`MOST_PIECES`] pieces; `Body` checks that they are in order and
//! make up what is stored.

use std::io::Read;

use super::header::{BLOCK, Block, positive};
use super::pax::{Records, decimal};
use super::{Archive, Flaw};

/// The most pieces of data one sparse file may have.
pub(crate) const MOST_PIECES: usize = 1_000_000;

/// The size of a file, and `(offset, length)` of its data.
pub(super) struct Map {
    pub(super) size: u64,
    pub(super) pieces: Vec<(u64, u64)>,
}

/// Old GNU: four pieces in the header, 21 in each block after it.
pub(super) fn gnu<R: Read>(archive: &mut Archive<R>, block: &Block) -> Result<Map, Flaw> {
    let mut pieces = Vec::new();
    let mut add = |table: &[u8]| -> Result<(), &'static str> {
        for row in table.chunks_exact(24).filter(|row| row[12] != 0) {
            pieces.push((positive(&row[..12])?, positive(&row[12..])?));
        }
        if pieces.len() > MOST_PIECES { Err("a map of too many pieces") } else { Ok(()) }
    };
    add(&block[386..482]).map_err(|what| archive.flaw(what))?;
    let size = positive(&block[483..495]).map_err(|what| archive.flaw(what))?;
    let mut more = block[482] != 0;
    while more {
        let Some(next) = archive.block()? else {
            return Err(archive.flaw("it ends within a map"));
        };
        add(&next[..504]).map_err(|what| archive.flaw(what))?;
        more = next[504] != 0;
    }
    Ok(Map { size, pieces })
}

/// The pax forms; `None`: the file is not sparse.
pub(super) fn pax<R: Read>(
    archive: &mut Archive<R>,
    records: &Records,
) -> Result<Option<Map>, Flaw> {
    let bad = |archive: &Archive<R>| archive.flaw("a map of a sparse file is malformed");
    let size = match (records.get("GNU.sparse.realsize"), records.get("GNU.sparse.size")) {
        (None, None) => return Ok(None),
        (Some(size), _) | (None, Some(size)) => decimal(size).ok_or_else(|| bad(archive))?,
    };
    let form = (records.get("GNU.sparse.major"), records.get("GNU.sparse.minor"));
    let pieces = match form {
        (Some(b"1"), Some(b"0")) => before_content(archive)?,
        (Some(b"0"), _) | (None, None) => match records.get("GNU.sparse.map") {
            Some(map) => {
                let numbers: Option<Vec<u64>> = map.split(|b| *b == b',').map(decimal).collect();
                pairs(&numbers.ok_or_else(|| bad(archive))?).ok_or_else(|| bad(archive))?
            }
            None => records.repeated.clone(),
        },
        _ => return Err(archive.flaw("a sparse file is in a form of later days")),
    };
    if pieces.len() > MOST_PIECES {
        return Err(archive.flaw("a map of too many pieces"));
    }
    Ok(Some(Map { size, pieces }))
}

/// Form 1.0: a number to a line, in blocks of their own before the content.
fn before_content<R: Read>(archive: &mut Archive<R>) -> Result<Vec<(u64, u64)>, Flaw> {
    let (mut line, mut numbers) = (Vec::new(), Vec::new());
    let mut want = 1;
    while numbers.len() < want {
        let mut block = [0; BLOCK];
        archive.content(&mut block)?;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let number = decimal(&line);
            let number =
                number.ok_or_else(|| archive.flaw("a map of a sparse file is malformed"))?;
            line.clear();
            if numbers.is_empty() {
                let pieces = usize::try_from(number).unwrap_or(usize::MAX);
                if pieces > MOST_PIECES {
                    return Err(archive.flaw("a map of too many pieces"));
                }
                want = 1 + 2 * pieces;
            }
            numbers.push(number);
            if numbers.len() == want {
                break;
            }
        }
        if line.len() > 20 {
            return Err(archive.flaw("a map of a sparse file is malformed"));
        }
    }
    Ok(pairs(&numbers[1..]).unwrap_or_default())
}

fn pairs(numbers: &[u64]) -> Option<Vec<(u64, u64)>> {
    let pairs = numbers.chunks_exact(2);
    let even = pairs.remainder().is_empty();
    even.then(|| pairs.map(|pair| (pair[0], pair[1])).collect())
}
