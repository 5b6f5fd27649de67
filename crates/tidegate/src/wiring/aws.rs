//! A pipeline on AWS: state table, queues, tables, mails and secrets, where the names of its stack say. An environment is there if it
//! is called `aws`, or `aws-…` for a further one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tidegate_aws::{
    Client, Credentials, DynamoLedger, DynamoOutbox, DynamoTables, IntakeQueue, SecretsManager, Ses, SqsQueue,
};
use tidegate_cloudformation::{Account, Names, placed};
use tidegate_engine::{Clock, FollowUp, Post};
use tidegate_model::{Address, ErrorKind, Failure, Mail, Pipeline, Setting};
use tidegate_stores::bucket::Surroundings;
use tidegate_stores::mail::{Courier, MailRecord, Outbox};
use tidegate_stores::{Apart, Error, Item, Ledger, Queue, Tables};

use super::Places;
use crate::exit::Stop;
use crate::project::{AWS, Project};

/// Whether an environment of this name is on AWS.
pub(crate) fn is_on_aws(env: &str) -> bool {
    env.strip_prefix(AWS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// AWS as one pipeline uses it.
pub(crate) struct OnAws {
    client: Client,
    account: Account,
    names: Names,
    /// The name of the pipeline, as its secrets have it.
    pipeline: String,
    credentials: Arc<Credentials>,
    ledger: Arc<DynamoLedger>,
    queue: OnceLock<Arc<SqsQueue>>,
    /// Who mails are from, if not who the file says.
    mail_from: Option<Address>,
    /// Secrets that were asked for.
    secrets: Mutex<BTreeMap<String, String>>,
}

/// Finds credentials, region and account from this machine.
///
/// # Errors
/// `D0201`: there are none, or AWS does not take them.
pub(crate) fn find(pipeline: &Pipeline) -> Result<OnAws, Stop> {
    let unknown = |error: Error| error.into_failure("D0201");
    super::ask(async {
        let client = Client::find(None).await.map_err(unknown)?;
        let (_, account) = client.who().await.map_err(unknown)?;
        Ok::<_, Stop>(OnAws::new(client, account, pipeline, None))
    })?
}

impl OnAws {
    /// AWS by this client in this account. Nothing is called.
    pub(crate) fn new(client: Client, account: String, pipeline: &Pipeline, mail_from: Option<Address>) -> Self {
        let region = client.region().to_owned();
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let account = Account { partition: partition.to_owned(), region, id: account };
        let names = Names::of(pipeline);
        Self {
            credentials: Arc::new(Credentials::new(&client, Arc::new(Timestamp::now))),
            ledger: Arc::new(DynamoLedger::new(&client, names.state())),
            pipeline: pipeline.name.clone(),
            queue: OnceLock::new(),
            secrets: Mutex::default(),
            client,
            account,
            names,
            mail_from,
        }
    }

    /// The pipeline with its places on AWS.
    pub(crate) fn placed(&self, pipeline: &Pipeline) -> Pipeline {
        let mut placed = placed(pipeline, &self.account);
        if let (Some(mail), Some(from)) = (&mut placed.mail, &self.mail_from) {
            mail.from = from.clone();
        }
        placed
    }

    /// The history.
    pub(crate) fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as _
    }

    /// The queues of the functions.
    pub(crate) fn queue(&self, project: &Project) -> Arc<SqsQueue> {
        let queue = self.queue.get_or_init(|| {
            let functions = project.pipeline.functions.iter();
            let urls =
                functions.map(|function| (function.name.clone(), self.queue_url(&self.names.queue(&function.name))));
            let ledger = Arc::clone(&self.ledger);
            Arc::new(SqsQueue::new(&self.client, urls.collect(), ledger, Arc::new(Timestamp::now)))
        });
        Arc::clone(queue)
    }

    /// The queue of events and ticks.
    pub(crate) fn intake(&self) -> IntakeQueue {
        IntakeQueue::new(&self.client, self.queue_url(&self.names.intake()))
    }

    /// The queue of what the queues of functions gave up.
    pub(crate) fn dead_letters(&self) -> IntakeQueue {
        IntakeQueue::new(&self.client, self.queue_url(&self.names.dead_letters()))
    }

    /// SQS tells queues apart by account and name; where it is asked says the client.
    fn queue_url(&self, name: &str) -> String {
        let end = if self.account.partition == "aws-cn" { ".cn" } else { "" };
        format!("https://sqs.{}.amazonaws.com{end}/{}/{name}", self.account.region, self.account.id)
    }

    /// The tables in DynamoDB: each `url` says where.
    pub(crate) fn tables(&self, project: &Project) -> Arc<dyn Tables> {
        let urls = project.pipeline.tables.iter().filter_map(|(name, table)| match &table.url {
            Some(Setting::Plain(url)) => {
                url.strip_prefix("dynamodb://").map(|place| (name.clone(), place.trim_end_matches('/').to_owned()))
            }
            _ => None,
        });
        let places: BTreeMap<String, String> = urls.collect();
        let name_of = move |name: &str| places.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let most = project.pipeline.tables.iter().filter_map(|(name, table)| Some((name.clone(), table.max_wcu?)));
        let tables = DynamoTables::new(&self.client, self.names.state(), Arc::new(name_of));
        Arc::new(tables.paced(most.collect()))
    }

    /// The outbox.
    ///
    /// # Errors
    /// `Unavailable`, or if there is no state table.
    pub(crate) fn outbox(&self) -> Result<Arc<dyn Outbox>, Stop> {
        Ok(Arc::new(super::ask(DynamoOutbox::open(&self.client, self.names.state()))??))
    }

    /// Makes a function send what waits in the outbox: the one that wrote `mail`, or else another that mails. Nothing else wakes them. It
    /// finds the run settled, and sends mails after it as after every run.
    ///
    /// # Errors
    /// `Unavailable`; the mails then wait for the next run of a function that mails.
    pub(crate) async fn wake_sender(&self, project: &Project, mail: &MailRecord) -> Result<(), Stop> {
        let mut senders = project.pipeline.functions.iter().filter(|function| function.grants.mail);
        let Some(function) = senders.clone().find(|each| each.name == mail.function).or_else(|| senders.next()) else {
            return Ok(());
        };
        let (function, group) = (function.name.clone(), mail.run.to_string());
        let item = Item { run: mail.run, function, group, due: Timestamp::now() };
        Ok(self.queue(project).enqueue(vec![item]).await?)
    }

    /// The value of a secret; AWS is asked once.
    ///
    /// # Errors
    /// `C0107`.
    pub(crate) fn secret(&self, name: &str) -> Result<String, Failure> {
        if let Some(value) = self.kept().get(name) {
            return Ok(value.clone());
        }
        let manager = SecretsManager::new(&self.client);
        let id = format!("{}/{name}", self.pipeline);
        // Functions ask in the midst of their work, so the answer is waited for on a thread of its own.
        let asked = std::thread::scope(|scope| scope.spawn(|| super::ask(manager.value(&id))).join());
        let bug = |reason: &str| Failure::new("C0107", ErrorKind::Bug, format!("the secret `{name}`: {reason}"));
        let value = match asked {
            Ok(Ok(value)) => value?,
            Ok(Err(_)) => return Err(bug("the system gives no threads")),
            Err(_) => return Err(bug("who asks for it panicked")),
        };
        self.kept().insert(name.to_owned(), value.clone());
        Ok(value)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The variables of S3, with the region that profiles may have said.
    pub(crate) fn complete(&self, variables: &mut BTreeMap<String, String>) {
        variables.insert("AWS_REGION".to_owned(), self.account.region.clone());
    }

    /// With the credentials that everything else is called with.
    pub(crate) fn lend_credentials<'a>(&self, surroundings: Surroundings<'a>) -> Surroundings<'a> {
        surroundings.with_credentials(Arc::clone(&self.credentials) as _)
    }
}

/// Where runs, history and mails are.
///
/// # Errors
/// `Unavailable`, or if there is no state table.
pub(super) async fn places(project: &Project, aws: &OnAws, _: &Clock) -> Result<Places, Stop> {
    let (ledger, queue) = (aws.ledger(), aws.queue(project));
    let mail = match project.open_mail() {
        Some(mail) => Some(post(project, aws, mail).await?),
        None => None,
    };
    Ok(Places {
        joint: Arc::new(Apart { ledger: Arc::clone(&ledger), queue: Arc::clone(&queue) as _ }),
        ledger,
        queue,
        follow_up: FollowUp::ByBucket,
        mail,
        local: None,
    })
}

/// Mails wait in the state table, and go out through Amazon SES unless the file names a mail server.
async fn post(project: &Project, aws: &OnAws, mail: &Mail) -> Result<Post, Stop> {
    let courier = match &mail.url {
        None => Arc::new(Ses::new(&aws.client, &mail.from)) as Arc<dyn Courier>,
        Some(url) => super::mail::smtp(project, mail, url)?,
    };
    let outbox = DynamoOutbox::open(&aws.client, aws.names.state()).await.map_err(not_deployed)?;
    Ok(Post { outbox: Arc::new(outbox), courier })
}

fn not_deployed(error: Error) -> Stop {
    let is_absent = error.kind == ErrorKind::NotFound;
    let stop = Stop::from(error);
    if is_absent { stop.help("make the stack first: `tidegate synth aws`") } else { stop }
}

#[cfg(test)]
mod tests {
    use super::is_on_aws;

    #[test]
    fn the_name_of_an_environment_says_where_it_is() {
        assert!(is_on_aws("aws") && is_on_aws("aws-test"));
        assert!(!is_on_aws("postgres") && !is_on_aws("awsome") && !is_on_aws("test-aws"));
    }
}
