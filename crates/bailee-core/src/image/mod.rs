//! Image: the state as bytes, so that a large house starts without replaying its whole log.
//!
//! Not a format. An image is read only by the very sources that wrote it, which it names first;
//! every other one is refused, and the log is replayed. So nothing here is a promise, and a field
//! that is forgotten does not compile (tables.rs takes every struct apart).
//!
//! Invariants: an image gives back an equal state, or an error; no byte of it is believed before
//! the whole was authenticated, which is its keeper's part (it holds personal data, and an altered
//! one would decide what is destroyed). Bad bytes are an error, never a panic; a length in them
//! never makes room for more than they are.

mod codec;
mod tables;

use codec::Image;

use crate::state::State;

/// First bytes of an image: what it is, and of which sources.
const HEAD: &str = concat!("bailee state image of ", env!("BAILEE_CORE_SOURCES"), "\n");

/// Why an image gives no state. Either way: replay the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Another version of the program wrote it.
    #[error("the image of the state was written by another version; replay the log")]
    OtherSources,
    /// It is cut or altered.
    #[error("the image of the state is damaged; replay the log")]
    Damaged,
}

/// The state as bytes.
pub fn to_image(state: &State) -> Vec<u8> {
    let mut out = HEAD.as_bytes().to_vec();
    state.put(&mut out);
    out
}

/// The state of an image that was authenticated.
pub fn from_image(image: &[u8]) -> Result<State, ImageError> {
    let mut rest = image.strip_prefix(HEAD.as_bytes()).ok_or(ImageError::OtherSources)?;
    let state = State::get(&mut rest).filter(|_| rest.is_empty());
    state.ok_or(ImageError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Command, Time, run};

    fn small() -> State {
        let mut state = State::default();
        let action = Action::RegisterEntity { name: "Example Host".into(), country: "NL".into() };
        run(&mut state, &Command::system(action), Time::from_unix(7)).unwrap();
        state
    }

    #[test]
    fn an_image_gives_the_state_back() {
        assert_eq!(from_image(&to_image(&small())), Ok(small()));
    }

    #[test]
    fn an_image_of_other_sources_is_refused() {
        let image = to_image(&small());
        assert_eq!(from_image(&image[1..]), Err(ImageError::OtherSources));
        assert_eq!(from_image(b""), Err(ImageError::OtherSources));
    }

    #[test]
    fn every_cut_is_damage() {
        let image = to_image(&small());
        for end in HEAD.len()..image.len() {
            assert_eq!(from_image(&image[..end]), Err(ImageError::Damaged), "{end}");
        }
        assert_eq!(from_image(&[&image[..], &[0]].concat()), Err(ImageError::Damaged));
    }

    #[test]
    fn a_huge_length_makes_no_room() {
        // Head and clock, then a policy that is no policy, then lengths of 2^63.
        let image = [HEAD.as_bytes(), &[0, 0], &[0xff; 200]].concat();
        assert_eq!(from_image(&image), Err(ImageError::Damaged));
    }
}
