//! A picture as SVG. Text stays text, for search and for screen readers; clipping is by nested `<svg>`, which needs no
//! ids, so several pictures can stand in one page.

use std::fmt::Write as _;

use crate::picture::{Anchor, Colour, Item, Mark, Picture, Point, Shape, Text};

/// Faces whose letters are about as wide as those of the PNG.
const FONTS: &str = "Noto Sans, Open Sans, Segoe UI, Roboto, Helvetica, Arial, sans-serif";

pub(crate) fn write(picture: &Picture) -> String {
    let (width, height) = (picture.width, picture.height);
    let mut out = Out(String::with_capacity(1 << 16));
    out.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\" role=\"img\">\n<title>"
    ));
    out.escaped(&picture.title);
    out.add(format_args!("</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"));
    for item in &picture.items {
        out.item(item);
    }
    out.add(format_args!("</svg>\n"));
    out.0
}

struct Out(String);

impl Out {
    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a `String` cannot fail.
        let _ = self.0.write_fmt(what);
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // XML has neither of these two.
                '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
    }

    /// A coordinate to a tenth of a pixel, without a needless `.0`.
    fn number(&mut self, value: f32) {
        #[expect(clippy::cast_possible_truncation, reason = "coordinates lie near the picture; others saturate")]
        let tenths = (value * 10.0).round() as i32;
        let (whole, tenth) = ((tenths / 10).unsigned_abs(), (tenths % 10).unsigned_abs());
        let sign = if tenths < 0 { "-" } else { "" };
        match tenth {
            0 => self.add(format_args!("{sign}{whole}")),
            _ => self.add(format_args!("{sign}{whole}.{tenth}")),
        }
    }

    fn point(&mut self, [x, y]: Point) {
        self.number(x);
        self.0.push(' ');
        self.number(y);
    }

    fn path_of(&mut self, points: &[Point]) {
        for (index, point) in points.iter().enumerate() {
            self.0.push(if index == 0 { 'M' } else { 'L' });
            self.point(*point);
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Area { rings, fill } => {
                self.add(format_args!("<path fill-rule=\"evenodd\" fill=\"{}\" d=\"", Hex(*fill)));
                for ring in rings {
                    self.path_of(ring);
                    self.0.push('Z');
                }
                self.0.push_str("\"/>\n");
            }
            Item::Lines { lines, colour, width } => {
                self.add(format_args!(
                    "<path fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" d=\"",
                    Hex(*colour)
                ));
                lines.iter().for_each(|line| self.path_of(line));
                self.0.push_str("\"/>\n");
            }
            Item::Marks { mark, at } => self.marks(mark, at),
            Item::Text(text) => self.text(text),
            Item::Clip(frame) => {
                let (left, top, width, height) = (frame.left, frame.top, frame.width, frame.height);
                self.add(format_args!(
                    "<svg x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
                     viewBox=\"{left} {top} {width} {height}\">\n"
                ));
            }
            Item::Unclip => self.0.push_str("</svg>\n"),
        }
    }

    /// All marks of one look are one path: each is a move, then the same relative outline.
    fn marks(&mut self, mark: &Mark, at: &[Point]) {
        let Mark { shape, colour, size } = *mark;
        let (colour, radius) = (Hex(colour), size / 2.0);
        let (attributes, start, outline) = match shape {
            Shape::Dot => (
                format!("stroke=\"{colour}\" stroke-width=\"{size}\" stroke-linecap=\"round\""),
                [0.0, 0.0],
                "h0".to_owned(),
            ),
            Shape::Ring => (
                format!("fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"{}\"", rim(size)),
                [-radius, 0.0],
                format!("a{radius} {radius} 0 1 0 {size} 0a{radius} {radius} 0 1 0 -{size} 0"),
            ),
            Shape::Triangle => (
                format!("fill=\"{colour}\" stroke=\"{}\" stroke-width=\"0.8\"", Hex(Colour::INK)),
                [0.0, -radius],
                format!("l{radius} {size}h-{size}z"),
            ),
            Shape::Cross => (
                format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"", rim(size)),
                [-radius, -radius],
                format!("l{size} {size}m-{size} 0l{size} -{size}"),
            ),
            Shape::Diamond => (
                format!("fill=\"{colour}\""),
                [0.0, -radius],
                format!("l{radius} {radius}l-{radius} {radius}l-{radius} -{radius}z"),
            ),
            Shape::Square => (format!("fill=\"{colour}\""), [-radius, -radius], format!("h{size}v{size}h-{size}z")),
        };
        self.add(format_args!("<path {attributes} d=\""));
        for [x, y] in at {
            self.0.push('M');
            self.point([x + start[0], y + start[1]]);
            self.0.push_str(&outline);
        }
        self.0.push_str("\"/>\n");
    }

    fn text(&mut self, text: &Text) {
        self.0.push_str("<text ");
        if text.is_turned {
            self.0.push_str("transform=\"translate(");
            self.point(text.at);
            self.0.push_str(") rotate(-90)\" ");
        } else {
            self.0.push_str("x=\"");
            self.number(text.at[0]);
            self.0.push_str("\" y=\"");
            self.number(text.at[1]);
            self.0.push_str("\" ");
        }
        self.add(format_args!("font-size=\"{}\" fill=\"{}\"", text.size, Hex(text.colour)));
        self.0.push_str(match text.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        });
        if text.is_bold {
            self.0.push_str(" font-weight=\"600\"");
        }
        if text.has_halo {
            self.0.push_str(" stroke=\"#fff\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\"");
        }
        self.0.push('>');
        self.escaped(&text.text);
        self.0.push_str("</text>\n");
    }
}

/// Width of the stroke of open marks.
pub(crate) fn rim(size: f32) -> f32 {
    (size * 0.25).clamp(1.2, 2.4)
}

/// `#rrggbb`
struct Hex(Colour);

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Colour(red, green, blue) = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}
