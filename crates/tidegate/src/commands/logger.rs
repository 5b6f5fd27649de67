//! `tidegate logger`: which data loggers may upload to `tidegate serve`.

use std::io::Read;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Let a logger upload, and print its secret. It is shown this once.
    Add {
        /// What it calls itself; with WIBL loggers the provider's letters and a UUID.
        name: String,
        /// Read the secret from stdin, for a logger that has one already.
        #[arg(long)]
        stdin: bool,
    },
    /// List all loggers, and what was last heard of them.
    List,
    /// Let a logger upload no more.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// The shortest secret that may be given: it is guessed over the network.
const SHORTEST: usize = 12;

/// Runs it.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let accounts = wiring::open_loggers(&project)?;
    match &args.what {
        What::Add { name, stdin } => {
            let given = stdin.then(given_secret).transpose()?;
            let is_given = given.is_some();
            let secret = accounts.add(name, given, Timestamp::now())?;
            if here.printer.json {
                here.printer.document(&json!({ "logger": name, "password": secret }))?;
            } else if is_given {
                here.printer.remark(&format!("`{name}` may upload with its secret"));
            } else {
                here.printer.line(&format!("logger    {name}\npassword  {secret}"))?;
                here.printer.remark("it is not kept: set it in the logger now");
            }
        }
        What::Revoke { name } => {
            accounts.revoke(name, Timestamp::now())?;
            here.printer.remark(&format!("`{name}` may upload no more"));
        }
        What::List => {
            let all = accounts.list()?;
            if here.printer.json {
                let loggers: Vec<Value> = all.iter().map(as_json).collect();
                here.printer.document(&Value::Array(loggers))?;
                return Ok(Exit::Done);
            }
            let width = all.iter().map(|account| account.name.len()).max().unwrap_or(0);
            for account in &all {
                let heard = match &account.seen {
                    Some(seen) => format!("heard {}", moment(seen)),
                    None => "never heard".to_owned(),
                };
                let state = match &account.revoked {
                    Some(revoked) => format!("revoked {}, {heard}", moment(revoked)),
                    None => heard,
                };
                here.printer.line(&format!("{:width$}  {state}, {}", account.name, counted(account.files, "file")))?;
            }
            if all.is_empty() {
                here.printer.hint("tidegate logger add NAME");
            }
        }
    }
    Ok(Exit::Done)
}

fn as_json(account: &tidegate_server::Account) -> Value {
    let status: Value = account.status.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    json!({
        "logger": account.name, "added": account.added, "revoked": account.revoked, "seen": account.seen,
        "files": account.files, "status": status,
    })
}

/// A time to the second.
fn moment(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text.to_owned(),
    }
}

fn given_secret() -> Result<String, Stop> {
    let mut text = String::new();
    std::io::stdin()
        .take(1_024)
        .read_to_string(&mut text)
        .map_err(|error| Stop::wrong(format!("the secret cannot be read from stdin: {error}")))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.len() < SHORTEST || secret.contains(['\r', '\n']) {
        return Err(Stop::wrong("this is no secret").expected(format!("one line of {SHORTEST} letters at least")));
    }
    Ok(secret.to_owned())
}
