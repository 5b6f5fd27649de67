//! What pictures are held to: there is one of anything, well formed, within its frame, and nothing bad hides in it.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use tidegate_plots::Picture;

use crate::deployments::Columns;

/// Some pictures of all kinds; `TIDEGATE_PLOTS=DIR` keeps them for people to look at.
fn some() -> Vec<(&'static str, Picture)> {
    let pictures = vec![
        ("haul", Columns::haul(480, [174.9, -36.4], [0.12, 0.16]).with_faults().picture()),
        ("long", Columns::haul(41_000, [172.9, -40.4], [1.4, 0.7]).with_faults().picture()),
        ("antimeridian", Columns::haul(200, [179.7, -16.9], [0.5, 0.4]).with_faults().picture()),
        ("arctic", Columns::haul(300, [20.0, 84.0], [100.0, 3.0]).picture()),
        ("antarctic", Columns::haul(300, [170.0, -77.0], [30.0, -1.2]).picture()),
        ("globe", Columns::haul(300, [-60.0, -50.0], [250.0, 110.0]).picture()),
        ("one row", Columns::haul(1, [2.0, 51.1], [0.0, 0.0]).picture()),
        ("no rows", Columns::default().picture()),
    ];
    if let Some(directory) = std::env::var_os("TIDEGATE_PLOTS").map(std::path::PathBuf::from) {
        for (name, picture) in &pictures {
            std::fs::write(directory.join(name).with_extension("png"), picture.png(1.0)).expect("it can be written");
            std::fs::write(directory.join(name).with_extension("svg"), picture.svg()).expect("it can be written");
        }
    }
    pictures
}

/// All that is said in a picture.
fn words(picture: &Picture) -> Vec<String> {
    let svg = picture.svg();
    let document = roxmltree::Document::parse(&svg).expect("well formed");
    let texts = document.descendants().filter(|node| node.has_tag_name("text") && !node.has_attribute("aria-hidden"));
    texts.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

/// How often a colour stands in the PNG.
fn pixels_of(picture: &Picture, colour: [u8; 3]) -> usize {
    let bytes = picture.png(1.0);
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
    assert_eq!((reader.info().width, reader.info().height), (u32::from(picture.width()), u32::from(picture.height())));
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    reader.next_frame(&mut pixels).expect("it is whole");
    pixels.chunks(3).filter(|pixel| *pixel == colour).count()
}

/// A picture is SVG that any reader takes, with every number finite.
fn is_sound(picture: &Picture) -> Result<(), String> {
    let svg = picture.svg();
    let document = roxmltree::Document::parse(&svg).map_err(|error| error.to_string())?;
    if svg.contains("NaN") || svg.contains("inf\"") || svg.contains("inf ") {
        return Err("a number is none".to_owned());
    }
    let paths = document.descendants().filter(|node| node.has_tag_name("path")).count();
    if paths < 5 { Err(format!("{paths} paths")) } else { Ok(()) }
}

#[test]
fn pictures_of_all_kinds_are_sound() {
    for (name, picture) in some() {
        is_sound(&picture).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[test]
fn every_kind_of_flag_that_occurs_is_seen_and_named() {
    const BAD: [u8; 3] = [0xc8, 0x3c, 0x00];
    let mut columns = Columns::haul(41_000, [172.9, -40.4], [1.4, 0.7]);
    let without = pixels_of(&columns.picture(), BAD);
    columns.flags[20_500] = 4;
    let with = columns.picture();
    assert!(pixels_of(&with, BAD) > without + 20, "one bad row among 41 000 is seen");
    let words = words(&with);
    assert!(words.contains(&"bad (1)".to_owned()) && words.contains(&"good (40\u{a0}999)".to_owned()), "{words:?}");
}

#[test]
fn a_wild_value_does_not_squeeze_the_others_but_is_told() {
    let mut columns = Columns::haul(400, [174.9, -36.4], [0.12, 0.16]);
    let before = words(&columns.picture());
    columns.flags[200] = 4;
    columns.temperature[200] = -273.0;
    let after = words(&columns.picture());
    assert!(after.iter().filter(|text| *text == "1 point lies beyond").count() == 2, "{after:?}");
    let ticks = |words: &[String]| words.iter().filter(|text| text.parse::<f64>().is_ok()).cloned().collect::<Vec<_>>();
    assert_eq!(ticks(&before), ticks(&after));
}

#[test]
fn the_map_is_labelled_where_it_lies() {
    let has = |columns: &Columns, wanted: &[&str]| {
        let words = words(&columns.picture());
        for label in wanted {
            assert!(words.iter().any(|text| text == label), "{label} in {words:?}");
        }
    };
    has(
        &Columns::haul(200, [179.7, -16.9], [0.5, 0.4]),
        &["179°50′E", "180°00′", "179°50′W", "16°40′S", "start", "end"],
    );
    has(&Columns::haul(300, [20.0, 84.0], [100.0, 3.0]), &["86°N", "88°N", "90°E", "180°"]);
    has(&Columns::haul(1, [2.0, 51.1], [0.0, 0.0]), &["here", "51°10′N", "2°00′E"]);
    has(&Columns::default(), &["no positions", "No rows."]);
}

#[test]
fn times_are_those_of_the_readers_clock() {
    let columns = Columns::haul(100, [174.9, -36.4], [0.1, 0.1]);
    let words_in = |zone: &str| words(&columns.picture_in(&TimeZone::get(zone).expect("a zone")));
    let auckland = words_in("Pacific/Auckland");
    assert!(auckland.contains(&"17:00".to_owned()) && auckland.contains(&"Time (Pacific/Auckland, UTC+12)".to_owned()));
    let utc = words_in("UTC");
    assert!(utc.contains(&"05:00".to_owned()) && utc.contains(&"Time (UTC)".to_owned()), "{utc:?}");
}

#[test]
fn the_same_numbers_give_the_same_picture() {
    let picture = || Columns::haul(500, [174.9, -36.4], [0.12, 0.16]).with_faults().picture();
    assert_eq!(picture().svg(), picture().svg());
    assert_eq!(picture().png(1.0), picture().png(1.0));
}

#[test]
fn columns_of_unequal_length_end_with_the_shortest() {
    let mut columns = Columns::haul(100, [174.9, -36.4], [0.1, 0.1]);
    columns.latitude.truncate(60);
    columns.flags.push(4);
    assert!(words(&columns.picture()).contains(&"good (60)".to_owned()));
}

/// Numbers as files have them, and as only the wicked write them.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -200.0..200.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 90.0, -90.0, 180.0, -180.0, 360.0, 1e300, -1e300,
            f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1.684e9, 253_402_207_200.0, -377_705_023_201.0,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn anything_gives_a_sound_picture(
        rows in prop::collection::vec((prop::array::uniform5(number()), 0..11u8), 0..40),
        same in prop::option::of(number()),
        place in -400.0..400.0f64,
    ) {
        let mut columns = Columns::default();
        for (mut row, flag) in rows {
            if let Some(same) = same {
                // All rows alike in some columns: nothing to spread an axis by.
                (row[0], row[2], row[4]) = (same, same, place);
            }
            columns.push(row, flag);
        }
        let picture = columns.picture();
        is_sound(&picture).map_err(TestCaseError::fail)?;
        prop_assert!(picture.png(0.25).len() > 1_000);
    }

    #[test]
    fn any_text_is_written_as_text(text in any::<String>()) {
        let mut picture = Picture::new(400, 100, &text);
        picture.text(tidegate_plots::Text::new(text.as_str(), 10.0, 50.0, 20.0).within(300.0).halo());
        let svg = picture.svg();
        prop_assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
        prop_assert!(!picture.png(1.0).is_empty());
    }
}
