//! Through the document once: features as they come, everything else when it is whole.

use std::cell::RefCell;
use std::fmt;
use std::io::Read;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::metadata::{check_crs, check_properties};
use super::{Findings, Level, Pointer, features};
use crate::{Error, Problem};

/// What a document is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// What is wrong.
    pub findings: Findings,
    /// How many features it has.
    pub features: u64,
    /// `trustedNode.uniqueVesselID`, where it is a text.
    pub vessel: Option<String>,
}

#[derive(Default)]
struct State {
    checked: Checked,
    root: Root,
}

/// Which members were there.
#[derive(Default)]
struct Root {
    kind: Option<Value>,
    crs: Option<Value>,
    properties: Option<Value>,
    has_features: bool,
    first_uncertain: Option<u64>,
}

/// Reads a document and says what is wrong with it. `now` is the time after which nothing can have been measured.
///
/// # Errors
/// `Malformed` with line and column if it is no JSON, `Io`.
pub fn check(input: impl Read, now: Timestamp) -> Result<Checked, Error> {
    let state = RefCell::new(State::default());
    let mut reader = serde_json::Deserializer::from_reader(input);
    let read = Document { state: &state, now }.deserialize(&mut reader).and_then(|()| reader.end());
    if let Err(error) = read {
        if let Some(kind) = error.io_error_kind() {
            return Err(std::io::Error::from(kind).into());
        }
        let message = format!("the content is no JSON: {error}");
        let line = u64::try_from(error.line()).unwrap_or(0);
        return Err(Error::new(Problem::Malformed, message).at_line(line).expected("one GeoJSON object"));
    }
    let State { mut checked, root } = state.into_inner();
    finish(root, &mut checked);
    Ok(checked)
}

fn finish(root: Root, checked: &mut Checked) {
    let findings = &mut checked.findings;
    let names = [
        ("type", root.kind.is_some()),
        ("crs", root.crs.is_some()),
        ("properties", root.properties.is_some()),
        ("features", root.has_features),
    ];
    for (name, _) in names.into_iter().filter(|(_, is_there)| !is_there) {
        findings.schema(&Pointer::Root, format!("`{name}` is missing"));
    }
    if root.kind.is_some_and(|kind| kind != "FeatureCollection") {
        findings.schema(&Pointer::Root.member("type"), "something else, where `FeatureCollection` is expected");
    }
    if let Some(crs) = &root.crs {
        check_crs(crs, findings);
    }
    if let Some(properties) = &root.properties {
        check_properties(properties, findings);
        checked.vessel = properties["trustedNode"]["uniqueVesselID"].as_str().map(str::to_owned);
    }
    if let Some(first) = root.first_uncertain {
        let steps = root.properties.as_ref().and_then(|properties| properties["processing"].as_array());
        if !steps.is_some_and(|steps| steps.iter().any(|step| step["type"] == "Uncertainty")) {
            let root = Pointer::Root;
            let (features, message) =
                (root.member("features"), "an uncertainty, but `processing` has no `Uncertainty`");
            findings.schema(&features.item(first).member("properties"), message);
        }
    }
    if root.has_features && checked.features == 0 {
        findings.add(Level::Archive, &Pointer::Root.member("features"), "no sounding at all");
    }
}

#[derive(Clone, Copy)]
struct Document<'s> {
    state: &'s RefCell<State>,
    now: Timestamp,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GeoJSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "features" {
                // Of a member that comes twice, the last counts.
                let mut state = self.state.borrow_mut();
                let is_again = std::mem::replace(&mut state.root.has_features, true);
                drop(state);
                if is_again {
                    return Err(A::Error::custom("`features` is there twice"));
                }
                map.next_value_seed(Features(self))?;
                continue;
            }
            let mut state = self.state.borrow_mut();
            let member = match name.as_str() {
                "type" => &mut state.root.kind,
                "crs" => &mut state.root.crs,
                "properties" => &mut state.root.properties,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *member = Some(map.next_value()?);
        }
        Ok(())
    }
}

/// The list of features.
struct Features<'s>(Document<'s>);

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Features<'_> {
    fn is_none<E>(&self) -> Result<(), E> {
        let mut state = self.0.state.borrow_mut();
        let at = Pointer::Root;
        state.checked.findings.schema(&at.member("features"), "something else, where a list is expected");
        // Not "no sounding at all" besides.
        state.root.has_features = true;
        state.checked.features = 0;
        Ok(())
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(feature) = items.next_element::<Value>()? {
            let mut state = self.0.state.borrow_mut();
            let index = state.checked.features;
            if features::check(&feature, index, self.0.now, &mut state.checked.findings) {
                state.root.first_uncertain.get_or_insert(index);
            }
            state.checked.features += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.is_none()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.is_none()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.is_none()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.is_none()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.is_none()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.is_none()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.is_none()
    }
}
