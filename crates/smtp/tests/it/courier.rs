//! What the server's answers mean, how it lets us in, and what it has in the end.

use tidegate_model::{Address, MailId};
use tidegate_smtp::{Login, Server, Smtp};
use tidegate_stores::mail::{Courier, Delivery, DueMail, Undelivered};
use tidegate_stores::testing::smtp::{CA, MailServer, PASSWORD, USER};

fn server(mail: &MailServer) -> Server {
    Server::parse(&format!("smtp://127.0.0.1:{}", mail.port)).unwrap()
}

fn courier(server: Server) -> Smtp {
    Smtp::new(server, &Address::parse("Tide <tide@example.org>").unwrap()).unwrap()
}

fn mail(to: &str) -> DueMail {
    let message =
        format!("From: tide@example.org\r\nTo: {to}\r\nSubject: high\r\n\r\n.a dot begins this\r\n.\r\nend\r\n");
    DueMail {
        id: MailId::derive(&[to]),
        about: "Tui".to_owned(),
        recipient: Address::parse(to).unwrap(),
        message: message.into_bytes(),
        attempts: 0,
    }
}

async fn deliver(delivery: &mut dyn Delivery, to: &str) -> Result<(), Undelivered> {
    let mail = mail(to);
    delivery.announce(&mail).await?;
    delivery.hand_over(&mail).await
}

#[tokio::test]
async fn several_mails_go_over_one_connection_whole() {
    let Some(taken) = MailServer::start(&[]) else { return };
    let mut delivery = courier(server(&taken)).connect().await.unwrap();
    for to in ["ann@example.org", "bob@example.org"] {
        deliver(delivery.as_mut(), to).await.unwrap();
    }
    delivery.close().await;
    let mails = taken.mails();
    assert_eq!((mails.len(), mails[0]["from"].as_str()), (2, Some("tide@example.org")));
    assert_eq!(mails[1]["text"].as_str(), Some(".a dot begins this\n.\nend\n"));
    assert_eq!(mails[1]["to"][0].as_str(), Some("bob@example.org"));
}

#[tokio::test]
async fn a_login_goes_over_a_protected_connection_only() {
    let Some(taken) = MailServer::start(&["tls", "auth"]) else { return };
    let login = |password: &str| Login { user: USER.to_owned(), password: password.to_owned() };
    let good = Server { login: Some(login(PASSWORD)), ca: Some(CA.into()), ..server(&taken) };
    let mut delivery = courier(good.clone()).connect().await.unwrap();
    deliver(delivery.as_mut(), "ann@example.org").await.unwrap();
    assert_eq!((taken.mails()[0]["tls"].as_bool(), taken.mails()[0]["auth"].as_bool()), (Some(true), Some(true)));

    let wrong = Server { login: Some(login("hunter2")), ..good.clone() };
    let failure = courier(wrong).connect().await.err().unwrap();
    assert!(
        failure.code == "C0202" && failure.reason.contains("535") && !failure.reason.contains("hunter2"),
        "{failure}"
    );

    let stranger = Server { ca: None, ..good };
    let failure = courier(stranger).connect().await.err().unwrap();
    assert_eq!(failure.code, "C0202", "a certificate that nobody vouches for: {failure}");
}

#[tokio::test]
async fn answers_tell_what_may_be_tried_again() {
    let Some(taken) = MailServer::start(&[]) else { return };
    let mut delivery = courier(server(&taken)).connect().await.unwrap();
    for _ in 0..2 {
        let later = deliver(delivery.as_mut(), "busy@example.org").await.unwrap_err();
        assert!(matches!(&later, Undelivered::Later(failure) if failure.reason.contains("450")), "{later:?}");
    }
    let refused = deliver(delivery.as_mut(), "nobody@example.org").await.unwrap_err();
    assert!(matches!(&refused, Undelivered::Refused(failure) if failure.reason.contains("550")), "{refused:?}");
    deliver(delivery.as_mut(), "busy@example.org").await.unwrap();
    assert_eq!(taken.mails().len(), 1, "the connection has outlived the refusals");
}

#[tokio::test]
async fn a_connection_that_ends_with_the_content_leaves_a_doubt_and_one_before_does_not() {
    let Some(taken) = MailServer::start(&[]) else { return };
    let mut delivery = courier(server(&taken)).connect().await.unwrap();
    let doubt = deliver(delivery.as_mut(), "cut@example.org").await.unwrap_err();
    assert!(matches!(&doubt, Undelivered::Unknown(failure) if failure.code == "C0205"), "{doubt:?}");
    let lost = delivery.announce(&mail("ann@example.org")).await.unwrap_err();
    assert!(matches!(lost, Undelivered::Lost(_)), "{lost:?}");

    let mut delivery = courier(server(&taken)).connect().await.unwrap();
    let at = server(&taken);
    drop(taken);
    let lost = delivery.announce(&mail("ann@example.org")).await.unwrap_err();
    assert!(matches!(lost, Undelivered::Lost(_)), "{lost:?}");
    let failure = courier(at).connect().await.err().unwrap();
    assert!(failure.code == "C0201" && failure.kind.is_retryable(), "{failure}");
}

#[tokio::test]
async fn a_mail_that_was_announced_and_left_does_not_hurt_the_next() {
    let Some(taken) = MailServer::start(&[]) else { return };
    let mut delivery = courier(server(&taken)).connect().await.unwrap();
    delivery.announce(&mail("ann@example.org")).await.unwrap();
    deliver(delivery.as_mut(), "bob@example.org").await.unwrap();
    assert_eq!(taken.mails()[0]["to"].as_array().unwrap().len(), 1);
}
