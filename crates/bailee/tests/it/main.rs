//! The real binary, typed at like a person or a script does.

mod asking;
mod letting_go;
mod room;
mod shell;
mod stories;
mod wire;
mod witnessing;
