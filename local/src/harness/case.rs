//! The cases of a table: whatever fails in one, fails with its name.

/// A case of a table, for as long as it is played. It is named before its stack is started, so that it outlives it.
pub struct Case(&'static str);

impl Case {
    /// Begins the case of this name.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self(name)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case of {}", self.0);
        }
    }
}
