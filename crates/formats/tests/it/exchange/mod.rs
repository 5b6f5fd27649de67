//! WHP-Exchange: real cruises come to what two independent readers say, faulty files to the truth, and nothing panics.

mod archives;
mod convert;
mod faults;
mod forms;
mod real;
mod rows;

use std::io::Cursor;

use tidegate_formats::Error;
use tidegate_formats::exchange::{self, Options};
use tidegate_formats::statistics::Statistics;
use tidegate_formats::zip::Writer;

/// What any content comes to, as one thread and several see it.
fn statistics(bytes: &[u8], name: &str) -> Result<Statistics, Error> {
    if tidegate_formats::sniff(bytes, name) != "zip" {
        return exchange::bottle_or_cast(bytes, name);
    }
    let read = |threads| exchange::archive(&|| Cursor::new(bytes), name, &Options { threads, cancelled: &|| false });
    let one = read(1);
    if let Ok(one) = &one {
        assert_eq!(&read(3).expect("the same"), one);
    }
    one
}

/// The names of findings, in order.
fn codes(statistics: &Statistics) -> Vec<&'static str> {
    let mut codes: Vec<&str> = statistics.findings.tallies.keys().map(|(code, _)| code.name()).collect();
    codes.dedup();
    codes
}

/// A zip archive of these members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in members {
        writer.member(name, content).expect("memory");
    }
    writer.finish().expect("memory")
}
