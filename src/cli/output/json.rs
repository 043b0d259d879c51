//! JSON, indented by two, with the keys in the order in which Vault's client prints them.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

/// The order of an object's keys: the named ones first, the others after them by name.
pub struct Order {
    /// The keys that go first.
    pub keys: &'static [&'static str],
    /// The orders of the values of some keys.
    pub inner: &'static [(&'static str, &'static Order)],
    /// The order of the values of all other keys; by name when there is none.
    pub others: Option<&'static Order>,
}

impl Order {
    /// All keys by name, at every depth.
    pub const BY_NAME: Order = Order::of(&[]);

    /// Returns the order with these keys first.
    pub const fn of(keys: &'static [&'static str]) -> Self {
        Self {
            keys,
            inner: &[],
            others: None,
        }
    }

    fn below(&self, key: &str) -> &Order {
        let inner = self.inner.iter().find(|(name, _)| *name == key);
        let inner = inner.map(|(_, order)| *order).or(self.others);
        inner.unwrap_or(&Order::BY_NAME)
    }
}

/// Formats the value as JSON, without a newline at the end.
pub fn to_json(value: &Value, order: &Order) -> String {
    let ordered = Ordered { value, order };
    serde_json::to_string_pretty(&ordered).expect("a JSON value has text keys and no errors")
}

struct Ordered<'a> {
    value: &'a Value,
    order: &'a Order,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                let first = self.order.keys.iter().copied();
                let first = first.filter(|key| fields.contains_key(*key));
                let rest = fields.keys().map(String::as_str);
                let rest = rest.filter(|key| !self.order.keys.contains(key));
                for key in first.chain(rest) {
                    let value = fields.get(key).unwrap_or(&Value::Null);
                    let order = self.order.below(key);
                    map.serialize_entry(key, &Ordered { value, order })?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    let order = self.order;
                    list.serialize_element(&Ordered { value, order })?;
                }
                list.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_asked_for() {
        static INNER: Order = Order::of(&["z"]);
        static ORDER: Order = Order {
            keys: &["t", "missing", "b"],
            inner: &[("b", &INNER)],
            others: None,
        };
        let text = r#"{"a":{"z":1,"a":2},"b":{"a":2,"z":1.0},"t":[],"o":{}}"#;
        let value = serde_json::from_str(text).expect("valid");
        let expected = "{\n  \"t\": [],\n  \"b\": {\n    \"z\": 1.0,\n    \"a\": 2\n  },\n  \"a\": \
                        {\n    \"a\": 2,\n    \"z\": 1\n  },\n  \"o\": {}\n}";
        assert_eq!(to_json(&value, &ORDER), expected);
    }
}
