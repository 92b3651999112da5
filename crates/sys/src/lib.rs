//! The Unix system calls of the supervisor, behind safe functions.
