//! Dense tables keyed by ids.
//!
//! Invariants: the `n`-th row has id `n`; every chunk but the last is full, and rows of a full
//! chunk never move. So a table of millions grows by a chunk, and no single command waits while it
//! is copied to twice the room.

use std::marker::PhantomData;

use crate::id::Id;

/// Rows of a full chunk.
const CHUNK: usize = 1024;

/// A dense table: the `n`-th row has id `n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<I, T> {
    chunks: Vec<Vec<T>>,
    of: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Table { chunks: Vec::new(), of: PhantomData }
    }
}

impl<I: Id, T> Table<I, T> {
    /// The row of `id`, if there is one.
    pub fn get(&self, id: I) -> Option<&T> {
        let row = (id.number() as usize).checked_sub(1)?;
        self.chunks.get(row / CHUNK)?.get(row % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let row = (id.number() as usize).checked_sub(1)?;
        self.chunks.get_mut(row / CHUNK)?.get_mut(row % CHUNK)
    }

    /// The id the next row gets.
    pub fn next(&self) -> I {
        self.next_after(0)
    }

    /// The id of the row after `ahead` further ones.
    pub(crate) fn next_after(&self, ahead: usize) -> I {
        I::nth(u32::try_from(self.len() + ahead + 1).unwrap_or(u32::MAX))
    }

    /// Appends the row whose id is `id`; false if that is not the next one.
    pub(crate) fn push(&mut self, id: I, row: T) -> bool {
        let next = self.next() == id;
        if next {
            self.append(row);
        }
        next
    }

    fn append(&mut self, row: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(row),
            // Most tables of most houses are small: the first chunk grows as it is needed.
            None => self.chunks.push(vec![row]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(row);
                self.chunks.push(chunk);
            }
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }

    /// All rows in id order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        self.chunks.iter().enumerate().flat_map(|(chunk, rows)| {
            let first = chunk * CHUNK + 1;
            rows.iter().enumerate().map(move |(row, it)| (I::nth((first + row) as u32), it))
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        full + self.chunks.last().map_or(0, Vec::len)
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

/// Rows numbered as they come.
impl<I: Id, T> FromIterator<T> for Table<I, T> {
    fn from_iter<R: IntoIterator<Item = T>>(rows: R) -> Self {
        let mut table = Table::default();
        rows.into_iter().for_each(|row| table.append(row));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AssetId;

    #[test]
    fn rows_are_found_under_their_ids_across_chunks() {
        let rows = 2 * CHUNK as u32 + 5;
        let mut table = Table::<AssetId, u32>::default();
        assert!(table.is_empty() && table.get(AssetId(1)).is_none());
        for n in 1..=rows {
            assert_eq!(table.next(), AssetId(n));
            assert!(!table.push(AssetId(n + 1), 0), "not the next id");
            assert!(table.push(AssetId(n), n));
            assert_eq!(table.len() as u32, n);
        }
        assert!((1..=rows).all(|n| table.get(AssetId(n)) == Some(&n)));
        assert_eq!((table.get(AssetId(0)), table.get(AssetId(rows + 1))), (None, None));
        assert!(table.iter().map(|(id, row)| (id.0, *row)).eq((1..=rows).map(|n| (n, n))));
        assert!(table.iter().rev().map(|(id, _)| id.0).eq((1..=rows).rev()));
        table.iter_mut().for_each(|row| *row += 1);
        *table.get_mut(AssetId(rows)).unwrap() = 0;
        assert_eq!(table.get(AssetId(CHUNK as u32)), Some(&(CHUNK as u32 + 1)));
        assert_eq!(table.iter().last(), Some((AssetId(rows), &0)));
    }

    #[test]
    fn a_table_made_at_once_is_the_one_made_row_by_row() {
        let mut one = Table::<AssetId, u32>::default();
        (1..3000).for_each(|n| assert!(one.push(AssetId(n), n)));
        let mut at_once: Table<AssetId, u32> = (1..3000).collect();
        assert_eq!(one, at_once);
        assert_eq!(at_once.clone(), one);
        assert!(at_once.push(AssetId(3000), 0));
        assert_ne!(one, at_once);
    }
}
