//! Tables in Postgres, as people use them: a url or a secret in the pipeline file, and a real server.

use tidegate_stores::testing::postgres::{Database, PASSWORD, Postgres};

use crate::place::{PEOPLE, Place};

const FIRST: &str = "id,name,born\n007,\"Ada, Countess\",1815\n012,,1906\n013,Edsger,\n";

fn place(database: &Database) -> Place {
    let place = Place::with(
        r#"
[pipeline]
name = "people"

[bucket.incoming]

[table.people]
url = { secret = "people-db" }
key = { uuid = "string" }

[function.load]
on = { created = "incoming", keys = "**/*.csv" }
run = "csv-to-table"
into = "people"
retry = { attempts = 1 }
"#,
    );
    place.write(".env", format!("PEOPLE_DB={}\n", database.guarded_url()));
    place
}

#[test]
fn a_csv_becomes_a_table_in_postgres() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let place = place(&database);
    place.write("buckets/incoming/first.csv", FIRST);
    place.run(&["run", "--once"]).ends(0);
    let types = "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns \
                 WHERE table_name = 'people'";
    assert_eq!(database.sql(types), "text,text,bigint");
    assert_eq!(
        database.sql("SELECT uuid, name IS NULL, born FROM people ORDER BY uuid"),
        "007|f|1815\n012|t|1906\n013|f|"
    );
    let exported = place.run(&["table", "export", "people"]).ends(0).out;
    assert_eq!(exported, FIRST.replace("id,", "uuid,"));
    // The same again does nothing, a change changes what it changes, a new column and a wider type appear.
    place.write("buckets/incoming/second.csv", "id,born,port\n012,1906.5,Eden\n");
    place.run(&["run", "--once"]).ends(0);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(
        place.run(&["table", "export", "people"]).ends(0).out,
        "uuid,name,born,port\n007,\"Ada, Countess\",1815,\n012,,1906.5,Eden\n013,Edsger,,\n"
    );
    let listed = place.json(&["table", "list"]);
    assert_eq!((listed[0]["rows"].as_u64(), listed[0]["key"][0].as_str()), (Some(3), Some("uuid")));
    place.run(&["table", "get", "people", "012"]).ends(0).shows(&["Eden"]);
}

#[test]
fn a_server_that_is_away_is_told_and_nothing_is_lost() {
    let Some(server) = Postgres::own() else { return };
    let database = server.database();
    let place = place(&database);
    place.write("buckets/incoming/first.csv", FIRST);
    server.stop();
    let ran = place.run(&["run", "--once"]);
    let failures = place.run(&["failures"]);
    for said in [&ran, &failures] {
        assert!(!format!("{}{}", said.out, said.err).contains(PASSWORD), "{said:?}");
        assert!(!format!("{}{}", said.out, said.err).contains("worth%2F"), "{said:?}");
    }
    ran.ends(3);
    failures.shows(&["R0115"]);
    place.run(&["table", "export", "people"]).ends(4).says(&["127.0.0.1"]);
    server.start_again();
    place.run(&["failures", "retry"]).ends(0);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(database.sql("SELECT count(*) FROM people"), "3");
}

#[test]
fn a_url_that_is_none_is_told_without_its_password() {
    let place = Place::with(&PEOPLE.replace("key = {", "url = { secret = \"db\" }\nkey = {"));
    place.write(".env", "DB=postgres://tide:hunter2@home@h/d\n");
    let ran = place.run(&["table", "list"]).ends(1).says(&["more than one `@`", "%40"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{ran:?}");
}
