//! In which order tables are loaded: what is referred to comes before what refers to it.

use tidegate_formats::manifest::{Role, TableEntry};

/// Dimensions before facts, and among equals those that are referred to first; otherwise in the manifest's order.
pub(super) fn dimensions_first(tables: &[TableEntry]) -> Vec<TableEntry> {
    let mut left: Vec<&TableEntry> = tables.iter().filter(|table| table.role != Role::Fact).collect();
    left.extend(tables.iter().filter(|table| table.role == Role::Fact));
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let is_free = |table: &&TableEntry| {
            let mut references = table.references.iter().filter(|reference| reference.table != table.name);
            !references.any(|reference| left.iter().any(|other| other.name == reference.table))
        };
        // Tables that refer to each other in a circle come as they stand.
        let next = left.iter().position(is_free).unwrap_or(0);
        ordered.push(left.remove(next).clone());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use tidegate_formats::manifest::Reference;

    use super::*;

    fn table(name: &str, role: Role, to: &[&str]) -> TableEntry {
        let reference = |table: &&str| Reference { columns: Vec::new(), table: (*table).to_owned(), to: Vec::new() };
        TableEntry {
            name: name.to_owned(),
            role,
            is_full: false,
            key: Vec::new(),
            stamp: None,
            surrogate: None,
            columns: Vec::new(),
            references: to.iter().map(reference).collect(),
            objects: Vec::new(),
            deleted: Vec::new(),
            schema: String::new(),
        }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let tables = [
            table("sales", Role::Fact, &["place", "elsewhere"]),
            table("place", Role::Dimension, &["country"]),
            table("country", Role::Dimension, &["country"]),
            table("hen", Role::Dimension, &["egg"]),
            table("egg", Role::Dimension, &["hen"]),
        ];
        let ordered: Vec<String> = dimensions_first(&tables).into_iter().map(|table| table.name).collect();
        assert_eq!(ordered, ["country", "place", "sales", "hen", "egg"]);
    }
}
