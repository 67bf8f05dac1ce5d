//! Text formats, read and edited. Pure: text in, text out. What belongs to other programs is edited without losing a byte.

pub mod hcl;
pub mod ini;
pub mod xml;
pub mod yaml;
