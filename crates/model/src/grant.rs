//! What a function may touch: derived from the pipeline file once, asked for on every call here, and turned into IAM policies
//! for AWS. [`Grants::accesses`] is the one derivation that both follow.

use std::collections::BTreeSet;

use serde::Serialize;

/// What a function may touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// Buckets it may read.
    pub read_buckets: BTreeSet<String>,
    /// Buckets it may write.
    pub write_buckets: BTreeSet<String>,
    /// Tables it may read.
    pub read_tables: BTreeSet<String>,
    /// Tables it may write.
    pub write_tables: BTreeSet<String>,
    /// Databases it may read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub read_databases: BTreeSet<String>,
    /// Databases it may write.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub write_databases: BTreeSet<String>,
    /// True if it may mail.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mail: bool,
    /// True if it may read what became of the pipeline's runs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ledger: bool,
    /// Secrets whose values it may ask for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
}

/// One thing that a function may do. Whoever may write a bucket may not read it; whoever may write a table may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access<'a> {
    /// List the objects of this bucket and get them.
    ReadBucket(&'a str),
    /// Put objects into this bucket.
    WriteBucket(&'a str),
    /// Read the rows of this table.
    ReadTable(&'a str),
    /// Put rows into this table, replace and delete them.
    WriteTable(&'a str),
    /// Read this database.
    ReadDatabase(&'a str),
    /// Load into this database.
    WriteDatabase(&'a str),
    /// Send mails.
    Mail,
    /// Read what became of the pipeline's runs.
    ReadLedger,
    /// Know the value of this secret.
    Secret(&'a str),
}

impl Grants {
    /// Everything that the function may do, each once, in order.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'_>> {
        fn each<'a>(
            names: &'a BTreeSet<String>,
            access: fn(&'a str) -> Access<'a>,
        ) -> impl Iterator<Item = Access<'a>> {
            names.iter().map(move |name| access(name))
        }
        each(&self.read_buckets, Access::ReadBucket)
            .chain(each(&self.write_buckets, Access::WriteBucket))
            .chain(self.read_tables.union(&self.write_tables).map(|name| Access::ReadTable(name)))
            .chain(each(&self.write_tables, Access::WriteTable))
            .chain(each(&self.read_databases, Access::ReadDatabase))
            .chain(each(&self.write_databases, Access::WriteDatabase))
            .chain(self.mail.then_some(Access::Mail))
            .chain(self.ledger.then_some(Access::ReadLedger))
            .chain(each(&self.secrets, Access::Secret))
    }

    /// Whether the function may do this.
    pub fn allow(&self, access: Access<'_>) -> bool {
        self.accesses().any(|granted| granted == access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_a_table_is_reading_it_too_but_a_bucket_is_not_read_by_who_writes_it() {
        let named = |name: &str| BTreeSet::from([name.to_owned()]);
        let grants = Grants { write_buckets: named("out"), write_tables: named("rows"), ..Grants::default() };
        assert!(grants.allow(Access::WriteBucket("out")) && !grants.allow(Access::ReadBucket("out")));
        assert!(grants.allow(Access::WriteTable("rows")) && grants.allow(Access::ReadTable("rows")));
        assert!(
            !grants.allow(Access::Mail) && !grants.allow(Access::ReadLedger) && !grants.allow(Access::Secret("out"))
        );
        assert_eq!(Grants::default().accesses().count(), 0);
    }
}
