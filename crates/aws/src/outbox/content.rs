//! The content of mails, in parts that each fit an item, under a name that is made from it: two contents never mix.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tidegate_model::{Address, MailId};
use tidegate_stores::Result;
use tidegate_stores::mail::DueMail;

use super::DynamoOutbox;
use super::record::{mail_id, mail_partition};
use crate::dynamo::{Attributes, Change, Key, corrupt, fields, maybe_text, number, parsed, text};

/// Bytes of a part; an item has at most 400 KB.
const PART: usize = 350_000;

/// Parts that go over the line at once.
const AT_ONCE: usize = 4;

/// Which parts a mail's content has.
pub(super) struct Content {
    pub(super) name: String,
    pub(super) parts: u32,
}

impl Content {
    /// That of a mail's item.
    pub(super) fn of(item: &Attributes) -> Result<Self> {
        Ok(Self { name: text(item, "content")?.to_owned(), parts: number(item, "parts")? })
    }

    fn key(&self, mail: MailId, part: u32) -> Key {
        Key::new(mail_partition(mail), format!("part#{}#{part:04}", self.name))
    }
}

impl DynamoOutbox {
    pub(super) async fn write_content(&self, mail: MailId, message: &[u8]) -> Result<Content> {
        let name = Sha256::digest(message)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let parts: Vec<&[u8]> = message.chunks(PART).collect();
        let content = Content { name, parts: u32::try_from(parts.len()).unwrap_or(u32::MAX) };
        let items: Vec<Attributes> = (0..content.parts)
            .zip(parts)
            .map(|(part, bytes)| fields(&content.key(mail, part), [("bytes", AttributeValue::B(Blob::new(bytes)))]))
            .collect();
        let written = stream::iter(items).map(|item| self.table.put(item)).buffer_unordered(AT_ONCE);
        written.try_collect::<Vec<()>>().await?;
        Ok(content)
    }

    /// Nobody may delete items of the state table, so the parts stay, empty.
    pub(super) async fn empty_content(&self, mail: MailId, content: &Content) -> Result<()> {
        let empty = |part| self.table.change(Change::of(content.key(mail, part)).remove("bytes"));
        let emptied = stream::iter(0..content.parts).map(empty).buffer_unordered(AT_ONCE);
        emptied.try_for_each(async |_| Ok(())).await
    }

    /// The mail of an item from the index, which may lag behind: `None` if it was sent meanwhile.
    pub(super) async fn due_mail(&self, item: &Attributes) -> Result<Option<DueMail>> {
        let (id, content) = (mail_id(item)?, Content::of(item)?);
        let keys: Vec<Key> = (0..content.parts).map(|part| content.key(id, part)).collect();
        let reads = stream::iter(keys).map(|key| async move { self.table.get(&key).await }).buffered(AT_ONCE);
        let parts: Vec<Option<Attributes>> = reads.try_collect().await?;
        let mut message = Vec::new();
        for part in parts {
            let bytes = part.as_ref().and_then(|part| part.get("bytes")).and_then(|bytes| bytes.as_b().ok());
            let Some(bytes) = bytes else { return Ok(None) };
            message.extend_from_slice(bytes.as_ref());
        }
        if maybe_text(item, "recipient").is_none() {
            return Err(corrupt(item, "recipient"));
        }
        Ok(Some(DueMail {
            id,
            about: text(item, "about")?.to_owned(),
            recipient: parsed(item, "recipient", |address| Address::parse(address).ok())?,
            message,
            attempts: number(item, "attempts")?,
        }))
    }
}
