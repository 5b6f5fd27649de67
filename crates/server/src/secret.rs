//! Secrets of loggers: 24 random bytes as text, kept as Argon2id hashes, compared in constant time.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidegate_model::{ErrorKind, Failure};

/// 19 MiB, two passes, one lane: what OWASP recommends for Argon2id.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn bug(why: impl std::fmt::Display) -> Failure {
    Failure::new("S0104", ErrorKind::Bug, format!("a secret could not be made or hashed: {why}"))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(bug)?;
    Ok(bytes)
}

/// A new secret: 32 letters, digits, `-` and `_`.
pub(crate) fn new() -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(random::<24>()?))
}

/// The hash of a secret, with its parameters and its salt (PHC form).
pub(crate) fn hash(secret: &str) -> Result<String, Failure> {
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(bug)?;
    Ok(argon2().hash_password(secret.as_bytes(), &salt).map_err(bug)?.to_string())
}

/// True if the hash is that of the secret. Without a hash it takes as long, and says no: so nobody learns from the time of an
/// answer which names there are.
pub(crate) fn is_right(secret: &str, hash: Option<&str>) -> bool {
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let is_known = hash.is_some();
    let Ok(hash) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    argon2().verify_password(secret.as_bytes(), &hash).is_ok() && is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_hash_and_no_other_is() {
        let secret = new().expect("chance");
        assert_eq!(secret.len(), 32);
        let hash = hash(&secret).expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains(&secret));
        assert!(is_right(&secret, Some(&hash)));
        assert!(
            !is_right("another", Some(&hash)) && !is_right("", Some(&hash)) && !is_right(&secret, Some("nonsense"))
        );
        assert!(!is_right(&secret, None));
        // What stands for nobody is a hash that costs as much.
        let nobody =
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(PasswordHash::new(nobody).is_ok_and(|hash| hash.hash.is_some()));
    }
}
