//! Whether a policy lets something happen, by the rules of IAM: what is forbidden anywhere is forbidden, what is allowed somewhere
//! is allowed, everything else is not.

use super::statement::{Condition, Effect, Statement};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The action, without `*`: `s3:GetObject`. Upper and lower case are alike.
    pub action: &'a str,
    /// The ARN of the resource, whole.
    pub resource: &'a str,
    /// What conditions are compared with: keys and values.
    pub context: &'a [(&'a str, &'a str)],
}

/// What the policy says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, none forbids it.
    Allowed,
    /// No statement speaks of it.
    NotAllowed,
    /// A statement forbids it.
    Forbidden,
}

/// Judges a request. The statements are those of one role, [`Statement::resolved`] for its account.
pub fn decide(statements: &[Statement], request: &Request<'_>) -> Decision {
    let applies = |effect| statements.iter().any(|statement| statement.effect == effect && fits(statement, request));
    if applies(Effect::Deny) {
        Decision::Forbidden
    } else if applies(Effect::Allow) {
        Decision::Allowed
    } else {
        Decision::NotAllowed
    }
}

fn fits(statement: &Statement, request: &Request<'_>) -> bool {
    let action = request.action.to_ascii_lowercase();
    statement.actions.iter().any(|pattern| is_like(&action, &pattern.to_ascii_lowercase()))
        && statement.resources.iter().any(|pattern| is_like(request.resource, pattern))
        && statement.conditions.iter().all(|condition| holds(condition, statement.effect, request))
}

/// A key that the request does not have fits nothing. What we do not know never widens: it keeps an `Allow` from counting,
/// and a `Deny` counts.
fn holds(condition: &Condition, effect: Effect, request: &Request<'_>) -> bool {
    let given =
        request.context.iter().find(|(key, _)| key.eq_ignore_ascii_case(condition.key)).map(|(_, value)| *value);
    let compare: fn(&str, &str) -> bool = match condition.operator {
        "StringEquals" | "ArnEquals" => |given, wanted| given == wanted,
        "StringLike" | "ArnLike" => is_like,
        "Bool" => |given, wanted| given.eq_ignore_ascii_case(wanted),
        _ => return effect == Effect::Deny,
    };
    given.is_some_and(|given| condition.values.iter().any(|wanted| compare(given, wanted)))
}

/// Whether a text is like a pattern, in which `*` stands for any letters, none among them, and `?` for one.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // Where to go on after the last `*`, should what follows it not fit: behind it in the pattern, one letter on in the text.
    let (mut at, mut in_pattern, mut retry) = (0, 0, None);
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                retry = Some((at, in_pattern + 1));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match retry {
                Some((from, behind)) => {
                    (at, in_pattern) = (from + 1, behind);
                    retry = Some((from + 1, behind));
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(effect: Effect, action: &'static str, resource: &str) -> Statement {
        let sid = String::new();
        Statement {
            sid,
            effect,
            actions: vec![action],
            resources: vec![resource.to_owned()],
            conditions: Vec::new(),
            purpose: String::new(),
        }
    }

    fn decided(statements: &[Statement], action: &str, resource: &str, context: &[(&str, &str)]) -> Decision {
        decide(statements, &Request { action, resource, context })
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (text, pattern) in [
            ("", "*"),
            ("abc", "a*c"),
            ("ac", "a*c"),
            ("abcbc", "a*bc"),
            ("a/b/c", "a*"),
            ("abc", "a?c"),
            ("aXbXb", "a*b"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("", "?"), ("abc", "a?"), ("abc", "ab"), ("ab", "abc"), ("abc", "A*"), ("abd", "a*c")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn a_denial_goes_before_every_permission() {
        let allow = statement(Effect::Allow, "s3:*", "arn:aws:s3:::b/*");
        let deny = statement(Effect::Deny, "s3:Put*", "*");
        let both = [allow, deny];
        assert_eq!(decided(&both, "S3:getobject", "arn:aws:s3:::b/k", &[]), Decision::Allowed);
        assert_eq!(decided(&both, "s3:PutObject", "arn:aws:s3:::b/k", &[]), Decision::Forbidden);
        assert_eq!(decided(&both, "s3:GetObject", "arn:aws:s3:::bb/k", &[]), Decision::NotAllowed);
        assert_eq!(decided(&[], "s3:GetObject", "arn:aws:s3:::b/k", &[]), Decision::NotAllowed);
    }

    #[test]
    fn conditions_must_hold_and_what_is_not_known_never_widens() {
        let list = |effect| statement(effect, "s3:ListBucket", "arn:aws:s3:::b");
        let only = list(Effect::Allow).only_if("StringLike", "s3:prefix", "in/*".to_owned());
        assert_eq!(
            decided(std::slice::from_ref(&only), "s3:ListBucket", "arn:aws:s3:::b", &[("s3:Prefix", "in/x")]),
            Decision::Allowed
        );
        assert_eq!(
            decided(std::slice::from_ref(&only), "s3:ListBucket", "arn:aws:s3:::b", &[("s3:prefix", "out/")]),
            Decision::NotAllowed
        );
        assert_eq!(decided(&[only], "s3:ListBucket", "arn:aws:s3:::b", &[]), Decision::NotAllowed);
        let odd = |effect| list(effect).only_if("NumericLessThan", "s3:max-keys", "5".to_owned());
        let context = [("s3:max-keys", "1")];
        assert_eq!(decided(&[odd(Effect::Allow)], "s3:ListBucket", "arn:aws:s3:::b", &context), Decision::NotAllowed);
        assert_eq!(decided(&[odd(Effect::Deny)], "s3:ListBucket", "arn:aws:s3:::b", &context), Decision::Forbidden);
        let tls = list(Effect::Deny).only_if("Bool", "aws:SecureTransport", "false".to_owned());
        assert_eq!(
            decided(&[tls], "s3:ListBucket", "arn:aws:s3:::b", &[("aws:SecureTransport", "False")]),
            Decision::Forbidden
        );
    }
}
