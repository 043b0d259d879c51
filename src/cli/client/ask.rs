//! A request to be made.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// The characters that are encoded in a path.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A request to be made. It has no `Debug`, because its body may hold secrets.
pub struct Ask {
    /// The HTTP method.
    pub method: &'static str,
    /// The path below `/v1/`, not encoded.
    pub path: String,
    /// Query parameters, sorted by name.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// True if the caller's `-wrap-ttl` applies.
    pub wraps: bool,
}

impl Ask {
    /// Returns a request without a body.
    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: clean(path),
            query: Vec::new(),
            body: None,
            wraps: true,
        }
    }

    /// Returns a read.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Returns a list, in the spelling that every proxy lets pass.
    pub fn list(path: &str) -> Self {
        Self::get(path).with_query("list", "true")
    }

    /// Returns a write.
    pub fn put(path: &str, body: Value) -> Self {
        Self::new("PUT", path).with_body(body)
    }

    /// Returns a write to a path that Vault's client POSTs to.
    pub fn post(path: &str, body: Value) -> Self {
        Self::new("POST", path).with_body(body)
    }

    /// Returns a merge patch.
    pub fn patch(path: &str, body: Value) -> Self {
        Self::new("PATCH", path).with_body(body)
    }

    /// Returns a delete.
    pub fn delete(path: &str) -> Self {
        Self::new("DELETE", path)
    }

    /// Adds a query parameter, keeping the names sorted and a name's values in order.
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        let at = self
            .query
            .partition_point(|(other, _)| other.as_str() <= name);
        self.query.insert(at, (name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Keeps `-wrap-ttl` off this request.
    pub fn unwrapped(mut self) -> Self {
        self.wraps = false;
        self
    }

    /// Returns the target of the request line, behind `prefix`.
    pub fn target(&self, prefix: &str) -> String {
        let mut target = format!("{prefix}/v1/{}", utf8_percent_encode(&self.path, PATH));
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.query);
            target.push('?');
            target.push_str(&query.finish());
        }
        target
    }
}

/// Removes slashes at both ends and empty or `.` segments from a path; `..` goes up.
fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_encoded_as_go_does() {
        for (path, target) in [
            ("a/b", "/v1/a/b"),
            ("/a//b/", "/v1/a/b"),
            ("a?b=c", "/v1/a%3Fb=c"),
            ("a@b/c", "/v1/a@b/c"),
            ("a/%41", "/v1/a/%2541"),
            ("a/x/../b", "/v1/a/b"),
            ("sp ace/é", "/v1/sp%20ace/%C3%A9"),
        ] {
            assert_eq!(Ask::get(path).target(""), target);
        }
    }

    #[test]
    fn query_parameters_are_sorted_and_keep_their_values_in_order() {
        let ask = Ask::get("a");
        let ask = ask
            .with_query("x", "y")
            .with_query("z", "1")
            .with_query("x", "2&3");
        assert_eq!(ask.target("/p"), "/p/v1/a?x=y&x=2%263&z=1");
    }
}
