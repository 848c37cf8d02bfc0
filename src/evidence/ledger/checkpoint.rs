//! A checkpoint: what the tree was at one size, after C2SP tlog-checkpoint; and the proof file that carries one, after
//! C2SP tlog-proof.
//!
//! [`Checkpoint`] and [`Proof`] are texts; who signs them belongs to [`super::note`].

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    merkle::{Hash, leaf_hash, verify_inclusion},
    note::PublicKey,
};
use crate::evidence::EvidenceError;

const PROOF: &str = "c2sp.org/tlog-proof@v1\n";
/// A tree of 2^64 leaves has no longer proof.
const MAX_PATH: usize = 64;

/// What the tree was at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose tree: the name of the key that signs.
    pub origin: String,
    /// How many records: the newest sequence covered.
    pub size: u64,
    /// The tree's root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub(super) fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The checkpoint in a signed note.
    ///
    /// # Errors
    /// When the note is not signed by `key`, or says something else.
    pub fn open(note: &str, key: &PublicKey) -> Result<Self, EvidenceError> {
        let wrong = |what: &str| EvidenceError::Note(format!("as a checkpoint, {what}"));
        let text = key.open(note)?;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(wrong("it has not three lines"));
        };
        let root = hash(root).ok_or_else(|| wrong("its root is no hash"))?;
        let size = number(size).ok_or_else(|| wrong("its size is no number"))?;
        if origin != key.name() {
            return Err(wrong("it is of another log"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// The proof that one record is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record's sequence less one.
    pub index: u64,
    /// From its sibling to a child of the root.
    pub path: Vec<Hash>,
    /// The signed checkpoint, as a note.
    pub checkpoint: String,
}

impl Proof {
    /// The proof as a file.
    pub fn text(&self) -> String {
        let path: String = self.path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        format!("{PROOF}index {}\n{path}\n{}", self.index, self.checkpoint)
    }

    /// Reads a proof file.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<Self, EvidenceError> {
        let wrong = || EvidenceError::Note("it is no proof of inclusion".into());
        let (proof, checkpoint) = text.split_once("\n\n").ok_or_else(wrong)?;
        let mut lines = proof.strip_prefix(PROOF).ok_or_else(wrong)?.lines();
        let index = lines.next().and_then(|line| number(line.strip_prefix("index ")?)).ok_or_else(wrong)?;
        let path: Vec<Hash> = lines.take(MAX_PATH + 1).map(hash).collect::<Option<_>>().ok_or_else(wrong)?;
        if path.len() > MAX_PATH {
            return Err(wrong());
        }
        Ok(Self { index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Whether it proves that the record with this hash is in the tree of its checkpoint, signed by `key`.
    ///
    /// # Errors
    /// When it does not; the message says why.
    pub fn verify(&self, record: &Hash, key: &PublicKey) -> Result<Checkpoint, EvidenceError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        if verify_inclusion(&leaf_hash(record), self.index, checkpoint.size, &self.path, &checkpoint.root) {
            return Ok(checkpoint);
        }
        let seq = self.index.saturating_add(1);
        Err(EvidenceError::Note(format!("the record is not sequence {seq} of the journal that was signed")))
    }
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// A decimal number as one would write it.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{super::note::SigningKey, *};

    #[test]
    fn a_checkpoint_reads_back_and_others_are_refused() {
        let key = SigningKey::generate().unwrap();
        let checkpoint = Checkpoint { origin: key.public().name().into(), size: 17, root: [7; 32] };
        let note = key.sign(&checkpoint.text());
        assert_eq!(Checkpoint::open(&note, key.public()).unwrap(), checkpoint);
        let foreign = Checkpoint { origin: "elsewhere".into(), ..checkpoint.clone() };
        for text in [foreign.text(), checkpoint.text().replace("17", "017"), "a\n1\n".into(), checkpoint.text() + "x\n"]
        {
            assert!(Checkpoint::open(&key.sign(&text), key.public()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proof_longer_than_any_tree_is_refused() {
        let proof = |steps| Proof { index: 3, path: vec![[1; 32]; steps], checkpoint: "c\n".into() };
        assert_eq!(Proof::read(&proof(MAX_PATH).text()).unwrap(), proof(MAX_PATH));
        assert_eq!(Proof::read(&proof(0).text()).unwrap(), proof(0));
        assert!(Proof::read(&proof(MAX_PATH + 1).text()).is_err());
    }
}
