//! Visible: text from elsewhere in a form that shows all of it and does nothing.
//!
//! Invariants: every character that is kept is shown; every one that is not leaves a mark (U+FFFD)
//! with the number of a note, and the note lists the code points in order, so that the text can be
//! put together again. Line ends stay line ends; a tab is a space.

/// What stands for what cannot be shown.
pub(super) const STAND_IN: char = '\u{fffd}';

/// Runs of characters that were replaced, as code points: `U+5F35 U+4E09`. Note 1 is the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// Notes with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().enumerate().map(|(n, points)| format!("({}) {points}", n + 1))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with everything replaced that `shows` does not show.
    pub(super) fn visible(&mut self, text: &str, shows: impl Fn(char) -> bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut hidden = String::new();
        for c in text.chars() {
            let kept = match c {
                '\n' => Some('\n'),
                '\t' => Some(' '),
                c if acts(c) || !shows(c) => None,
                c => Some(c),
            };
            match kept {
                None => hidden.push(c),
                Some(c) => {
                    self.note(&mut hidden, &mut out);
                    out.push(c);
                }
            }
        }
        self.note(&mut hidden, &mut out);
        out
    }

    /// Ends a run of replaced characters: its stand-ins, and the number of its note.
    fn note(&mut self, hidden: &mut String, out: &mut String) {
        if hidden.is_empty() {
            return;
        }
        let points: Vec<String> =
            hidden.chars().map(|c| format!("U+{:04X}", u32::from(c))).collect();
        let points = points.join(" ");
        let number = match self.0.iter().position(|known| *known == points) {
            Some(at) => at + 1,
            None => {
                self.0.push(points);
                self.0.len()
            }
        };
        out.extend(hidden.chars().map(|_| STAND_IN));
        out.push_str(&format!("({number})"));
        hidden.clear();
    }
}

/// Characters that would do something instead of being shown: controls, and marks that turn the
/// direction of writing or are not there to the eye.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffc}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_can_be_put_together_again() {
        let mut notes = Notes::default();
        let ascii = |c: char| c.is_ascii();
        let shown = notes.visible("Dr. 張三, a\u{202e}b", ascii);
        assert_eq!(shown, "Dr. \u{fffd}\u{fffd}(1), a\u{fffd}(2)b");
        assert_eq!(notes.visible("張三", ascii), "\u{fffd}\u{fffd}(1)");
        let lines: Vec<String> = notes.lines().collect();
        assert_eq!(lines, ["(1) U+5F35 U+4E09", "(2) U+202E"]);
    }

    #[test]
    fn what_is_shown_stays_as_it_is() {
        let mut notes = Notes::default();
        assert_eq!(notes.visible("Ångström\nΓειά\tx", |_| true), "Ångström\nΓειά x");
        assert!(notes.is_empty());
    }
}
