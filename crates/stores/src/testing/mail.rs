//! The contract of outboxes: what the sender, and whoever waits for a mail, relies on.

use tidegate_model::{Address, ErrorKind, Failure, MailId};

use super::scope::{Scope, at};
use crate::Page;
use crate::mail::{Ended, MailFilter, MailState, NewMail, Outbox};

/// Holds an outbox, which nobody else uses, to the contract within `scope`.
///
/// # Panics
/// If the outbox breaks it.
pub async fn contract(outbox: &dyn Outbox, scope: &Scope) {
    the_same_parts_are_the_same_mail(outbox, scope);
    a_mail_put_twice_is_one_mail(outbox, &scope.within("twice")).await;
    a_mail_is_begun_once_and_not_after_it_ended(outbox, &scope.within("begin")).await;
    a_postponed_mail_waits_until_it_is_due(outbox, &scope.within("postponed")).await;
    a_failed_mail_is_sent_again_only_when_asked(outbox, &scope.within("failed")).await;
    one_sender_at_a_time(outbox).await;
}

/// What was promised is found by an outbox that was opened anew; `open` opens the same place each time.
///
/// # Panics
/// If it is not.
pub async fn survives_reopening<O: Outbox>(open: impl AsyncFn() -> O, scope: &Scope) {
    let outbox = open().await;
    let (begun, waiting) = (mail(&outbox, scope, "begun"), mail(&outbox, scope, "waiting"));
    outbox.put(vec![begun.clone(), waiting.clone()], at(0)).await.expect("a put");
    assert!(outbox.begin(begun.id).await.expect("a begin"));
    drop(outbox);
    let outbox = open().await;
    assert_eq!(outbox.begun().await.expect("what was begun"), [begun.id]);
    assert_eq!(due(&outbox, 0).await, [waiting.id]);
    assert_eq!(mail(&outbox, scope, "begun").id, begun.id, "ids outlive the process");
}

fn mail(outbox: &dyn Outbox, scope: &Scope, name: &str) -> NewMail {
    NewMail {
        id: outbox.id(&[&scope.name(name)]),
        run: scope.run(name),
        function: scope.name("f"),
        about: name.to_owned(),
        recipient: Address::parse("ann@example.org").expect("an address"),
        message: b"Subject: tide\r\n\r\nhigh".to_vec(),
    }
}

fn why() -> Failure {
    Failure::new("C0203", ErrorKind::Unavailable, "not now")
}

async fn due(outbox: &dyn Outbox, now: i64) -> Vec<MailId> {
    outbox.due(at(now), 100).await.expect("due mails").iter().map(|mail| mail.id).collect()
}

async fn state(outbox: &dyn Outbox, mail: MailId) -> MailState {
    let filter = MailFilter { id_prefix: Some(mail.to_string()), state: None };
    let found = outbox.list(filter, Page::first(10)).await.expect("a listing");
    assert_eq!(found.len(), 1);
    found[0].state
}

fn the_same_parts_are_the_same_mail(outbox: &dyn Outbox, scope: &Scope) {
    let name = scope.name("id");
    assert_eq!(outbox.id(&[&name, "a"]), outbox.id(&[&name, "a"]));
    assert_ne!(outbox.id(&[&name, "a"]), outbox.id(&[&name, "b"]));
    assert_ne!(outbox.id(&[&name, "a"]), MailId::derive(&[&name, "a"]), "a secret is among the parts");
}

async fn a_mail_put_twice_is_one_mail(outbox: &dyn Outbox, scope: &Scope) {
    let one = mail(outbox, scope, "one");
    outbox.put(vec![one.clone(), one.clone()], at(0)).await.expect("a put");
    outbox.put(vec![NewMail { message: b"another".to_vec(), ..one.clone() }], at(5)).await.expect("a put");
    let found = outbox.due(at(5), 100).await.expect("due mails");
    assert_eq!(found.len(), 1);
    assert!(found[0].message == one.message && found[0].recipient == one.recipient, "the first stays");
    assert_eq!(outbox.next_due().await.expect("a moment"), Some(at(0)));
    assert!(outbox.begin(one.id).await.expect("a begin"));
    outbox.end(vec![one.id], Ended::Sent, at(6)).await.expect("an end");
    outbox.put(vec![one.clone()], at(7)).await.expect("a put");
    assert_eq!(due(outbox, 100).await, [], "what was sent is known for ever");
    assert_eq!(outbox.counts(None).await.expect("counts").sent, 1);
    assert_eq!(outbox.counts(Some(at(7))).await.expect("counts").sent, 0, "counted by when it was sent");
}

async fn a_mail_is_begun_once_and_not_after_it_ended(outbox: &dyn Outbox, scope: &Scope) {
    let one = mail(outbox, scope, "one");
    assert!(!outbox.begin(one.id).await.expect("no begin"), "it is not there");
    outbox.put(vec![one.clone()], at(0)).await.expect("a put");
    assert!(outbox.begin(one.id).await.expect("a begin"));
    assert!(!outbox.begin(one.id).await.expect("no begin"));
    assert_eq!(outbox.begun().await.expect("what was begun"), [one.id]);
    assert_eq!(due(outbox, 100).await, [], "what was begun is not offered again");
    outbox.end(vec![one.id], Ended::Sent, at(1)).await.expect("an end");
    outbox.end(vec![one.id], Ended::Failed(why()), at(2)).await.expect("an end");
    assert_eq!(state(outbox, one.id).await, MailState::Sent, "the first end holds");
    assert!(!outbox.begin(one.id).await.expect("no begin"));
}

async fn a_postponed_mail_waits_until_it_is_due(outbox: &dyn Outbox, scope: &Scope) {
    let one = mail(outbox, scope, "one");
    outbox.put(vec![one.clone()], at(0)).await.expect("a put");
    assert!(outbox.begin(one.id).await.expect("a begin"));
    outbox.end(vec![one.id], Ended::Postponed { due: at(60), failure: why() }, at(1)).await.expect("an end");
    assert_eq!(due(outbox, 59).await, []);
    assert_eq!(outbox.next_due().await.expect("a moment"), Some(at(60)));
    let found = outbox.due(at(60), 100).await.expect("due mails");
    assert_eq!((found.len(), found[0].attempts), (1, 1));
    outbox.end(vec![one.id], Ended::Sent, at(60)).await.expect("an end");
}

async fn a_failed_mail_is_sent_again_only_when_asked(outbox: &dyn Outbox, scope: &Scope) {
    let (one, other) = (mail(outbox, scope, "one"), mail(outbox, scope, "other"));
    outbox.put(vec![one.clone(), other.clone()], at(0)).await.expect("a put");
    outbox.end(vec![one.id, other.id], Ended::Failed(why()), at(1)).await.expect("an end");
    assert_eq!(due(outbox, 1_000).await, []);
    assert_eq!(outbox.counts(Some(at(1))).await.expect("counts").failed, 2);
    let filter = MailFilter { id_prefix: Some(one.id.to_string()), state: None };
    let listed = outbox.list(filter.clone(), Page::first(9)).await.expect("a listing");
    assert_eq!(listed[0].failure, Some(why()));
    assert_eq!(outbox.retry(filter.clone(), at(2)).await.expect("a retry"), 1);
    assert_eq!(outbox.retry(filter, at(2)).await.expect("no retry"), 0);
    assert_eq!(due(outbox, 2).await, [one.id]);
    assert_eq!(outbox.retry(MailFilter::default(), at(2)).await.expect("a retry"), 1);
    outbox.end(vec![one.id, other.id], Ended::Sent, at(3)).await.expect("an end");
    assert_eq!(outbox.retry(MailFilter::default(), at(4)).await.expect("no retry"), 0, "what was sent stays sent");
}

async fn one_sender_at_a_time(outbox: &dyn Outbox) {
    let right = outbox.lock().await.expect("a lock").expect("nobody has it");
    assert!(outbox.lock().await.expect("no error").is_none());
    drop(right);
    assert!(outbox.lock().await.expect("a lock").is_some());
}
