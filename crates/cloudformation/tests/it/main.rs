//! The stack of each pipeline template, held against what AWS needs, refuses and lets pass.

mod check;
mod oracles;
mod peers;
mod permissions;
mod places;
mod stacks;
mod templates;
