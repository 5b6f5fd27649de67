//! What a logger sends, and what becomes of it.

use jiff::Timestamp;
use reqwest::StatusCode;
use tidegate_server::Limits;

use crate::place::{NAME, Place, md5};

const SUCCESS: &str = r#"{"status":"success"}"#;
const FAILURE: &str = r#"{"status":"failure"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_one_object_however_often_it_is_sent() {
    let place = Place::new().await;
    let content = b"a logger's file".repeat(10_000);
    for _ in 0..3 {
        let response = place.upload(&content).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.text().await.expect("a text"), SUCCESS);
    }
    let objects = place.objects();
    assert_eq!(objects.len(), 1);
    assert!(objects[0].0.starts_with(&format!("{NAME}/")) && objects[0].0.ends_with(".wibl"), "{}", objects[0].0);
    assert_eq!(objects[0].1, content);
    assert_eq!(place.half_there(), 0);
    let account = &place.accounts.list().expect("accounts")[0];
    assert_eq!((account.files, account.seen.is_some()), (1, true));

    // Another method, and letters of the digest in the other case: loggers differ.
    let other = place.client.put(place.url("/update")).basic_auth(NAME, Some(&place.secret));
    let other = other.header("Digest", format!("MD5={}", md5(b"other").to_uppercase())).body("other");
    assert_eq!(other.send().await.expect("an answer").text().await.expect("a text"), SUCCESS);
    assert_eq!(place.objects().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_digest_or_none_is_not_kept() {
    let place = Place::new().await;
    let wrong = place.upload(b"content").body("c0ntent").send().await.expect("an answer");
    assert_eq!(wrong.status(), StatusCode::OK);
    assert_eq!(wrong.text().await.expect("a text"), FAILURE);
    for digest in [None, Some("md5"), Some("md5=12"), Some("sha-256=00")] {
        let request = place.client.post(place.url("/update")).basic_auth(NAME, Some(&place.secret)).body("content");
        let request = digest.into_iter().fold(request, |request, digest| request.header("Digest", digest));
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::BAD_REQUEST, "{digest:?}");
    }
    assert_eq!((place.objects().len(), place.half_there()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_not_kept_whether_it_says_so_or_not() {
    let place = Place::with(Limits { largest: 1_000, ..Limits::default() }, None).await;
    let content = vec![7; 1_001];
    let said = place.upload(&content).send().await.expect("an answer");
    assert_eq!(said.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Without a length: by chunks.
    let pieces = content.chunks(100).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let chunked = place.upload(&content).body(reqwest::Body::wrap_stream(futures::stream::iter(pieces)));
    assert_eq!(chunked.send().await.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!((place.objects().len(), place.half_there()), (0, 0));
    let right = place.upload(&content[1..]).send().await.expect("an answer");
    assert_eq!(right.text().await.expect("a text"), SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_an_account_and_its_secret_comes_in() {
    let place = Place::new().await;
    let unsigned = place.client.post(place.url("/update"));
    let strangers = [
        unsigned.try_clone().expect("no body yet"),
        unsigned.try_clone().expect("no body yet").basic_auth(NAME, Some("wrong")),
        unsigned.try_clone().expect("no body yet").basic_auth("nobody", Some(&place.secret)),
        unsigned.try_clone().expect("no body yet").bearer_auth(&place.secret),
        place.client.post(place.url("/checkin")).basic_auth(NAME, None::<&str>).body("{}"),
    ];
    for stranger in strangers {
        let response = stranger.header("Digest", format!("md5={}", md5(b"x"))).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"restricted\", charset=\"UTF-8\"");
        assert_eq!(response.text().await.expect("a text"), "Unauthorized\n");
    }
    // From the moment that it is revoked, without a restart; and again with its new secret only.
    assert_eq!(place.upload(b"x").send().await.expect("an answer").status(), StatusCode::OK);
    place.accounts.revoke(NAME, Timestamp::now()).expect("an account");
    assert_eq!(place.upload(b"y").send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let secret = place.accounts.add(NAME, None, Timestamp::now()).expect("an account");
    assert_ne!(secret, place.secret);
    assert_eq!(place.upload(b"y").send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    assert_eq!(place.objects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logger_checks_in_with_its_status() {
    let place = Place::new().await;
    let checkin = |body: &'static str| {
        place.client.post(place.url("/checkin")).basic_auth(NAME, Some(&place.secret)).body(body).send()
    };
    let status = r#"{"version":{"firmware":"1.6.1"},"files":{"count":0,"detail":[]}}"#;
    let response = checkin(status).await.expect("an answer");
    assert_eq!((response.status(), response.text().await.expect("a text")), (StatusCode::OK, String::new()));
    for wrong in ["", "no", "[1]", "\"a\""] {
        assert_eq!(checkin(wrong).await.expect("an answer").status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    let account = place.accounts.list().expect("accounts").remove(0);
    assert_eq!((account.status.as_deref(), account.files, account.seen.is_some()), (Some(status), 0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_answer_as_loggers_know_them() {
    let place = Place::new().await;
    for (path, text) in [
        ("/", "checkin\nupdate\n"),
        ("/wp-login.php", "checkin\nupdate\n"),
        ("/robots.txt", "User-agent: *\nDisallow: /\n"),
        ("/health", "ok\n"),
    ] {
        let response = place.client.get(place.url(path)).send().await.expect("an answer");
        assert_eq!((response.status(), response.text().await.expect("a text").as_str()), (StatusCode::OK, text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_have_sensible_names_and_each_but_one() {
    let place = Place::new().await;
    for name in ["", "a/b", "..", ".hidden", "a b", "\u{e9}", &"x".repeat(81)] {
        let refused = place.accounts.add(name, None, Timestamp::now()).expect_err("no name");
        assert_eq!(refused.code, "S0103", "{name}");
    }
    assert_eq!(place.accounts.add(NAME, None, Timestamp::now()).expect_err("taken").code, "S0103");
    assert_eq!(place.accounts.revoke("nobody", Timestamp::now()).expect_err("nobody").code, "S0103");
    assert_eq!(place.accounts.add("own", Some("its own".to_owned()), Timestamp::now()).as_deref(), Ok("its own"));
    assert_eq!(place.accounts.is_right("own", "its own"), Ok(true));
}
