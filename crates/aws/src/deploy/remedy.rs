//! What helps against what AWS says when a resource cannot be made, as far as we know it.

/// The remedy for a reason in AWS's words; `kind` is the resource's: `AWS::S3::Bucket`.
pub fn remedy(kind: &str, reason: &str) -> Option<String> {
    let lower = reason.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let remedy = match kind {
        _ if says(&["not authorized to perform", "access denied", "accessdenied", "is not allowed to"]) => {
            "whoever deploys lacks this permission: `tidegate synth aws --deploy-policy` prints all that are needed"
        }
        "AWS::S3::Bucket" if says(&["already exists", "not available", "already owned"]) => {
            "the name is taken: rename the bucket or the pipeline in the pipeline file, or use the bucket as it is: `url = \"s3://NAME\"`"
        }
        _ if says(&["already exist"]) => {
            "something of this name is there that no stack of this pipeline made: rename it in the pipeline file, or delete what is there"
        }
        "AWS::Lambda::EventSourceMapping" | "AWS::Lambda::Function"
            if says(&["unreservedconcurrentexecution", "concurren"]) =>
        {
            "the account allows too few calls of Lambda at once: ask AWS for more with `aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000`"
        }
        "AWS::Lambda::Function" if says(&["unzipped size", "code storage", "codestorageexceeded"]) => {
            "the program is too large: build it with `--profile dist`, and keep large files out of the pipeline's directory"
        }
        "AWS::Lambda::Function" if says(&["memorysize"]) => {
            "new accounts may use less memory: say so with `aws = { memory = 3008 }` in the function, or ask AWS for more"
        }
        "AWS::S3::Bucket" if says(&["unable to validate the following destination"]) => {
            "S3 could not send to the intake queue yet: deploy again"
        }
        "AWS::S3::BucketPolicy" if says(&["block public", "blockpublicpolicy", "public policies"]) => {
            "the account forbids public buckets: leave `public = true` out, or lift the account's block of public access"
        }
        _ if says(&["custom-named resource requires replacing", "cannot update a stack when a custom-named"]) => {
            "it cannot be changed in this way while it keeps its name: give it another name in the pipeline file"
        }
        _ if says(&["deletion protection", "deletionprotection"]) => {
            "tables are protected from deletion: `tidegate destroy --with-data` takes them away"
        }
        _ if says(&["limitexceeded", "limit exceeded", "quota", "maximum number of"]) => {
            "a quota of the account is used up: ask AWS for more under `Service Quotas` in the console"
        }
        _ if says(&[
            "rate exceeded",
            "throttl",
            "internal failure",
            "internal error",
            "service unavailable",
            "try again",
        ]) =>
        {
            "this passes by itself: deploy again"
        }
        _ => return None,
    };
    Some(remedy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remedy_is_found_by_what_aws_says() {
        for (kind, reason, words) in [
            ("AWS::IAM::Role", "User: arn is not authorized to perform: iam:CreateRole", "--deploy-policy"),
            ("AWS::S3::Bucket", "b already exists", "taken"),
            ("AWS::SQS::Queue", "Resource of type 'AWS::SQS::Queue' with identifier 'q' already exists.", "no stack"),
            ("AWS::Lambda::Function", "Unzipped size must be smaller than 262144000 bytes", "dist"),
            (
                "AWS::DynamoDB::Table",
                "CloudFormation cannot update a stack when a custom-named resource requires replacing.",
                "another name",
            ),
            ("AWS::Logs::LogGroup", "Rate exceeded (Service: CloudWatchLogs)", "deploy again"),
        ] {
            assert!(remedy(kind, reason).is_some_and(|remedy| remedy.contains(words)), "{reason}");
        }
        assert_eq!(remedy("AWS::SQS::Queue", "Invalid value for the parameter VisibilityTimeout"), None);
    }
}
