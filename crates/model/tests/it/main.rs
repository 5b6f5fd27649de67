//! What the pipeline file promises, held against files of every sort.

mod bad;
mod good;
mod kinds;
mod never_panics;
mod pages;
mod published;
