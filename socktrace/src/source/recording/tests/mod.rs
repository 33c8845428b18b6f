//! Recordings, sound and otherwise.
