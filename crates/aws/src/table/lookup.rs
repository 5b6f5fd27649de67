//! Looks rows of a load up: what is there under their keys.

use std::collections::HashMap;

use serde::Deserialize;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::time::{Instant, sleep};

use super::batch::Row;
use super::commit::asking;
use super::item::{Item, key_of};
use super::layout::Named;
use super::wire::Answer;
use crate::dynamo::backoff;

/// Rows with what is there under their keys.
pub(super) type Found = Result<Vec<(Row, Option<Item>)>>;

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "Responses", default)]
    responses: HashMap<String, Vec<Item>>,
    #[serde(rename = "UnprocessedKeys", default)]
    unprocessed: HashMap<String, Keys>,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "Keys", default)]
    keys: Vec<Item>,
}

/// Reads the items with the keys of these rows, at most a hundred. `key` names the attributes of the key.
pub(super) async fn look_up(table: &Named, key: &[String], rows: Vec<Row>) -> Found {
    let patience = table.place.patience;
    let mut there: HashMap<Vec<u8>, Item> = HashMap::with_capacity(rows.len());
    let key_json = |row: &Row| [&row.item[..row.key], b"}"].concat();
    let mut open: Vec<Vec<u8>> = rows.iter().map(key_json).collect();
    let (mut failures, mut throttles, mut read_at) = (0, 0, Instant::now());
    let who = rows.first().map_or(0, |row| row.number);
    while !open.is_empty() {
        match table.place.wire.call("BatchGetItem", asking(&table.dynamo, open.iter().cloned())).await? {
            Answer::Done(body) => {
                let unreadable =
                    |error| Error::caused(ErrorKind::Unavailable, "DynamoDB's answer cannot be read", error);
                let mut read: Read = serde_json::from_slice(&body).map_err(unreadable)?;
                let found = read.responses.remove(&table.dynamo).unwrap_or_default();
                if !found.is_empty() {
                    read_at = Instant::now();
                }
                there.extend(found.into_iter().filter_map(|item| Some((key_of(&item, key)?, item))));
                let left = read.unprocessed.remove(&table.dynamo).map(|left| left.keys).unwrap_or_default();
                open = left.iter().filter_map(|left| key_of(left, key)).collect();
                (failures, throttles) = (0, if open.is_empty() { 0 } else { throttles + 1 });
            }
            Answer::Throttled => throttles += 1,
            Answer::Failed(error) => {
                failures += 1;
                if failures > patience.failures {
                    return Err(error);
                }
            }
            Answer::Refused(error) => return Err(error),
        }
        if !open.is_empty() {
            if throttles > 0 && read_at.elapsed() > patience.throttled {
                let what = format!(
                    "DynamoDB has read nothing of table `{}` for a long time: it is asked too much",
                    table.name
                );
                return Err(Error::new(ErrorKind::Unavailable, what));
            }
            sleep(backoff(failures + throttles, &(who, read_at), patience.longest)).await;
        }
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let found = there.remove(&key_json(&row));
            (row, found)
        })
        .collect())
}
