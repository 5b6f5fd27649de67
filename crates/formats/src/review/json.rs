//! GeoJSON (RFC 7946) and other JSON, feature by feature.

use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::statistics::{Code, Extent, Parameter, Statistics};
use crate::{Error, Problem};

/// Properties that are told apart.
const MOST_PROPERTIES: usize = 1_000;

/// What a document comes to: a collection by its features, an array by its elements, anything else as one.
pub(super) fn statistics(input: impl Read) -> Result<Statistics, Error> {
    let mut found = Statistics { kind: "json".to_owned(), members: 1, ..Statistics::default() };
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, input));
    Document(&mut found).deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(|error| {
        if error.is_io() {
            return std::io::Error::from(error).into();
        }
        let told = Error::new(Problem::Malformed, "the document is no JSON").expected("one JSON document");
        told.at_line(error.line() as u64)
    })?;
    if found.observations == 0 {
        found.findings.record(Code::NoData, "", 0);
    }
    Ok(found)
}

/// The whole document.
struct Document<'s>(&'s mut Statistics);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut is_collection = false;
        let mut rest = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "features" => {
                    is_collection = true;
                    map.next_value_seed(Features(self.0))?;
                }
                "type" | "geometry" | "properties" => {
                    rest.insert(key, map.next_value()?);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if is_collection {
            "geojson".clone_into(&mut self.0.kind);
        } else {
            take(self.0, &Value::Object(rest));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Features(self.0).visit_seq(seq)
    }
}

/// Features, or elements.
struct Features<'s>(&'s mut Statistics);

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(feature) = seq.next_element::<Value>()? {
            take(self.0, &feature);
        }
        Ok(())
    }
}

/// One feature or element.
fn take(found: &mut Statistics, feature: &Value) {
    found.observations += 1;
    if feature["type"] == "Feature" {
        "geojson".clone_into(&mut found.kind);
        positions(&feature["geometry"]["coordinates"], found);
    }
    let values = feature.get("properties").unwrap_or(feature);
    for (name, value) in values.as_object().into_iter().flatten() {
        let Some(value) = value.as_f64().filter(|value| value.is_finite()) else { continue };
        let place = found.parameters.iter().position(|parameter| parameter.name == *name);
        let place = place.or_else(|| {
            (found.parameters.len() < MOST_PROPERTIES).then(|| {
                found.parameters.push(Parameter::new(name, ""));
                found.parameters.len() - 1
            })
        });
        if let Some(parameter) = place.and_then(|place| found.parameters.get_mut(place)) {
            parameter.count += 1;
            parameter.moments.push_double(value);
        }
    }
}

/// Longitude and latitude, however deep they lie. The parser bounds the depth.
fn positions(coordinates: &Value, found: &mut Statistics) {
    let Some(list) = coordinates.as_array() else { return };
    if let (Some(longitude), Some(latitude)) =
        (list.first().and_then(Value::as_f64), list.get(1).and_then(Value::as_f64))
    {
        if latitude.abs() <= 90.0 && (-180.0..=360.0).contains(&longitude) {
            Extent::widen(&mut found.latitude, latitude);
            Extent::widen(&mut found.longitude, longitude);
        } else {
            found.findings.record(Code::BadPosition, "", 0);
        }
        return;
    }
    list.iter().for_each(|inner| positions(inner, found));
}
