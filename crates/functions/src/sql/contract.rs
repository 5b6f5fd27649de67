//! How columns of the source may change from one run to the next without anybody being asked.

use tidegate_formats::SqlType;
use tidegate_formats::manifest::{ColumnEntry, TableEntry};
use tidegate_model::{ErrorKind, Failure, Place};

/// Holds the columns of a table against those it had before. New columns, columns that went, and wider types pass; whether a
/// statement misses a column that went, it says itself.
///
/// # Errors
/// `R1015` for a type that does not hold every value of the type before, unless `accepted` names `table.column`.
pub(super) fn check(before: &[ColumnEntry], now: &TableEntry, accepted: &[String]) -> Result<(), Failure> {
    for old in before {
        let Some(new) = now.column(&old.name) else { continue };
        let (was, is) = (SqlType::of_source(&old.data_type), SqlType::of_source(&new.data_type));
        let name = format!("{}.{}", now.name, new.name);
        if !was.fits(is) && !accepted.contains(&name) {
            let reason =
                format!("`{name}` was {} and is {} now: its values may have changed", old.data_type, new.data_type);
            return Err(Failure::new("R1015", ErrorKind::Invalid, reason)
                .at(Place { column: Some(new.name.clone()), ..Place::default() })
                .expected("the type before, or one that holds all its values")
                .help(format!(
                    "look at what became of the column; if it shall be so, add `accept = [\"{name}\"]` to `with`, then \
                     `tidegate failures retry`"
                )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidegate_formats::manifest::{Role, schema_hash};

    use super::*;

    fn column(name: &str, data_type: &str) -> ColumnEntry {
        ColumnEntry { name: name.to_owned(), data_type: data_type.to_owned(), nullable: true, values: Vec::new() }
    }

    fn table(columns: Vec<ColumnEntry>) -> TableEntry {
        let schema = schema_hash(&columns);
        TableEntry {
            name: "sale".to_owned(),
            role: Role::Source,
            is_full: false,
            key: Vec::new(),
            stamp: None,
            surrogate: None,
            columns,
            references: Vec::new(),
            objects: Vec::new(),
            deleted: Vec::new(),
            schema,
        }
    }

    #[test]
    fn wider_and_new_pass_narrower_stops() {
        let before = [column("price", "numeric(10,2)"), column("note", "varchar(3)"), column("gone", "text")];
        let wider = table(vec![column("price", "numeric(12,3)"), column("note", "text"), column("new", "date")]);
        assert_eq!(check(&before, &wider, &[]), Ok(()));
        for narrower in ["numeric(10,1)", "numeric(9,2)", "integer", "text", "double precision"] {
            let narrower = table(vec![column("price", narrower)]);
            let failure = check(&before, &narrower, &[]).expect_err("it is not wider");
            assert_eq!(failure.code, "R1015");
            assert!(failure.help.is_some_and(|help| help.contains("sale.price")));
            assert_eq!(check(&before, &narrower, &["sale.price".to_owned()]), Ok(()));
        }
    }
}
