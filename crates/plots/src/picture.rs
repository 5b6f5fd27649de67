//! A picture as a list of shapes in pixels; `svg.rs` and `png.rs` write it. Both draw the same list, so they show the
//! same thing.

use crate::{png, svg};

/// A point in pixels; y grows downwards.
pub(crate) type Point = [f32; 2];

/// A colour, red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Text and frames.
    pub const INK: Self = Self(0x22, 0x2b, 0x33);
    /// What stands back: axis labels, remarks.
    pub const FAINT: Self = Self(0x5b, 0x66, 0x70);
    /// Lines of the grid.
    pub(crate) const GRID: Self = Self(0xe3, 0xe7, 0xea);
    /// Paper.
    pub const WHITE: Self = Self(0xff, 0xff, 0xff);
    /// What was measured.
    pub const BLUE: Self = Self(0x00, 0x72, 0xb2);
    /// The line that joins measurements, and a track.
    pub const PALE_BLUE: Self = Self(0x8f, 0xbc, 0xd9);
    /// Sea.
    pub(crate) const SEA: Self = Self(0xed, 0xf4, 0xf9);
    /// Land.
    pub(crate) const LAND: Self = Self(0xe6, 0xde, 0xcc);
    /// Coastline.
    pub(crate) const COAST: Self = Self(0x8a, 0x80, 0x6c);
}

/// A rectangle of the picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Frame {
    /// A frame from its left upper corner and its size.
    pub const fn new(left: f32, top: f32, width: f32, height: f32) -> Self {
        Self { left, top, width, height }
    }

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    /// Lower edge.
    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// The frame moved outwards by so many pixels on every side.
    #[must_use]
    pub(crate) fn grown(&self, by: f32) -> Self {
        Self::new(self.left - by, self.top - by, self.width + 2.0 * by, self.height + 2.0 * by)
    }

    pub(crate) fn contains(&self, [x, y]: Point) -> bool {
        x >= self.left && x <= self.right() && y >= self.top && y <= self.bottom()
    }

    pub(crate) fn corners(&self) -> Vec<Point> {
        vec![[self.left, self.top], [self.right(), self.top], [self.right(), self.bottom()], [self.left, self.bottom()]]
    }
}

/// Which part of a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// How a mark looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Its outline.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// Its diameter in pixels.
    pub size: f32,
}

/// The outlines of marks: told apart in grey, and by people who see colours differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A filled circle.
    Dot,
    /// A circle.
    Ring,
    /// A filled triangle with a thin rim.
    Triangle,
    /// A cross of two diagonal strokes.
    Cross,
    /// A filled square standing on its corner.
    Diamond,
    /// A filled square.
    Square,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    pub(crate) text: String,
    pub(crate) at: Point,
    pub(crate) size: f32,
    pub(crate) anchor: Anchor,
    pub(crate) colour: Colour,
    pub(crate) is_bold: bool,
    /// Reads from below upwards.
    pub(crate) is_turned: bool,
    /// Has a white rim, to be read on anything.
    pub(crate) has_halo: bool,
}

impl Text {
    /// A text of this size whose baseline is at the point.
    pub fn new(text: impl Into<String>, x: f32, y: f32, size: f32) -> Self {
        let text = text.into().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self {
            text,
            at: [x, y],
            size,
            anchor: Anchor::Start,
            colour: Colour::INK,
            is_bold: false,
            is_turned: false,
            has_halo: false,
        }
    }

    /// The same, anchored otherwise.
    #[must_use]
    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// The same, in another colour.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// The same, bold.
    #[must_use]
    pub fn bold(self) -> Self {
        Self { is_bold: true, ..self }
    }

    /// The same, reading from below upwards.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { is_turned: true, ..self }
    }

    /// The same, with a white rim.
    #[must_use]
    pub fn halo(self) -> Self {
        Self { has_halo: true, ..self }
    }

    /// The same, cut with an ellipsis if it is longer than so many pixels.
    #[must_use]
    pub fn within(mut self, width: f32) -> Self {
        if self.width() > width {
            while !self.text.is_empty() && self.width() > width {
                // The ellipsis of the last turn goes with the letter before it.
                self.text.pop();
                self.text.pop();
                self.text.push('…');
                if self.text.len() == '…'.len_utf8() {
                    break;
                }
            }
        }
        self
    }

    /// Its width in pixels.
    pub fn width(&self) -> f32 {
        crate::font::width(&self.text, self.size, self.is_bold)
    }

    /// Where a text that is not turned stands.
    pub(crate) fn room(&self) -> Frame {
        let width = self.width();
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        Frame::new(self.at[0] - before, self.at[1] - self.size * 0.85, width, self.size * 1.1)
    }
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// Filled rings; what lies within an even number of them is not filled.
    Area { rings: Vec<Vec<Point>>, fill: Colour },
    /// Strokes.
    Lines { lines: Vec<Vec<Point>>, colour: Colour, width: f32 },
    /// One mark at many points.
    Marks { mark: Mark, at: Vec<Point> },
    /// A text.
    Text(Text),
    /// From here on nothing is seen outside of the frame, until `Unclip`.
    Clip(Frame),
    /// Ends a `Clip`.
    Unclip,
}

/// A picture on white paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) title: String,
    pub(crate) items: Vec<Item>,
}

impl Picture {
    /// An empty picture of this size in pixels. The title is for screen readers; it is not drawn.
    pub fn new(width: u16, height: u16, title: &str) -> Self {
        let title = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { width: width.max(1), height: height.max(1), title, items: Vec::new() }
    }

    /// Width in pixels.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Draws a text.
    pub fn text(&mut self, text: Text) {
        if !text.text.trim().is_empty() {
            self.items.push(Item::Text(text));
        }
    }

    /// Draws a mark at each of the points.
    pub(crate) fn marks(&mut self, mark: Mark, at: Vec<Point>) {
        if !at.is_empty() {
            self.items.push(Item::Marks { mark, at });
        }
    }

    /// Draws a line through the points.
    pub(crate) fn line(&mut self, points: Vec<Point>, colour: Colour, width: f32) {
        self.lines(vec![points], colour, width);
    }

    /// Draws lines; those of less than two points are left out.
    pub(crate) fn lines(&mut self, mut lines: Vec<Vec<Point>>, colour: Colour, width: f32) {
        lines.retain(|line| line.len() > 1);
        if !lines.is_empty() {
            self.items.push(Item::Lines { lines, colour, width });
        }
    }

    /// Fills rings.
    pub(crate) fn area(&mut self, rings: Vec<Vec<Point>>, fill: Colour) {
        if !rings.is_empty() {
            self.items.push(Item::Area { rings, fill });
        }
    }

    /// Fills a frame.
    pub(crate) fn fill(&mut self, frame: Frame, fill: Colour) {
        self.area(vec![frame.corners()], fill);
    }

    /// Draws the outline of a frame.
    pub(crate) fn outline(&mut self, frame: Frame, colour: Colour, width: f32) {
        let mut corners = frame.corners();
        corners.push(corners[0]);
        self.line(corners, colour, width);
    }

    /// Draws what `draw` draws, but only within the frame.
    pub(crate) fn clipped(&mut self, frame: Frame, draw: impl FnOnce(&mut Self)) {
        self.items.push(Item::Clip(frame));
        draw(self);
        self.items.push(Item::Unclip);
    }

    /// The picture as SVG, complete in itself; texts stay texts.
    pub fn svg(&self) -> String {
        svg::write(self)
    }

    /// The picture as PNG, `scale` pixels for each of its own (0.25 to 4): 2 is sharp on every screen.
    pub fn png(&self, scale: f32) -> Vec<u8> {
        png::write(self, if scale.is_finite() { scale.clamp(0.25, 4.0) } else { 1.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_its_width() {
        let text = Text::new("FV Very Long Name of a Vessel", 0.0, 0.0, 20.0).within(100.0);
        assert!(text.width() <= 100.0 && text.text.ends_with('…') && text.text.starts_with("FV"), "{}", text.text);
        assert_eq!(Text::new("short", 0.0, 0.0, 20.0).within(100.0).text, "short");
        assert_eq!(Text::new("anything", 0.0, 0.0, 20.0).within(1.0).text, "…");
    }
}
