//! The item of a mail.

use jiff::Timestamp;
use tidegate_model::MailId;
use tidegate_stores::Result;
use tidegate_stores::mail::{MailRecord, MailState, NewMail};

use super::content::Content;
use crate::dynamo::{Attribute, Attributes, Key, fields, instant, maybe_instant, maybe_json, number, parsed, text};

pub(super) fn mail_key(mail: MailId) -> Key {
    Key::new(mail_partition(mail), "mail")
}

pub(super) fn mail_partition(mail: MailId) -> String {
    format!("mail#{mail}")
}

/// Under which a mail in this state is listed.
pub(super) fn list_of(state: MailState) -> String {
    format!("mail#{}", state.as_str())
}

/// A mail that is queued at `now`, whose content is written.
pub(super) fn mail_item(mail: &NewMail, content: &Content, now: Timestamp) -> Attributes {
    let state = MailState::Queued;
    fields(
        &mail_key(mail.id),
        [
            ("run", mail.run.to_string().attribute()),
            ("function", mail.function.as_str().attribute()),
            ("about", mail.about.as_str().attribute()),
            ("size", (mail.message.len() as u64).attribute()),
            ("recipient", mail.recipient.email().attribute()),
            ("content", content.name.as_str().attribute()),
            ("parts", content.parts.attribute()),
            ("state", state.as_str().attribute()),
            ("attempts", 0_u32.attribute()),
            ("queued", now.attribute()),
            ("due", now.attribute()),
            ("list", list_of(state).attribute()),
            ("at", now.attribute()),
        ],
    )
}

pub(super) fn mail_id(item: &Attributes) -> Result<MailId> {
    parsed(item, "pk", |pk| pk.strip_prefix("mail#")?.parse().ok())
}

pub(super) fn state(item: &Attributes) -> Result<MailState> {
    parsed(item, "state", MailState::parse)
}

pub(super) fn record(item: &Attributes) -> Result<MailRecord> {
    Ok(MailRecord {
        id: mail_id(item)?,
        run: parsed(item, "run", |run| run.parse().ok())?,
        function: text(item, "function")?.to_owned(),
        about: text(item, "about")?.to_owned(),
        size: number(item, "size")?,
        state: state(item)?,
        attempts: number(item, "attempts")?,
        queued_at: instant(item, "queued")?,
        due: maybe_instant(item, "due")?,
        settled_at: maybe_instant(item, "settled")?,
        failure: maybe_json(item, "failure")?,
    })
}
