//! Values as Go's `%v` prints them, because scripts have learned to read that.

use serde_json::Value;

/// Formats a value as one piece of text: `<nil>`, `[1 2]`, `map[a:b c:d]`.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::from("<nil>"),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields.map(|(k, v)| format!("{k}:{}", plain(v))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_go_prints() {
        for (json, text) in [
            ("null", "<nil>"),
            ("true", "true"),
            ("12345678901234567890", "12345678901234567890"),
            (r#""a b""#, "a b"),
            ("[1,2]", "[1 2]"),
            ("[]", "[]"),
            ("{}", "map[]"),
            (
                r#"{"y":true,"x":null,"m":["a",{"b":null}]}"#,
                "map[m:[a map[b:<nil>]] x:<nil> y:true]",
            ),
        ] {
            let value = serde_json::from_str(json).expect(json);
            assert_eq!(plain(&value), text);
        }
    }
}
