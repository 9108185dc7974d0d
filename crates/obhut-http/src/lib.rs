//! API, live streams and web assets.
