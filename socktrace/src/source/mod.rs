//! Where records come from: a live kernel or a recording.
