//! The manifest root: RFC 6962 Merkle tree hash (SHA-256) over a snapshot's leaves, computed in
//! one pass with a stack of perfect subtrees.
//!
//! Invariant: equals MTH of RFC 6962 section 2.1 for every number of leaves, so that a file's
//! evidence can be proven against the log with the ledger's ordinary inclusion proofs.

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 of the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    finish(context)
}

pub(crate) fn finish(context: Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Takes leaves in order, gives the root.
#[derive(Default)]
pub(crate) struct RootBuilder {
    /// Perfect subtrees, larger first; subtree sizes are the set bits of `leaves`.
    stack: Vec<[u8; 32]>,
    leaves: u64,
}

impl RootBuilder {
    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let mut hash = sha256(&[&[0], leaf]);
        let mut size = self.leaves;
        while size & 1 == 1 {
            if let Some(left) = self.stack.pop() {
                hash = sha256(&[&[1], &left, &hash]);
            }
            size >>= 1;
        }
        self.stack.push(hash);
        self.leaves += 1;
    }

    pub(crate) fn root(mut self) -> [u8; 32] {
        let Some(mut hash) = self.stack.pop() else { return sha256(&[]) };
        while let Some(left) = self.stack.pop() {
            hash = sha256(&[&[1], &left, &hash]);
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition of the RFC, as the second opinion.
    fn mth(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves.len() {
            0 => sha256(&[]),
            1 => sha256(&[&[0], &leaves[0]]),
            n => {
                let k = n.next_power_of_two() / 2;
                sha256(&[&[1], &mth(&leaves[..k]), &mth(&leaves[k..])])
            }
        }
    }

    #[test]
    fn equals_the_definition() {
        let leaves: Vec<Vec<u8>> = (0..70u8).map(|i| vec![i; usize::from(i)]).collect();
        for n in 0..leaves.len() {
            let mut builder = RootBuilder::default();
            leaves[..n].iter().for_each(|l| builder.push(l));
            assert_eq!(builder.root(), mth(&leaves[..n]), "{n} leaves");
        }
    }
}
