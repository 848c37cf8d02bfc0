//! A message as a webhook: the JSON that is posted, and its signature as Standard Webhooks has it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use super::{Message, Subscription};

/// Longest body, in bytes: what Standard Webhooks advises.
pub const MAX_PAYLOAD_BYTES: usize = 20 * 1024;

/// The body of a message: what happened and which hits, not what they hold. `desk` is the address in links.
pub fn payload(subscription: &Subscription, message: &Message, desk: &str) -> String {
    let mut items = &message.items[..];
    loop {
        let hits: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut hit = json!({
                    "id": item.hit, "title": item.title, "family": item.family, "severity": item.severity,
                    "platform": item.platform,
                });
                if !desk.is_empty() {
                    hit["url"] = format!("{}/hits/{}", desk.trim_end_matches('/'), item.hit).into();
                }
                hit
            })
            .collect();
        let more = message.more + (message.items.len() - items.len()) as u64;
        let body = json!({
            "type": if message.test { "alert.test" } else { "hits.found" },
            "timestamp": message.at.to_string(),
            "data": {"alert": subscription.name, "hits": hits, "more": more},
        })
        .to_string();
        match items.split_last() {
            Some((_, fewer)) if body.len() > MAX_PAYLOAD_BYTES => items = fewer,
            _ => return body,
        }
    }
}

/// `v1,` and the signature of a message by `secret` (`whsec_` and base64); none where that is no key.
pub fn sign(secret: &str, id: &str, second: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{second}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign("whsec_???", "a", 0, ""), None);
        assert_eq!(sign("MfKQ", "a", 0, ""), None);
    }
}
