//! The Go program on single files: checkpoints, proofs, tiles.
