//! Two axes with a grid, and series between them.

use crate::axis::Axis;
use crate::picture::{Anchor, Colour, Frame, Picture, Point, Text};
use crate::series::Series;

/// Size of the words of axes.
const SMALL: f32 = 13.0;

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// The axis along the lower edge.
    pub x: Axis,
    /// The axis along the left edge.
    pub y: Axis,
    /// What is drawn, the last on top.
    pub series: Vec<Series<'a>>,
}

impl Chart<'_> {
    /// Draws it; `frame` is the inner one, the words of the axes stand left of it and below it. Points that are not
    /// believed and lie beyond an axis are drawn at its end, and counted there; others beyond it are left out.
    pub fn draw(&self, picture: &mut Picture, frame: Frame) {
        let rows = self.y.ticks(frame.height, 30.0);
        let columns = self.x.ticks(frame.width, if self.x.is_clock() { 88.0 } else { 52.0 });
        let grid = rows
            .iter()
            .map(|tick| [[frame.left, self.y_at(frame, tick.at)], [frame.right(), self.y_at(frame, tick.at)]]);
        let grid = grid.chain(
            columns
                .iter()
                .map(|tick| [[self.x_at(frame, tick.at), frame.top], [self.x_at(frame, tick.at), frame.bottom()]]),
        );
        picture.lines(grid.map(Vec::from).collect(), Colour::GRID, 1.0);
        let beyond = self.draw_series(picture, frame);
        picture.outline(frame, Colour::FAINT, 1.0);
        if !self.y.is_bare {
            self.draw_rows(picture, frame, &rows);
        }
        if !self.x.is_bare {
            self.draw_columns(picture, frame, &columns);
        }
        if self.x.is_empty || self.y.is_empty {
            let (x, y) = (frame.left + frame.width / 2.0, frame.top + frame.height / 2.0);
            picture.text(Text::new("no data", x, y, 15.0).anchor(Anchor::Middle).colour(Colour::FAINT));
        } else if beyond > 0 {
            let words =
                if beyond == 1 { "1 point lies beyond".to_owned() } else { format!("{beyond} points lie beyond") };
            let below = if self.x.is_bare { 15.0 } else { 53.0 };
            let text = Text::new(words, frame.right(), frame.bottom() + below, 12.0);
            picture.text(text.anchor(Anchor::End).colour(Colour::FAINT));
        }
    }

    /// Returns how many points lie beyond the axes.
    fn draw_series(&self, picture: &mut Picture, frame: Frame) -> usize {
        let beyond = std::cell::Cell::new(0);
        if self.x.is_empty || self.y.is_empty {
            return 0;
        }
        let place = |x: f64, y: f64, is_trusted: bool| -> Option<Point> {
            let (across, along) = (self.x.fraction(x), self.y.fraction(y));
            let is_within = (0.0..=1.0).contains(&across) && (0.0..=1.0).contains(&along);
            if !is_within {
                beyond.set(beyond.get() + 1);
                if is_trusted {
                    return None;
                }
            }
            Some(self.point(frame, across.clamp(0.0, 1.0), along.clamp(0.0, 1.0)))
        };
        // Marks may reach over the edge, so that those upon it are whole.
        picture.clipped(frame.grown(5.0), |picture| {
            for series in &self.series {
                series.draw(picture, place, |_, _| false);
            }
        });
        beyond.get()
    }

    fn point(&self, frame: Frame, across: f64, along: f64) -> Point {
        let along = if self.y.is_downwards { along } else { 1.0 - along };
        #[expect(clippy::cast_possible_truncation, reason = "fractions between 0 and 1")]
        let (across, along) = (across as f32, along as f32);
        [frame.left + across * frame.width, frame.top + along * frame.height]
    }

    fn x_at(&self, frame: Frame, value: f64) -> f32 {
        self.point(frame, self.x.fraction(value).clamp(0.0, 1.0), 0.0)[0]
    }

    fn y_at(&self, frame: Frame, value: f64) -> f32 {
        self.point(frame, 0.0, self.y.fraction(value).clamp(0.0, 1.0))[1]
    }

    fn draw_rows(&self, picture: &mut Picture, frame: Frame, rows: &[crate::ticks::Tick]) {
        let mut widest = 0.0f32;
        for tick in rows {
            let text = Text::new(tick.label.as_str(), frame.left - 7.0, self.y_at(frame, tick.at) + 4.5, SMALL);
            widest = widest.max(text.width());
            picture.text(text.anchor(Anchor::End));
        }
        let (x, y) = (frame.left - 7.0 - widest - 10.0, frame.top + frame.height / 2.0);
        let name = Text::new(self.y.label.as_str(), x, y, SMALL).within(frame.height);
        picture.text(name.anchor(Anchor::Middle).colour(Colour::FAINT).turned());
    }

    fn draw_columns(&self, picture: &mut Picture, frame: Frame, columns: &[crate::ticks::Tick]) {
        let mut lowest = frame.bottom() + 18.0;
        for tick in columns {
            let x = self.x_at(frame, tick.at);
            picture.text(Text::new(tick.label.as_str(), x, frame.bottom() + 18.0, SMALL).anchor(Anchor::Middle));
            if let Some(below) = &tick.below {
                lowest = frame.bottom() + 34.0;
                picture.text(Text::new(below.as_str(), x, lowest, SMALL).anchor(Anchor::Middle));
            }
        }
        let (x, y) = (frame.left + frame.width / 2.0, lowest + 18.0);
        let name = Text::new(self.x.label.as_str(), x, y, SMALL).within(frame.width);
        picture.text(name.anchor(Anchor::Middle).colour(Colour::FAINT));
    }
}
