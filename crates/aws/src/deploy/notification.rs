//! The notification configuration of a bucket as text: events go to EventBridge too, and everything else in it stays as it was,
//! letter by letter, whatever it is.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What switches EventBridge on.
const SWITCH: &str = "EventBridgeConfiguration";

/// The configuration with EventBridge switched on; `None` if it is on already.
///
/// # Errors
/// Why it is no such configuration; then it is not touched.
pub(super) fn with_event_bridge(xml: &str) -> Result<Option<String>, String> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0;
    loop {
        let before = position(&reader);
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                check(depth, start.local_name().as_ref())?;
                if depth == 1 && start.local_name().as_ref() == SWITCH.as_bytes() {
                    return Ok(None);
                }
                depth += 1;
            }
            Event::Empty(empty) => {
                check(depth, empty.local_name().as_ref())?;
                if depth == 1 && empty.local_name().as_ref() == SWITCH.as_bytes() {
                    return Ok(None);
                }
                if depth == 0 {
                    let name = String::from_utf8_lossy(empty.name().as_ref()).into_owned();
                    let end = position(&reader);
                    let head = xml[..end].strip_suffix("/>").ok_or("its root element does not end as it should")?;
                    return Ok(Some(format!("{head}>{}</{name}>{}", switch(&name), &xml[end..])));
                }
            }
            Event::End(end) => {
                depth -= 1;
                if depth == 0 {
                    let name = String::from_utf8_lossy(end.name().as_ref()).into_owned();
                    return Ok(Some(format!("{}{}{}", &xml[..before], switch(&name), &xml[before..])));
                }
            }
            Event::Eof => return Err("it ends too early".to_owned()),
            _ => {}
        }
    }
}

/// The elements right below the root, each in a form that does not depend on spaces between elements; sorted.
pub(super) fn parts(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                if depth > 0 {
                    part.push_str(&format!("<{}>", String::from_utf8_lossy(start.local_name().as_ref())));
                }
                depth += 1;
            }
            Ok(Event::Empty(empty)) => {
                part.push_str(&format!("<{0}></{0}>", String::from_utf8_lossy(empty.local_name().as_ref())));
                if depth == 1 {
                    parts.push(std::mem::take(&mut part));
                }
            }
            Ok(Event::End(end)) => {
                depth -= 1;
                if depth > 0 {
                    part.push_str(&format!("</{}>", String::from_utf8_lossy(end.local_name().as_ref())));
                }
                if depth == 1 {
                    parts.push(std::mem::take(&mut part));
                }
            }
            Ok(Event::Text(text)) => part.push_str(String::from_utf8_lossy(&text).trim()),
            Ok(Event::GeneralRef(name)) => part.push_str(&format!("&{};", String::from_utf8_lossy(&name))),
            Ok(Event::CData(text)) => part.push_str(&String::from_utf8_lossy(&text)),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    parts.sort();
    parts
}

/// The switch, in the root's own namespace.
fn switch(root: &str) -> String {
    match root.split_once(':') {
        Some((prefix, _)) => format!("<{prefix}:{SWITCH}></{prefix}:{SWITCH}>"),
        None => format!("<{SWITCH}></{SWITCH}>"),
    }
}

fn check(depth: usize, name: &[u8]) -> Result<(), String> {
    if depth == 0 && name != b"NotificationConfiguration" {
        return Err(format!("its root element is `{}`", String::from_utf8_lossy(name)));
    }
    Ok(())
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &str = "<EventBridgeConfiguration></EventBridgeConfiguration>";

    fn switched(xml: &str) -> String {
        with_event_bridge(xml).expect("it is a configuration").expect("it was off")
    }

    #[test]
    fn nothing_but_the_switch_is_added_whatever_else_is_there() {
        let inside = "\n  <QueueConfiguration><Id>a</Id><Queue>arn:q</Queue><Event>s3:ObjectCreated:*</Event>\
            <Filter><S3Key><FilterRule><Name>prefix</Name><Value>a&amp;b/</Value></FilterRule></S3Key></Filter>\
            </QueueConfiguration><!-- note --><CloudFunctionConfiguration><Id>b</Id></CloudFunctionConfiguration>\
            <SomethingOfTomorrow when=\"2030\"><EventBridgeConfiguration/></SomethingOfTomorrow>\n";
        let head =
            "<?xml version=\"1.0\"?>\n<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
        let xml = format!("{head}{inside}</NotificationConfiguration>\n");
        assert_eq!(switched(&xml), format!("{head}{inside}{ON}</NotificationConfiguration>\n"));
        assert_eq!(with_event_bridge(&switched(&xml)), Ok(None), "and once is enough");
        let (mut before, after) = (parts(&xml), parts(&switched(&xml)));
        assert_eq!(before.len(), 3);
        before.push(ON.to_owned());
        before.sort();
        assert_eq!(before, after);
    }

    #[test]
    fn an_empty_configuration_and_one_with_a_prefix_are_switched_on_too() {
        assert_eq!(
            switched("<NotificationConfiguration xmlns=\"x\"/>"),
            format!("<NotificationConfiguration xmlns=\"x\">{ON}</NotificationConfiguration>")
        );
        assert_eq!(
            switched("<s:NotificationConfiguration xmlns:s=\"x\"></s:NotificationConfiguration>"),
            "<s:NotificationConfiguration xmlns:s=\"x\"><s:EventBridgeConfiguration></s:EventBridgeConfiguration></s:NotificationConfiguration>"
        );
        assert_eq!(
            with_event_bridge("<NotificationConfiguration><EventBridgeConfiguration /></NotificationConfiguration>"),
            Ok(None)
        );
    }

    #[test]
    fn what_is_no_configuration_is_not_touched() {
        for text in ["", "  ", "<Error/>", "<Error><Code>x</Code></Error>", "<NotificationConfiguration><a>", "plain"] {
            assert!(with_event_bridge(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_are_the_same_however_they_are_written() {
        let one = "<N><Q><Id>a</Id><E/></Q><T>b</T></N>";
        let other = "<x:N>\n<x:T> b </x:T>\n <x:Q><x:Id>a</x:Id>\n<x:E></x:E></x:Q></x:N>";
        assert_eq!(parts(one), parts(other));
    }
}
