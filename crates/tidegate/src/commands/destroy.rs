//! `tidegate destroy`: the pipeline's stack is taken off AWS. What holds data stays, unless that is asked for by name.

use serde_json::{Value, json};
use tidegate_aws::deploy::stack::{self, Readiness, Resource};
use tidegate_aws::deploy::{Target, bucket, table};
use tidegate_cloudformation::Stack;
use tidegate_cloudformation::outside::{Data, Holds};
use tidegate_model::{ErrorKind, Failure, Pipeline};

use crate::commands::deploy::{Progress, asked, can_ask, nobody_to_ask, resources, target};
use crate::commands::synth;
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Delete buckets and tables of the stack too, with everything in them. It cannot be taken back.
    #[arg(long)]
    with_data: bool,
    /// Do not ask. Where nobody can be asked, as in CI, nothing is done without it.
    #[arg(long)]
    yes: bool,
}

/// Everything that is known before AWS is asked.
struct Plan<'a> {
    here: &'a Here,
    args: &'a Args,
    pipeline: &'a Pipeline,
    stack: &'a Stack,
}

/// What is there of a pipeline.
struct Found {
    stack: Option<stack::Stack>,
    resources: Vec<Resource>,
    /// Buckets and tables, those that an earlier stack has left among them; with what each holds nothing or something.
    data: Vec<(Data, bool)>,
}

/// Takes it away.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let here = &synth::in_environment(here)?;
    let project = Project::read(here)?;
    let stack = synth::stack(here, &project.pipeline)?;
    if !args.yes && !can_ask(here) {
        return Err(nobody_to_ask("what goes is shown and asked about before it is done"));
    }
    let plan = Plan { here, args, pipeline: &project.pipeline, stack: &stack };
    wiring::ask(plan.destroy())?
}

impl Plan<'_> {
    async fn destroy(&self) -> Result<Exit, Stop> {
        let target = target().await?;
        let found = self.find(&target).await?;
        let data: Vec<&Data> = found.data.iter().map(|(data, _)| data).collect();
        if found.stack.is_none() && (data.is_empty() || !self.args.with_data) {
            self.say(&format!(
                "there is no stack `{}` in account {}, {}",
                self.stack.name, target.account.id, target.account.region
            ));
            self.tell_left(&data);
            return self.told(json!({ "stack": self.stack.name, "state": "absent", "left": names(&data) }));
        }
        self.show(&target, &found);
        self.ask()?;
        let mut failed = Vec::new();
        let mut left = Vec::new();
        if let Some(stack) = &found.stack {
            let mut progress = Progress::new(&self.here.printer);
            left = stack::delete(&target, stack, &mut |step| progress.step(step)).await?;
            failed = progress.failures();
        }
        // What holds data stays by the template, and is no leftover that nobody wanted.
        left.retain(|resource| !data.iter().any(|data| data.resource == resource.id));
        failed.retain(|failure| left.iter().any(|resource| failure.reason.starts_with(&resource.id)));
        if self.args.with_data {
            for data in &data {
                self.delete_data(&target, data).await?;
            }
        } else {
            self.tell_left(&data);
        }
        for resource in &left {
            self.say(&format!("left: {} {} ({}), which AWS did not delete", resource.kind, resource.name, resource.id));
        }
        failed.iter().for_each(|failure| self.here.printer.error(failure));
        let kept = if self.args.with_data { json!([]) } else { names(&data) };
        let leftovers: Vec<Value> = left
            .iter()
            .map(|resource| json!({ "resource": resource.id, "kind": resource.kind, "name": resource.name }))
            .collect();
        self.told(json!({ "stack": self.stack.name, "state": "destroyed", "left": kept, "leftovers": leftovers }))?;
        Ok(if left.is_empty() { Exit::Done } else { Exit::SomeFailed })
    }

    async fn find(&self, target: &Target) -> Result<Found, Stop> {
        let name = &self.stack.name;
        let stack = stack::find(target, name).await?;
        if let Some(busy) = stack.as_ref().filter(|stack| stack.readiness() == Readiness::Busy) {
            let reason = format!("stack `{name}` is being changed by somebody else: {}", busy.status);
            let failure = Failure::new("D0207", ErrorKind::Conflict, reason);
            return Err(failure.help("wait until that has ended, and try again").into());
        }
        let resources = match &stack {
            Some(stack) => stack::resources(target, &stack.id).await?,
            None => Vec::new(),
        };
        let mut data = Vec::new();
        for each in self.data(target, &resources) {
            let (is_there, is_empty) = match each.holds {
                Holds::Objects => match bucket::is_ours(target, &each.name).await? {
                    Some(true) => (true, bucket::is_empty(target, &each.name).await.unwrap_or(false)),
                    _ => (false, true),
                },
                Holds::Rows => match table::is_there(target, &each.name).await? {
                    true => (true, table::is_empty(target, &each.name).await.unwrap_or(false)),
                    false => (false, true),
                },
            };
            if is_there {
                data.push((each, is_empty));
            }
        }
        Ok(Found { stack, resources, data })
    }

    /// Buckets and tables of the stack as it is, and as the pipeline file says.
    fn data(&self, target: &Target, resources: &[Resource]) -> Vec<Data> {
        let mut all = self.stack.data(&target.account);
        for resource in resources {
            let holds = match resource.kind.as_str() {
                "AWS::S3::Bucket" => Holds::Objects,
                "AWS::DynamoDB::Table" => Holds::Rows,
                _ => continue,
            };
            if !resource.name.is_empty() && !all.iter().any(|data| data.name == resource.name) {
                all.push(Data { resource: resource.id.clone(), holds, name: resource.name.clone() });
            }
        }
        all
    }

    fn show(&self, target: &Target, found: &Found) {
        let (account, region) = (&target.account.id, &target.account.region);
        self.say(&format!("stack `{}` in account {account}, {region}:", self.stack.name));
        let is_data = |resource: &&Resource| found.data.iter().any(|(data, _)| data.resource == resource.id);
        let goes = found.resources.iter().filter(|resource| !is_data(resource)).count();
        self.say(&format!("  - delete {}: functions, queues, roles, logs, alarms, schedules", resources(goes)));
        for (data, is_empty) in &found.data {
            let noun = noun(data.holds);
            match (self.args.with_data, is_empty) {
                (true, false) => self.say(&format!("  ! delete {noun} {} WITH EVERYTHING IN IT", data.name)),
                (true, true) => self.say(&format!("  - delete {noun} {}, which is empty", data.name)),
                (false, _) => self.say(&format!("    keep {noun} {}", data.name)),
            }
        }
    }

    fn ask(&self) -> Result<(), Stop> {
        if self.args.yes {
            return Ok(());
        }
        let is_wanted = match self.args.with_data {
            true => asked("This cannot be taken back.", &self.pipeline.name)?,
            false => asked("Do this?", "yes")?,
        };
        if is_wanted { Ok(()) } else { Err(Stop::wrong("nothing was deleted, as you wished")) }
    }

    async fn delete_data(&self, target: &Target, data: &Data) -> Result<(), Stop> {
        match data.holds {
            Holds::Rows => table::delete(target, &data.name).await?,
            Holds::Objects => {
                let tell = &mut |gone| self.say(&format!("{}: {} deleted", data.name, counted(gone, "object")));
                bucket::delete(target, &data.name, tell).await?;
            }
        }
        self.say(&format!("{:>8} {} {}", "deleted", noun(data.holds), data.name));
        Ok(())
    }

    fn tell_left(&self, data: &[&Data]) {
        for data in data {
            self.say(&format!("kept: {} {}", noun(data.holds), data.name));
        }
        if !data.is_empty() {
            self.here
                .printer
                .hint("`tidegate deploy` takes them back into a stack; `tidegate destroy --with-data` deletes them");
        }
    }

    fn told(&self, report: Value) -> Result<Exit, Stop> {
        if self.here.printer.json {
            self.here.printer.document(&report)?;
        }
        Ok(Exit::Done)
    }

    fn say(&self, text: &str) {
        self.here.printer.remark(text);
    }
}

fn noun(holds: Holds) -> &'static str {
    match holds {
        Holds::Objects => "bucket",
        Holds::Rows => "table",
    }
}

fn names(data: &[&Data]) -> Value {
    data.iter().map(|data| json!({ "kind": noun(data.holds), "name": data.name })).collect()
}
