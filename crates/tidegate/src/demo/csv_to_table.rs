//! People for `csv-to-table`: two files with a few bad rows, and one that is no CSV at all.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::{Demo, Numbers};

pub(super) const DEMO: Demo = Demo {
    template: "csv-to-table",
    fill,
    later: &[],
    look: &["status", "failures", "trace incoming/people-2024.csv", "table export people"],
};

const FIRST_NAMES: [&str; 16] = [
    "Amelia",
    "Björn",
    "Carmen",
    "Dmitri",
    "Élodie",
    "Farid",
    "Grace",
    "Hinemoa",
    "Ioana",
    "Jack",
    "Keiko",
    "Liam",
    "Mere",
    "Nikhil",
    "Oluwaseun",
    "Zoë",
];
const LAST_NAMES: [&str; 16] = [
    "Andersen",
    "Bennett",
    "Castellanos",
    "Dubois",
    "Eriksson",
    "Fonseca",
    "García",
    "Hughes",
    "Ihimaera",
    "Jones",
    "Kowalski",
    "Lê",
    "Müller",
    "Ngata",
    "O'Brien",
    "van der Meer",
];
const PRONOUNS: [&str; 3] = ["she/her", "he/him", "they/them"];
const PORTS: [&str; 6] = ["Tauranga", "Eden", "Whitby", "Bergen", "Vigo", "\"Port Chalmers, Dunedin\""];

fn fill(dir: &Path) -> io::Result<()> {
    let incoming = dir.join("buckets/incoming");
    fs::create_dir_all(&incoming)?;
    let mut numbers = Numbers(20_240_701);

    let mut text = String::from("id,first_name,last_name,email,pronouns,ip_address\n");
    for row in 0..1000 {
        person(&mut numbers, row, &mut text);
        match row {
            // What spreadsheets and hands do: a comma too many, a line cut short, a key that is missing.
            120 => text.push_str("7f000001-0000-4000-8000-00000000abcd,Ann,Lee,ann@example.org,she/her,10.0.0.7,x,y\n"),
            480 => text.push_str("7f000002-0000-4000-8000-00000000abcd,Bo\n"),
            777 => text.push_str(",Cy,Young,cy@example.org,he/him,10.0.0.9\n"),
            _ => {}
        }
    }
    fs::write(incoming.join("people-2024.csv"), text)?;

    // A later export: saved by a spreadsheet (byte order mark, CRLF), with a column that is new.
    let mut text = String::from("\u{feff}id,first_name,last_name,email,pronouns,ip_address,home_port\r\n");
    for row in 1000..1250 {
        let mut line = String::new();
        person(&mut numbers, row, &mut line);
        let _ = write!(text, "{},{}\r\n", line.trim_end(), numbers.pick(&PORTS));
    }
    fs::write(incoming.join("people-2025.csv"), text)?;

    // A picture that someone has named so.
    let mut picture = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    picture.extend((0..4096).map(|_| u8::try_from(numbers.below(256)).unwrap_or(0)));
    fs::write(incoming.join("scan.csv"), picture)
}

fn person(numbers: &mut Numbers, row: u64, text: &mut String) {
    let (first, last) = (numbers.pick(&FIRST_NAMES), numbers.pick(&LAST_NAMES));
    let (high, low) = (numbers.next(), numbers.next());
    let ascii: String = first.to_lowercase().chars().filter(char::is_ascii_alphabetic).collect();
    let pronouns = numbers.pick(&PRONOUNS);
    // Writing to a `String` cannot fail. The addresses are those that are kept for documentation.
    let _ = writeln!(
        text,
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x},{first},{last},{ascii}{row}@example.org,{pronouns},192.0.2.{}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff,
        row % 256,
    );
}
