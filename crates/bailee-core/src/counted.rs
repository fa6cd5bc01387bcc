//! How many of what, in words.

/// `1 asset`, `630 assets`.
pub fn counted(count: impl TryInto<u64>, one: &str) -> String {
    let count: u64 = count.try_into().unwrap_or(u64::MAX);
    let vowel = |stem: &&str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    let (stem, ending) = match (count, one.strip_suffix('y').filter(|stem| !vowel(stem))) {
        (1, _) => (one, ""),
        (_, Some(stem)) => (stem, "ies"),
        (_, None) if one.ends_with('x') => (one, "es"),
        (_, None) => (one, "s"),
    };
    format!("{count} {stem}{ending}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_one_and_all_else_is_many() {
        assert_eq!(counted(1u8, "asset"), "1 asset");
        assert_eq!(counted(0u64, "asset"), "0 assets");
        assert_eq!(counted(2usize, "entry"), "2 entries");
        assert_eq!(counted(630u32, "more reason"), "630 more reasons");
        assert_eq!(counted(2u8, "day"), "2 days");
    }
}
