//! Frames from glances: rates, parts, percentiles, and lists that stay short.
