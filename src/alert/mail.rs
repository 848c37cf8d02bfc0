//! A message as mail: plain text, handed to the relay of the settings.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use super::{Encryption, Message, Relay, SendError, Subscription};

/// Longest time for one mail.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The text of a message, Chinese and English: numbers, titles, and links where `desk` says whereto.
fn text(subscription: &Subscription, message: &Message, desk: &str) -> (String, String) {
    let name = plain(&subscription.name);
    if message.test {
        let body = "这是一封测试邮件。 / This mail only tries whether alerts arrive.\n";
        return (format!("[标卫 Markwarden] {name}: 测试 / test"), body.to_owned());
    }
    let many = message.items.len() as u64 + message.more;
    let mut body = format!("{name}: {many} 条新命中 / new hits\n\n");
    for item in &message.items {
        let line =
            format!("#{} [{}] {} · {}\n", item.hit, severity(item.severity), plain(&item.title), plain(&item.family));
        body.push_str(&line);
        if !desk.is_empty() {
            body.push_str(&format!("  {}/hits/{}\n", desk.trim_end_matches('/'), item.hit));
        }
    }
    if message.more > 0 {
        body.push_str(&format!("… {} 条 / more\n", message.more));
    }
    body.push_str(
        "\n此邮件只通知本方人员，未对任何卖家采取行动。\nThis mail only informs; nothing was done to any seller.\n",
    );
    (format!("[标卫 Markwarden] {name}: {many}"), body)
}

fn severity(severity: crate::model::Severity) -> &'static str {
    match severity {
        crate::model::Severity::Low => "low",
        crate::model::Severity::Medium => "medium",
        crate::model::Severity::High => "high",
        crate::model::Severity::Critical => "critical",
    }
}

/// Text of others without anything that does not print or turns text around.
fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c as u32, 0x200B..=0x200F | 0x202A..=0x202E | 0x2066..=0x2069 | 0x61C);
    text.chars().filter(|c| !c.is_control() && !turns(*c)).collect()
}

/// Hands a message to the relay.
pub(super) async fn send(
    relay: &Relay,
    (subscription, message): (&Subscription, &Message),
    to: &str,
    desk: &str,
) -> Result<(), SendError> {
    let wrong = |what: &str| SendError::Settings(what.to_owned());
    let from: Mailbox = relay.from.parse().map_err(|_| wrong("alerts.mail.from is no mail address"))?;
    let to: Mailbox = to.parse().map_err(|_| wrong("this is no mail address"))?;
    let (subject, body) = text(subscription, message, desk);
    let mail = Mail::builder()
        .from(from.clone())
        .to(to)
        .subject(subject)
        .message_id(Some(format!("<{}@{}>", message.id, from.email.domain())))
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| SendError::Mail(error.to_string()))?;
    let parameters = || TlsParameters::new(relay.host.clone()).map_err(|error| SendError::Mail(error.to_string()));
    let tls = match relay.encryption {
        Encryption::Tls => Tls::Wrapper(parameters()?),
        Encryption::Starttls => Tls::Required(parameters()?),
        Encryption::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&relay.host)
        .port(relay.port)
        .tls(tls)
        .timeout(Some(TIMEOUT));
    if let Some(password) = &relay.password {
        let password = password.read().map_err(|error| SendError::Settings(error.to_string()))?;
        transport = transport.credentials(Credentials::new(relay.user.clone(), password));
    }
    let sent = tokio::time::timeout(TIMEOUT, transport.build().send(mail)).await;
    sent.map_err(|_| SendError::Mail("the relay did not answer in time".into()))?
        .map_err(|error| SendError::Mail(error.to_string()))?;
    Ok(())
}
