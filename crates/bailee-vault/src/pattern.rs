//! Which paths to restore: `*` and `?` within a component, `**` across components.
//!
//! Invariant: matching takes time proportional to pattern times path, whatever both say.

use crate::error::VaultError;

/// A checked pattern. It matches a path if it matches the path itself or a directory above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// Takes a pattern relative to the snapshot's root, such as `home/*/mail` or `**.pdf`.
    ///
    /// # Errors
    /// [`VaultError::BadName`] if it is empty, absolute or over 4096 bytes.
    pub fn new(text: &str) -> Result<Self, VaultError> {
        let bad = |detail| VaultError::BadName { what: "pattern", name: text.to_owned(), detail };
        if text.is_empty() || text.len() > 4096 {
            return Err(bad("it has 1 to 4096 bytes"));
        }
        if text.starts_with('/') {
            return Err(bad("it is relative to the snapshot's root: leave the first slash away"));
        }
        Ok(Self(text.trim_end_matches('/').as_bytes().to_vec()))
    }

    /// Whether `path`, or a directory above it, matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.read(path).is_none_or(|reachable| reachable[self.0.len()])
    }

    /// Whether something below `path` may match, if anything is there: for what could not be read.
    pub(crate) fn reaches_below(&self, path: &[u8]) -> bool {
        let below = [path, b"/"].concat();
        self.read(&below).is_none_or(|reachable| reachable.contains(&true))
    }

    /// How much of the pattern may match a path: `None` if a directory above it matches, else
    /// whether the pattern's first j bytes match all of it, for each j.
    fn read(&self, path: &[u8]) -> Option<Vec<bool>> {
        let pattern = &self.0;
        let mut reachable = vec![false; pattern.len() + 1];
        reachable[0] = true;
        self.skip_stars(&mut reachable);
        for byte in path {
            if *byte == b'/' && reachable[pattern.len()] {
                return None;
            }
            let mut next = vec![false; pattern.len() + 1];
            for (j, want) in pattern.iter().enumerate() {
                if !reachable[j] {
                    continue;
                }
                match want {
                    b'*' if *byte != b'/' || self.is_double(j) => next[j] = true,
                    b'*' => {}
                    b'?' => next[j + 1] = *byte != b'/',
                    _ => next[j + 1] |= want == byte,
                }
            }
            reachable = next;
            self.skip_stars(&mut reachable);
        }
        Some(reachable)
    }

    /// A star also matches nothing.
    fn skip_stars(&self, reachable: &mut [bool]) {
        for (j, want) in self.0.iter().enumerate() {
            if reachable[j] && *want == b'*' {
                reachable[j + 1] = true;
            }
        }
    }

    fn is_double(&self, j: usize) -> bool {
        self.0.get(j + 1) == Some(&b'*') || j.checked_sub(1).is_some_and(|i| self.0[i] == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let cases = [
            ("a", "a", true),
            ("a", "a/b/c", true),
            ("a", "ab", false),
            ("a/*", "a/b", true),
            ("a/*", "a", false),
            ("*.pdf", "x.pdf", true),
            ("*.pdf", "d/x.pdf", false),
            ("**.pdf", "d/e/x.pdf", true),
            ("home/*/mail", "home/eve/mail/1", true),
            ("home/*/mail", "home/a/b/mail", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("**", "", true),
        ];
        for (pattern, path, wanted) in cases {
            let got = Pattern::new(pattern).unwrap().matches(path.as_bytes());
            assert_eq!(got, wanted, "{pattern} on {path}");
        }
        let below = [
            ("a/b", "a", true),
            ("a/b", "a/b", true),
            ("a/b", "b", false),
            ("a/b", "a/c", false),
            ("a*/b", "ab", true),
            ("*", "a", true),
            ("*.pdf", "a", false),
            ("**.pdf", "a/b", true),
            ("home/*/mail", "home/eve", true),
            ("home/*/mail", "home", true),
            ("home/*/mail", "home/eve/x", false),
        ];
        for (pattern, path, wanted) in below {
            let got = Pattern::new(pattern).unwrap().reaches_below(path.as_bytes());
            assert_eq!(got, wanted, "{pattern} below {path}");
        }
        assert!(Pattern::new("/a").is_err() && Pattern::new("").is_err());
        let slow = Pattern::new(&"*a".repeat(200)).unwrap();
        assert!(!slow.matches("a".repeat(150).as_bytes()));
    }
}
