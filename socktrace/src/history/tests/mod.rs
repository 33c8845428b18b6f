//! What is kept, for how long, and what becomes of it when something goes wrong.

mod keeping;
mod troubles;
mod world;
