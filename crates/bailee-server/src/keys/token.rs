//! A log key in a token, through its PKCS#11 module: `CKM_EDDSA` with an Ed25519 key.
//!
//! Invariants: the module is loaded once for each path and stays loaded until the process ends; one
//! thread at a time speaks to a session; a session that the token has forgotten is opened anew,
//! once; a PIN that was refused is never tried again by itself, because tokens lock themselves.
//! What a signature is worth is checked by the ledger.
//!
//! Loading a module runs its code in this process: it is trusted like the program itself.
//! Out of scope: making keys in tokens (docs/keys.md has the commands), ML-DSA keys in tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bailee_ledger::{KeyKind, Sign, SignError, Verifier};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::error::KeyError;
use super::secrets::{Secret, Secrets, What, from_file};
use super::source::TokenUri;

/// Modules that are loaded and initialised.
static MODULES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// A key in a token.
pub(crate) struct TokenKey {
    uri: TokenUri,
    verifier: Verifier,
    state: Mutex<Held>,
}

/// What is kept between signatures.
struct Held {
    pin: AuthPin,
    open: Option<Open>,
    /// The PIN was refused.
    refused: Option<SignError>,
}

/// A session that is logged in, and the key in it.
struct Open {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    /// Finds the key, and its public half. Asks for the PIN.
    pub(crate) fn find(
        origin: &str,
        uri: &TokenUri,
        secrets: &Secrets,
    ) -> Result<TokenKey, KeyError> {
        let pin = text(&pin(uri, secrets)?)?;
        let open = open(uri, &pin)?;
        let public = public(uri, &open.session)?;
        let verifier = Verifier::new(origin, KeyKind::Note, &public)?;
        let state = Mutex::new(Held { pin, open: Some(open), refused: None });
        Ok(TokenKey { uri: uri.clone(), verifier, state })
    }
}

/// The PIN of the token: from the file that the URI names, or asked for.
pub(super) fn pin(uri: &TokenUri, secrets: &Secrets) -> Result<Secret, KeyError> {
    match &uri.pin {
        Some(path) => from_file(What::Pin, path),
        None => secrets.say(What::Pin, &name(uri)),
    }
}

pub(super) fn text(pin: &Secret) -> Result<AuthPin, KeyError> {
    let why = "is not UTF-8 text".to_owned();
    let pin = std::str::from_utf8(pin).map_err(|_| KeyError::Unusable { what: "PIN", why })?;
    Ok(pin.into())
}

impl Sign for TokenKey {
    fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = &held.refused {
            return Err(refused.clone());
        }
        let fresh = held.open.is_none();
        let first = held.sign(&self.uri, message);
        // The token may have been out in between, and the session with it.
        let signed = match first {
            Err(_) if !fresh && held.refused.is_none() => held.sign(&self.uri, message),
            first => first,
        };
        signed?.try_into().map_err(|_| SignError::WrongSignature { holder: name(&self.uri) })
    }
}

impl Held {
    /// Signs in the session there is, or in a new one; a session that fails is given up.
    fn sign(&mut self, uri: &TokenUri, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let at_hand = match self.open.take() {
            Some(at_hand) => at_hand,
            None => open(uri, &self.pin).inspect_err(|error| {
                if matches!(error, SignError::WrongPin { .. }) {
                    self.refused = Some(error.clone());
                }
            })?,
        };
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        let signed = at_hand.session.sign(&mechanism, at_hand.key, message);
        let signed = signed.map_err(|e| told(uri, &e))?;
        self.open = Some(at_hand);
        Ok(signed)
    }
}

/// The token and the key, in words for people.
pub(super) fn name(uri: &TokenUri) -> String {
    match uri.token.as_ref().or(uri.serial.as_ref()) {
        Some(token) => format!("token {token:?}"),
        None => format!("the token behind {}", uri.module.display()),
    }
}

/// A session on the right token, logged in, with the right key.
fn open(uri: &TokenUri, pin: &AuthPin) -> Result<Open, SignError> {
    let session = session(uri, pin)?;
    let key = find(uri, &session, ObjectClass::PRIVATE_KEY)?;
    Ok(Open { session, key })
}

/// A session on the right token, logged in.
pub(super) fn session(uri: &TokenUri, pin: &AuthPin) -> Result<Session, SignError> {
    let module = module(uri, &uri.module)?;
    let slot = slot(uri, &module)?;
    let session = module.open_ro_session(slot).map_err(|e| told(uri, &e))?;
    match session.login(UserType::User, Some(pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(told(uri, &error)),
    }
    Ok(session)
}

fn module(uri: &TokenUri, path: &Path) -> Result<Pkcs11, SignError> {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = modules.get(path) {
        return Ok(module.clone());
    }
    let unloaded = |e: Error| SignError::Unreachable {
        holder: format!("the module {}", path.display()),
        detail: e.to_string(),
    };
    let module = Pkcs11::new(path).map_err(unloaded)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(told(uri, &error)),
    }
    modules.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// The slot with the token that the URI names.
fn slot(uri: &TokenUri, module: &Pkcs11) -> Result<Slot, SignError> {
    let slots = module.get_slots_with_initialized_token().map_err(|e| told(uri, &e))?;
    let fits = |slot: &Slot| {
        module.get_token_info(*slot).is_ok_and(|info| {
            let is = |wanted: &Option<String>, found: &str| {
                wanted.as_ref().is_none_or(|wanted| found.trim_end() == wanted)
            };
            is(&uri.token, info.label()) && is(&uri.serial, info.serial_number())
        })
    };
    let fitting: Vec<Slot> = slots.into_iter().filter(fits).collect();
    match fitting.as_slice() {
        [] => Err(SignError::TokenGone { holder: name(uri) }),
        [slot] => Ok(*slot),
        several => {
            let detail = format!("{} tokens fit; name its serial too", several.len());
            Err(SignError::Refused { holder: name(uri), detail })
        }
    }
}

/// The one key that the URI names.
fn find(uri: &TokenUri, session: &Session, class: ObjectClass) -> Result<ObjectHandle, SignError> {
    let mut template = vec![Attribute::Class(class), Attribute::KeyType(KeyType::EC_EDWARDS)];
    template.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&template).map_err(|e| told(uri, &e))?;
    match found.as_slice() {
        [] => Err(SignError::KeyGone { holder: name(uri) }),
        [key] => Ok(*key),
        several => {
            let detail = format!("{} Ed25519 keys fit; name its id too", several.len());
            Err(SignError::Refused { holder: name(uri), detail })
        }
    }
}

/// The 32 bytes of the public key: bare, or in the wrappings that tokens put around them.
fn public(uri: &TokenUri, session: &Session) -> Result<[u8; 32], SignError> {
    let key = find(uri, session, ObjectClass::PUBLIC_KEY)?;
    let found =
        session.get_attributes(key, &[AttributeType::EcPoint]).map_err(|e| told(uri, &e))?;
    let point = found.into_iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(point) => Some(point),
        _ => None,
    });
    let bare = point.as_deref().and_then(|point| match point {
        [0x04, 0x20, rest @ ..] | [0x03, 0x21, 0x00, rest @ ..] => rest.try_into().ok(),
        bare => bare.try_into().ok(),
    });
    bare.ok_or_else(|| {
        let detail = "its public key does not have 32 bytes: it is no Ed25519 key".to_owned();
        SignError::Refused { holder: name(uri), detail }
    })
}

/// What a module said, by name.
pub(super) fn told(uri: &TokenUri, error: &Error) -> SignError {
    use RvError as Rv;
    let holder = name(uri);
    let Error::Pkcs11(code, _) = error else {
        return SignError::Refused { holder, detail: error.to_string() };
    };
    match code {
        Rv::PinIncorrect | Rv::PinInvalid | Rv::PinLenRange | Rv::PinExpired => {
            SignError::WrongPin { holder }
        }
        Rv::PinLocked | Rv::UserPinNotInitialized => SignError::Locked { holder },
        Rv::TokenNotPresent | Rv::TokenNotRecognized | Rv::DeviceRemoved | Rv::SlotIdInvalid => {
            SignError::TokenGone { holder }
        }
        Rv::KeyHandleInvalid | Rv::ObjectHandleInvalid => SignError::KeyGone { holder },
        code => SignError::Refused { holder, detail: format!("{code:?}") },
    }
}
