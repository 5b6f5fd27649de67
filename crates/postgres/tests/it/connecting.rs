//! Connections: how they are protected, and how what keeps them from standing is told.

use std::path::Path;

use tidegate_model::ErrorKind;
use tidegate_postgres::{Connection, PostgresDatabase, Server, quote, refused};
use tidegate_stores::Database as _;
use tidegate_stores::Result;
use tidegate_stores::testing::postgres::{CA, Postgres, USER};

async fn connect(url: &str) -> Result<Connection> {
    Server::parse(url, Path::new("/"))?.connect().await
}

async fn one(connection: &Connection, sql: &str) -> String {
    connection.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_password_lets_in_and_is_never_told() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let connection = connect(&database.guarded_url()).await.unwrap();
    assert_eq!(one(&connection, "SELECT current_user::text").await, "guarded");
    assert_eq!(one(&connection, "SHOW application_name").await, "tidegate");
    connection.close().await;
    let wrong = database.guarded_url().replace("worth", "hunter2");
    let error = connect(&wrong).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    let told = format!("{error} {error:?}");
    assert!(told.contains(&database.name) && !told.contains("hunter2") && !told.contains("no thing"), "{told}");
    assert!(error.help.unwrap().contains("password"));
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let error = connect(&format!("postgres://tide@127.0.0.1:{}/nowhere", server.port)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let error = connect("postgres://tide@127.0.0.1:1/x").await.err().unwrap();
    assert!(error.kind == ErrorKind::Unavailable && error.to_string().contains("127.0.0.1:1"), "{error}");
    let connection = connect(&database.url()).await.unwrap();
    let hostile = "people\"; DROP TABLE people; --";
    let error = connection.batch_execute(&format!("SELECT * FROM {}", quote(hostile))).await.err().unwrap();
    let error = refused("the rows cannot be read", error);
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "the rows cannot be read: relation \"people\"; DROP TABLE people; --\" does not exist [42P01]"
    );
}

#[tokio::test]
async fn a_socket_is_a_host() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let (folder, port) = (server.folder.display(), server.port);
    let connection = connect(&format!("postgres:///{}?host={folder}&port={port}&user=tide", database.name)).await;
    assert_eq!(one(&connection.unwrap(), "SELECT current_user::text").await, "tide");
}

#[tokio::test]
async fn a_connection_is_protected_as_its_url_says() {
    let Some(server) = Postgres::shared() else { return };
    if !server.has_tls() {
        println!("skipped: this Postgres was built without TLS; Debian's has it");
        return;
    }
    let database = server.database();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), CA).unwrap();
    let trusted = format!("sslmode=verify-full&sslrootcert={}", ca.path().display());
    let is_protected = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (parameters, expected) in [
        ("sslmode=disable", "false"),
        ("", "true"),
        ("sslmode=prefer", "true"),
        ("sslmode=require", "true"),
        (&trusted, "true"),
    ] {
        let connection = connect(&format!("{}?{parameters}", database.guarded_url())).await.unwrap();
        assert_eq!(one(&connection, is_protected).await, expected, "{parameters}");
    }
    let nobody_knows_the_office = format!("{}?sslmode=verify-full", database.url());
    let of_another_host =
        format!("{}?hostaddr=127.0.0.1&{trusted}", database.url().replace("127.0.0.1", "db.example.org"));
    for url in [nobody_knows_the_office, of_another_host] {
        let error = connect(&url).await.err().unwrap();
        assert!(error.kind == ErrorKind::Invalid && error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_goes_is_unavailable() {
    let Some(server) = Postgres::own() else { return };
    let database = server.database();
    let connection = connect(&database.url()).await.unwrap();
    server.stop();
    let error = connection.batch_execute("SELECT 1").await.err().unwrap();
    assert!(refused("the server was asked", error).is_retryable());
    assert_eq!(connect(&database.url()).await.err().unwrap().kind, ErrorKind::Unavailable);
    server.start_again();
    assert_eq!(one(&connect(&database.url()).await.unwrap(), "SELECT 'back'").await, "back");
}

#[tokio::test]
async fn a_table_of_which_a_policy_hides_rows_is_refused() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    database.sql(
        "CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob'); \
         ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE POLICY first_only ON people USING (id = 1); \
         CREATE ROLE policed LOGIN; GRANT SELECT ON people TO policed",
    );
    let url = database.url().replace(&format!("//{USER}@"), "//policed@");
    let server = Server::parse(&url, Path::new("/")).expect("a url");
    let source = PostgresDatabase::new(server).source().expect("a source");
    let mut snapshot = source.snapshot().await.expect("a snapshot");
    let tables = snapshot.tables().await.expect("the tables");
    let error = snapshot.digest(&tables[0]).await.expect_err("what is hidden would be taken for deleted");
    assert!(error.to_string().contains("row-level security"), "{error}");
    snapshot.end().await;
    database.sql("DROP OWNED BY policed; DROP ROLE policed");
}
