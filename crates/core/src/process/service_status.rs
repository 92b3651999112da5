//! What a program has said about itself.

/// What a program says while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceStatus {
    /// How it is, for people.
    pub text: String,
    /// It loads its configuration again.
    pub is_reloading: bool,
    /// It is about to end.
    pub is_stopping: bool,
}
