//! What little XML is read of answers of S3.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

/// The text of the first element of this name.
pub(super) fn text(xml: &str, name: &str) -> Option<String> {
    texts(xml, &[name]).into_iter().next().map(|(_, text)| text)
}

/// The texts of all elements of these names, in the order of the document; an element that is empty has an empty text.
pub(super) fn texts(xml: &str, names: &[&str]) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(xml);
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                open = names.contains(&name.as_str()).then(|| (name, String::new()));
            }
            Ok(Event::Text(part)) => {
                if let Some((_, text)) = &mut open {
                    let raw = String::from_utf8_lossy(&part);
                    text.push_str(&unescape(&raw).unwrap_or(std::borrow::Cow::Borrowed(&raw)));
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                if let Some((_, text)) = &mut open {
                    let raw = format!("&{};", String::from_utf8_lossy(&reference));
                    text.push_str(&unescape(&raw).unwrap_or(std::borrow::Cow::Borrowed(&raw)));
                }
            }
            Ok(Event::CData(part)) => {
                if let Some((_, text)) = &mut open {
                    text.push_str(&String::from_utf8_lossy(&part));
                }
            }
            Ok(Event::End(_)) => found.extend(open.take()),
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// A text as it stands in XML.
pub(super) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_with_what_stands_for_other_letters() {
        let xml = "<E><Key>a&amp;b &#x2F;</Key><Empty/><Deep><Key><![CDATA[<c>]]></Key></Deep></E>";
        assert_eq!(text(xml, "Key").as_deref(), Some("a&b /"));
        let all: Vec<String> = texts(xml, &["Key"]).into_iter().map(|(_, text)| text).collect();
        assert_eq!(all, ["a&b /", "<c>"]);
        assert_eq!(text("no xml at all <", "Key"), None);
        assert_eq!(text(&format!("<K>{}</K>", escaped("<&>")), "K").as_deref(), Some("<&>"));
    }
}
