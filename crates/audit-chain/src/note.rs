//! Signed notes (`https://c2sp.org/signed-note`): a text, a blank line, and a line for each signature.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// Longest note that is read, bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

const PRIVATE: &str = "PRIVATE+KEY+";
const SIGNATURE: &str = "\u{2014} ";

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not written as a key is.
    #[error("not a key: it looks like NAME+ID+BASE64, private ones with PRIVATE+KEY+ before it")]
    Format,
    /// Its identifier is not the one of its name and public key.
    #[error("the key's identifier is not that of its name and public key: it was altered")]
    Altered,
    /// Neither Ed25519 nor an Ed25519 cosignature.
    #[error("key kind {0} is not known: it must be 1 (Ed25519) or 4 (Ed25519 cosignature)")]
    UnknownKind(u8),
    /// A name is part of a signature's line.
    #[error("a key's name must not be empty and must have no white space, control character or +")]
    Name,
}

/// A note that is none, or not signed by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not written as a signed note is.
    #[error("not a signed note: {0}")]
    Format(&'static str),
    /// Nobody asked for has signed it.
    #[error("not signed by {0}")]
    Unsigned(String),
    /// There is a signature, of something else.
    #[error("the signature of {0} is not of this text: one of the two was altered")]
    BadSignature(String),
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The note's text: the log's own signature.
    Log = 1,
    /// The note's text with a time (`https://c2sp.org/tlog-cosignature`): a witness's signature.
    Cosignature = 4,
}

impl TryFrom<u8> for KeyKind {
    type Error = KeyError;

    fn try_from(kind: u8) -> Result<Self, KeyError> {
        match kind {
            1 => Ok(Self::Log),
            4 => Ok(Self::Cosignature),
            other => Err(KeyError::UnknownKind(other)),
        }
    }
}

/// The public key of a signer. Written as `NAME+ID+BASE64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
}

impl VerifierKey {
    /// Who signs; a log's name is its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.kind as u8]);
        hasher.update(self.public);
        let hash: [u8; 32] = hasher.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = encoded(self.kind, &self.public);
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, kind, public) = parts(text.trim())?;
        let key = Self { name, kind, public };
        if key.id() == id {
            Ok(key)
        } else {
            Err(KeyError::Altered)
        }
    }
}

/// A private key. Written as `PRIVATE+KEY+NAME+ID+BASE64`; its debug output has the public part only.
#[derive(Debug)]
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The text of the key with this seed, 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// When the name cannot be a key's.
    pub fn text_of(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<String, KeyError> {
        let key = Self::new(name.to_owned(), kind, seed)?;
        let id = hex::encode(key.verifier.id());
        Ok(format!("{PRIVATE}{name}+{id}+{}", encoded(kind, seed)))
    }

    fn new(name: String, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(&name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Format)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| KeyError::Format)?;
        let verifier = VerifierKey { name, kind, public };
        Ok(Self { pair, verifier })
    }

    /// The public part.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, text: &str, unix_seconds: u64) -> Signature {
        let message = message(self.verifier.kind, text, unix_seconds);
        let mut bytes = Vec::new();
        if self.verifier.kind == KeyKind::Cosignature {
            bytes.extend(unix_seconds.to_be_bytes());
        }
        bytes.extend(self.pair.sign(message.as_bytes()).as_ref());
        Signature {
            name: self.verifier.name.clone(),
            id: self.verifier.id(),
            bytes,
        }
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().strip_prefix(PRIVATE).ok_or(KeyError::Format)?;
        let (name, id, kind, seed) = parts(text)?;
        let key = Self::new(name, kind, &seed)?;
        if key.verifier.id() == id {
            Ok(key)
        } else {
            Err(KeyError::Altered)
        }
    }
}

fn encoded(kind: KeyKind, key: &[u8; 32]) -> String {
    let bytes: Vec<u8> = std::iter::once(kind as u8).chain(*key).collect();
    STANDARD.encode(bytes)
}

fn parts(text: &str) -> Result<(String, [u8; 4], KeyKind, [u8; 32]), KeyError> {
    // Base64 may have a + of its own.
    let mut parts = text.splitn(3, '+');
    let mut part = || parts.next().ok_or(KeyError::Format);
    let (name, id, key) = (part()?, part()?, part()?);
    check_name(name)?;
    let mut id_bytes = [0; 4];
    hex::decode_to_slice(id, &mut id_bytes).map_err(|_| KeyError::Format)?;
    let key = STANDARD.decode(key).map_err(|_| KeyError::Format)?;
    let (kind, key) = key.split_first().ok_or(KeyError::Format)?;
    let kind = KeyKind::try_from(*kind)?;
    let key = key.try_into().map_err(|_| KeyError::Format)?;
    Ok((name.to_owned(), id_bytes, kind, key))
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(is_bad) {
        Err(KeyError::Name)
    } else {
        Ok(())
    }
}

fn message(kind: KeyKind, text: &str, unix_seconds: u64) -> String {
    match kind {
        KeyKind::Log => text.to_owned(),
        KeyKind::Cosignature => format!("cosignature/v1\ntime {unix_seconds}\n{text}"),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A text and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note that nobody has signed.
    ///
    /// # Errors
    /// When the text does not end with a line break or has control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Format("its text ends within a line"));
        }
        if text.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::Format("its text has control characters"));
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// What is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a signature, in place of an earlier one of the same key. The time counts for cosignatures
    /// only, in seconds since 1970.
    pub fn sign(&mut self, key: &SigningKey, unix_seconds: u64) {
        let signature = key.sign(&self.text, unix_seconds);
        self.signatures
            .retain(|other| (&other.name, other.id) != (&signature.name, signature.id));
        self.signatures.push(signature);
    }

    /// Checks that the key's owner has signed.
    ///
    /// # Errors
    /// When there is no signature, or it is of another text.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let id = key.id();
        let mut signatures = self.signatures.iter();
        let signature = signatures
            .find(|signature| signature.name == key.name && signature.id == id)
            .ok_or_else(|| NoteError::Unsigned(key.name.clone()))?;
        let bad = || NoteError::BadSignature(key.name.clone());
        let (unix_seconds, bytes) = match key.kind {
            KeyKind::Log => (0, signature.bytes.as_slice()),
            KeyKind::Cosignature => {
                let (time, bytes) = signature.bytes.split_first_chunk().ok_or_else(bad)?;
                (u64::from_be_bytes(*time), bytes)
            }
        };
        let message = message(key.kind, &self.text, unix_seconds);
        UnparsedPublicKey::new(&ED25519, &key.public)
            .verify(message.as_bytes(), bytes)
            .map_err(|_| bad())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = STANDARD.encode([signature.id.as_slice(), &signature.bytes].concat());
            writeln!(f, "{SIGNATURE}{} {bytes}", signature.name)?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Format("it is too long"));
        }
        let border = note.rfind("\n\n");
        let border = border.ok_or(NoteError::Format("it has no blank line"))?;
        let mut parsed = Self::new(note[..=border].to_owned())?;
        let lines = note[border + 2..].strip_suffix('\n');
        let lines = lines.ok_or(NoteError::Format("it is cut off"))?;
        for line in lines.split('\n') {
            let signature = signature(line);
            parsed
                .signatures
                .push(signature.ok_or(NoteError::Format("a signature's line is damaged"))?);
        }
        Ok(parsed)
    }
}

fn signature(line: &str) -> Option<Signature> {
    let (name, bytes) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    check_name(name).ok()?;
    let bytes = STANDARD.decode(bytes).ok()?;
    let (id, bytes) = bytes.split_first_chunk()?;
    Some(Signature {
        name: name.to_owned(),
        id: *id,
        bytes: bytes.to_vec(),
    })
}
