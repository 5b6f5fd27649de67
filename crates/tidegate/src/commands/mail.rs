//! `tidegate mail`: which mails wait, were sent or failed, and why; and sending failed ones again. Addresses are never
//! printed: a mail is told by whom it is about.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;
use tidegate_model::ErrorKind;
use tidegate_stores::Page;
use tidegate_stores::mail::{MailFilter, MailRecord, MailState, Outbox};

use super::runs::{ambiguous, check_digits};
use crate::exit::{Exit, Stop};
use crate::output::{Cell, Printer, Table, Tone, bytes, counted, one_line, short, shown};
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List them, the newest first; this is what `mail` alone does.
    List(List),
    /// Show one: where it comes from, where it stands, why it failed.
    Show {
        /// Its id, or an unambiguous beginning of it.
        id: String,
    },
    /// Send failed mails again: these, or with `--all` all of them.
    Retry {
        /// Their ids, or unambiguous beginnings of them.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that failed. Of some it may not be known whether they arrived.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only mails in this state.
    #[arg(long, value_parser = ["queued", "sending", "sent", "failed"])]
    state: Option<String>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u64,
}

/// Lists, shows or retries.
pub(crate) fn run(here: &Here, args: Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    if project.pipeline.mail.is_none() {
        return Err(Stop::wrong("this pipeline does not mail: its file has no `[mail]`"));
    }
    let outbox = wiring::open_outbox(&project)?;
    match args.what.unwrap_or(What::List(args.list)) {
        What::List(which) => list(here, outbox, &which),
        What::Show { id } => show(here, outbox, &id, &host(&project)),
        What::Retry { ids, all } => retry(here, &project, outbox, &ids, all),
    }
}

/// What stands after the `@` of message ids.
fn host(project: &Project) -> String {
    let from = project.pipeline.mail.as_ref().map_or("", |mail| mail.from.email());
    from.rsplit_once('@').map_or("localhost", |(_, host)| host).to_owned()
}

fn list(here: &Here, outbox: Option<Arc<dyn Outbox>>, which: &List) -> Result<Exit, Stop> {
    let filter = MailFilter { id_prefix: None, state: which.state.as_deref().and_then(MailState::parse) };
    let limit = which.limit;
    let mails = match outbox {
        Some(outbox) => wiring::ask(async move { outbox.list(filter, Page::first(limit)).await })??,
        None => Vec::new(),
    };
    if here.printer.json {
        here.printer.document(&mails)?;
        return Ok(Exit::Done);
    }
    if mails.is_empty() {
        here.printer.remark("no mails");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["MAIL", "WRITTEN", "FUNCTION", "STATE", "ABOUT", "~WHY"]);
    for mail in &mails {
        let (word, tone) = word(mail.state);
        let why = mail.failure.as_ref().filter(|_| mail.state != MailState::Sent);
        table.row(vec![
            short(mail.id).into(),
            here.printer.when(mail.queued_at).into(),
            mail.function.as_str().into(),
            Cell::from(word).tone(tone),
            shown(&mail.about).into_owned().into(),
            why.map(|failure| one_line(&failure.reason)).unwrap_or_default().into(),
        ]);
    }
    here.printer.table(&table)?;
    if let Some(failed) = mails.iter().find(|mail| mail.state == MailState::Failed) {
        here.printer.hint(&format!("tidegate mail show {}", short(failed.id)));
    }
    Ok(Exit::Done)
}

fn word(state: MailState) -> (&'static str, Tone) {
    let tone = match state {
        MailState::Queued => Tone::Warn,
        MailState::Sending => Tone::Plain,
        MailState::Sent => Tone::Good,
        MailState::Failed => Tone::Bad,
    };
    (state.as_str(), tone)
}

fn show(here: &Here, outbox: Option<Arc<dyn Outbox>>, id: &str, host: &str) -> Result<Exit, Stop> {
    let outbox = outbox.ok_or_else(|| none(id))?;
    let mail = wiring::ask(find(outbox.as_ref(), id))??;
    if here.printer.json {
        let mut value = json!(mail);
        value["message_id"] = format!("{}@{host}", mail.id).into();
        here.printer.document(&value)?;
    } else {
        here.printer.text(&described(&here.printer, &mail, host))?;
    }
    Ok(Exit::Done)
}

/// The mail whose id begins with these digits.
async fn find(outbox: &dyn Outbox, id: &str) -> Result<MailRecord, Stop> {
    check_digits(id)?;
    let filter = MailFilter { id_prefix: Some(id.to_owned()), state: None };
    let mut found = outbox.list(filter, Page::first(2)).await?;
    match (found.pop(), found.pop()) {
        (None, _) => Err(none(id)),
        (Some(mail), None) => Ok(mail),
        (Some(one), Some(other)) => Err(ambiguous(id, &one.id.to_string(), &other.id.to_string())),
    }
}

fn none(id: &str) -> Stop {
    Stop::new(ErrorKind::NotFound, format!("no mail has the id `{id}`")).help("`tidegate mail` lists ids")
}

fn described(printer: &Printer, mail: &MailRecord, host: &str) -> String {
    let mut text = String::new();
    let (word, tone) = word(mail.state);
    // Writing to a `String` cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("mail", &mail.id.to_string());
    line("Message-ID", &format!("<{}@{host}>", mail.id));
    line("about", &shown(&mail.about));
    line("function", &mail.function);
    line("run", &mail.run.to_string());
    line("state", &printer.paint(tone, word));
    line("size", &bytes(mail.size));
    line("attempts", &mail.attempts.to_string());
    line("written", &printer.time(mail.queued_at));
    if let Some(moment) = mail.due.filter(|_| mail.attempts > 0) {
        line("next try", &printer.time(moment));
    }
    if let Some(moment) = mail.settled_at {
        line(if mail.state == MailState::Sent { "sent" } else { "failed" }, &printer.time(moment));
    }
    if let Some(failure) = &mail.failure {
        let _ = write!(text, "\n{}", printer.failure_text(failure));
    }
    text
}

fn retry(
    here: &Here,
    project: &Project,
    outbox: Option<Arc<dyn Outbox>>,
    ids: &[String],
    all: bool,
) -> Result<Exit, Stop> {
    let Some(outbox) = outbox else {
        return Err(Stop::new(ErrorKind::NotFound, "no mails were written yet"));
    };
    let now = jiff::Timestamp::now();
    let count = wiring::ask(async {
        let mut found = Vec::new();
        if all {
            let filter = MailFilter { id_prefix: None, state: Some(MailState::Failed) };
            found = outbox.list(filter, Page::first(u64::from(u32::MAX))).await?;
        }
        for id in ids {
            let mail = find(outbox.as_ref(), id).await?;
            if mail.state != MailState::Failed {
                let reason = format!("mail {} has not failed, it is {}", short(mail.id), mail.state.as_str());
                return Err(Stop::wrong(reason).help("only failed mails can be sent again"));
            }
            found.push(mail);
        }
        let mut count = 0;
        for mail in &found {
            let filter = MailFilter { id_prefix: Some(mail.id.to_string()), state: None };
            count += outbox.retry(filter, now).await?;
        }
        if let (Some(aws), Some(mail)) = (&project.aws, found.first()) {
            aws.wake_sender(project, mail).await?;
        }
        Ok::<u64, Stop>(count)
    })??;
    if here.printer.json {
        here.printer.document(&json!({ "queued": count }))?;
    } else {
        here.printer.line(&format!("{} will be sent again", counted(count, "mail")))?;
        if count > 0 && project.aws.is_none() {
            here.printer.hint("tidegate run --once, unless `tidegate run` works already");
        }
    }
    Ok(Exit::Done)
}
