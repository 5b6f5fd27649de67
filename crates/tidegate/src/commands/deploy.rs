//! `tidegate deploy`: the pipeline runs on AWS as its file says. It looks first, shows what would change and asks, and tells each step.

mod checks;
mod progress;
mod shown;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_aws::Client;
use tidegate_aws::deploy::change_set::{self, ChangeSet, Wanted};
use tidegate_aws::deploy::event_bridge::Switch;
use tidegate_aws::deploy::stack::{self, Readiness};
use tidegate_aws::deploy::{Change, Programs, Target, bucket, event_bridge, table};
use tidegate_cloudformation::Stack;
use tidegate_cloudformation::outside::{self, Holds, Sender};
use tidegate_model::{ErrorKind, Failure, Pipeline};

use self::checks::Checked;
pub(super) use self::progress::Progress;
use crate::commands::{package, synth};
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask. Where nobody can be asked, as in CI, nothing is done without it.
    #[arg(long)]
    yes: bool,
    /// A tidegate built for Lambda (Linux, x86_64 or arm64); without it, this program itself.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Who mails are from, if `[mail]` does not say: an address that Amazon SES has verified. It is remembered.
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
}

/// Everything that is known before AWS is asked.
struct Plan<'a> {
    here: &'a Here,
    args: &'a Args,
    pipeline: &'a Pipeline,
    stack: &'a Stack,
    packed: package::Packed,
}

/// Deploys.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let here = &synth::in_environment(here)?;
    let project = Project::read_whole(here)?;
    let stack = synth::stack(here, &project.pipeline)?;
    if !args.yes && !can_ask(here) {
        return Err(nobody_to_ask("what changes is shown and asked about before it is done"));
    }
    let packed = package::pack(&project, args.program.as_deref(), Path::new(package::ZIP))?;
    let plan = Plan { here, args, pipeline: &project.pipeline, stack: &stack, packed };
    wiring::ask(plan.deploy())?
}

impl Plan<'_> {
    async fn deploy(&self) -> Result<Exit, Stop> {
        let target = target().await?;
        let before = self.before(&target).await?;
        let checked = checks::all(self, &target, before.as_ref()).await?;
        let programs = Programs::find_or_make(&target).await.map_err(|error| match error.kind {
            ErrorKind::Denied => error.into_failure("D0204"),
            _ => error.into_failure(""),
        })?;
        if programs.is_new {
            self.say(&format!("made bucket `{}`, where programs lie", programs.bucket));
        }
        let uploaded = programs.store(&target, Bytes::copy_from_slice(&self.packed.bytes), "zip").await?;
        let how = if uploaded.is_new { "uploaded" } else { "lay there already" };
        self.say(&format!("program {} ({how}): {}", &uploaded.key[..12], self.packed.described()));
        let template = self.template(&target);
        let stored = programs.store(&target, Bytes::from(template.to_string()), "json").await?;
        let wanted = Wanted {
            stack: self.stack.name.clone(),
            template,
            template_url: stored.url,
            parameters: self.parameters(&programs, &uploaded.key, before.as_ref())?,
            name: format!("{}-{}", self.stack.name, Timestamp::now().as_millisecond()),
        };
        let change_set = change_set::propose(&target, &wanted, before.as_ref()).await;
        let change_set = change_set.map_err(|error| match error.kind {
            ErrorKind::Unavailable => error.into_failure(""),
            _ => error.into_failure("D0210"),
        })?;
        let changes = change_set.as_ref().map_or(&[][..], |change_set| change_set.changes.as_slice());
        shown::changes(self.here, changes, &checked.to_switch_on);
        let report = json!({
            "stack": self.stack.name, "account": target.account.id, "region": target.account.region, "as": target.caller,
            "program": { "bucket": programs.bucket, "key": uploaded.key, "bytes": self.packed.bytes.len(), "uploaded": uploaded.is_new },
            "checks": checked.as_value(), "changes": shown::as_value(changes), "switched_on": checked.to_switch_on,
        });
        if change_set.is_none() && checked.to_switch_on.is_empty() {
            self.say(&format!("nothing has changed: stack `{}` is as the pipeline file says", self.stack.name));
            return self.told(&target, &checked, report, "unchanged").await;
        }
        self.refuse_loss(&target, change_set.as_ref()).await?;
        if !self.args.yes && !asked("Do this?", "yes")? {
            if let Some(change_set) = &change_set {
                change_set.discard(&target).await?;
            }
            return Err(Stop::wrong("nothing was changed, as you wished"));
        }
        for name in &checked.to_switch_on {
            self.switch_on(&target, name).await?;
        }
        if let Some(change_set) = &change_set {
            let failed = self.execute(&target, change_set).await?;
            if !failed.is_empty() {
                return self.failed(report, &failed);
            }
        }
        self.told(&target, &checked, report, "deployed").await
    }

    /// The template with the names of its buckets written out: AWS takes a bucket that is there back into a stack only by a name
    /// that is no function of anything.
    fn template(&self, target: &Target) -> Value {
        let mut template = self.stack.template.to_value();
        for data in self.stack.data(&target.account).into_iter().filter(|data| data.holds == Holds::Objects) {
            template["Resources"][&data.resource]["Properties"]["BucketName"] = data.name.into();
        }
        template
    }

    /// The stack as it is. What is left of one whose making had failed is cleared away.
    async fn before(&self, target: &Target) -> Result<Option<stack::Stack>, Stop> {
        let name = &self.stack.name;
        let Some(found) = stack::find(target, name).await? else { return Ok(None) };
        match found.readiness() {
            Readiness::Ready | Readiness::HalfMade | Readiness::OnlyReviewed => Ok(Some(found)),
            Readiness::Busy => Err(Failure::new(
                "D0207",
                ErrorKind::Conflict,
                format!("stack `{name}` is being changed by somebody else: {}", found.status),
            )
            .help("wait until that has ended, and deploy again")
            .into()),
            Readiness::Stuck => Err(Failure::new(
                "D0207",
                ErrorKind::Invalid,
                format!("the last change of stack `{name}` failed, and could not be taken back: {}", found.status),
            )
            .help(format!("`aws cloudformation continue-update-rollback --stack-name {name}`, and deploy again"))
            .into()),
            Readiness::Failed => {
                self.say(&format!("stack `{name}` was never made whole ({}): what is left of it is cleared away, buckets and tables stay", found.status));
                let mut progress = Progress::new(&self.here.printer);
                stack::delete(target, &found, &mut |step| progress.step(step)).await?;
                Ok(None)
            }
        }
    }

    fn parameters(
        &self,
        programs: &Programs,
        key: &str,
        before: Option<&stack::Stack>,
    ) -> Result<Vec<(String, String)>, Stop> {
        let text = |text: &str| text.to_owned();
        let mut parameters = vec![
            (text("CodeBucket"), programs.bucket.clone()),
            (text("CodeKey"), text(key)),
            (text("Architecture"), text(self.packed.architecture)),
        ];
        if let (Sender::Parameter(name), Some(from)) = (outside::sender(self.pipeline), self.sender(before)) {
            parameters.push((text(name), from));
        }
        Ok(parameters)
    }

    /// Who mails are from: what the file says, what was typed, or what it was the last time.
    fn sender(&self, before: Option<&stack::Stack>) -> Option<String> {
        match outside::sender(self.pipeline) {
            Sender::Nobody => None,
            Sender::Address(address) => Some(address),
            Sender::Parameter(name) => {
                let last = before.and_then(|stack| stack.parameters.get(name)).filter(|from| !from.is_empty());
                self.args.mail_from.as_ref().or(last).cloned()
            }
        }
    }

    /// Refuses to let go of a bucket or table that holds something, unless the file names it as one that is there.
    async fn refuse_loss(&self, target: &Target, change_set: Option<&ChangeSet>) -> Result<(), Stop> {
        let Some(change_set) = change_set else { return Ok(()) };
        let let_go: BTreeSet<String> = outside::existing_buckets(self.pipeline)
            .into_iter()
            .map(|bucket| bucket.name)
            .chain(outside::existing_tables(self.pipeline))
            .collect();
        let mut lost = Vec::new();
        for change in change_set.changes.iter().filter(|change| change.endangers_data()) {
            let name = change.name.clone().unwrap_or_default();
            if !let_go.contains(&name) && holds_something(target, change, &name).await {
                lost.push(refusal(change, &name));
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        lost.iter().for_each(|failure| self.here.printer.error(failure));
        change_set.discard(target).await?;
        Err(Stop::Told(Exit::Wrong))
    }

    async fn switch_on(&self, target: &Target, name: &str) -> Result<(), Stop> {
        match event_bridge::switch_on(target, name).await? {
            Switch::IsOn => self.say(&format!("bucket `{name}` tells EventBridge of its objects from now on")),
            Switch::NotOurs => self.say(&format!("by hand: {}", checks::owner_step(target, name))),
            Switch::WasOn | Switch::IsOff => {}
        }
        Ok(())
    }

    /// Does it; why it failed, if it did.
    async fn execute(&self, target: &Target, change_set: &ChangeSet) -> Result<Vec<Failure>, Stop> {
        let mut progress = Progress::new(&self.here.printer);
        let status = change_set.execute(target, &mut |step| progress.step(step)).await?;
        let is_good = matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE");
        if is_good {
            return Ok(Vec::new());
        }
        let failures = progress.failures();
        let what_now = match status.as_str() {
            "CREATE_FAILED" | "UPDATE_FAILED" => "what was made stays as it is: mend the cause, and deploy again",
            "UPDATE_ROLLBACK_COMPLETE" => "everything was taken back: the stack is as it was",
            _ => "mend the cause, and deploy again",
        };
        self.say(&format!("stack `{}` is {status}: {what_now}", self.stack.name));
        match failures.is_empty() {
            false => Ok(failures),
            true => {
                let why = progress.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
                let reason = format!("stack `{}` could not be made: {status}{why}", self.stack.name);
                Ok(vec![Failure::new("D0206", ErrorKind::Invalid, reason)])
            }
        }
    }

    /// Says what failed.
    fn failed(&self, mut report: Value, failures: &[Failure]) -> Result<Exit, Stop> {
        report["state"] = "failed".into();
        report["failures"] = json!(failures);
        if self.here.printer.json {
            self.here.printer.document(&report)?;
        } else {
            failures.iter().for_each(|failure| self.here.printer.error(failure));
        }
        Ok(failures.first().map_or(Exit::Wrong, |failure| Exit::of(failure.kind)))
    }

    /// Says where everything is.
    async fn told(&self, target: &Target, checked: &Checked, mut report: Value, state: &str) -> Result<Exit, Stop> {
        let found = stack::find(target, &self.stack.name).await?;
        let id = found.as_ref().map(|stack| stack.id.clone()).unwrap_or_default();
        let places = shown::places(self.pipeline, &target.account);
        let console = target.console(&id);
        if self.here.printer.json {
            report["state"] = state.into();
            report["console"] = console.into();
            report["buckets"] = json!(places.buckets);
            report["tables"] = json!(places.tables);
            report["by_hand"] = json!(checked.steps);
            self.here.printer.document(&report)?;
            return Ok(Exit::Done);
        }
        places.print(self.here, &console)?;
        for step in &checked.steps {
            self.say(&format!("by hand: {step}"));
        }
        places.hint(self.here, self.pipeline);
        Ok(Exit::Done)
    }

    fn say(&self, text: &str) {
        self.here.printer.remark(text);
    }
}

/// Who we are, and where.
pub(super) async fn target() -> Result<Target, Stop> {
    let unknown = |error: tidegate_aws::StoreError| error.into_failure("D0201");
    let client = Client::find(None).await.map_err(unknown)?;
    Ok(Target::find(client).await.map_err(unknown)?)
}

async fn holds_something(target: &Target, change: &Change, name: &str) -> bool {
    let is_empty = match change.kind.as_str() {
        "AWS::S3::Bucket" => bucket::is_empty(target, name).await,
        _ => table::is_empty(target, name).await,
    };
    // What cannot be looked into may hold everything.
    !is_empty.unwrap_or(false)
}

fn refusal(change: &Change, name: &str) -> Failure {
    let (noun, url) = match change.kind.as_str() {
        "AWS::S3::Bucket" => ("bucket", format!("s3://{name}")),
        _ => ("table", format!("dynamodb://{name}")),
    };
    let reason = match change.action {
        tidegate_aws::deploy::Action::Remove => {
            format!("{noun} `{name}` holds data, and the pipeline file does not have it any more")
        }
        _ => format!("{noun} `{name}` holds data, and another would be made in its place: {}", change.what.join(", ")),
    };
    Failure::new("D0205", ErrorKind::Invalid, reason)
        .expected("a change that leaves every bucket and table with data where it is")
        .help(format!("take that change back; or give the new {noun} another name, and keep this one as it is with `url = \"{url}\"`; or empty it first"))
}

/// True if somebody sits there who can answer.
pub(super) fn can_ask(here: &Here) -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !here.printer.json
}

/// Why nothing is done without an answer.
pub(super) fn nobody_to_ask(why: &str) -> Stop {
    let failure = Failure::new("D0208", ErrorKind::Invalid, format!("nobody can be asked here: {why}"));
    failure.help("say `--yes` to do it without being asked, as in CI").into()
}

/// Asks, and whether the answer is the one that is wanted.
#[expect(clippy::print_stderr, reason = "a question is no data, and has to stand before its answer")]
pub(super) fn asked(question: &str, wanted: &str) -> Result<bool, Stop> {
    eprint!("{question} Type `{wanted}`: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Stop::wrong(format!("the answer cannot be read: {error}")))?;
    Ok(answer.trim() == wanted)
}

/// A number of resources.
pub(super) fn resources(count: usize) -> String {
    counted(count as u64, "resource")
}
