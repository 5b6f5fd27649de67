//! Integration tests of the pictures: they are made of anything, well formed, quick, and show what they should.

mod deployments;
mod pictures;
