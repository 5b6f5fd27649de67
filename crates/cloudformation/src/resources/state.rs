//! The state of a pipeline on AWS: ledger, failure log, outbox and turns in one DynamoDB table, the layout of which is this page.
//!
//! Every item has `pk` and `sk` (texts). Times are RFC 3339 in UTC with nine digits after the second, so that they sort as text;
//! ids are hexadecimal digits; what is nested is one attribute of JSON text. An item is at most 400 KB: what may be many
//! (outputs, refused rows) is an item each.
//!
//! | item | `pk` | `sk` | attributes | `list` | `object` |
//! |---|---|---|---|---|---|
//! | event | `event#ID` | `event` | `event`, `seen`, `hops`, `runs`, `failure` if nobody took it | `unacknowledged` until its runs are queued; `unrouted` | `BUCKET/KEY` |
//! | run | `run#ID` | `run` | `event`, `hops`, `seen`, `function`, `revision`, `state`, `attempts`, `before`, `worker`, `started`; `ended` and what that attempt told: `settled`, `failure`, `note`, `outputs`, `rejected`, `input_sha256` | `FUNCTION#open` until it is settled, then `FUNCTION#STATE` | `BUCKET/KEY` |
//! | output | `run#ID` | `output#ATTEMPT#00000` | `output` | | `made#BUCKET/KEY` |
//! | refused rows | `run#ID` | `reject#ATTEMPT#00000000` | `rejects`, up to two hundred | | |
//! | end of a failed run | `run#ID` | `failure` | `event`, `function`, `attempts`, `failure` | `failed` | |
//! | newest version | `object#BUCKET/KEY` | `content` | `newest`, `seen`, `unrouted` if nobody took it; `event`, the newest with runs, and its `sha256` once it was read | | |
//! | name of a function | `functions` | `NAME` | | | |
//! | last tick | `function#NAME` | `tick` | `planned` | | |
//! | turn | `function#NAME` | `turn#0000` | `run`, `until`, `expires` | | |
//! | turn at an object | `function#NAME@BUCKET/KEY` | `turn#0000` | `run`, `until`, `expires` | | |
//! | counts | `function#NAME` | `counts#0` … `counts#f` | `succeeded`, `failed`, `superseded`, `rejected`, `last` | | |
//! | columns of a table | `table#NAME` | `columns` | `columns` | | |
//! | load of a table | `table#NAME` | `load#RUN` | `report`, `table` | | |
//! | who loads a table | `table#NAME` | `loading` | `owner`, `beat` | | |
//! | mail | `mail#ID` | `mail` | `run`, `function`, `about`, `size`, `recipient`, `content`, `parts`, `state`, `attempts`, `queued`, `due`, `settled`, `failure` | `mail#STATE` | |
//! | content of a mail | `mail#ID` | `part#CONTENT#0000` | `bytes`, until it is sent | | |
//! | secret of the outbox | `mails` | `secret` | `salt` | | |
//! | who sends mails | `mails` | `sender` | `owner`, `beat` | | |
//!
//! Both indexes sort by `at`: when an event or a run's event was seen, a run failed, a queued mail falls due, another mail was sent,
//! given up or queued. They are sparse: an item without `list` is not in the index `list`; they may lag behind by a moment.
//!
//! **An admission** is one transaction: event, runs, newest version, on condition that the event is new. **A claim** is one
//! conditional update of the run's item (`state` is waiting or running; `attempts` counts up, and fences). **A settlement** is one
//! transaction: the run's item on condition of its attempt, its outputs and refused rows, the newest version's content, the entry in
//! the failure log, and the counts of the sixteenth that the first digit of the run's id names. What does not fit into a hundred items is
//! written before, under its attempt, and is not seen until the run says that this attempt has ended it. Waiting and running runs
//! are counted in the list. A **turn** is taken by a conditional update, kept by heartbeats, and ends by itself at `until`; a function of
//! concurrency 1 has one, and the runs of each function on one object (or its ticks) share one. DynamoDB deletes its item some time after
//! `expires`, the seconds since 1970 of a day after its end; nothing else has that attribute, so nothing else is ever deleted. **Who loads or sends** counts `beat` up every five seconds; whose `beat` stands still for twenty is replaced.

use serde_json::json;

use super::table::dynamodb;
use crate::stack::Plan;
use crate::template::Template;

/// The index by what an item is to be listed under, and when.
const BY_LIST: &str = "list";
/// The index by object, and when.
const BY_OBJECT: &str = "object";
/// The attribute that says when DynamoDB may delete an item.
const EXPIRES: &str = "expires";

/// Reading more than single items.
pub(crate) const READ_MANY: &[&str] = &["dynamodb:Query", "dynamodb:BatchGetItem"];

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
    let further = json!({
        "GlobalSecondaryIndexes": indexes,
        "TimeToLiveSpecification": { "AttributeName": EXPIRES, "Enabled": true },
    });
    template.add("TidegateState".to_owned(), dynamodb(&plan.names.state(), attributes, key("pk", "sk"), further));
}
