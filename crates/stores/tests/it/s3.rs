//! S3 endpoints, against a real SeaweedFS.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_model::{Bucket, ErrorKind, Setting};
use tidegate_stores::bucket::{self, OpenBucket, Place, Surroundings};
use tidegate_stores::testing::bucket::{Capabilities, contract};
use tidegate_stores::testing::seaweed::{ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed};
use tidegate_stores::watch;

fn open(bucket: &Bucket, aws: &BTreeMap<String, String>) -> OpenBucket {
    let secret = |name: &str| {
        assert_eq!(name, "s3-secret");
        Ok(SECRET_KEY.to_owned())
    };
    bucket::open(bucket, &Surroundings::new(Path::new("/nowhere"), &secret, aws)).unwrap()
}

#[tokio::test]
async fn s3_keeps_the_contract_of_buckets() {
    let Some(seaweed) = Seaweed::shared() else { return };
    let open = open(&seaweed.bucket("raw", "contract"), &BTreeMap::new());
    bucket::reach(&open, true).await.unwrap();
    contract(open.store, Capabilities { update: true }).await;
}

#[tokio::test]
async fn a_prefix_is_a_bucket_of_its_own() {
    let Some(seaweed) = Seaweed::shared() else { return };
    let inner = open(&seaweed.bucket("raw", "outer/inner/"), &BTreeMap::new());
    inner.store.put(&"x.csv".into(), "x".into()).await.unwrap();
    let outer = open(&seaweed.bucket("raw", "outer"), &BTreeMap::new());
    let listed: Vec<_> = outer.store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(listed, ["inner/x.csv"]);
    let place = Place::S3 {
        endpoint: Some(seaweed.endpoint.clone()),
        bucket: BUCKET.to_owned(),
        prefix: "outer/inner".to_owned(),
    };
    assert_eq!(inner.place, place);
}

#[tokio::test]
async fn settings_come_before_the_environment_which_comes_before_asking_the_machine() {
    let Some(seaweed) = Seaweed::shared() else { return };
    let mut by_environment = seaweed.bucket("raw", "env");
    by_environment.settings.clear();
    let variables = |key: &str| {
        [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_ENDPOINT_URL", &seaweed.endpoint)]
            .into_iter()
            .chain([("AWS_REGION", "us-east-1"), ("AWS_PAGER", "less")])
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    bucket::reach(&open(&by_environment, &variables(ACCESS_KEY)), true).await.unwrap();
    let by_settings = seaweed.bucket("raw", "env");
    bucket::reach(&open(&by_settings, &variables("somebody-else")), true).await.unwrap();
}

#[tokio::test]
async fn what_an_endpoint_refuses_has_a_code_and_a_remedy() {
    let Some(seaweed) = Seaweed::shared() else { return };
    let mut absent = seaweed.bucket("raw", "");
    absent.url = Some("s3://no-such-bucket".to_owned());
    let failure = bucket::reach(&open(&absent, &BTreeMap::new()), true).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.kind), ("C0103", ErrorKind::NotFound), "{failure}");

    for (setting, value) in [("access_key_id", "nobody"), ("secret_access_key", "wrong")] {
        let mut refused = seaweed.bucket("raw", "");
        refused.settings.insert(setting.to_owned(), Setting::Plain(value.to_owned()));
        let failure = bucket::reach(&open(&refused, &BTreeMap::new()), true).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.kind), ("C0104", ErrorKind::Denied), "{failure}");
        assert!(failure.help.is_some() && !failure.to_string().contains(SECRET_KEY), "{failure}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_told_soon() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let seaweed = Seaweed { endpoint: format!("http://127.0.0.1:{port}") };
    let open = open(&seaweed.bucket("raw", ""), &BTreeMap::new());
    let reach = tokio::time::timeout(Duration::from_secs(25), bucket::reach(&open, true)).await;
    let failure = reach.expect("an answer within 25 s").unwrap_err();
    assert_eq!((failure.code.as_str(), failure.kind), ("C0105", ErrorKind::Unavailable), "{failure}");
    assert!(failure.reason.contains(&seaweed.endpoint), "{failure}");
}

#[tokio::test]
async fn a_listing_source_reports_each_version_once() {
    let Some(seaweed) = Seaweed::shared() else { return };
    let bucket = seaweed.bucket("raw", "watched");
    let open = open(&bucket, &BTreeMap::new());
    for number in 0..1005 {
        open.store.put(&format!("{number}.csv").into(), "1".into()).await.unwrap();
    }
    let mut source = watch::live(&bucket, &open, Duration::from_millis(50), Timestamp::now);
    let mut seen = 0;
    loop {
        match source.next().await.unwrap().len() {
            0 => break,
            more => seen += more,
        }
    }
    assert_eq!(seen, 1005, "more than one page");
    open.store.put(&"7.csv".into(), "2".into()).await.unwrap();
    let seen = source.next().await.unwrap();
    let head = open.store.head(&"7.csv".into()).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].object.key.as_str(), &seen[0].object.etag), ("7.csv", &head.e_tag));
}

/// An endpoint that lists what it is told to and has only `full.csv` and `empty.csv`.
fn fake_endpoint(contents: &'static str) -> String {
    endpoint_with_moods(contents, Arc::default())
}

/// The same; while it is overloaded it lists, and answers 503 to all else.
fn endpoint_with_moods(contents: &'static str, is_overloaded: Arc<AtomicBool>) -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let head = "Content-Length: 0\r\nETag: \"e\"\r\nLast-Modified: Tue, 01 Jul 2025 00:00:00 GMT\r\n";
            let answer = match request.first().map(String::as_str) {
                Some(line) if line.contains("list-type=2") => {
                    let body = format!("<ListBucketResult>{contents}</ListBucketResult>");
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                }
                _ if is_overloaded.load(Ordering::SeqCst) => {
                    "HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned()
                }
                Some(line) if line.starts_with("HEAD /tide/empty.csv ") => {
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n")
                }
                _ => "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    endpoint
}

#[tokio::test]
async fn what_stands_for_a_folder_is_no_object() {
    let contents = "\
        <Contents><Key>folder/</Key><Size>0</Size><ETag>&quot;e&quot;</ETag><LastModified>2025-07-01T00:00:00Z</LastModified></Contents>\
        <Contents><Key>empty.csv</Key><Size>0</Size><ETag>&quot;e&quot;</ETag><LastModified>2025-07-01T00:00:00Z</LastModified></Contents>\
        <Contents><Key>full.csv</Key><Size>1</Size><ETag>&quot;e&quot;</ETag><LastModified>2025-07-01T00:00:00Z</LastModified></Contents>";
    let seaweed = Seaweed { endpoint: fake_endpoint(contents) };
    let mut bucket = seaweed.bucket("raw", "");
    bucket.url = Some("s3://tide".to_owned());
    let open = open(&bucket, &BTreeMap::new());
    let mut source = watch::once(&bucket, &open, "", Timestamp::now);
    let seen: Vec<_> = source.next().await.unwrap().into_iter().map(|sighting| sighting.object.key).collect();
    assert_eq!(seen, ["empty.csv", "full.csv"]);
    assert_eq!(source.next().await.unwrap(), []);
}

#[tokio::test]
async fn what_an_overloaded_endpoint_does_not_tell_is_not_taken_for_absent() {
    let contents = "\
        <Contents><Key>empty.csv</Key><Size>0</Size><ETag>&quot;e&quot;</ETag><LastModified>2025-07-01T00:00:00Z</LastModified></Contents>";
    let is_overloaded = Arc::new(AtomicBool::new(true));
    let seaweed = Seaweed { endpoint: endpoint_with_moods(contents, Arc::clone(&is_overloaded)) };
    let mut bucket = seaweed.bucket("raw", "");
    bucket.url = Some("s3://tide".to_owned());
    let open = open(&bucket, &BTreeMap::new());
    let path = object_store::path::Path::from("empty.csv");
    let kind = |error: object_store::Error| tidegate_stores::Error::from(error).kind;
    assert_eq!(open.store.head(&path).await.map_err(kind).unwrap_err(), ErrorKind::Unavailable);
    assert_eq!(open.store.get(&path).await.map_err(kind).unwrap_err(), ErrorKind::Unavailable);
    // Whether an empty object stands for a folder is asked; without an answer it stays to be found.
    let mut source = watch::live(&bucket, &open, Duration::from_millis(10), Timestamp::now);
    assert_eq!(source.next().await.unwrap_err().kind, ErrorKind::Unavailable);
    is_overloaded.store(false, Ordering::SeqCst);
    let seen: Vec<_> = source.next().await.unwrap().into_iter().map(|sighting| sighting.object.key).collect();
    assert_eq!(seen, ["empty.csv"]);
    is_overloaded.store(true, Ordering::SeqCst);
    assert!(open.store.head(&"full.csv".into()).await.is_err());
    is_overloaded.store(false, Ordering::SeqCst);
    let absent = open.store.head(&"full.csv".into()).await.map_err(kind).unwrap_err();
    assert_eq!(absent, ErrorKind::NotFound, "and what is absent is told as such");
}

#[tokio::test]
async fn a_key_that_cannot_be_named_is_told() {
    let contents = "\
        <Contents><Key>a//b.csv</Key><Size>1</Size><ETag>&quot;e&quot;</ETag><LastModified>2025-07-01T00:00:00Z</LastModified></Contents>";
    let seaweed = Seaweed { endpoint: fake_endpoint(contents) };
    let mut bucket = seaweed.bucket("raw", "");
    bucket.url = Some("s3://tide".to_owned());
    let open = open(&bucket, &BTreeMap::new());
    let failure = bucket::reach(&open, true).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.kind), ("C0102", ErrorKind::Invalid), "{failure}");
    assert!(failure.reason.contains("a//b.csv"), "{failure}");
}
