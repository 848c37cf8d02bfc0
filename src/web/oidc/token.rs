//! ID tokens: what a provider signed about somebody, checked as OpenID Connect Core 1.0 §3.1.3.7 asks. Pure: bytes, keys and
//! the time in, claims out.
//!
//! RS256 and ES256 are read, by ring; whatever else a token names is refused, above all `none` and a shared secret.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::Timestamp;

/// Longest token, in bytes, and most keys of a provider.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;
const MAX_KEYS: usize = 64;
/// How far the provider's clock may be from ours, and how old a token may be that was just made, in seconds.
const LEEWAY: i64 = 60;
const FRESH: i64 = 600;

/// What a token says of somebody.
pub(super) type Claims = Map<String, Value>;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// It is no token in compact form.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Signed in a way that is not taken.
    #[error("the token is not signed with RS256 or ES256")]
    Algorithm,
    /// No key of the provider fits.
    #[error("the provider has no key of that name")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature does not fit")]
    Signature,
    /// A claim that must hold does not.
    #[error("the claim `{0}` of the token does not hold")]
    Claim(&'static str),
}

/// A provider's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The keys of a provider's key set that tokens may be signed with; other kinds are left out.
pub(super) fn keys(text: &[u8]) -> Result<Vec<Key>, TokenError> {
    let set: KeySet = serde_json::from_slice(text).map_err(|_| TokenError::Malformed("the provider's keys"))?;
    Ok(set.keys.iter().take(MAX_KEYS).filter_map(key).collect())
}

fn key(value: &Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let public = match (text("kty")?, text("crv")) {
        ("RSA", _) if text("alg").is_none_or(|alg| alg == "RS256") => {
            // ring wants no zeros in front.
            let n: Vec<u8> = bytes("n")?.into_iter().skip_while(|byte| *byte == 0).collect();
            Public::Rsa { n, e: bytes("e")? }
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == 32 && y.len() == 32).then(|| Public::P256([&[4_u8][..], &x[..], &y[..]].concat()))?
        }
        _ => return None,
    };
    Some(Key { id: text("kid").map(str::to_owned), public })
}

/// What `token` says, if one of `keys` signed it and it says what is expected.
pub(super) fn check(token: &str, keys: &[Key], expected: &Expected<'_>) -> Result<Claims, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed("it is too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed("it has no signature"))?;
    let (head, body) = signed.split_once('.').ok_or(TokenError::Malformed("it has no claims"))?;
    let decode = |part: &str, what| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(what));
    let head: Claims =
        serde_json::from_slice(&decode(head, "its head")?).map_err(|_| TokenError::Malformed("its head"))?;
    let signature = decode(signature, "its signature")?;
    verify(&head, signed.as_bytes(), &signature, keys)?;
    let claims: Claims =
        serde_json::from_slice(&decode(body, "its claims")?).map_err(|_| TokenError::Malformed("its claims"))?;
    hold(&claims, expected)?;
    Ok(claims)
}

fn verify(head: &Claims, signed: &[u8], signature: &[u8], keys: &[Key]) -> Result<(), TokenError> {
    // What must be understood and is not, is refused (RFC 7515 §4.1.11).
    if head.contains_key("crit") {
        return Err(TokenError::Algorithm);
    }
    let rsa = match head.get("alg").and_then(Value::as_str) {
        Some("RS256") => true,
        Some("ES256") => false,
        _ => return Err(TokenError::Algorithm),
    };
    let name = head.get("kid").and_then(Value::as_str);
    let fits = |key: &&Key| {
        matches!(key.public, Public::Rsa { .. }) == rsa && name.is_none_or(|name| key.id.as_deref() == Some(name))
    };
    let mut known = keys.iter().filter(fits).peekable();
    if known.peek().is_none() {
        return Err(TokenError::UnknownKey);
    }
    let good = known.any(|key| match &key.public {
        Public::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
        }
        Public::P256(point) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
        }
    });
    if good { Ok(()) } else { Err(TokenError::Signature) }
}

fn hold(claims: &Claims, expected: &Expected<'_>) -> Result<(), TokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let second = |name: &str| claims.get(name).and_then(Value::as_f64).map(|second| second as i64);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenError::Claim("iss"));
    }
    let mine = |value: &Value| value.as_str() == Some(expected.client);
    let (is_mine, many) = match claims.get("aud") {
        Some(Value::Array(all)) => (all.iter().any(mine), all.len() > 1),
        Some(one) => (mine(one), false),
        None => (false, false),
    };
    if !is_mine {
        return Err(TokenError::Claim("aud"));
    }
    match text("azp") {
        Some(party) if party != expected.client => return Err(TokenError::Claim("azp")),
        None if many => return Err(TokenError::Claim("azp")),
        _ => {}
    }
    let now = expected.now.as_second();
    if second("exp").is_none_or(|end| end.saturating_add(LEEWAY) <= now) {
        return Err(TokenError::Claim("exp"));
    }
    if second("iat").is_none_or(|made| made > now + LEEWAY || made < now - FRESH) {
        return Err(TokenError::Claim("iat"));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(TokenError::Claim("nonce"));
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err(TokenError::Claim("sub"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
    };
    use serde_json::json;

    use super::*;

    struct Signer {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let bytes = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes.as_ref(), &random).unwrap();
            Self { pair, random }
        }

        fn keys(&self) -> Vec<Key> {
            let point = self.pair.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig", "x": x, "y": y }] });
            keys(set.to_string().as_bytes()).unwrap()
        }

        fn token(&self, head: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(head), part(claims));
            let signature = self.pair.sign(&self.random, signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn good() -> Value {
        json!({ "iss": "https://id.example", "aud": "desk", "sub": "7", "nonce": "n", "iat": 1000, "exp": 1300 })
    }

    fn expected() -> Expected<'static> {
        let now = Timestamp::from_second(1010).unwrap();
        Expected { issuer: "https://id.example", client: "desk", nonce: "n", now }
    }

    fn head() -> Value {
        json!({ "alg": "ES256", "kid": "a" })
    }

    #[test]
    fn a_token_is_believed_only_where_every_claim_holds() {
        let signer = Signer::new();
        let keys = signer.keys();
        let said = |claims: &Value| check(&signer.token(&head(), claims), &keys, &expected());
        assert_eq!(said(&good()).unwrap()["sub"], "7");
        for (claim, wrong) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("azp", json!("other")),
            ("nonce", json!("m")),
            ("sub", json!("")),
            ("exp", json!(900)),
            ("exp", json!("9999")),
            ("iat", json!(5000)),
            ("iat", json!(1)),
        ] {
            let mut claims = good();
            claims[claim] = wrong;
            assert_eq!(said(&claims), Err(TokenError::Claim(claim)), "{claims}");
        }
        for claim in ["iss", "aud", "nonce", "sub", "exp", "iat"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(claim);
            assert_eq!(said(&claims), Err(TokenError::Claim(claim)), "{claim} is missing");
        }
        let mut many = good();
        many["aud"] = json!(["desk", "other"]);
        assert_eq!(said(&many), Err(TokenError::Claim("azp")), "for several, and for whom it was made is not said");
        many["azp"] = json!("desk");
        assert!(said(&many).is_ok());
    }

    #[test]
    fn other_keys_other_ways_of_signing_and_changed_tokens_are_refused() {
        let (signer, other) = (Signer::new(), Signer::new());
        let keys = signer.keys();
        let token = signer.token(&head(), &good());
        assert_eq!(check(&other.token(&head(), &good()), &keys, &expected()), Err(TokenError::Signature));
        for alg in ["none", "HS256", "RS512", "es256", ""] {
            let head = json!({ "alg": alg, "kid": "a" });
            assert_eq!(check(&signer.token(&head, &good()), &keys, &expected()), Err(TokenError::Algorithm), "{alg}");
        }
        let critical = json!({ "alg": "ES256", "kid": "a", "crit": ["b64"] });
        assert_eq!(check(&signer.token(&critical, &good()), &keys, &expected()), Err(TokenError::Algorithm));
        let unknown = json!({ "alg": "ES256", "kid": "b" });
        assert_eq!(check(&signer.token(&unknown, &good()), &keys, &expected()), Err(TokenError::UnknownKey));
        let rsa = json!({ "alg": "RS256", "kid": "a" });
        assert_eq!(check(&signer.token(&rsa, &good()), &keys, &expected()), Err(TokenError::UnknownKey));
        let parts: Vec<&str> = token.split('.').collect();
        let mut claims = good();
        claims["sub"] = json!("admin");
        let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2]);
        assert_eq!(check(&forged, &keys, &expected()), Err(TokenError::Signature));
        assert!(matches!(
            check(&format!("{}.{}.", parts[0], parts[1]), &keys, &expected()),
            Err(TokenError::Signature)
        ));
        let long = format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES));
        assert_eq!(check(&long, &keys, &expected()), Err(TokenError::Malformed("it is too long")));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_and_any_bytes_are_keys_or_none(token in "\\PC{0,200}", set in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check(&token, &Signer::new().keys(), &expected()).is_err());
            drop(keys(&set));
            let odd = json!({ "keys": [{ "kty": token, "n": token, "e": token, "x": token, "y": token, "crv": "P-256" }, { "kty": "EC", "crv": "P-256", "x": token, "y": token }] });
            drop(keys(odd.to_string().as_bytes()));
        }

        #[test]
        fn no_changed_byte_of_a_token_is_believed(at in 0_usize..400, with in any::<u8>()) {
            let signer = Signer::new();
            let token = signer.token(&head(), &good());
            let mut bytes = token.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = with;
            if let Ok(changed) = String::from_utf8(bytes)
                && changed != token
                && let Ok(claims) = check(&changed, &signer.keys(), &expected())
            {
                // The last letter of a base64 text has bits that say nothing.
                prop_assert_eq!(Value::Object(claims), good());
            }
        }
    }
}
