//! The Merkle tree of RFC 9162 §2.1 (the same hashes as RFC 6962): roots, proofs, and what checks them. Pure.
//!
//! [`Nodes`] gives the hashes of whole subtrees; where they are kept is [`super::tree`]'s business. Inputs of
//! the tree are the journal's record hashes, so that record `seq` is the leaf with index `seq - 1`.

use sha2::{Digest, Sha256};

use crate::evidence::EvidenceError;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Whole subtrees: `level` 0 holds leaves, each level above the hash of two below.
pub(super) trait Nodes {
    /// The hash of the whole subtree over the leaves `index << level .. (index + 1) << level`.
    fn node(&self, level: u32, index: u64) -> Result<Hash, EvidenceError>;
}

/// The hash of a leaf over `entry`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of a node over its two children.
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over the first `size` leaves.
pub(super) fn root(nodes: &impl Nodes, size: u64) -> Result<Hash, EvidenceError> {
    if size == 0 { Ok(Sha256::digest([]).into()) } else { range(nodes, 0, size) }
}

/// The proof that leaf `index` is one of the first `size`: from its sibling to a child of the root.
///
/// `index` must be smaller than `size`.
pub(super) fn inclusion(nodes: &impl Nodes, index: u64, size: u64) -> Result<Vec<Hash>, EvidenceError> {
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range(nodes, middle, high)?);
            high = middle;
        } else {
            path.push(range(nodes, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new` leaves; `0 < old <= new`.
pub(super) fn consistency(nodes: &impl Nodes, old: u64, new: u64) -> Result<Vec<Hash>, EvidenceError> {
    let (mut low, mut high) = (0, new);
    let mut path = Vec::new();
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range(nodes, middle, high)?);
            high = middle;
        } else {
            path.push(range(nodes, low, middle)?);
            low = middle;
        }
    }
    // The old root itself is known to whoever checks.
    if low != 0 {
        path.push(range(nodes, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` proves that `leaf` is the leaf `index` of the tree with `size` leaves and `root` (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut here, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if here & 1 == 1 || here == last {
            hash = node_hash(step, &hash);
            climb_edge(&mut here, &mut last);
        } else {
            hash = node_hash(&hash, step);
        }
        (here, last) = (here >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// A tree's size and root.
pub type Head<'a> = (u64, &'a Hash);

/// Whether `path` proves that the tree `old` is the beginning of the tree `new` (RFC 9162 §2.1.4.2).
pub fn verify_consistency(old: Head<'_>, new: Head<'_>, path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 || old_size >= new_size {
        return old_size == new_size && old_root == new_root && path.is_empty();
    }
    let (mut here, mut last) = (old_size - 1, new_size - 1);
    while here & 1 == 1 {
        (here, last) = (here >> 1, last >> 1);
    }
    let (first, rest) = match path.split_first() {
        _ if old_size.is_power_of_two() => (old_root, path),
        Some(parts) => parts,
        None => return false,
    };
    let (mut older, mut newer) = (*first, *first);
    for step in rest {
        if last == 0 {
            return false;
        }
        if here & 1 == 1 || here == last {
            older = node_hash(step, &older);
            newer = node_hash(step, &newer);
            climb_edge(&mut here, &mut last);
        } else {
            newer = node_hash(&newer, step);
        }
        (here, last) = (here >> 1, last >> 1);
    }
    last == 0 && older == *old_root && newer == *new_root
}

/// Passes the levels on which the right edge has no left sibling.
fn climb_edge(here: &mut u64, last: &mut u64) {
    while *here & 1 == 0 && *here != 0 {
        (*here, *last) = (*here >> 1, *last >> 1);
    }
}

/// The hash over the leaves `low..high`, as the tree cuts them.
fn range(nodes: &impl Nodes, low: u64, high: u64) -> Result<Hash, EvidenceError> {
    let length = high - low;
    if length.is_power_of_two() {
        let level = length.trailing_zeros();
        return nodes.node(level, low >> level);
    }
    let middle = low + split(length);
    Ok(node_hash(&range(nodes, low, middle)?, &range(nodes, middle, high)?))
}

/// The largest power of two below `length`, which is more than 1.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree as RFC 9162 defines it, over everything, every time.
    struct Naive(Vec<Hash>);

    impl Naive {
        fn new(size: u64) -> Self {
            Self((0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect())
        }

        fn root(&self, size: u64) -> Hash {
            Self::over(&self.0[..size as usize])
        }

        fn over(leaves: &[Hash]) -> Hash {
            match leaves {
                [] => Sha256::digest([]).into(),
                [leaf] => *leaf,
                _ => {
                    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                    node_hash(&Self::over(left), &Self::over(right))
                }
            }
        }
    }

    impl Nodes for Naive {
        fn node(&self, level: u32, index: u64) -> Result<Hash, EvidenceError> {
            let (begin, end) = (index << level, (index + 1) << level);
            Ok(Self::over(&self.0[begin as usize..end as usize]))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_proof_of_inclusion_holds_for_its_leaf_and_no_other(size in 1_u64..150, pick in any::<u64>(), bit in 0_usize..256) {
            let tree = Naive::new(size);
            let (index, root_hash) = (pick % size, root(&tree, size).unwrap());
            prop_assert_eq!(root_hash, tree.root(size));
            let mut path = inclusion(&tree, index, size).unwrap();
            let leaf = tree.0[index as usize];
            prop_assert!(verify_inclusion(&leaf, index, size, &path, &root_hash));
            prop_assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &path, &root_hash));
            prop_assert!(!verify_inclusion(&leaf, index + 1, size, &path, &root_hash));
            prop_assert!(!verify_inclusion(&leaf, index, size, &[path.clone(), vec![leaf]].concat(), &root_hash));
            if let Some(step) = path.first_mut() {
                step[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!verify_inclusion(&leaf, index, size, &path, &root_hash));
                prop_assert!(!verify_inclusion(&leaf, index, size, &path[1..], &root_hash));
            }
        }

        #[test]
        fn a_proof_of_consistency_holds_for_the_beginning_and_nothing_else(size in 1_u64..150, pick in any::<u64>(), bit in 0_usize..256) {
            let tree = Naive::new(size);
            let old = pick % size + 1;
            let (first, second) = (tree.root(old), tree.root(size));
            let mut path = consistency(&tree, old, size).unwrap();
            prop_assert!(verify_consistency((old, &first), (size, &second), &path));
            let mut other = first;
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify_consistency((old, &other), (size, &second), &path));
            prop_assert!(!verify_consistency((old, &first), (size, &other), &path));
            prop_assert!(!verify_consistency((old, &first), (size, &second), &[path.clone(), vec![first]].concat()));
            if let Some(step) = path.last_mut() {
                step[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!verify_consistency((old, &first), (size, &second), &path));
                prop_assert!(!verify_consistency((old, &first), (size, &second), &path[1..]));
            }
        }
    }

    #[test]
    fn the_roots_are_those_of_the_known_test_vectors() {
        // The inputs and roots that implementations of RFC 6962 share.
        let inputs: [&[u8]; 4] = [b"", &[0], &[0x10], &[0x20, 0x21]];
        let tree = Naive(inputs.iter().map(|input| leaf_hash(input)).collect());
        let hex = |size| crate::evidence::record::hex(&root(&tree, size).unwrap());
        assert_eq!(hex(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(hex(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(hex(4), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    }
}
