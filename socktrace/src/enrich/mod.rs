//! Names for numbers: facts about processes and the host.
