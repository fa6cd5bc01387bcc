//! Tokens of a line: words, "quoted text", <addresses>, marks and the arrow.
//!
//! Invariant: every character of a line ends up in a token or separates two; what cannot be read
//! (a quote or bracket that is never closed) is a named fault, never dropped.

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word.
    Word(String),
    /// Text between double quotes.
    Text(String),
    /// What stands between `<` and `>`.
    Address(String),
    /// A comma or colon after a word.
    Mark(char),
    /// `->`
    Arrow,
}

impl Token {
    /// As the author wrote it.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Word(word) => word.clone(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Address(address) => format!("<{address}>"),
            Token::Mark(mark) => mark.to_string(),
            Token::Arrow => "->".to_owned(),
        }
    }
}

/// Cuts a line into tokens, or says what is not closed.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => {
                let (text, after) = closed(&rest[1..], '"')?;
                found.push(Token::Text(text.to_owned()));
                after
            }
            '<' => {
                let (address, after) = closed(&rest[1..], '>')?;
                found.push(Token::Address(address.trim().to_owned()));
                after
            }
            ',' | ':' => {
                found.push(Token::Mark(first));
                &rest[1..]
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '"' || c == '<');
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                push_word(&mut found, word);
                after
            }
        }
        .trim_start();
    }
    Ok(found)
}

fn closed(rest: &str, end: char) -> Result<(&str, &str), String> {
    rest.split_once(end).ok_or_else(|| format!("{end} is missing after {rest:?}"))
}

fn push_word(found: &mut Vec<Token>, word: &str) {
    if word == "->" {
        found.push(Token::Arrow);
        return;
    }
    let bare = word.trim_end_matches([',', ':']);
    if !bare.is_empty() {
        found.push(Token::Word(bare.to_owned()));
    }
    found.extend(word[bare.len()..].chars().map(Token::Mark));
}
