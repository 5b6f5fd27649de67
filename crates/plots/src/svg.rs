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
        let tenths = tenths(value);
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

    /// Begins a path whose unit is a tenth of a pixel.
    fn path(&mut self, attributes: std::fmt::Arguments<'_>) {
        self.add(format_args!("<path transform=\"scale(.1)\" {attributes} d=\""));
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Area { rings, fill } => {
                self.path(format_args!("fill-rule=\"evenodd\" fill=\"{}\"", Hex(*fill)));
                let mut pen = Pen::default();
                rings.iter().for_each(|ring| pen.ring(ring, &mut self.0));
                self.0.push_str("\"/>\n");
            }
            Item::Lines { lines, colour, width } => {
                let (colour, width) = (Hex(*colour), width * 10.0);
                self.path(format_args!(
                    "fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\""
                ));
                let mut pen = Pen::default();
                lines.iter().for_each(|line| pen.line(line, &mut self.0));
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
        let colour = Hex(mark.colour);
        let (radius, rim) = (tenths(mark.size / 2.0), rim(mark.size) * 10.0);
        let size = 2 * radius;
        // Where the outline begins, seen from the middle, and how far from there it leaves the pen.
        let (start, end, outline) = match mark.shape {
            Shape::Dot => ([0, 0], 0, "h0".to_owned()),
            Shape::Ring => {
                ([-radius, 0], 0, format!("a{radius} {radius} 0 1 0 {size} 0a{radius} {radius} 0 1 0 -{size} 0"))
            }
            Shape::Triangle => ([0, -radius], 0, format!("l{radius} {size}h-{size}z")),
            Shape::Cross => ([-radius, -radius], size, format!("l{size} {size}m-{size} 0l{size} -{size}")),
            Shape::Diamond => ([0, -radius], 0, format!("l{radius} {radius}l-{radius} {radius}l-{radius} -{radius}z")),
            Shape::Square => ([-radius, -radius], 0, format!("h{size}v{size}h-{size}z")),
        };
        match mark.shape {
            Shape::Dot => {
                self.path(format_args!("stroke=\"{colour}\" stroke-width=\"{size}\" stroke-linecap=\"round\""));
            }
            Shape::Ring => self.path(format_args!("fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"{rim}\"")),
            Shape::Triangle => {
                let rim = Hex(Colour::INK);
                self.path(format_args!("fill=\"{colour}\" stroke=\"{rim}\" stroke-width=\"8\""));
            }
            Shape::Cross => self.path(format_args!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{rim}\"")),
            Shape::Diamond | Shape::Square => self.path(format_args!("fill=\"{colour}\"")),
        }
        let mut pen = Pen::default();
        for [x, y] in at {
            self.0.push('m');
            pen.step([tenths(*x) + start[0], tenths(*y) + start[1]], &mut self.0);
            self.0.push_str(&outline);
            pen.at[0] += end;
        }
        self.0.push_str("\"/>\n");
    }

    fn text(&mut self, text: &Text) {
        if text.has_halo {
            // Not by `paint-order`, which some programs do not know and then bury the letters.
            self.words(text, " stroke=\"#fff\" stroke-width=\"3\" stroke-linejoin=\"round\" aria-hidden=\"true\"");
        }
        self.words(text, "");
    }

    fn words(&mut self, text: &Text, attributes: &str) {
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
        self.0.push_str(attributes);
        self.0.push('>');
        self.escaped(&text.text);
        self.0.push_str("</text>\n");
    }
}

/// Tenths of a pixel; what lies far outside of every picture is held near it.
#[expect(clippy::cast_possible_truncation, reason = "held within bounds")]
fn tenths(value: f32) -> i32 {
    (value * 10.0).clamp(-1e8, 1e8).round() as i32
}

/// Writes steps from where it is, which are shorter than places.
#[derive(Default)]
struct Pen {
    at: [i32; 2],
}

impl Pen {
    fn step(&mut self, to: [i32; 2], out: &mut String) {
        let step = [to[0] - self.at[0], to[1] - self.at[1]];
        self.at = to;
        // A sign is separator enough. Writing to a `String` cannot fail.
        let _ =
            if step[1] < 0 { write!(out, "{}{}", step[0], step[1]) } else { write!(out, "{} {}", step[0], step[1]) };
    }

    fn line(&mut self, points: &[Point], out: &mut String) {
        for (index, [x, y]) in points.iter().enumerate() {
            let to = [tenths(*x), tenths(*y)];
            match index {
                0 => out.push('m'),
                1 => out.push('l'),
                _ if to[0] < self.at[0] => {}
                _ => out.push(' '),
            }
            self.step(to, out);
        }
    }

    fn ring(&mut self, points: &[Point], out: &mut String) {
        self.line(points, out);
        out.push('z');
        // Closing leads back to the beginning.
        self.at = points.first().map_or(self.at, |[x, y]| [tenths(*x), tenths(*y)]);
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
