//! The QARTOD tests against vectors that ioos_qc 3.0.0 computed.

use serde_json::Value as Json;
use tidegate_ocean::flag::{Flags, Scheme};
use tidegate_ocean::qc::qartod::{self, Area, Attenuation, Geodesy, Length, Member, Period, SpikeMethod, Spread};
use tidegate_ocean::series::{MISSING_TIME, Series, Times};

use crate::harness::shared;

struct Vector<'v>(&'v Json);

impl Vector<'_> {
    fn parameter(&self, name: &str) -> &Json {
        &self.0["params"][name]
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.parameter(name).as_f64()
    }

    fn needed(&self, name: &str) -> f64 {
        self.number(name).unwrap_or_else(|| panic!("{name} of {}", self.0["params"]))
    }

    fn span(&self, name: &str) -> Option<[f64; 2]> {
        span(self.parameter(name))
    }

    fn series(&self, name: &str) -> Series {
        let values = self.0["input"][name].as_array().expect("values");
        values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    }

    fn times(&self) -> Times {
        let times = self.0["input"]["tinp"].as_array().expect("times");
        times.iter().map(|time| time.as_str().map_or(MISSING_TIME, time_of)).collect()
    }

    fn is(&self, name: &str, word: &str) -> bool {
        self.parameter(name).as_str() == Some(word)
    }
}

fn span(json: &Json) -> Option<[f64; 2]> {
    Some([json.get(0)?.as_f64()?, json.get(1)?.as_f64()?])
}

fn time_of(text: &str) -> i64 {
    let text = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
    text.parse::<jiff::Timestamp>().expect("a time").as_microsecond()
}

/// The flags of a vector, or the reason why there are none.
fn compute(vector: &Vector) -> Result<Flags, String> {
    let v = vector;
    Ok(match vector.0["test"].as_str().expect("a name") {
        "gross_range_test" => {
            qartod::gross_range(&v.series("inp"), v.span("fail_span").expect("a span"), v.span("suspect_span"))?
        }
        "spike_test" => {
            let method = if v.is("method", "average") { SpikeMethod::Average } else { SpikeMethod::Differential };
            qartod::spike(&v.series("inp"), v.number("suspect_threshold"), v.number("fail_threshold"), method)
        }
        "rate_of_change_test" => {
            qartod::rate_of_change(&v.times(), &v.series("inp"), v.needed("threshold"), v.number("fail_threshold"))
        }
        "flat_line_test" => {
            let (suspect, fail) = (v.needed("suspect_threshold"), v.needed("fail_threshold"));
            qartod::flat_line(&v.times(), &v.series("inp"), suspect, fail, v.needed("tolerance"))
        }
        "attenuated_signal_test" => {
            let how = Attenuation {
                spread: if v.is("check_type", "std") { Spread::Std } else { Spread::Range },
                period: v.number("test_period"),
                least_rows: v.number("min_obs").map(|count| count as usize),
                least_seconds: v.number("min_period"),
            };
            let (suspect, fail) = (v.needed("suspect_threshold"), v.needed("fail_threshold"));
            qartod::attenuated_signal(&v.times(), &v.series("inp"), suspect, fail, how)
        }
        "density_inversion_test" => {
            let (suspect, fail) = (v.number("suspect_threshold"), v.number("fail_threshold"));
            qartod::density_inversion(&v.series("inp"), &v.series("zinp"), suspect, fail)
        }
        "climatology_test" => {
            let members = v.parameter("config").as_array().expect("members").iter().map(member).collect::<Vec<_>>();
            qartod::climatology(&v.times(), &v.series("inp"), Some(&v.series("zinp")), &members)?
        }
        "location_test" => {
            let geodesy = if v.is("range_method", "haversine") { Geodesy::Haversine } else { Geodesy::Wgs84 };
            qartod::location(&v.series("lat"), &v.series("lon"), v.number("range_max"), geodesy)
        }
        "location_bounds_test" => {
            let corners = v.parameter("shape").as_array().expect("corners");
            let polygon: Vec<[f64; 2]> = corners.iter().map(|corner| span(corner).expect("a corner")).collect();
            let wrong = if v.is("flag_area", "inside") { Area::Inside } else { Area::Outside };
            qartod::location_bounds(&v.series("lat"), &v.series("lon"), &polygon, wrong)
        }
        "percentile_range_test" => {
            let percentiles = [v.needed("low_percentile"), v.needed("hi_percentile")];
            qartod::percentile_range(&v.series("inp"), percentiles, v.needed("pad"))
        }
        "time_gap_test" => qartod::time_gap(&v.times(), v.needed("fail_span")),
        "impossible_date_test" => {
            let ends = v.parameter("fail_span");
            let ends = [0, 1].map(|end| ends[end].as_str().map(time_of));
            let span = if let [Some(first), Some(last)] = ends { Some([first, last]) } else { None };
            qartod::impossible_date(&v.times(), time_of("2026-01-01T00:00:00"), span)
        }
        "data_reception_test" => {
            let from = time_of(v.parameter("from_time").as_str().expect("a time"));
            qartod::data_reception(&v.times(), v.needed("fail_span"), from)
        }
        "argo.duplicate_timestamp_test" => qartod::duplicate_timestamp(&v.times()),
        "argo.pressure_increasing_test" => qartod::pressure_increasing(&v.series("inp")),
        "argo.speed_test" => {
            let (suspect, fail) = (v.needed("suspect_threshold"), v.needed("fail_threshold"));
            qartod::speed(&v.times(), &v.series("lat"), &v.series("lon"), suspect, fail)
        }
        "axds.valid_range_test" => {
            let includes = ["start_inclusive", "end_inclusive"].map(|end| v.parameter(end).as_bool() == Some(true));
            qartod::valid_range(&v.series("inp"), v.span("valid_span").expect("a span"), includes)
        }
        "syntax_test" => {
            let messages = v.0["input"]["inp"].as_array().expect("messages");
            let length = match (v.parameter("delimiter").as_str(), v.is("lentype", "byte")) {
                (Some(delimiter), _) => Length::Fields(delimiter.to_owned()),
                (None, true) => Length::HexBytes,
                (None, false) => Length::Chars,
            };
            let messages = messages.iter().map(|message| message.as_str().expect("a message"));
            qartod::syntax(messages, v.needed("nchar") as usize, &length)
        }
        "qartod_compare" => {
            let vectors = v.0["input"]["vectors"].as_array().expect("vectors");
            let read =
                |flags: &Json| -> Flags { bytes(flags).into_iter().map(|flag| Scheme::Qartod.read(flag)).collect() };
            let flags: Vec<Flags> = vectors.iter().map(read).collect();
            qartod::aggregate(flags.iter()).expect("flags")
        }
        other => panic!("no test is called {other}"),
    })
}

fn member(json: &Json) -> Member {
    let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    Member {
        tspan: [text(&json["tspan"][0]), text(&json["tspan"][1])],
        vspan: span(&json["vspan"]).expect("a span"),
        fspan: span(&json["fspan"]),
        zspan: span(&json["zspan"]),
        period: match json["period"].as_str() {
            None => None,
            Some("month") => Some(Period::Month),
            Some("dayofyear") => Some(Period::DayOfYear),
            Some("quarter") => Some(Period::Quarter),
            Some("week") => Some(Period::Week),
            Some(other) => panic!("no period is called {other}"),
        },
    }
}

fn bytes(json: &Json) -> Vec<u8> {
    json.as_array().expect("flags").iter().map(|flag| flag.as_u64().expect("a flag") as u8).collect()
}

#[test]
fn every_vector_has_the_flags_of_ioos_qc() {
    let Some(folder) = shared("qartod") else { return };
    let text = std::fs::read_to_string(folder.join("vectors.json")).expect("vectors");
    let vectors: Json = serde_json::from_str(&text).expect("JSON");
    let vectors = vectors["vectors"].as_array().expect("a list");
    let mut differences = Vec::new();
    for (index, json) in vectors.iter().enumerate() {
        let ours = compute(&Vector(json));
        let ours: Result<Vec<u8>, String> =
            ours.map(|flags| flags.iter().map(|flag| Scheme::Qartod.write(flag)).collect());
        match (ours, json.get("error")) {
            (Err(_), Some(_)) => {}
            (Ok(ours), None) if ours == bytes(&json["flags"]) => {}
            (ours, _) => differences
                .push(format!("{index} {} {}: {ours:?}, ioos_qc has {}", json["test"], json["params"], json["flags"])),
        }
    }
    println!("{} of {} vectors are the same", vectors.len() - differences.len(), vectors.len());
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}
