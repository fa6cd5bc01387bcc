//! The real binary, typed at like a person or a script does.

mod asking;
mod keys;
mod letting_go;
mod room;
mod runbook;
mod shell;
mod stories;
mod wire;
