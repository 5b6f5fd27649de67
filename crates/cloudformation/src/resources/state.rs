//! The state of a pipeline on AWS: ledger, failure log, outbox and turns in one DynamoDB table, the layout of which is this page.
//!
//! Every item has `pk` and `sk` (texts). Times are RFC 3339 in UTC with nine digits after the second, so that they sort as text;
//! ids are hexadecimal digits; what is nested is one attribute of JSON text. An item is at most 400 KB: what may be many
//! (outputs, refused rows) is an item each.
//!
//! | item | `pk` | `sk` | attributes | `list` | `object` |
//! |---|---|---|---|---|---|
//! | event | `event#ID` | `event` | `event`, `seen`, `runs`, `failure` if nobody took it | `unacknowledged` until its runs are queued; `unrouted` | `BUCKET/KEY` |
//! | run | `run#ID` | `run` | `event`, `function`, `revision`, `state`, `attempts`, `worker`, `started`, `settled`, `failure`, `note`, `rejected`, `input_sha256` | `FUNCTION#STATE` | `BUCKET/KEY` |
//! | output | `run#ID` | `output#00000` | `output` | | `made#BUCKET/KEY` |
//! | refused row | `run#ID` | `reject#00000000` | `reject` | | |
//! | newest content | `object#BUCKET/KEY` | `content` | `event`, `sha256` | | |
//! | last tick | `function#NAME` | `tick` | `planned` | | |
//! | turn | `function#NAME` | `turn#0000` | `run`, `until` | | |
//! | counts | `function#NAME` | `counts#0` … `counts#f` | `waiting`, `running`, `succeeded`, `failed`, `superseded`, `rejected` | | |
//! | columns of a table | `table#NAME` | `columns` | `columns` | | |
//! | mail | `mail#ID` | `mail` | `message`, `state`, `attempts`, `due` | `mail#STATE` | |
//!
//! Both indexes sort by `at`: when an event was seen, a run settled (or seen, as long as it is not), a mail written. They are
//! sparse: an item without `list` is not in the index `list`.
//!
//! **A claim** is one conditional update of the run's item (`state` is waiting, or running under an attempt whose worker is gone);
//! **a settlement** is one transaction: the run's item on condition of its attempt, its outputs and refused rows, the newest
//! content, and the counts of the sixteenth that the first digit of the run's id names. A **turn** is taken by a conditional put and
//! ends by itself at `until`; a function of concurrency N has the turns below N.

use serde_json::json;

use super::table::dynamodb;
use crate::stack::Plan;
use crate::template::Template;

/// The index by what an item is to be listed under, and when.
const BY_LIST: &str = "list";
/// The index by object, and when.
pub(crate) const BY_OBJECT: &str = "object";

/// Reading more than single items.
pub(crate) const QUERY: &[&str] = &["dynamodb:Query"];

/// Adds the table.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |hash: &str, range: &str| {
        vec![json!({ "AttributeName": hash, "KeyType": "HASH" }), json!({ "AttributeName": range, "KeyType": "RANGE" })]
    };
    let indexes: Vec<_> = [BY_LIST, BY_OBJECT]
        .iter()
        .map(|name| json!({ "IndexName": name, "KeySchema": key(name, "at"), "Projection": { "ProjectionType": "ALL" } }))
        .collect();
    let attributes = ["pk", "sk", "at", BY_LIST, BY_OBJECT].map(text).to_vec();
    let further = json!({ "GlobalSecondaryIndexes": indexes });
    template.add("TidegateState".to_owned(), dynamodb(&plan.names.state(), attributes, key("pk", "sk"), further));
}
