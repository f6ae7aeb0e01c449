//! Trees and proofs against the definitions of RFC 6962, naively computed, and its known values.

use foretide_audit_chain::{
    Digest, MerkleTree, ProofError, TreeHead, leaf_hash, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

const LARGEST: usize = 70;

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| number.to_be_bytes().to_vec())
        .collect()
}

fn tree_of(entries: &[Vec<u8>]) -> MerkleTree {
    let mut tree = MerkleTree::default();
    for entry in entries {
        tree.push(entry);
    }
    tree
}

fn split(size: usize) -> usize {
    let mut left = 1;
    while left * 2 < size {
        left *= 2;
    }
    left
}

/// MTH of RFC 6962 section 2.1.
fn naive_root(entries: &[Vec<u8>]) -> Digest {
    let mut hasher = Sha256::new();
    match entries {
        [] => {}
        [one] => return leaf_hash(one),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            hasher.update([1]);
            hasher.update(naive_root(left).as_bytes());
            hasher.update(naive_root(right).as_bytes());
        }
    }
    Digest::new(hasher.finalize().into())
}

/// PATH of section 2.1.1.
fn naive_path(index: usize, entries: &[Vec<u8>]) -> Vec<Digest> {
    if entries.len() == 1 {
        return vec![];
    }
    let middle = split(entries.len());
    let (left, right) = entries.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (naive_path(index, left), right)
    } else {
        (naive_path(index - middle, right), left)
    };
    path.push(naive_root(sibling));
    path
}

/// SUBPROOF of section 2.1.2.
fn naive_subproof(old: usize, entries: &[Vec<u8>], is_known: bool) -> Vec<Digest> {
    if old == entries.len() {
        return if is_known {
            vec![]
        } else {
            vec![naive_root(entries)]
        };
    }
    let middle = split(entries.len());
    let (left, right) = entries.split_at(middle);
    let (mut proof, sibling) = if old <= middle {
        (naive_subproof(old, left, is_known), right)
    } else {
        (naive_subproof(old - middle, right, false), left)
    };
    proof.push(naive_root(sibling));
    proof
}

#[test]
fn every_root_and_proof_up_to_70_entries_is_the_naive_one_and_is_accepted() {
    let entries = entries(LARGEST);
    let tree = tree_of(&entries);
    for new in 0..=LARGEST {
        let head = TreeHead {
            size: new as u64,
            root: naive_root(&entries[..new]),
        };
        assert_eq!(tree.root_at(new as u64), Some(head.root), "{new}");
        assert_eq!(tree_of(&entries[..new]).head(), head);
        for index in 0..new {
            let proof = tree.inclusion_proof(index as u64, new as u64).unwrap();
            assert_eq!(proof, naive_path(index, &entries[..new]), "{index} {new}");
            let included = verify_inclusion(&entries[index], index as u64, &head, &proof);
            assert_eq!(included, Ok(()), "{index} in {new}");
        }
        for old in 1..=new {
            let proof = tree.consistency_proof(old as u64, new as u64).unwrap();
            assert_eq!(proof, naive_subproof(old, &entries[..new], true));
            let old = TreeHead {
                size: old as u64,
                root: naive_root(&entries[..old]),
            };
            assert_eq!(verify_consistency(&old, &head, &proof), Ok(()), "{old:?}");
        }
        assert_eq!(tree.inclusion_proof(new as u64, new as u64), None);
    }
    assert_eq!(tree.root_at(LARGEST as u64 + 1), None);
    assert_eq!(tree.consistency_proof(3, LARGEST as u64 + 1), None);
    assert_eq!(tree.consistency_proof(3, 2), None);
}

#[test]
fn the_known_roots_of_rfc_6962_implementations_are_met() {
    let entries: Vec<Vec<u8>> = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .iter()
    .map(|entry| hex::decode(entry).unwrap())
    .collect();
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let tree = tree_of(&entries);
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(tree.root_at(size as u64).unwrap().to_string(), *root);
    }
}

#[test]
fn a_log_that_shrank_or_forked_is_named() {
    let tree = tree_of(&entries(9));
    let head = |size: u64| TreeHead {
        size,
        root: tree.root_at(size).unwrap(),
    };
    let forked = TreeHead {
        root: Digest::ZERO,
        ..head(9)
    };
    assert_eq!(
        verify_consistency(&head(9), &head(7), &[]),
        Err(ProofError::Shrank { from: 9, to: 7 })
    );
    assert_eq!(
        verify_consistency(&head(9), &forked, &[]),
        Err(ProofError::Forked { size: 9 })
    );
    let proof = tree.consistency_proof(5, 9).unwrap();
    assert_eq!(
        verify_consistency(&head(5), &forked, &proof),
        Err(ProofError::NotAnExtension { from: 5, to: 9 })
    );
}

proptest! {
    #[test]
    fn a_changed_proof_or_head_is_refused(
        old in 1usize..LARGEST, more in 1usize..LARGEST, at in any::<prop::sample::Index>(), bit in 0usize..256,
    ) {
        let all = entries(old + more);
        let tree = tree_of(&all);
        let head = |size: usize| TreeHead { size: size as u64, root: tree.root_at(size as u64).unwrap() };
        let flip = |digest: Digest| {
            let mut bytes = *digest.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Digest::new(bytes)
        };
        let (old, new) = (head(old), head(old + more));
        let proof = tree.consistency_proof(old.size, new.size).unwrap();
        let changed_old = TreeHead { root: flip(old.root), ..old };
        let changed_new = TreeHead { root: flip(new.root), ..new };
        prop_assert!(verify_consistency(&changed_old, &new, &proof).is_err());
        prop_assert!(verify_consistency(&old, &changed_new, &proof).is_err());
        let mut changed = proof.clone();
        let place = at.index(changed.len());
        changed[place] = flip(changed[place]);
        prop_assert!(verify_consistency(&old, &new, &changed).is_err());
        prop_assert!(verify_consistency(&old, &new, &proof[1..]).is_err());
        changed.push(Digest::ZERO);
        prop_assert!(verify_consistency(&old, &new, &changed).is_err());

        let index = at.index(all.len());
        let proof = tree.inclusion_proof(index as u64, new.size).unwrap();
        prop_assert!(verify_inclusion(&all[index], index as u64, &changed_new, &proof).is_err());
        prop_assert!(verify_inclusion(b"another", index as u64, &new, &proof).is_err());
        let elsewhere = (index as u64 + 1) % new.size;
        prop_assert!(verify_inclusion(&all[index], elsewhere, &new, &proof).is_err());
    }
}
