//! Names of currencies: the active codes of ISO 4217 (List One), with the names that the standard gives in English.

/// `code<TAB>name` lines, sorted by code.
static TABLE: &str = include_str!("iso_4217.tsv");

/// The name of a currency by its alphabetic code, in capitals.
///
/// ```
/// assert_eq!(tidegate_sql::currency_name("JPY"), Some("Yen"));
/// assert_eq!(tidegate_sql::currency_name("jpy"), None);
/// ```
pub fn currency_name(code: &str) -> Option<&'static str> {
    TABLE.lines().find_map(|line| line.split_once('\t').filter(|(known, _)| *known == code).map(|(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        let codes: Vec<&str> = TABLE.lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect();
        assert_eq!(codes.len(), TABLE.lines().count());
        assert!(codes.is_sorted_by(|one, other| one < other));
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        assert!(codes.len() > 170, "{}", codes.len());
        for (code, name) in [("GBP", "Pound Sterling"), ("USD", "US Dollar"), ("EUR", "Euro"), ("CHF", "Swiss Franc")] {
            assert_eq!(currency_name(code), Some(name));
        }
    }
}
