//! The load that is measured, as a process of its own; and the same items through the SDK.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures::stream::{FuturesUnordered, StreamExt};
use tidegate_aws::DynamoTables;
use tidegate_functions::csv_to_table::{Job, Options, prepare};
use tidegate_model::{RunId, Table, TableKey, ValueType};
use tidegate_stores::Tables;

use crate::{Done, Ran, TABLE};

/// Starts this program as `what`, and reads what it says.
pub(crate) fn run(what: &str, endpoint: &str, file: &Path) -> Done<Ran> {
    let output = Command::new(std::env::current_exe()?).args([what, endpoint]).arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = said.split_whitespace().map_while(|word| word.parse().ok());
    let ran = numbers.next().zip(numbers.next()).map(|(rate, mebibytes)| Ran { rate, mebibytes });
    ran.ok_or_else(|| format!("`{what}` failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}

async fn config(endpoint: &str) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(Region::new("eu-west-1"));
    let credentials = Credentials::new("tide", "worth-nothing", None, None, "bench");
    config.endpoint_url(endpoint).credentials_provider(credentials).load().await
}

/// The whole path of `csv-to-table`: types are found, rows are checked, keys compared, and everything is sent.
pub(crate) fn by_tidegate(endpoint: &str, file: &str) -> Done {
    let began = Instant::now();
    let key = vec![TableKey { name: "uuid".to_owned(), value: ValueType::String }];
    let path = file.to_owned();
    File::open(file)?;
    let job = Job {
        open: Arc::new(move || match File::open(&path) {
            Ok(file) => Box::new(file) as Box<dyn Read + Send>,
            Err(_) => Box::new(std::io::empty()),
        }),
        key: file.to_owned(),
        spec: Table { name: "people".to_owned(), url: None, key, columns: Vec::new(), max_wcu: None },
        run: RunId::derive(&[file]),
        options: Arc::new(Options::default()),
        cancelled: Arc::new(|| false),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let loaded = runtime.block_on(async {
        let client = tidegate_aws::Client::from(config(endpoint).await);
        let name_of = |_: &str| TABLE.to_owned();
        let table = DynamoTables::new(&client, "bench-state".to_owned(), Arc::new(name_of)).table("people").await?;
        let prepared = prepare::<Vec<u8>>(job, table.as_ref(), None).await.map_err(|failure| failure.to_string())?;
        let loaded = prepared.commit().await.map_err(|failure| failure.to_string())?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(loaded)
    })?;
    if loaded.report.inserted != loaded.rows {
        return Err(format!("{} of {} rows arrived", loaded.report.inserted, loaded.rows).into());
    }
    tell(loaded.rows, began);
    Ok(())
}

/// The rows cut at commas, each an item of the SDK.
pub(crate) fn by_sdk(endpoint: &str, file: &str) -> Done {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let rows = runtime.block_on(async {
        let sdk = aws_sdk_dynamodb::Client::new(&config(endpoint).await);
        let mut lines = BufReader::new(File::open(file)?).lines();
        let header = lines.next().ok_or("the file is empty")??;
        let names: Vec<&str> = header.split(',').collect();
        let mut flying = FuturesUnordered::new();
        let mut rows = 0_u64;
        loop {
            let mut batch = Vec::with_capacity(25);
            for line in lines.by_ref().take(25) {
                let line = line?;
                let cells = line.split(',').map(|cell| AttributeValue::S(cell.to_owned()));
                let item: HashMap<String, AttributeValue> =
                    names.iter().map(|name| (*name).to_owned()).zip(cells).collect();
                batch.push(
                    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build(),
                );
            }
            rows += batch.len() as u64;
            let is_more = !batch.is_empty();
            if is_more {
                flying.push(tokio::spawn(sdk.batch_write_item().request_items(TABLE, batch).send()));
            }
            while flying.len() >= 16 || (!is_more && !flying.is_empty()) {
                let Some(written) = flying.next().await else { break };
                written??;
            }
            if !is_more {
                return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(rows);
            }
        }
    })?;
    tell(rows, began);
    Ok(())
}

/// Says how fast, and how much memory that took, where the system tells it.
#[expect(clippy::print_stdout, reason = "a program that measures prints")]
fn tell(rows: u64, began: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    println!("{:.0} {:.1}", rows as f64 / began.elapsed().as_secs_f64(), peak.unwrap_or(0.0) / 1024.0);
}
