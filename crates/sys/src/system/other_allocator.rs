//! Allocators that need no settings.

pub(crate) fn trim_allocator() {}

pub(crate) fn limit_allocator() {}
