//! The letters: Noto Sans in two weights, cut down to Latin, Greek and Cyrillic (SIL Open Font License 1.1,
//! `resources/OFL.txt`), so that a PNG needs no font of the system.

use std::sync::OnceLock;

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

static REGULAR: &[u8] = include_bytes!("../resources/NotoSans-Regular.subset.ttf");
static BOLD: &[u8] = include_bytes!("../resources/NotoSans-SemiBold.subset.ttf");

fn face(is_bold: bool) -> &'static Face<'static> {
    static FACES: OnceLock<[Face<'static>; 2]> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        [REGULAR, BOLD].map(|bytes| Face::parse(bytes, 0).expect("a font that the tests have read is compiled in"))
    });
    &faces[usize::from(is_bold)]
}

/// Letters that are not in the font are drawn as its empty box.
fn glyph(face: &Face<'_>, letter: char) -> GlyphId {
    face.glyph_index(letter).unwrap_or(GlyphId(0))
}

/// Width of the text in pixels at this size.
pub(crate) fn width(text: &str, size: f32, is_bold: bool) -> f32 {
    let face = face(is_bold);
    let units: u32 = text.chars().map(|c| u32::from(face.glyph_hor_advance(glyph(face, c)).unwrap_or(0))).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^24")]
    let units = units as f32;
    units * size / f32::from(face.units_per_em())
}

/// The text's outline with its beginning at the origin, y downwards; `None` if nothing of it is to be seen.
pub(crate) fn outline(text: &str, size: f32, is_bold: bool) -> Option<Path> {
    let face = face(is_bold);
    let scale = size / f32::from(face.units_per_em());
    let mut pen = Pen { path: PathBuilder::new(), at: 0.0, scale };
    for letter in text.chars() {
        let glyph = glyph(face, letter);
        face.outline_glyph(glyph, &mut pen);
        pen.at += f32::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
    }
    pen.path.finish()
}

struct Pen {
    path: PathBuilder,
    at: f32,
    scale: f32,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.at + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_that_the_pictures_write_by_themselves_is_in_both_fonts() {
        for face in [face(false), face(true)] {
            let missing: Vec<char> = "0123456789 °′″±·…–−()[]/,:+×ĀāŌōŪūñøßЖλNSEW"
                .chars()
                .filter(|c| face.glyph_index(*c).is_none())
                .collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    }

    #[test]
    fn a_wider_text_is_wider_and_a_letter_of_no_font_has_a_box() {
        assert!(width("mm", 10.0, false) > width("m", 10.0, false));
        assert!(width("m", 10.0, true) > width("m", 10.0, false));
        assert!(outline("魚", 10.0, false).is_some());
        assert!(outline(" ", 10.0, false).is_none());
    }
}
