//! The lines of a diagnosis.

/// The outcome of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It was not looked at.
    Skip,
    /// All is well.
    Ok,
    /// The server works, and something should be done.
    Warn,
    /// The server does not start, does not serve, or does not keep its promises.
    Fail,
}

impl Grade {
    /// Returns the word in JSON, as OpenBao's.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// Returns the word for people, as OpenBao's.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Skip => "skipped",
            Self::Ok => "success",
            Self::Warn => "warning",
            Self::Fail => "failure",
        }
    }
}

/// One line of a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The subject of the line, such as `Flush time`.
    pub name: &'static str,
    /// The outcome.
    pub grade: Grade,
    /// The facts.
    pub message: String,
    /// The remedy; empty where there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// Returns a line that all is well.
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::with(name, Grade::Ok, message, "")
    }

    /// Returns a warning with its remedy.
    pub fn warn(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::with(name, Grade::Warn, message, advice)
    }

    /// Returns a failure with its remedy.
    pub fn fail(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::with(name, Grade::Fail, message, advice)
    }

    /// Returns a line that was skipped, with the way to have it done.
    pub fn skip(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::with(name, Grade::Skip, message, advice)
    }

    fn with(
        name: &'static str,
        grade: Grade,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            name,
            grade,
            message: message.into(),
            advice: advice.into(),
        }
    }
}

/// All lines of a diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The lines, in the order of the table.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Returns the worst outcome of all lines; skipped ones do not count.
    pub fn grade(&self) -> Grade {
        let grades = self.findings.iter().map(|finding| finding.grade);
        grades.max().unwrap_or(Grade::Ok).max(Grade::Ok)
    }
}
