//! The stack of each pipeline template, held against what AWS needs, refuses and lets pass.

mod check;
mod deployers;
mod gaps;
mod oracles;
mod peers;
mod permissions;
mod places;
mod stacks;
mod templates;
