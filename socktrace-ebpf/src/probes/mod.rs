//! The programs, one file a hook. Several programs of a file do the same work on different rungs of
//! the ladder; the agent attaches the first that the kernel takes.

mod accept;
mod io;
mod release;
mod state;
mod task_file;
mod tcp;
mod walk;
mod young;
