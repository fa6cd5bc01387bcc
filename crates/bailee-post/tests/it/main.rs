//! Letters of `fixtures/mail`, hostile input, letters we write, and the outbox.

mod composed;
mod hostile;
mod letters;
mod outbox;
mod reports;

/// The bytes of a letter in `fixtures/mail`.
fn fixture(name: &str) -> Vec<u8> {
    let path = fixtures().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/mail")
}
