//! A picture as PNG, drawn by tiny-skia from the same shapes as the SVG.

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

use crate::font;
use crate::picture::{Anchor, Colour, Item, Mark, Picture, Point, Shape, Text};
use crate::svg::rim;

pub(crate) fn write(picture: &Picture, scale: f32) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, at most 4 × 65535")]
    let pixels = |side: u16| ((f32::from(side) * scale).round() as u32).clamp(1, MOST);
    let mut canvas = Canvas {
        // Both sides are at least 1 and at most MOST, so there is such a map.
        map: Pixmap::new(pixels(picture.width), pixels(picture.height)).expect("the size is within bounds"),
        scale: Transform::from_scale(scale, scale),
        mask: None,
    };
    canvas.map.fill(tiny_skia::Color::WHITE);
    for item in &picture.items {
        canvas.item(item);
    }
    encode(&canvas.map)
}

/// Without the alpha channel, since paper is opaque.
fn encode(map: &Pixmap) -> Vec<u8> {
    let colours: Vec<u8> = map.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut bytes = Vec::with_capacity(1 << 17);
    let mut encoder = ::png::Encoder::new(&mut bytes, map.width(), map.height());
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_compression(::png::Compression::Balanced);
    // Paper is mostly one colour: unfiltered rows repeat each other, which compresses best.
    encoder.set_filter(::png::Filter::NoFilter);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&colours)?;
            writer.finish()
        })
        .expect("writing to memory cannot fail");
    bytes
}

/// The longest side, so that memory is bounded whatever the picture asks for.
const MOST: u32 = 8_192;

/// Lines of more points than this are as thin as one pixel.
const HAIRLINE: usize = 400;

struct Canvas {
    map: Pixmap,
    scale: Transform,
    mask: Option<Mask>,
}

fn paint(Colour(red, green, blue): Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

impl Canvas {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Area { rings, fill } => {
                let mut path = PathBuilder::new();
                for ring in rings {
                    add(&mut path, ring);
                    path.close();
                }
                self.fill(path.finish(), *fill, FillRule::EvenOdd, self.scale);
            }
            Item::Lines { lines, colour, width } => {
                let mut path = PathBuilder::new();
                lines.iter().for_each(|line| add(&mut path, line));
                let points: usize = lines.iter().map(Vec::len).sum();
                // A line of one pixel is drawn without its outline, which is far quicker.
                let width = if points > HAIRLINE { width.min(1.0 / self.scale.sx) } else { *width };
                let stroke = Stroke { width, line_join: LineJoin::Round, ..Stroke::default() };
                self.stroke(path.finish(), *colour, &stroke, self.scale);
            }
            Item::Marks { mark, at } => self.marks(mark, at),
            Item::Text(text) => self.text(text),
            Item::Clip(frame) => {
                let mask = Mask::new(self.map.width(), self.map.height());
                let rect = Rect::from_xywh(frame.left, frame.top, frame.width, frame.height);
                self.mask = mask.zip(rect).map(|(mut mask, rect)| {
                    mask.fill_path(&PathBuilder::from_rect(rect), FillRule::Winding, true, self.scale);
                    mask
                });
            }
            Item::Unclip => self.mask = None,
        }
    }

    /// Marks are many and alike: each is a stamp, drawn once for each of a few places between the pixels.
    fn marks(&mut self, mark: &Mark, at: &[Point]) {
        const PLACES: u8 = 4;
        let scale = self.scale.sx;
        let mut stamps: [Option<Pixmap>; PLACES as usize * PLACES as usize] = Default::default();
        for [x, y] in at {
            let [(left, across), (top, along)] = [x, y].map(|value| {
                let steps = (value * scale * f32::from(PLACES)).round();
                let pixel = (steps / f32::from(PLACES)).floor();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
                let place = (steps - pixel * f32::from(PLACES)) as u8;
                #[expect(clippy::cast_possible_truncation, reason = "pixels in or near the picture")]
                let pixel = pixel as i32;
                (pixel, place.min(PLACES - 1))
            });
            let stamp = stamps[usize::from(across * PLACES + along)].get_or_insert_with(|| {
                let place = |place: u8| f32::from(place) / f32::from(PLACES);
                stamp(mark, scale, place(across), place(along))
            });
            press(&mut self.map, stamp, left, top, self.mask.as_ref());
        }
    }

    fn text(&mut self, text: &Text) {
        let path = font::outline(&text.text, text.size, text.is_bold);
        let back = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => text.width() / 2.0,
            Anchor::End => text.width(),
        };
        let turn = if text.is_turned { Transform::from_rotate(-90.0) } else { Transform::identity() };
        let place = turn.pre_translate(-back, 0.0).post_translate(text.at[0], text.at[1]).post_concat(self.scale);
        if text.has_halo {
            let halo = Stroke { width: 3.0, line_join: LineJoin::Round, ..Stroke::default() };
            self.stroke(path.clone(), Colour::WHITE, &halo, place);
        }
        self.fill(path, text.colour, FillRule::Winding, place);
    }

    fn fill(&mut self, path: Option<Path>, colour: Colour, rule: FillRule, place: Transform) {
        if let Some(path) = path {
            self.map.fill_path(&path, &paint(colour), rule, place, self.mask.as_ref());
        }
    }

    fn stroke(&mut self, path: Option<Path>, colour: Colour, stroke: &Stroke, place: Transform) {
        if let Some(path) = path {
            let stroke = Stroke { line_cap: LineCap::Butt, ..stroke.clone() };
            self.map.stroke_path(&path, &paint(colour), &stroke, place, self.mask.as_ref());
        }
    }
}

/// A mark alone, its centre a fraction of a pixel right of and below the middle.
fn stamp(Mark { shape, colour, size }: &Mark, scale: f32, across: f32, along: f32) -> Pixmap {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
    let reach = ((size * scale / 2.0).ceil() as u32 + 3).min(500);
    let side = 2 * reach + 1;
    let map = Pixmap::new(side, side).expect("a few pixels, and not none");
    let mut canvas = Canvas { map, scale: Transform::identity(), mask: None };
    #[expect(clippy::cast_precision_loss, reason = "a few pixels")]
    let middle = reach as f32;
    let place = Transform::from_row(scale, 0.0, 0.0, scale, middle + across, middle + along);
    let (radius, mut path) = (size / 2.0, PathBuilder::new());
    let corners: &[Point] = match shape {
        Shape::Dot | Shape::Ring => {
            path.push_circle(0.0, 0.0, radius);
            &[]
        }
        Shape::Cross => {
            add(&mut path, &[[-radius, -radius], [radius, radius]]);
            &[[-radius, radius], [radius, -radius]]
        }
        Shape::Triangle => &[[0.0, -radius], [radius, radius], [-radius, radius]],
        Shape::Diamond => &[[0.0, -radius], [radius, 0.0], [0.0, radius], [-radius, 0.0]],
        Shape::Square => &[[-radius, -radius], [radius, -radius], [radius, radius], [-radius, radius]],
    };
    add(&mut path, corners);
    if corners.len() > 2 {
        path.close();
    }
    let path = path.finish();
    let (fill, rim_colour, rim_width) = match shape {
        Shape::Dot | Shape::Diamond | Shape::Square => (Some(*colour), *colour, 0.0),
        Shape::Ring => (Some(Colour::WHITE), *colour, rim(*size)),
        Shape::Triangle => (Some(*colour), Colour::INK, 0.8),
        Shape::Cross => (None, *colour, rim(*size)),
    };
    if let Some(fill) = fill {
        canvas.fill(path.clone(), fill, FillRule::Winding, place);
    }
    if rim_width > 0.0 {
        canvas.stroke(path, rim_colour, &Stroke { width: rim_width, ..Stroke::default() }, place);
    }
    canvas.map
}

/// Lays a stamp over the map, its middle on the given pixel.
fn press(map: &mut Pixmap, stamp: &Pixmap, x: i32, y: i32, mask: Option<&Mask>) {
    let (width, height, side) = (map.width().cast_signed(), map.height().cast_signed(), stamp.width().cast_signed());
    let (left, top) = (x.saturating_sub(side / 2), y.saturating_sub(side / 2));
    let pixels = map.data_mut();
    for row in 0.max(-top)..side.min(height.saturating_sub(top)) {
        for column in 0.max(-left)..side.min(width.saturating_sub(left)) {
            let from = (row * side + column) as usize * 4;
            let to = ((top + row) * width + left + column) as usize;
            let ink = &stamp.data()[from..from + 4];
            if ink[3] == 0 || mask.is_some_and(|mask| mask.data()[to] == 0) {
                continue;
            }
            let rest = 255 - u16::from(ink[3]);
            for (channel, ink) in pixels[to * 4..to * 4 + 4].iter_mut().zip(ink) {
                let kept = (u16::from(*channel) * rest + 127) / 255;
                *channel = u8::try_from(kept + u16::from(*ink)).unwrap_or(u8::MAX);
            }
        }
    }
}

fn add(path: &mut PathBuilder, points: &[Point]) {
    for (index, [x, y]) in points.iter().copied().enumerate() {
        if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
}
