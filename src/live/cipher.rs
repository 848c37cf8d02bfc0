//! Segments of HLS under AES-128: CBC with the padding of PKCS #7 over the whole segment (RFC 8216 §4.3.2.4 and §5.2).
//!
//! It keeps nobody out who may read the playlist: the key stands at an address of it, and is fetched as everything else is. What
//! wraps keys otherwise (SAMPLE-AES, DRM) is not read.

use aes::Aes128;
use cbc::{
    Decryptor,
    cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7},
};

/// A key.
pub(super) type KeyBytes = [u8; 16];

/// The initialization vector of the segment with this number, where its playlist names none.
pub(super) fn vector_of(sequence: u64) -> [u8; 16] {
    u128::from(sequence).to_be_bytes()
}

/// What stands in `segment`; none where it does not open with this key.
pub(super) fn decrypted(key: &KeyBytes, iv: &[u8; 16], segment: &[u8]) -> Option<Vec<u8>> {
    Decryptor::<Aes128>::new(key.into(), iv.into()).decrypt_padded_vec::<Pkcs7>(segment).ok()
}

#[cfg(test)]
mod tests {
    use cbc::{Encryptor, cipher::BlockModeEncrypt};
    use proptest::prelude::*;

    use super::*;

    fn encrypted(key: &KeyBytes, iv: &[u8; 16], plain: &[u8]) -> Vec<u8> {
        Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
    }

    #[test]
    fn a_segment_of_the_standards_own_example_opens() {
        // NIST SP 800-38A, F.2.2, whose four blocks have no padding: one that was encrypted here follows.
        let key = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes();
        let iv = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f_u128.to_be_bytes();
        let plain = 0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a_u128.to_be_bytes();
        let cipher = 0x7649_abac_8119_b246_cee9_8e9b_12e9_197d_u128.to_be_bytes();
        let whole = encrypted(&key, &iv, &plain);
        assert_eq!(whole[..16], cipher);
        assert_eq!(decrypted(&key, &iv, &whole).as_deref(), Some(plain.as_slice()));
        assert_eq!(decrypted(&key, &iv, &whole[..31]), None, "no whole blocks");
        assert_eq!(decrypted(&key, &iv, &[]), None);
        assert_eq!(vector_of(258)[14..], [1, 2]);
    }

    proptest! {
        #[test]
        fn what_was_encrypted_opens_again_and_anything_else_is_none_or_shorter(
            plain in prop::collection::vec(any::<u8>(), 0..100), key: [u8; 16], iv: [u8; 16],
        ) {
            prop_assert_eq!(decrypted(&key, &iv, &encrypted(&key, &iv, &plain)), Some(plain.clone()));
            let opened = decrypted(&key, &iv, &plain);
            prop_assert!(opened.is_none_or(|opened| opened.len() < plain.len()));
        }
    }
}
