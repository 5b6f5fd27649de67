//! What others say of the same templates: cfn-lint of the template as it is printed, parliament of each role's policy, and PyYAML
//! that both forms of the template are one.

use std::path::Path;
use std::process::Command;

use tidegate_cloudformation::Names;
use tidegate_cloudformation::policy::{Statement, deploy, document};

use crate::templates::{NAMES, account, python, stack, template};

/// Runs a Python program; what it printed.
fn run(python: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(python).args(arguments).output().expect("python starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// cfn-lint as it is called on the command line.
const CFN_LINT: &str = "import sys, cfnlint.runner; sys.argv[0] = 'cfn-lint'; sys.exit(cfnlint.runner.main())";

#[test]
fn cfn_lint_finds_nothing_in_any_template() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut paths = Vec::new();
    for name in NAMES {
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, stack(&template(name)).template.to_yaml()).expect("it can be written");
        paths.push(path.to_string_lossy().into_owned());
    }
    let mut arguments = vec!["-c", CFN_LINT, "--regions", "us-east-1", "--"];
    arguments.extend(paths.iter().map(String::as_str));
    let (is_clean, told) = run(&python, &arguments);
    assert!(is_clean, "{told}");
    std::fs::write(&paths[0], "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Colour: green\n")
        .expect("it can be written");
    let (is_clean, told) = run(&python, &["-c", CFN_LINT, "--", &paths[0]]);
    assert!(!is_clean && told.contains("Colour"), "it would have said so: {told}");
}

/// Reads policies, one a line, and prints what parliament finds.
const PARLIAMENT: &str = "
import sys, parliament
for line in open(sys.argv[1]):
    for finding in parliament.analyze_policy_string(line, ignore_private_auditors=True).findings:
        print(finding.issue, finding.detail, finding.location)
";

#[test]
fn parliament_finds_nothing_in_any_policy() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policies");
    let judged = |policies: &str| {
        std::fs::write(&path, policies).expect("it can be written");
        let (is_done, told) = run(&python, &["-W", "ignore", "-c", PARLIAMENT, &path.to_string_lossy()]);
        assert!(is_done, "{told}");
        told
    };
    let mut policies = String::new();
    let of_roles = NAMES.iter().flat_map(|name| stack(&template(name)).roles).map(|role| role.statements);
    let of_deployers = NAMES.iter().map(|name| {
        let pipeline = template(name);
        deploy::of_deployment(&pipeline, &stack(&pipeline), &Names::programs(&account()))
    });
    // Whoever may write a bucket's policy may open the bucket to itself: parliament says so of deployers, and so does the guide.
    let judged = |policies: &str| -> String {
        let found = judged(policies);
        found.split_inclusive('\n').filter(|line| !line.starts_with("RESOURCE_POLICY_PRIVILEGE_ESCALATION")).collect()
    };
    for statements in of_roles.chain(of_deployers) {
        let statements: Vec<Statement> = statements.iter().map(|statement| statement.resolved(&account())).collect();
        let text = document(&statements)
            .to_string()
            .replace("${MailFrom}", "tide@example.org")
            .replace("{\"Fn::Sub\":\"tide@example.org\"}", "\"tide@example.org\"");
        policies.push_str(&format!("{text}\n"));
    }
    assert_eq!(judged(&policies), "");
    let wrong = policies.lines().next().expect("a policy").replace("s3:GetObject\"", "s3:GetObjects\"");
    assert!(judged(&wrong).contains("UNKNOWN_ACTION"), "it would have said so");
}

const SAME: &str = "
import sys, json, yaml
print(yaml.safe_load(open(sys.argv[1])) == json.load(open(sys.argv[2])))
";

#[test]
fn the_yaml_and_the_json_of_a_template_are_one() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (yaml, json) = (folder.path().join("t.yaml"), folder.path().join("t.json"));
    for name in NAMES {
        let template = stack(&template(name)).template;
        std::fs::write(&yaml, template.to_yaml()).expect("it can be written");
        std::fs::write(&json, template.to_value().to_string()).expect("it can be written");
        let (_, told) = run(&python, &["-c", SAME, &yaml.to_string_lossy(), &json.to_string_lossy()]);
        assert_eq!(told.trim(), "True", "{name}");
    }
}
