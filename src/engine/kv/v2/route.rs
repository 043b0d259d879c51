//! Which of v2's endpoints a path means.

/// An endpoint and the secret's path below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `config`
    Config,
    /// `data/<path>`
    Data(&'a str),
    /// `metadata/<path>`
    Metadata(&'a str),
    /// `detailed-metadata/<path>`
    DetailedMetadata(&'a str),
    /// `subkeys/<path>`
    Subkeys(&'a str),
    /// `delete/<path>`
    Delete(&'a str),
    /// `undelete/<path>`
    Undelete(&'a str),
    /// `destroy/<path>`
    Destroy(&'a str),
    /// An endpoint's name without a path.
    Root,
    /// Nothing of v2's: most likely a client that takes the mount for v1.
    Unversioned,
}

impl<'a> Route<'a> {
    /// Reads `path`, relative to the mount. `lists` says that a missing slash may be supplied.
    pub(super) fn of(path: &'a str, lists: bool) -> Self {
        if path == "config" && !lists {
            return Self::Config;
        }
        let (endpoint, rest) = match path.split_once('/') {
            Some(parts) => parts,
            None if lists => (path, ""),
            None => return Self::of_root(path),
        };
        match endpoint {
            "data" => Self::Data(rest),
            "metadata" => Self::Metadata(rest),
            "detailed-metadata" => Self::DetailedMetadata(rest),
            "subkeys" => Self::Subkeys(rest),
            "delete" => Self::Delete(rest),
            "undelete" => Self::Undelete(rest),
            "destroy" => Self::Destroy(rest),
            _ => Self::Unversioned,
        }
    }

    fn of_root(path: &str) -> Self {
        match path {
            "data" | "metadata" | "delete" | "undelete" | "destroy" => Self::Root,
            _ => Self::Unversioned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_the_first_segment() {
        for (path, lists, route) in [
            ("config", false, Route::Config),
            ("config", true, Route::Unversioned),
            ("config/", false, Route::Unversioned),
            ("data/a/b", false, Route::Data("a/b")),
            ("data/", false, Route::Data("")),
            ("data", false, Route::Root),
            ("metadata", true, Route::Metadata("")),
            ("metadata/b/", true, Route::Metadata("b/")),
            ("subkeys", false, Route::Unversioned),
            ("", false, Route::Unversioned),
            ("database/a", false, Route::Unversioned),
        ] {
            assert_eq!(Route::of(path, lists), route, "{path}");
        }
    }
}
