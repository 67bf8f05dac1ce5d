//! File formats that belong to other programs, edited without losing a byte. Pure: text in, text out.

pub mod ini;
