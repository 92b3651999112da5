//! Where the original is wrong and ours is right. Each of these is a row of docs/differences.md.

mod clients;
mod logs;
mod pages;
mod processes;
mod start;
