//! What is looked at before anything is done: everything that would fail later is told now, at once, each with what helps.

use serde_json::{Value, json};
use tidegate_aws::deploy::bucket::{self, Seen};
use tidegate_aws::deploy::event_bridge::{self, Switch};
use tidegate_aws::deploy::{Target, look, stack};
use tidegate_cloudformation::outside::{self, ExistingBucket, Holds, Sender};
use tidegate_model::{ErrorKind, Failure};

use super::Plan;
use crate::exit::{Exit, Stop};
use crate::output::grouped;

/// What was found.
pub(super) struct Checked {
    /// A line each: what, and how it is.
    lines: Vec<(&'static str, String)>,
    /// Existing buckets whose events are to be switched on.
    pub(super) to_switch_on: Vec<String>,
    /// What people have to do, a sentence each.
    pub(super) steps: Vec<String>,
    faults: Vec<Failure>,
}

/// Looks at everything.
///
/// # Errors
/// All that would keep the stack from being made or from working, told at once.
pub(super) async fn all(plan: &Plan<'_>, target: &Target, before: Option<&stack::Stack>) -> Result<Checked, Stop> {
    let mut checked = Checked { lines: Vec::new(), to_switch_on: Vec::new(), steps: Vec::new(), faults: Vec::new() };
    let account = &target.account;
    checked.line("account", format!("{} in {}, as {}", account.id, account.region, target.caller));
    checked.quota(plan, target).await?;
    for existing in outside::existing_buckets(plan.pipeline) {
        checked.existing(target, &existing).await?;
    }
    checked.names(plan, target, before).await?;
    checked.secrets(plan, target).await?;
    checked.sender(plan, target, before).await?;
    if plan.pipeline.aws.alarms.is_empty() {
        checked.steps.push(
            "say who gets the alarms: `alarms` in `[aws]` of the pipeline file; as it is, nobody does".to_owned(),
        );
    }
    for (what, how) in &checked.lines {
        plan.here.printer.remark(&format!("{what:<8} {how}"));
    }
    if checked.faults.is_empty() {
        return Ok(checked);
    }
    checked.faults.iter().for_each(|fault| plan.here.printer.error(fault));
    Err(Stop::Told(Exit::of(checked.faults[0].kind)))
}

/// What the owner of a bucket of another account does, so that its objects start functions.
pub(super) fn owner_step(target: &Target, bucket: &str) -> String {
    let account = &target.account;
    format!(
        "the owner of bucket `{bucket}` switches on `Amazon EventBridge` among its event notifications, and, if it is of another account, sends its `Object Created` events on to arn:{}:events:{}:{}:event-bus/default",
        account.partition, account.region, account.id
    )
}

impl Checked {
    /// What was found, for programs.
    pub(super) fn as_value(&self) -> Value {
        self.lines.iter().map(|(what, how)| json!({ "what": what, "found": how })).collect()
    }

    fn line(&mut self, what: &'static str, how: String) {
        self.lines.push((what, how));
    }

    fn fault(&mut self, code: &str, reason: String, help: String) {
        self.faults.push(Failure::new(code, ErrorKind::Invalid, reason).help(help));
    }

    async fn quota(&mut self, plan: &Plan<'_>, target: &Target) -> Result<(), Stop> {
        let Some(allowed) = look::calls_at_once(target).await? else { return Ok(()) };
        let wanted = plan.stack.calls_at_once();
        let told = format!("{} calls of Lambda at once in this account", grouped(allowed));
        if allowed >= wanted {
            self.line("lambda", told);
            return Ok(());
        }
        self.line("lambda", format!("{told}; this pipeline alone can ask for {}", grouped(wanted)));
        self.steps.push("ask AWS for more calls at once before a large backfill: `aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000`".to_owned());
        Ok(())
    }

    async fn existing(&mut self, target: &Target, existing: &ExistingBucket) -> Result<(), Stop> {
        let ExistingBucket { bucket: ours, name, starts_functions } = existing;
        let seen = bucket::look(target, name).await?;
        let here = &target.account.region;
        let region = match &seen {
            Seen::Absent => {
                let reason =
                    format!("bucket `{ours}` of the pipeline file is at `s3://{name}`, and there is none of this name");
                self.fault(
                    "D0203",
                    reason,
                    format!(
                        "mend its `url`, leave `url` out for a bucket of the stack, or make it: `aws s3 mb s3://{name}`"
                    ),
                );
                return Ok(());
            }
            Seen::Open { region } => Some(region),
            Seen::Closed { region } => region.as_ref(),
        };
        if let Some(region) = region.filter(|region| *region != here && *starts_functions) {
            let reason = format!(
                "bucket `{name}` is in {region}, and the stack would be in {here}: AWS tells of its objects only there"
            );
            self.fault("D0202", reason, format!("deploy where it is: `AWS_REGION={region} tidegate deploy`"));
            return Ok(());
        }
        let reach = match (&seen, region) {
            (Seen::Closed { .. }, _) => {
                "is there, but does not let you look; the functions are allowed to by their roles, and its owner has to allow them too if it is another account's"
            }
            (_, Some(region)) if region != here => "reachable, in another region: each byte that crosses is paid for",
            _ => "reachable",
        };
        let switch = match starts_functions {
            true => event_bridge::look(target, name).await?,
            false => Switch::WasOn,
        };
        let events = match switch {
            Switch::IsOff => {
                self.to_switch_on.push(name.clone());
                "; EventBridge is off, and switched on by this deployment"
            }
            Switch::NotOurs => {
                self.steps.push(owner_step(target, name));
                "; whether EventBridge is on cannot be seen"
            }
            Switch::WasOn | Switch::IsOn if *starts_functions => "; EventBridge is on",
            Switch::WasOn | Switch::IsOn => "",
        };
        self.line("bucket", format!("{name} ({ours}): {reach}{events}"));
        Ok(())
    }

    /// Names of buckets are one space over all of AWS: somebody else may have one.
    async fn names(&mut self, plan: &Plan<'_>, target: &Target, before: Option<&stack::Stack>) -> Result<(), Stop> {
        if before.is_some_and(|stack| stack.readiness() != stack::Readiness::OnlyReviewed) {
            return Ok(());
        }
        for data in plan.stack.data(&target.account) {
            let name = &data.name;
            let is_there = match data.holds {
                Holds::Rows => tidegate_aws::deploy::table::is_there(target, name).await?,
                Holds::Objects => match bucket::is_ours(target, name).await? {
                    Some(false) => {
                        let reason =
                            format!("the name `{name}` of a bucket that the stack needs is taken by somebody else");
                        self.fault(
                            "D0204",
                            reason,
                            "rename the bucket or the pipeline in the pipeline file".to_owned(),
                        );
                        continue;
                    }
                    ours => ours == Some(true),
                },
            };
            if is_there {
                let noun = if data.holds == Holds::Rows { "table" } else { "bucket" };
                self.line(
                    noun,
                    format!("{name}: is there from before, and becomes part of the stack with what it holds"),
                );
            }
        }
        Ok(())
    }

    async fn secrets(&mut self, plan: &Plan<'_>, target: &Target) -> Result<(), Stop> {
        for (_, name) in outside::needed_secrets(plan.pipeline) {
            let command = format!("`aws secretsmanager create-secret --name {name} --secret-string …`");
            let how = match look::secret(target, &name).await? {
                Some(true) => "is there".to_owned(),
                Some(false) => {
                    self.steps.push(format!("keep the secret: {command}"));
                    format!("missing; the functions that need it fail until it is there: {command}")
                }
                None => "cannot be looked for with your permissions".to_owned(),
            };
            self.line("secret", format!("{name}: {how}"));
        }
        Ok(())
    }

    async fn sender(&mut self, plan: &Plan<'_>, target: &Target, before: Option<&stack::Stack>) -> Result<(), Stop> {
        if outside::sender(plan.pipeline) == Sender::Nobody {
            return Ok(());
        }
        let Some(from) = plan.sender(before) else {
            let reason = "nobody has said who mails are from".to_owned();
            self.fault("D0209", reason, "say `from` in `[mail]` of the pipeline file, or `--mail-from ADDRESS`: one that Amazon SES has verified".to_owned());
            return Ok(());
        };
        let command =
            format!("`aws sesv2 create-email-identity --email-identity {from}`, and confirm the mail that comes");
        let how = match look::sender(target, &from).await? {
            Some(true) => "is verified".to_owned(),
            Some(false) => {
                self.steps.push(format!("let Amazon SES verify the sender of mails: {command}"));
                format!("not verified by Amazon SES; no mail goes out until it is: {command}")
            }
            None => "cannot be looked for with your permissions".to_owned(),
        };
        self.line("sender", format!("{from}: {how}"));
        Ok(())
    }
}
