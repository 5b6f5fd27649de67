//! How AWS names things in policies. Partition, region and account are left open as CloudFormation's own variables;
//! [`Account::resolve`] puts them in.

/// An account in a region: what a template leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// For example `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl Account {
    /// The text with the account's values for `${AWS::Partition}`, `${AWS::Region}` and `${AWS::AccountId}`.
    pub fn resolve(&self, text: &str) -> String {
        text.replace("${AWS::Partition}", &self.partition)
            .replace("${AWS::Region}", &self.region)
            .replace("${AWS::AccountId}", &self.id)
    }
}

/// A bucket, of any account.
pub(crate) fn bucket(name: &str) -> String {
    format!("arn:${{AWS::Partition}}:s3:::{name}")
}

/// The objects of a bucket below a prefix, which is empty or ends with `/`.
pub(crate) fn objects(bucket_name: &str, prefix: &str) -> String {
    format!("{}/{prefix}*", bucket(bucket_name))
}

/// A queue of this account.
pub(crate) fn queue(name: &str) -> String {
    here("sqs", name)
}

/// A DynamoDB table of this account.
pub(crate) fn table(name: &str) -> String {
    here("dynamodb", &format!("table/{name}"))
}

/// Every index of a DynamoDB table.
pub(crate) fn indexes(name: &str) -> String {
    here("dynamodb", &format!("table/{name}/index/*"))
}

/// The streams of a log group.
pub(crate) fn log_streams(group: &str) -> String {
    here("logs", &format!("log-group:{group}:*"))
}

/// A secret. AWS adds six characters of its own to its name.
pub(crate) fn secret(name: &str) -> String {
    here("secretsmanager", &format!("secret:{name}-??????"))
}

/// The addresses and domains that mails may be from.
pub(crate) fn senders() -> String {
    here("ses", "identity/*")
}

fn here(service: &str, resource: &str) -> String {
    format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
}
