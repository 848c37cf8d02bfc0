//! Alerts: messages to a desk's own people about hits that are new, by mail and by webhook.
//!
//! [`Book`] keeps who wants to know what, and the one message of each that is on its way; [`Sender`] sends it. Which hits are
//! meant belongs to the desk. An alert informs; it is no act against anybody, and goes to no seller and no platform.

mod book;
mod mail;
mod sender;
mod settings;
mod webhook;

pub use book::{
    Book, BookError, Delivery, Item, MAX_OF_ONE, Message, Outcome, RETRIES, SHOWN, Subscription, Target, When,
    new_secret,
};
pub use sender::{SendError, Sender};
pub use settings::{Encryption, Relay, Settings};
pub use webhook::{MAX_PAYLOAD_BYTES, payload, sign};
