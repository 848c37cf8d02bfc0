//! Signed notes with Ed25519, after C2SP signed-note: who signs, what a signed text looks like, how it is checked.
//!
//! [`SigningKey`] signs, [`PublicKey`] opens. Keys are written as that format's tools write them, so that
//! these check our notes too. What the texts say belongs to others.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::evidence::{EvidenceError, record::hex};

/// The algorithm byte of Ed25519.
const ED25519_BYTE: u8 = 1;
/// What begins a signature line.
const DASH: &str = "— ";
const PRIVATE: &str = "PRIVATE+KEY+";
/// Longest note that is opened.
pub(in crate::evidence) const MAX_NOTE_BYTES: usize = 8 * 1024 * 1024;

/// Who signed: written `name+hash+key`, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

impl PublicKey {
    /// The signer's name; also the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a note this key has signed, its last newline included. Signatures of other keys are ignored.
    ///
    /// # Errors
    /// When it is no signed note, or not signed by this key.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, EvidenceError> {
        let wrong = |what: &str| EvidenceError::Note(what.to_owned());
        if note.len() > MAX_NOTE_BYTES {
            return Err(wrong("it is longer than a note may be"));
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(|| wrong("no signature stands behind it"))?;
        let text = note.get(..=text.len()).unwrap_or_default();
        let signatures = signatures.strip_suffix('\n').ok_or_else(|| wrong("its last line does not end"))?;
        let mut signed = false;
        for line in signatures.split('\n') {
            let line = line.strip_prefix(DASH).ok_or_else(|| wrong("a signature line does not begin with a dash"))?;
            let (name, signature) = line.rsplit_once(' ').ok_or_else(|| wrong("a signature line has no signature"))?;
            let bytes = STANDARD.decode(signature).map_err(|_| wrong("a signature is no base64"))?;
            let Some((id, signature)) = bytes.split_at_checked(4) else {
                return Err(wrong("a signature is too short"));
            };
            if name == self.name && id == self.id() {
                UnparsedPublicKey::new(&ED25519, self.key)
                    .verify(text.as_bytes(), signature)
                    .map_err(|_| wrong("the signature does not fit the text"))?;
                signed = true;
            }
        }
        if signed { Ok(text) } else { Err(EvidenceError::Note(format!("it is not signed by {}", self.name))) }
    }

    /// What tells keys of one name apart.
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519_BYTE])
            .chain_update(self.key)
            .finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }

    fn encoded(&self, key: &[u8; 32]) -> String {
        let key = STANDARD.encode([&[ED25519_BYTE], key.as_slice()].concat());
        format!("{}+{}+{key}", self.name, hex(&self.id()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encoded(&self.key))
    }
}

impl FromStr for PublicKey {
    type Err = EvidenceError;

    fn from_str(text: &str) -> Result<Self, EvidenceError> {
        let (name, id, key) = parts(text.trim_end())?;
        let key = Self { name: name.to_owned(), key };
        if hex(&key.id()) == id { Ok(key) } else { Err(no_key("its parts do not fit together")) }
    }
}

/// `name+id+key`.
fn parts(text: &str) -> Result<(&str, &str, [u8; 32]), EvidenceError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(no_key("expected `name+hash+key`"));
    };
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(no_key("its name is empty or has spaces"));
    }
    let bytes = STANDARD.decode(key).map_err(|_| no_key("its last part is no base64"))?;
    match bytes.split_first() {
        Some((&ED25519_BYTE, key)) => {
            let key = key.try_into().map_err(|_| no_key("its length is not that of an Ed25519 key"))?;
            Ok((name, id, key))
        }
        _ => Err(no_key("it is not for Ed25519")),
    }
}

fn no_key(what: &str) -> EvidenceError {
    EvidenceError::Key(what.to_owned())
}

/// Who signs.
pub(in crate::evidence) struct SigningKey {
    public: PublicKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// Never shows the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

impl SigningKey {
    /// A new key, named after itself so that no two installations share a name.
    pub fn generate() -> Result<Self, EvidenceError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| EvidenceError::Random(error.to_string()))?;
        let mut key = Self::of("unnamed", seed)?;
        key.public.name = format!("markwarden/{}", hex(Sha256::digest(key.public.key).get(..8).unwrap_or_default()));
        Ok(key)
    }

    /// Reads what [`secret`](Self::secret) wrote.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let rest = text.trim_end().strip_prefix(PRIVATE).ok_or_else(|| no_key("it is no private key"))?;
        let (name, id, seed) = parts(rest)?;
        let key = Self::of(name, seed)?;
        if hex(&key.public.id()) == id { Ok(key) } else { Err(no_key("its parts do not fit together")) }
    }

    fn of(name: &str, seed: [u8; 32]) -> Result<Self, EvidenceError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| no_key("it is no Ed25519 seed"))?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| no_key("its public half is too short"))?;
        Ok(Self { public: PublicKey { name: name.to_owned(), key }, seed, pair })
    }

    /// The key as its file holds it.
    pub fn secret(&self) -> String {
        format!("{PRIVATE}{}\n", self.public.encoded(&self.seed))
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The note over `text`, which ends with a newline. The same text gives the same note.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let line = STANDARD.encode([&self.public.id(), signature.as_ref()].concat());
        format!("{text}\n{DASH}{} {line}\n", self.public.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_its_notes_open_with_the_public_half_alone() {
        let key = SigningKey::parse(&SigningKey::generate().unwrap().secret()).unwrap();
        let public: PublicKey = key.public().to_string().parse().unwrap();
        let note = key.sign("标卫\n17\n");
        assert_eq!(public.open(&note).unwrap(), "标卫\n17\n");
        assert_eq!(note, key.sign("标卫\n17\n"));
        let cosigned = format!("{note}— witness/1 AAAAAAAA\n");
        assert!(public.open(&cosigned).is_ok(), "signatures of others are ignored");
        assert!(SigningKey::generate().unwrap().public().open(&note).is_err());
        assert!(!format!("{key:?}").contains(&STANDARD.encode(key.seed)));
    }

    #[test]
    fn every_changed_byte_of_a_note_is_noticed() {
        let key = SigningKey::generate().unwrap();
        let note = key.sign("one\n2\n").into_bytes();
        for at in 0..note.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = note.clone();
                changed[at] ^= flip;
                let opened = String::from_utf8(changed).ok().map(|note| key.public().open(&note).is_ok());
                assert_ne!(opened, Some(true), "byte {at}");
            }
        }
        assert!(key.public().open(&"x".repeat(MAX_NOTE_BYTES + 1)).is_err());
    }

    #[test]
    fn the_published_example_of_the_format_opens() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let public: PublicKey = key.parse().unwrap();
        assert!(public.open(note).is_ok());
        assert!("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse::<PublicKey>().is_err());
    }
}
