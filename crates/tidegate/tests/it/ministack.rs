//! An account of the MiniStack of [`crate::cloud`] as whoever deploys sees it: a role with a policy instead of the account's own key, and
//! Python for what is to be there before, and is looked at afterwards.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use crate::cloud::{Cloud, python};
use crate::place::{Place, Ran};

/// What stands before what a test wants done in its account.
const CLIENT: &str = r#"
import json, os, sys, time
import boto3
from botocore.config import Config
def client(service):
    config = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)
def answer(value):
    print(json.dumps(value, default=str))
"#;

/// An account of its own.
pub(crate) struct Account {
    /// Twelve digits.
    pub(crate) id: String,
    /// Key, secret and token of a role; `None`: the account's own.
    role: Option<[String; 3]>,
    cloud: Arc<Cloud>,
    python: PathBuf,
}

impl Account {
    /// An account that nobody else has; `None`, and told, if there is no MiniStack and need not be.
    pub(crate) fn new() -> Option<Self> {
        let (python, cloud) = (python()?, Arc::new(Cloud::new()?));
        Some(Self { id: cloud.account.clone(), role: None, cloud, python })
    }

    /// The same account, as a role that may do what `policy` says and nothing else.
    pub(crate) fn as_role(&self, policy: &Value) -> Self {
        let code = format!(
            "iam, sts = client('iam'), client('sts')\n\
             trust = {{'Version': '2012-10-17', 'Statement': [{{'Effect': 'Allow', 'Principal': {{'AWS': 'arn:aws:iam::{0}:root'}}, 'Action': 'sts:AssumeRole'}}]}}\n\
             arn = iam.create_role(RoleName='deploy', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']\n\
             iam.put_role_policy(RoleName='deploy', PolicyName='deploy', PolicyDocument=sys.argv[1])\n\
             answer(sts.assume_role(RoleArn=arn, RoleSessionName='test')['Credentials'])",
            self.id
        );
        let key = self.does_with(&code, &policy.to_string());
        let role =
            ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| key[name].as_str().unwrap().to_owned());
        let (cloud, python) = (Arc::clone(&self.cloud), self.python.clone());
        Self { id: self.id.clone(), role: Some(role), cloud, python }
    }

    fn settings(&self, command: &mut Command) {
        self.cloud.settings(command);
        command.env("AWS_DEFAULT_REGION", "us-east-1");
        if let Some([key, secret, token]) = &self.role {
            command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret).env("AWS_SESSION_TOKEN", token);
        }
    }

    /// Runs tidegate in this account.
    pub(crate) fn run(&self, place: &Place, args: &[&str]) -> Ran {
        let mut command = place.command(args);
        self.settings(&mut command);
        Ran::of(command.output().unwrap())
    }

    /// The command, ready to be started in this account.
    pub(crate) fn command(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.command(args);
        self.settings(&mut command);
        command
    }

    /// What Python says after it has done this with boto3: `client(NAME)` is there, and `answer(VALUE)`.
    pub(crate) fn does(&self, code: &str) -> Value {
        self.does_with(code, "")
    }

    fn does_with(&self, code: &str, argument: &str) -> Value {
        let mut command = Command::new(&self.python);
        command.args(["-W", "ignore", "-c", &format!("{CLIENT}\n{code}"), argument]).stdin(Stdio::null());
        self.settings(&mut command);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}: {told}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}
