//! Serialised shapes: the only place that knows them.
