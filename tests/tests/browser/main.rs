//! What people open in a browser, in a real one. Without Chromium these tests say so and pass, unless
//! `GAUNTLET_REQUIRE` lists `chromium`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on fails, or says why")]

mod chromium;
mod landing;
mod report;
