//! Defects of the original that this program does not have. Each test belongs to a row of docs/differences.md.

mod clients;
mod logs;
mod pages;
mod processes;
mod start;
