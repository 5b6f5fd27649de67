//! Quality flags as marks: each has a colour of its own (Okabe and Ito's palette, which people who see colours
//! differently can tell apart) and a shape of its own (which grey paper keeps).

use crate::picture::{Colour, Frame, Mark, Picture, Shape, Text};

/// What quality control says of a measurement, by the numbers of the IODE scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// 0, and numbers that the scheme does not have: not judged.
    NotChecked,
    /// 1
    Good,
    /// 2
    ProbablyGood,
    /// 5: mended by hand.
    Changed,
    /// 3
    ProbablyBad,
    /// 4
    Bad,
    /// 9: there is no value.
    Missing,
}

impl Flag {
    /// Every flag that is drawn, the worst last.
    pub const DRAWN: [Self; 6] =
        [Self::NotChecked, Self::Good, Self::ProbablyGood, Self::Changed, Self::ProbablyBad, Self::Bad];

    /// The flag of a number.
    pub fn of(number: u8) -> Self {
        match number {
            1 => Self::Good,
            2 => Self::ProbablyGood,
            3 => Self::ProbablyBad,
            4 => Self::Bad,
            5 => Self::Changed,
            9 => Self::Missing,
            _ => Self::NotChecked,
        }
    }

    /// True if the value may be believed, so that axes and maps are laid out by it.
    pub fn is_trusted(self) -> bool {
        !matches!(self, Self::ProbablyBad | Self::Bad | Self::Missing)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotChecked => "not checked",
            Self::Good => "good",
            Self::ProbablyGood => "probably good",
            Self::Changed => "changed",
            Self::ProbablyBad => "probably bad",
            Self::Bad => "bad",
            Self::Missing => "missing",
        }
    }

    /// How it is drawn among `count` points: those that may be believed shrink when there are many, the others never.
    pub fn mark(self, count: usize) -> Mark {
        let small = match count {
            0..=150 => 5.0,
            151..=1_000 => 3.6,
            _ => 2.6,
        };
        let (shape, colour, size) = match self {
            Self::NotChecked | Self::Missing => (Shape::Dot, Colour(0x80, 0x88, 0x90), small),
            Self::Good => (Shape::Dot, Colour::BLUE, small),
            Self::ProbablyGood => (Shape::Ring, Colour(0x2a, 0x9d, 0xd8), small + 2.0),
            Self::Changed => (Shape::Diamond, Colour(0x00, 0x9e, 0x73), 7.0),
            Self::ProbablyBad => (Shape::Triangle, Colour(0xf0, 0xb4, 0x1e), 9.0),
            Self::Bad => (Shape::Cross, Colour(0xc8, 0x3c, 0x00), 8.0),
        };
        Mark { shape, colour, size }
    }
}

/// Draws what the marks mean, and how many there are of each, in one line that begins at the left of `frame`; what does
/// not fit goes into a line below. Returns the height that was used.
pub fn legend(picture: &mut Picture, frame: Frame, flags: &[u8]) -> f32 {
    const LINE: f32 = 20.0;
    const SIZE: f32 = 13.0;
    let (mut x, mut y) = (frame.left, frame.top + SIZE);
    for flag in Flag::DRAWN {
        let count = flags.iter().filter(|number| Flag::of(**number) == flag).count();
        if count == 0 {
            continue;
        }
        let words = format!("{} ({})", flag.name(), grouped(count));
        let width = Text::new(words.as_str(), 0.0, 0.0, SIZE).width() + 40.0;
        if x > frame.left && x + width - 20.0 > frame.right() {
            (x, y) = (frame.left, y + LINE);
        }
        let mark = flag.mark(0);
        picture.marks(Mark { size: mark.size.max(7.0), ..mark }, vec![[x + 6.0, y - 4.5]]);
        picture.text(Text::new(words, x + 17.0, y, SIZE));
        x += width;
    }
    y + LINE - SIZE - frame.top
}

/// `41 000`: a thin gap between thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_flags_share_a_look_and_grey_paper_keeps_them_apart() {
        let marks: Vec<Mark> = Flag::DRAWN.iter().map(|flag| flag.mark(10)).collect();
        let grey = |Colour(red, green, blue): Colour| {
            (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000
        };
        for (index, one) in marks.iter().enumerate() {
            for other in &marks[index + 1..] {
                assert_ne!(one.colour, other.colour);
                assert!(
                    one.shape != other.shape || grey(one.colour).abs_diff(grey(other.colour)) > 30,
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_outside_the_scheme_are_not_checked() {
        for number in [0, 6, 7, 8, 10, 255] {
            assert_eq!(Flag::of(number), Flag::NotChecked);
        }
        assert!(Flag::of(5).is_trusted() && !Flag::of(9).is_trusted());
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(41_000), "41\u{a0}000");
        assert_eq!(grouped(999), "999");
    }
}
