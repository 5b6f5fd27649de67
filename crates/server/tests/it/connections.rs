//! Clients that are many, slow, or break off.

use std::time::Duration;

use reqwest::StatusCode;
use tidegate_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::place::{NAME, Place, md5};

/// Begins an upload of a thousand bytes, and sends half of them.
async fn begin(place: &Place) -> TcpStream {
    use base64::Engine;
    let signed = base64::engine::general_purpose::STANDARD.encode(format!("{NAME}:{}", place.secret));
    let mut stream = TcpStream::connect(place.address).await.expect("a connection");
    let head = format!(
        "POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {signed}\r\nDigest: md5={}\r\nContent-Length: 1000\r\n\r\n",
        md5(&[b'a'; 1000])
    );
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    stream.write_all(&[b'a'; 500]).await.expect("it is sent");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_leaves_nothing_and_can_be_sent_again() {
    let place = Place::new().await;
    let stream = begin(&place).await;
    place.wait_until("it comes in", |place| place.half_there() == 1).await;
    drop(stream);
    place.wait_until("nothing is left of it", |place| place.half_there() == 0).await;
    assert!(place.objects().is_empty());
    let again = place.upload(&[b'a'; 1000]).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(place.objects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_sending_is_given_up_and_its_place_is_free_again() {
    let limits = Limits { pause: Duration::from_millis(300), uploads: 1, ..Limits::default() };
    let place = Place::with(limits, None).await;
    let mut stream = begin(&place).await;
    place.wait_until("it comes in", |place| place.half_there() == 1).await;
    let other = place.upload(b"other").send().await.expect("an answer");
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE, "one at a time");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    place.wait_until("nothing is left of it", |place| place.half_there() == 0).await;
    assert_eq!(place.upload(b"other").send().await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_never_ends_is_ended() {
    let limits = Limits { whole: Duration::from_millis(500), ..Limits::default() };
    let place = Place::with(limits, None).await;
    let mut stream = begin(&place).await;
    let mut answer = [0; 12];
    let drip = async {
        while stream.write_all(b"a").await.is_ok() {
            tokio::select! {
                read = stream.read_exact(&mut answer) => return read.is_ok(),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
        false
    };
    assert!(drip.await, "an answer before all has come");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_taken_and_the_same_content_once() {
    let place = Place::new().await;
    let contents: Vec<Vec<u8>> = (0..24_u8).map(|number| vec![number; 50_000 + usize::from(number)]).collect();
    let all = futures::future::join_all(contents.iter().map(|content| place.upload(content).send())).await;
    assert!(all.into_iter().all(|answer| answer.expect("an answer").status() == StatusCode::OK));
    assert_eq!(place.objects().len(), contents.len());

    let same = futures::future::join_all((0..8).map(|_| place.upload(b"the same").send())).await;
    let statuses: Vec<_> = same.into_iter().map(|answer| answer.expect("an answer").status()).collect();
    // Whoever comes while another puts the same is told to come again.
    let is_expected = |status: &StatusCode| matches!(*status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE);
    assert!(statuses.iter().all(is_expected) && statuses.contains(&StatusCode::OK), "{statuses:?}");
    assert_eq!((place.objects().len(), place.half_there()), (contents.len() + 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_hung_up_on_and_the_next_one_is_served() {
    let place = Place::with(Limits { connections: 1, ..Limits::default() }, None).await;
    let mut stream = TcpStream::connect(place.address).await.expect("a connection");
    stream.write_all(b"\x16\x03\x01\x00\x05hello\r\n\r\n").await.expect("it is sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    assert_eq!(place.upload(b"x").send().await.expect("an answer").status(), StatusCode::OK);
}
