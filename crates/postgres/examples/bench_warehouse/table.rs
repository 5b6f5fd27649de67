//! `csv-to-table` into a table in Postgres, beside `\copy` into the same table.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use crate::Done;
use crate::place::{Bench, Times, measured, tell, tell_rate, url};

const ROWS: u64 = 1_000_000;

const TABLE: &str = "CREATE TABLE people (uuid text PRIMARY KEY, first_name text, last_name text, email text, gender text, \
    ip_address text)";

/// A million people, keyed.
pub(crate) fn table(bench: &Bench) -> Done {
    let csv = bench.folder.join("people.csv");
    people(&csv)?;
    let (mut ours, mut peer, mut after) = (Times::default(), Times::default(), Times::default());
    for _ in 0..bench.rounds.max(3) {
        let database = bench.server.database();
        let pipeline = format!(
            "[pipeline]\nname = \"bench\"\n[bucket.incoming]\n[table.people]\nurl = \"{}\"\nkey = {{ uuid = \"string\" }}\n\
             [function.load]\non = {{ created = \"incoming\", keys = \"**/*.csv\" }}\nrun = \"csv-to-table\"\ninto = \"people\"\n",
            url(&database)
        );
        let place = bench.place("people", &pipeline, |_| false)?;
        fs::create_dir_all(place.folder.join("buckets/incoming"))?;
        fs::hard_link(&csv, place.folder.join("buckets/incoming/people.csv"))?;
        ours.add(place.run()?);
        assert_eq!(database.sql("SELECT count(*) FROM people"), ROWS.to_string());
        drop(database);
        let copy = format!("\\copy people from '{}' csv header", csv.display());
        let database = bench.server.database();
        peer.add(measured(&mut bench.psql(&database, &["BEGIN", TABLE, &copy, "COMMIT"]))?);
        drop(database);
        let database = bench.server.database();
        let without = TABLE.replace(" PRIMARY KEY", "");
        let key = "ALTER TABLE people ADD PRIMARY KEY (uuid)";
        after.add(measured(&mut bench.psql(&database, &["BEGIN", &without, &copy, key, "COMMIT"]))?);
    }
    tell_rate(
        "csv_import_postgres",
        ROWS,
        &ours,
        &peer,
        "6 columns, keyed by a text; peer psql copy into a table with the key",
    );
    tell_rate("csv_import_postgres_key_after", ROWS, &ours, &after, "peer psql copy, its key made after the rows");
    tell("csv_import_postgres_memory", ours.memory(), None, "MiB", "peak resident");
    Ok(())
}

/// People as generators make them, keys in no order; always the same file.
fn people(path: &std::path::Path) -> Done {
    const FIRST: [&str; 8] = ["Margaretta", "Vally", "Tobe", "Keelia", "Bram", "Orsola", "Ilse", "Wendeline"];
    const LAST: [&str; 8] =
        ["Laughtisse", "Garment", "Ruxton", "O'Neill", "van der Meer", "Brand", "Castelluzzi", "Ng"];
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "uuid,first_name,last_name,email,gender,ip_address")?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for row in 0..ROWS {
        // xorshift64: small, fast, and the same everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let pick = |shift: u32| usize::try_from(state >> shift & 7).unwrap_or(0);
        let (first, last) = (FIRST[pick(5)], LAST[pick(11)]);
        writeln!(
            file,
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{row:012x},{first},{last},{first}{row}@example.org,{},{}.{}.{}.{}",
            state >> 32,
            state >> 16 & 0xFFFF,
            state & 0xFFF,
            state >> 20 & 0xFFF,
            if state >> 17 & 1 == 0 { "Female" } else { "Male" },
            state >> 24 & 0xFF,
            state >> 32 & 0xFF,
            state >> 40 & 0xFF,
            state >> 48 & 0xFF,
        )?;
    }
    Ok(file.flush()?)
}
