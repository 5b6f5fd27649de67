//! Measurements to be drawn: where, with which flags, joined by a line or not. A chart and a map draw them alike.

use crate::flag::Flag;
use crate::picture::{Colour, Mark, Picture, Point};
use crate::thin;

/// Points, as two columns of the same length (the shorter counts); what is not a finite number is left out.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
    look: Look<'a>,
    /// Indices before which the line is interrupted, sorted.
    breaks: &'a [usize],
}

#[derive(Debug, Clone, Copy)]
enum Look<'a> {
    Flags(&'a [u8]),
    Mark(Mark),
    Line(Colour),
}

impl<'a> Series<'a> {
    /// Points with their flags (numbers of the IODE scheme; where one is missing, not checked): a line joins those that
    /// may be believed, and each flag has its mark.
    pub fn flagged(x: &'a [f64], y: &'a [f64], flags: &'a [u8]) -> Self {
        Self { x, y, look: Look::Flags(flags), breaks: &[] }
    }

    /// Points that all have the same mark.
    pub fn marked(x: &'a [f64], y: &'a [f64], mark: Mark) -> Self {
        Self { x, y, look: Look::Mark(mark), breaks: &[] }
    }

    /// A line.
    pub fn line(x: &'a [f64], y: &'a [f64], colour: Colour) -> Self {
        Self { x, y, look: Look::Line(colour), breaks: &[] }
    }

    /// The same, its line interrupted before each of these points (sorted indices).
    #[must_use]
    pub fn broken_at(self, breaks: &'a [usize]) -> Self {
        Self { breaks, ..self }
    }

    /// True if the point may be believed.
    pub(crate) fn is_trusted(&self, index: usize) -> bool {
        match self.look {
            Look::Flags(_) => self.flag(index).is_trusted(),
            Look::Mark(_) | Look::Line(_) => true,
        }
    }

    fn flag(&self, index: usize) -> Flag {
        match self.look {
            Look::Flags(flags) => flags.get(index).copied().map_or(Flag::NotChecked, Flag::of),
            Look::Mark(_) | Look::Line(_) => Flag::Good,
        }
    }

    /// Finite points with their indices.
    pub(crate) fn points(&self) -> impl Iterator<Item = (usize, f64, f64)> {
        let points = self.x.iter().zip(self.y).enumerate();
        points.filter(|(_, (x, y))| x.is_finite() && y.is_finite()).map(|(index, (x, y))| (index, *x, *y))
    }

    /// Draws it. `place` says where a point stands; `None`: nowhere. `is_torn` says whether a line between two places
    /// would be wrong.
    pub(crate) fn draw(
        &self,
        picture: &mut Picture,
        place: impl Fn(f64, f64, bool) -> Option<Point>,
        is_torn: impl Fn(Point, Point) -> bool,
    ) {
        let mut lines: Vec<Vec<Point>> = Vec::new();
        let mut by_flag: [Vec<Point>; Flag::DRAWN.len()] = Default::default();
        let (mut breaks, mut next) = (self.breaks.iter().peekable(), 0);
        for (index, x, y) in self.points() {
            let is_trusted = self.is_trusted(index);
            let mut is_new = lines.is_empty();
            while breaks.next_if(|at| **at <= index).is_some() {
                is_new = true;
            }
            let Some(point) = place(x, y, is_trusted) else { continue };
            if is_trusted {
                let last = lines.last().and_then(|line| line.last());
                // A row without a value interrupts the line; one that is not believed does not.
                let is_gap = (next..index).any(|between| self.is_trusted(between));
                if is_new || is_gap || last.is_some_and(|last| is_torn(*last, point)) {
                    lines.push(Vec::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(point);
                }
                next = index + 1;
            }
            if let Some(drawn) = Flag::DRAWN.iter().position(|flag| *flag == self.flag(index)) {
                by_flag[drawn].push(point);
            }
        }
        let lines: Vec<Vec<Point>> = lines.into_iter().map(thin::line).collect();
        match self.look {
            Look::Line(colour) => picture.lines(lines, colour, 1.4),
            Look::Mark(mark) => {
                let all = by_flag.into_iter().flatten().collect();
                picture.marks(mark, thin::marks(all, mark.size));
            }
            Look::Flags(_) => {
                let count = by_flag.iter().map(Vec::len).sum();
                let size = Flag::Good.mark(count).size;
                let lines = lines.iter().flat_map(|line| thin::visible(line, size)).collect();
                picture.lines(lines, Colour::PALE_BLUE, 1.2);
                for (flag, at) in Flag::DRAWN.iter().zip(by_flag) {
                    let mark = flag.mark(count);
                    picture.marks(mark, thin::marks(at, mark.size));
                }
            }
        }
    }
}
