//! `tidegate deploy` and `tidegate destroy` against MiniStack, which makes the stacks for real: first deployment, no change, a change, what is
//! refused, what fails, existing buckets, and the end with and without data.

use serde_json::{Value, json};

use crate::ministack::Account;
use crate::place::{PEOPLE, Place, Ran};

/// A pipeline's directory with a program that Lambda would take, as far as anybody looks.
struct Ship {
    place: Place,
    account: Account,
}

impl Ship {
    /// A ship with this pipeline in an account of its own; `None` if there is no MiniStack.
    fn with(pipeline: &str) -> Option<Self> {
        let account = Account::new()?;
        let place = Place::with(pipeline);
        let mut program = b"\x7fELF\x02\x01".to_vec();
        program.resize(18, 0);
        program.extend([62, 0]);
        program.resize(5_000, 7);
        place.write(".program", program);
        Some(Self { place, account })
    }

    fn deploy(&self, further: &[&str]) -> Ran {
        self.deploy_as(&self.account, further)
    }

    fn deploy_as(&self, account: &Account, further: &[&str]) -> Ran {
        let args = [&["deploy", "--yes", "--program", ".program"], further].concat();
        account.run(&self.place, &args)
    }

    fn document(&self, args: &[&str]) -> Value {
        let ran = self.account.run(&self.place, args);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    fn bucket(&self, name: &str) -> String {
        format!("people-{name}-{}", self.account.id)
    }

    /// The status of the stack; null if there is none.
    fn status(&self) -> Value {
        self.account.does(
            "try:\n    answer(client('cloudformation').describe_stacks(StackName='people')['Stacks'][0]['StackStatus'])\n\
             except Exception as error:\n    answer(None)",
        )
    }
}

fn changed(from: &str, to: &str) -> String {
    assert!(PEOPLE.contains(from), "{from}");
    PEOPLE.replace(from, to)
}

#[test]
fn an_empty_account_has_the_pipeline_after_one_command_and_a_second_one_changes_nothing() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    let bucket = ship.bucket("incoming");
    ship.deploy(&[])
        .ends(0)
        .says(&[
            "made bucket `tidegate-programs-",
            "(uploaded)",
            "+ add AWS::Lambda::Function",
            "made IncomingBucket",
            "aws s3 cp FILE",
        ])
        .shows(&[&format!("s3://{bucket}"), "dynamodb://people-people", "cloudformation/home?region=us-east-1"]);
    assert_eq!(ship.status(), "CREATE_COMPLETE");
    let facts = ship.account.does(&format!(
        "s3 = client('s3'); programs = 'tidegate-programs-{0}-us-east-1'\n\
         answer({{'closed': s3.get_public_access_block(Bucket=programs)['PublicAccessBlockConfiguration'],\n\
         'encrypted': s3.get_bucket_encryption(Bucket=programs)['ServerSideEncryptionConfiguration']['Rules'][0]['ApplyServerSideEncryptionByDefault'],\n\
         'keys': [one['Key'] for one in s3.list_objects_v2(Bucket=programs)['Contents']],\n\
         'code': client('lambda').get_function(FunctionName='people-load')['Configuration']['CodeSize']}})",
        ship.account.id
    ));
    assert!(facts["closed"].as_object().unwrap().values().all(|on| on == true), "{facts}");
    assert_eq!(facts["encrypted"]["SSEAlgorithm"], "AES256");
    assert!(facts["code"].as_u64() > Some(100), "{facts}");
    let keys = facts["keys"].as_array().unwrap().len();
    ship.deploy(&[]).ends(0).says(&["lay there already", "nothing has changed"]);
    let report = ship.document(&["--json", "deploy", "--yes", "--program", ".program"]);
    assert_eq!((&report["state"], &report["program"]["uploaded"]), (&json!("unchanged"), &json!(false)));
    assert_eq!(report["buckets"]["incoming"], format!("s3://{bucket}"));
    let again = ship.account.does(&format!(
        "answer(len(client('s3').list_objects_v2(Bucket='tidegate-programs-{}-us-east-1')['Contents']))",
        ship.account.id
    ));
    assert_eq!(again, keys, "nothing was uploaded twice");
}

#[test]
fn a_change_is_shown_with_what_it_was_and_will_be_and_then_done() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.deploy(&[]).ends(0);
    let slower = changed("into = \"people\"", "into = \"people\"\ntimeout = \"200s\"\naws = { memory = 2048 }");
    ship.place.write("tidegate.toml", slower);
    ship.deploy(&[]).ends(0).says(&[
        "~ change LoadFunction",
        "MemorySize: 1024 → 2048",
        "→ 210",
        "changed LoadFunction",
    ]);
    let now = ship.account.does(
        "found = client('lambda').get_function_configuration(FunctionName='people-load')\nanswer([found['MemorySize'], found['Timeout']])",
    );
    assert_eq!(now, json!([2048, 210]));
    // Another program alone is a change, too.
    let mut program = b"\x7fELF\x02\x01".to_vec();
    program.resize(18, 0);
    program.extend([62, 0]);
    program.resize(5_000, 8);
    ship.place.write(".program", program);
    ship.deploy(&[]).ends(0).says(&["(uploaded)", "~ change LoadFunction", "Code (of CodeKey)"]);
}

#[test]
fn without_a_terminal_nothing_is_done_unless_it_is_said() {
    let place = Place::people();
    for command in ["deploy", "destroy"] {
        place.run(&[command]).ends(1).says(&["D0208", "--yes"]);
    }
}

#[test]
fn who_is_not_logged_in_is_told_how() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    let mut command = ship.account.command(&ship.place, &["deploy", "--yes", "--program", ".program"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    Ran::of(command.output().unwrap()).ends(1).says(&["D0201", "aws sso login"]);
    let mut command = ship.account.command(&ship.place, &["deploy", "--yes", "--program", ".program"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    Ran::of(command.output().unwrap()).ends(1).says(&["D0201", "aws sso login"]);
}

#[test]
fn a_table_with_rows_is_never_replaced_and_an_empty_one_may_go() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.deploy(&[]).ends(0);
    ship.account.does("client('dynamodb').put_item(TableName='people-people', Item={'uuid': {'S': '1'}})");
    let before = ship.account.does("answer(client('cloudformation').get_template(StackName='people')['TemplateBody'])");
    ship.place.write("tidegate.toml", changed("uuid = \"string\"", "id = \"string\""));
    ship.deploy(&[]).ends(1).says(&["HOLDS DATA", "D0205", "people-people", "uuid → id", "dynamodb://people-people"]);
    let after = ship.account.does("answer(client('cloudformation').get_template(StackName='people')['TemplateBody'])");
    assert_eq!(before, after, "nothing was changed");
    assert_eq!(ship.status(), "CREATE_COMPLETE");
    // The way that is told works: the old table is left with its rows, and used as one that is there.
    let let_go = "[table.people]\nurl = \"dynamodb://people-people\"\n[table.persons]\nkey = { id = \"string\" }";
    let renamed = changed("[table.people]\nkey = { uuid = \"string\" }", let_go)
        .replace("into = \"people\"", "into = \"persons\"\nreads = \"people\"");
    ship.place.write("tidegate.toml", renamed);
    ship.deploy(&[]).ends(0).says(&["- remove PeopleTable"]);
    let rows = ship.account.does("answer(client('dynamodb').scan(TableName='people-people')['Count'])");
    assert_eq!(rows, 1);
}

#[test]
fn a_bucket_with_objects_is_never_removed() {
    let further = format!("{PEOPLE}\n[bucket.archive]\n");
    let Some(ship) = Ship::with(&further) else { return };
    ship.deploy(&[]).ends(0);
    let bucket = ship.bucket("archive");
    ship.account.does(&format!("client('s3').put_object(Bucket='{bucket}', Key='a b', Body=b'x')"));
    ship.place.write("tidegate.toml", PEOPLE);
    ship.deploy(&[]).ends(1).says(&["HOLDS DATA", "D0205", &bucket]);
    ship.account.does(&format!("client('s3').delete_object(Bucket='{bucket}', Key='a b')"));
    ship.deploy(&[]).ends(0).says(&["- remove ArchiveBucket"]);
}

#[test]
fn what_is_there_and_no_stack_made_is_told_in_the_words_of_aws() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.account.does(
        "import io, zipfile\n\
         packed = io.BytesIO()\n\
         with zipfile.ZipFile(packed, 'w') as archive: archive.writestr('a.py', 'def f(event, context): pass')\n\
         trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}\n\
         role = client('iam').create_role(RoleName='theirs', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']\n\
         client('lambda').create_function(FunctionName='people-load', Runtime='python3.11', Handler='a.f', Role=role, Code={'ZipFile': packed.getvalue()})",
    );
    ship.deploy(&[]).ends(1).says(&["D0210", "LoadFunction", "already exist", "delete what is there"]);
    assert_eq!(ship.status(), Value::Null, "nothing is left of the attempt");
    // Mended, the same command goes through.
    ship.account.does("client('lambda').delete_function(FunctionName='people-load')");
    ship.deploy(&[]).ends(0);
}

#[test]
fn a_resource_that_fails_is_told_with_its_remedy_and_the_stack_is_as_it_was() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.deploy(&[]).ends(0);
    // The table is empty, so it may be replaced; but AWS does not make two of one name.
    ship.place.write("tidegate.toml", changed("uuid = \"string\"", "id = \"string\""));
    ship.deploy(&[]).ends(1).says(&["replace PeopleTable", "D0206", "PeopleTable", "another name", "as it was"]);
    let report = ship.document(&["--json", "deploy", "--yes", "--program", ".program"]);
    assert_eq!(report["state"], "failed");
    assert!(report["failures"][0]["reason"].as_str().unwrap().contains("PeopleTable"), "{report}");
    ship.place.write("tidegate.toml", changed("into = \"people\"", "into = \"people\"\ntimeout = \"200s\""));
    ship.deploy(&[]).ends(0).says(&["changed LoadFunction"]);
}

#[test]
fn destroy_keeps_data_and_deploy_takes_it_back_and_with_data_everything_goes() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.deploy(&[]).ends(0);
    let bucket = ship.bucket("incoming");
    ship.account.does(&format!(
        "client('dynamodb').put_item(TableName='people-people', Item={{'uuid': {{'S': '1'}}}})\n\
         for key in ['a & b', 'ü/ü', '<c>']: client('s3').put_object(Bucket='{bucket}', Key=key, Body=b'x')"
    ));
    let ran = ship.account.run(&ship.place, &["destroy", "--yes"]).ends(0);
    assert!(
        ran.err.contains(&format!("kept: bucket {bucket}")) && ran.err.contains("kept: table people-people"),
        "{ran:?}"
    );
    assert_eq!(ship.status(), Value::Null);
    let there = format!(
        "answer([client('dynamodb').scan(TableName='people-people')['Count'], client('s3').list_objects_v2(Bucket='{bucket}')['KeyCount'],\n\
         len(client('lambda').list_functions()['Functions']), len(client('sqs').list_queues().get('QueueUrls', []))])"
    );
    assert_eq!(ship.account.does(&there), json!([1, 3, 0, 0]));
    // A second time there is nothing to do, and it says what is left.
    ship.account.run(&ship.place, &["destroy", "--yes"]).ends(0).says(&["there is no stack", "kept: table"]);
    // MiniStack holds the name of a bucket against the very import that takes it back (AWS does not), so here the bucket is made anew.
    ship.deploy(&[]).says(&["is there from before", "+ adopt AWS::DynamoDB::Table", "+ adopt AWS::S3::Bucket"]);
    ship.account.does(&format!(
        "s3 = client('s3')\nfor one in s3.list_objects_v2(Bucket='{bucket}')['Contents']: s3.delete_object(Bucket='{bucket}', Key=one['Key'])\n\
         s3.delete_bucket(Bucket='{bucket}')"
    ));
    ship.deploy(&[]).ends(0);
    ship.account.does(&format!(
        "for key in ['a & b', 'ü/ü', '<c>']: client('s3').put_object(Bucket='{bucket}', Key=key, Body=b'x')"
    ));
    assert_eq!(ship.account.does(&there).as_array().unwrap()[..2], [json!(1), json!(3)], "the rows are still there");
    let report = ship.document(&["--json", "destroy", "--yes", "--with-data"]);
    assert_eq!((&report["state"], &report["left"]), (&json!("destroyed"), &json!([])));
    let left = ship.account.does(
        "answer([client('dynamodb').list_tables()['TableNames'], [one['Name'] for one in client('s3').list_buckets()['Buckets']]])",
    );
    assert_eq!(left[0], json!([]));
    assert_eq!(left[1].as_array().unwrap().len(), 1, "only the programs: {left}");
    ship.account.run(&ship.place, &["destroy", "--yes", "--with-data"]).ends(0).says(&["there is no stack"]);
}

/// A bucket that others use already: a queue and a function are told of its objects, each with filters.
const OTHERS: &str = "
s3, sqs, lam, iam = client('s3'), client('sqs'), client('lambda'), client('iam')
import io, zipfile
account = client('sts').get_caller_identity()['Account']
s3.create_bucket(Bucket=BUCKET)
queue = sqs.create_queue(QueueName='theirs', Attributes={'Policy': json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'Service': 's3.amazonaws.com'}, 'Action': 'sqs:SendMessage', 'Resource': f'arn:aws:sqs:us-east-1:{account}:theirs'}]})})['QueueUrl']
trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}
role = iam.create_role(RoleName='theirs', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']
packed = io.BytesIO()
with zipfile.ZipFile(packed, 'w') as archive: archive.writestr('a.py', 'def f(event, context): pass')
function = lam.create_function(FunctionName='theirs', Runtime='python3.11', Handler='a.f', Role=role, Code={'ZipFile': packed.getvalue()})['FunctionArn']
lam.add_permission(FunctionName='theirs', StatementId='s3', Action='lambda:InvokeFunction', Principal='s3.amazonaws.com', SourceArn=f'arn:aws:s3:::{BUCKET}')
rule = lambda name, value: {'Name': name, 'Value': value}
s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={
    'QueueConfigurations': [{'Id': 'to-queue', 'QueueArn': f'arn:aws:sqs:us-east-1:{account}:theirs', 'Events': ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
        'Filter': {'Key': {'FilterRules': [rule('prefix', 'in & out/'), rule('suffix', '.csv')]}}}],
    'LambdaFunctionConfigurations': [{'Id': 'to-function', 'LambdaFunctionArn': function, 'Events': ['s3:ObjectCreated:Put'],
        'Filter': {'Key': {'FilterRules': [rule('prefix', 'pictures/')]}}}]})
";

const CONFIGURATION: &str = "
found = client('s3').get_bucket_notification_configuration(Bucket=BUCKET)
found.pop('ResponseMetadata')
answer(found)
";

#[test]
fn an_existing_bucket_starts_functions_and_its_own_notifications_survive() {
    let bucket = "theirs-since-2015";
    let pipeline = changed("[bucket.incoming]", &format!("[bucket.incoming]\nurl = \"s3://{bucket}/in\""));
    let Some(ship) = Ship::with(&pipeline) else { return };
    let with_bucket = |code: &str| ship.account.does(&format!("BUCKET = '{bucket}'\n{code}"));
    with_bucket(OTHERS);
    let before = with_bucket(CONFIGURATION);
    assert!(before["EventBridgeConfiguration"].is_null() && before["QueueConfigurations"].is_array(), "{before}");
    ship.deploy(&[]).ends(0).says(&[
        "EventBridge is off",
        &format!("~ change bucket {bucket}"),
        "tells EventBridge of its objects",
    ]);
    let mut after = with_bucket(CONFIGURATION);
    let switch = after.as_object_mut().unwrap().remove("EventBridgeConfiguration");
    assert!(switch.is_some(), "it is on: {after}");
    assert_eq!(before, after, "everything else is as it was");
    ship.deploy(&[]).ends(0).says(&["EventBridge is on", "nothing has changed"]);
    // Somebody switches it off: the stack is the same, and the switch is set again.
    with_bucket(
        "config = client('s3').get_bucket_notification_configuration(Bucket=BUCKET); config.pop('ResponseMetadata'); config.pop('EventBridgeConfiguration'); client('s3').put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=config)",
    );
    ship.deploy(&[]).ends(0).says(&["tells EventBridge of its objects"]);
}

#[test]
fn everything_that_would_fail_later_is_told_at_once_before_anything_is_made() {
    let elsewhere = "url = \"s3://in-another-region\"";
    let pipeline = format!(
        "{}\n[bucket.away]\nurl = \"s3://not-there-at-all\"\n[mail]\noperator = [\"ops@example.org\"]\n[function.tell]\non = {{ every = \"1h\" }}\nrun = \"alarm\"\nreads = \"ledger\"\ninto = \"mail\"\nwith = {{ functions = \"load\" }}\n",
        changed("[bucket.incoming]", &format!("[bucket.incoming]\n{elsewhere}"))
    );
    let Some(ship) = Ship::with(&pipeline) else { return };
    ship.account.does("boto3.client('s3', region_name='eu-west-1', endpoint_url=os.environ['AWS_ENDPOINT_URL']).create_bucket(Bucket='in-another-region', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})");
    ship.deploy(&[]).ends(1).says(&[
        "D0202",
        "AWS_REGION=eu-west-1",
        "D0203",
        "not-there-at-all",
        "D0209",
        "--mail-from",
    ]);
    let made = ship.account.does("answer([one['Name'] for one in client('s3').list_buckets()['Buckets']])");
    assert_eq!(made, json!(["in-another-region"]));
}

#[test]
fn a_bucket_name_that_somebody_else_has_is_told() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    let Some(other) = Account::new() else { return };
    let bucket = ship.bucket("incoming");
    other.does(&format!("client('s3').create_bucket(Bucket='{bucket}')"));
    ship.deploy(&[]).ends(1).says(&["D0204", &bucket, "rename"]);
}

#[test]
fn secrets_are_told_there_or_missing_each_with_its_command() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    ship.place.write("tidegate.toml", changed("key = { uuid = \"string\" }", "url = { secret = \"people-db\" }"));
    let missing = ["people/people-db: missing", "aws secretsmanager create-secret --name people/people-db"];
    ship.deploy(&[]).ends(0).says(&missing);
    ship.account.does("client('secretsmanager').create_secret(Name='people/people-db', SecretString='postgres://x')");
    ship.deploy(&[]).ends(0).says(&["people/people-db: is there"]);
}

#[test]
fn the_deploy_policy_is_enough_to_deploy_change_and_destroy() {
    let Some(ship) = Ship::with(PEOPLE) else { return };
    let place = format!("{}/us-east-1", ship.account.id);
    let policy = ship.document(&["--json", "synth", "aws", "--deploy-policy", &place]);
    let role = ship.account.as_role(&policy);
    ship.deploy_as(&role, &[]).ends(0).says(&["assumed-role/deploy"]);
    ship.deploy_as(&role, &[]).ends(0).says(&["nothing has changed"]);
    ship.place.write("tidegate.toml", changed("into = \"people\"", "into = \"people\"\ntimeout = \"200s\""));
    ship.deploy_as(&role, &[]).ends(0).says(&["changed LoadFunction"]);
    // The bucket's own policy refuses whoever comes without TLS, as this test does: the role does not see it.
    role.run(&ship.place, &["destroy", "--yes"]).ends(0).says(&["kept: table people-people"]);
    // What it may not: another stack, and data.
    ship.place.write("tidegate.toml", changed("name = \"people\"", "name = \"others\""));
    ship.deploy_as(&role, &[]).ends(1);
    ship.place.write("tidegate.toml", PEOPLE);
    role.run(&ship.place, &["destroy", "--yes", "--with-data"]).ends(1);
}
