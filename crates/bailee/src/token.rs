//! The token that a server is spoken to with: from a file or from the environment, never from an
//! argument; and whether it would go over the network in clear.
//!
//! Invariant: a file that every user of this machine can read is used, and said. Not refused, as
//! the keys' files are: a token can be revoked, a key cannot be called back; and the script that
//! hands letters in must not lose them over a mode. A group may read it: the mail server's does.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use crate::cli::Reach;
use crate::print;
use crate::trouble::Trouble;

/// What to do when a token is missing, or is none.
pub(crate) const TOKEN: &str = "name the token's file with --token-file FILE, or put the token \
    into $BAILEE_TOKEN; `bailee token issue` makes one";

/// Who else may be able to read the file: everybody.
const EVERYBODY: u32 = 0o004;

/// The token, if there is one.
pub(crate) fn token(reach: &Reach) -> Result<Option<String>, Trouble> {
    let mut text = String::new();
    match &reach.token_file {
        Some(path) => {
            let failed = |e| Trouble::io(format!("read the token {}", path.display()), &e);
            let mut file = File::open(path).map_err(failed)?;
            let mode = file.metadata().map_err(failed)?.permissions().mode();
            if mode & EVERYBODY != 0 {
                let path = print::safe(&path.display().to_string());
                print::remark(&format!(
                    "WARNING: every user of this machine can read the token in {path}: \
                     chmod 600 {path}, and issue another one if somebody may have"
                ));
            }
            file.read_to_string(&mut text).map_err(failed)?;
        }
        None => text = std::env::var("BAILEE_TOKEN").unwrap_or_default(),
    }
    let text = text.trim();
    if text.chars().any(|c| !c.is_ascii_graphic()) {
        let change = "give the one line that `bailee token issue` printed";
        return Err(Trouble::usage("the token", "is not one word of plain text", change));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// True if what is sent there can be read on the way.
pub(crate) fn in_clear(base: &str) -> bool {
    let Some(rest) = base.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let named = bare.eq_ignore_ascii_case("localhost");
    !named && !bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::in_clear;

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        for near in ["http://127.0.0.1:8480", "http://localhost/", "http://[::1]:80", "https://a.b"]
        {
            assert!(!in_clear(near), "{near}");
        }
        let far = ["http://10.0.0.1:80", "http://localhost.evil.example", "http://127.0.0.1@a.b/"];
        for far in far.into_iter().chain(["http://[2001:db8::1]:80", "http://127.0.0.1.a.b"]) {
            assert!(in_clear(far), "{far}");
        }
    }
}
