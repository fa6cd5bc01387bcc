//! Keys: KEK -> tenant root -> unit key (DEK) -> keys of one object, of cuts and of chunk ids.
//!
//! Invariants
//! 1. A key never appears in `Debug`, `Display`, an error or a log, and leaves memory on drop.
//! 2. Every derivation is HKDF-SHA256 (RFC 5869) with a label of its own; no key has two uses.
//! 3. A unit key is random, not derived: destroying its wrapped copies destroys the data, even
//!    for someone who later obtains the KEK.
//!
//! Out of scope: where the KEK comes from besides a file (a passphrase by argon2id, a KMS).

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aws_lc_rs::hkdf;
use bailee_ledger::{from_hex, to_hex};
use bailee_store::{Kernel, Moves};
use zeroize::Zeroize;

use crate::error::VaultError;

/// 32 secret bytes.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    pub(crate) fn random() -> Result<Self, VaultError> {
        Ok(Self(random()?))
    }
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
    /// HKDF-SHA256 with `salt` and the concatenation of `info`.
    pub(crate) fn derive(&self, salt: &[u8], info: &[&[u8]]) -> Self {
        Self(expand(&self.0, salt, info))
    }
}

struct Len(usize);
impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(key: &[u8; 32], salt: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(info, Len(N))
        .and_then(|okm| okm.fill(&mut out))
        .expect("HKDF-SHA256 gives up to 8160 bytes; at most 64 are asked for");
    out
}

/// Fresh random bytes from the system. The library's own generator, when it is first asked, gathers
/// entropy of its own for 33 ms: a twentieth of a small preservation.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(|_| VaultError::Crypto { doing: "draw random bytes" })?;
    Ok(out)
}

/// The AES-256-GCM key and the commitment of one sealed object.
pub(crate) struct ObjectKeys {
    pub(crate) cipher: Secret,
    pub(crate) commitment: [u8; 32],
}

impl ObjectKeys {
    /// 64 bytes of HKDF-SHA256: key, then commitment. Both are bound to `info`, and since HKDF is
    /// collision-resistant in its key, a header's commitment fits one master key only.
    pub(crate) fn derive(master: &Secret, salt: &[u8; 32], info: &[&[u8]]) -> Self {
        let mut okm: [u8; 64] = expand(&master.0, salt, info);
        let (mut key, mut commitment) = ([0; 32], [0; 32]);
        key.copy_from_slice(&okm[..32]);
        commitment.copy_from_slice(&okm[32..]);
        okm.zeroize();
        Self { cipher: Secret(key), commitment }
    }
}

/// The key-encryption key: 32 bytes that open everything. Kept apart from the object store.
#[derive(Clone)]
pub struct Kek(Secret);

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek(..)")
    }
}

impl Kek {
    /// Takes 32 bytes from wherever the caller keeps them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads a key file: 64 lower-case hexadecimal digits and one newline, mode 0600 or 0400.
    ///
    /// # Errors
    /// [`VaultError::KekFile`] if it cannot be read, others may read it, or it is not a key.
    pub fn from_file(path: &Path) -> Result<Self, VaultError> {
        let fail =
            |detail: String| VaultError::KekFile { path: path.display().to_string(), detail };
        let file = File::open(path).map_err(|e| fail(e.to_string()))?;
        let mode = file.metadata().map_err(|e| fail(e.to_string()))?.mode();
        if mode & 0o077 != 0 {
            return Err(fail(format!(
                "its mode is {:04o}, others can reach it: chmod 0600, and think about a new key",
                mode & 0o7777
            )));
        }
        let mut text = String::new();
        file.take(128).read_to_string(&mut text).map_err(|e| fail(e.to_string()))?;
        let key = text.strip_suffix('\n').and_then(from_hex::<32>);
        text.zeroize();
        key.map(Self::from_bytes)
            .ok_or_else(|| fail("it is not 64 hexadecimal digits and a newline".to_owned()))
    }

    /// Draws a new key and writes it to a new file of mode 0600, durable on return.
    ///
    /// # Errors
    /// [`VaultError::KekFile`] if the file exists or cannot be written.
    pub fn generate_file(path: &Path) -> Result<Self, VaultError> {
        Self::generate_file_with(path, &Kernel)
    }

    /// As [`Kek::generate_file`], with other moves: a recorder of them, in tests.
    ///
    /// # Errors
    /// As [`Kek::generate_file`].
    pub fn generate_file_with(path: &Path, moves: &impl Moves) -> Result<Self, VaultError> {
        let fail = |e: std::io::Error| VaultError::KekFile {
            path: path.display().to_string(),
            detail: format!("could not be created: {e}"),
        };
        let key = Secret::random()?;
        let mut file = moves.create_file(path).map_err(fail)?;
        let mut text = to_hex(key.expose());
        text.push('\n');
        let written = file.write_all(text.as_bytes());
        text.zeroize();
        written.map_err(fail)?;
        moves.sync_file(path, &file).map_err(fail)?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        moves.sync_dir(parent).map_err(fail)?;
        Ok(Self(key))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    /// 16 public bytes that tell keys apart and say nothing about them.
    pub(crate) fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0.derive(b"", &[b"bailee/vault/v1 kek id"]).expose()[..16]);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_read_back_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        let made = Kek::generate_file(&path).unwrap();
        assert_eq!(made.id(), Kek::from_file(&path).unwrap().id());
        assert!(matches!(Kek::generate_file(&path), Err(VaultError::KekFile { .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let refused = Kek::from_file(&path).unwrap_err().to_string();
        assert!(refused.contains("0640"), "{refused}");
        assert_eq!(format!("{made:?}"), "Kek(..)");
    }
}
