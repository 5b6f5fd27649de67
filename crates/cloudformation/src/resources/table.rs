//! Tables of the stack: paid by use, kept through every second of the last 35 days, and not to be deleted by mistake.

use serde_json::{Value, json};
use tidegate_model::{Table, ValueType};

use crate::intrinsic::reference;
use crate::names::logical;
use crate::places::{self, TablePlace};
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Adds each table that is not somewhere else already. Its first key column is the partition key, a second the sort key.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    for table in plan.pipeline.tables.values() {
        if let TablePlace::Ours(name) = places::table(table, &plan.names) {
            let id = logical(&table.name, "Table");
            let (attributes, key) = schema(table);
            template.add(id.clone(), dynamodb(&name, attributes, key, json!({})));
            template.output(&id, &format!("Where the rows of table {} are", table.name), reference(&id));
        }
    }
}

fn schema(table: &Table) -> (Vec<Value>, Vec<Value>) {
    let columns = table.key.iter().zip(["HASH", "RANGE"]).map(|(column, role)| {
        let letter = if column.value == ValueType::Integer { "N" } else { "S" };
        (
            json!({ "AttributeName": column.name, "AttributeType": letter }),
            json!({ "AttributeName": column.name, "KeyType": role }),
        )
    });
    columns.unzip()
}

/// A table of DynamoDB that holds people's data.
pub(crate) fn dynamodb(name: &str, attributes: Vec<Value>, key: Vec<Value>, further: Value) -> Resource {
    let mut properties = json!({
        "TableName": name,
        "AttributeDefinitions": attributes,
        "KeySchema": key,
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        "DeletionProtectionEnabled": true,
    });
    if let (Some(properties), Value::Object(further)) = (properties.as_object_mut(), further) {
        properties.extend(further);
    }
    Resource::new("AWS::DynamoDB::Table", properties).kept()
}
