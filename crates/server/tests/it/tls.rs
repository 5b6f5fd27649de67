//! HTTPS. The certificate is for `localhost`, from an authority that nobody but these tests knows (its key is nowhere).

use std::path::{Path, PathBuf};

use reqwest::{Certificate, Client, StatusCode};
use tidegate_server::{Limits, Tls};

use crate::place::{NAME, Place, md5};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logger_that_knows_the_authority_uploads_over_tls() {
    let tls = Tls::read(&file("server.pem"), &file("server.key")).expect("a certificate");
    let place = Place::with(Limits::default(), Some(tls)).await;
    let authority = std::fs::read(file("authority.pem")).expect("a file");
    let pinned = Client::builder().add_root_certificate(Certificate::from_pem(&authority).expect("a certificate"));
    let client = pinned.build().expect("a client");
    let url = format!("https://localhost:{}/update", place.address.port());
    let upload = |client: &Client, url: &str| {
        client.post(url).basic_auth(NAME, Some(&place.secret)).header("Digest", format!("md5={}", md5(b"x"))).body("x")
    };
    let response = upload(&client, &url).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(place.objects().len(), 1);

    // Who does not know the authority does not talk, and plain HTTP is not understood.
    assert!(upload(&Client::new(), &url).send().await.is_err());
    assert!(upload(&client, &place.url("/update")).send().await.is_err());
    assert_eq!(upload(&client, &url).send().await.expect("an answer").status(), StatusCode::OK, "it goes on");
}

#[test]
fn files_that_are_no_certificate_and_key_are_told() {
    for (certificate, key) in [
        ("server.key", "server.key"),
        ("server.pem", "server.pem"),
        ("nowhere.pem", "server.key"),
        ("authority.pem", "server.key"),
    ] {
        let failure = Tls::read(&file(certificate), &file(key)).err().expect("a failure");
        assert_eq!(failure.code, "S0102", "{certificate} {key}");
        assert!(failure.reason.contains(certificate) || failure.reason.contains(key), "{failure}");
    }
}
