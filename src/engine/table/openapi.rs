//! The endpoints as a document in OpenAPI 3.0.

use super::pattern::{Part, parts};
use super::{Access, Answers, Endpoint, Field, FieldKind, On, Op, Sheet};
use crate::engine::Operation;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// A document that is being made.
#[derive(Default)]
pub struct Document {
    context: String,
    paths: Map<String, Value>,
    ids: HashSet<String>,
}

/// The place of a sheet's endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Mounted<'a> {
    /// `secret/`; empty for paths that are relative to the mount.
    pub path: &'a str,
    /// `secrets`, `auth`, `system`.
    pub tag: &'a str,
    /// True when the mount's path is a parameter.
    pub is_generic: bool,
}

impl Mounted<'static> {
    /// The place for paths that are relative to the mount.
    pub const AT_ROOT: Self = Self {
        path: "",
        tag: "help",
        is_generic: false,
    };
}

impl Document {
    /// Returns an empty document. The id of every operation ends in `context`.
    pub fn new(context: &str) -> Self {
        Self {
            context: context.to_owned(),
            ..Self::default()
        }
    }

    /// Adds the endpoints of `sheet` that are `there`.
    pub fn add(
        &mut self,
        mount: Mounted<'_>,
        sheet: &dyn Sheet,
        there: impl Fn(&Endpoint) -> bool,
    ) {
        for (endpoint, ops) in sheet.endpoints() {
            if endpoint.is_shown() && there(endpoint) {
                self.add_endpoint(mount, endpoint, &ops);
            }
        }
    }

    /// Adds one endpoint.
    pub fn add_endpoint(&mut self, mount: Mounted<'_>, endpoint: &Endpoint, ops: &[Op]) {
        let parameter = generic_name(mount.path);
        let place = match mount.is_generic {
            true => format!("{{{parameter}}}/"),
            false => mount.path.to_owned(),
        };
        let path = format!("/{place}{}", template(endpoint.pattern));
        let mut parameters = Vec::new();
        if mount.is_generic {
            let default = mount.path.trim_end_matches('/');
            parameters.push(json!({
                "name": parameter, "in": "path", "required": true,
                "description": "Where it is mounted.",
                "schema": {"type": "string", "default": default},
            }));
        }
        for part in parts(endpoint.pattern) {
            if let Part::One(name) | Part::Some(name) | Part::Any(name) = part {
                let help = endpoint.field(name).map_or("", |field| field.help);
                parameters.push(json!({
                    "name": name, "in": "path", "required": true, "description": help,
                    "schema": {"type": "string", "minLength": 1},
                }));
            }
        }
        let mut item = Map::new();
        item.insert("description".into(), endpoint.summary.into());
        if !parameters.is_empty() {
            item.insert("parameters".into(), parameters.into());
        }
        for (mark, holds) in [
            ("x-vault-unauthenticated", endpoint.access == Access::Open),
            ("x-vault-sudo", endpoint.access == Access::Sudo),
            ("x-vault-createSupported", endpoint.creates),
        ] {
            if holds {
                item.insert(mark.into(), true.into());
            }
        }
        for method in ["get", "post", "patch", "delete"] {
            if ops.iter().any(|op| method_of(*op) == method) {
                let operation = self.operation(method, &path, mount, endpoint, ops);
                item.insert(method.into(), operation);
            }
        }
        self.paths.insert(path, item.into());
    }

    fn operation(
        &mut self,
        method: &str,
        path: &str,
        mount: Mounted<'_>,
        endpoint: &Endpoint,
        ops: &[Op],
    ) -> Value {
        let mut operation = Map::new();
        operation.insert("operationId".into(), self.id(method, path).into());
        operation.insert("tags".into(), json!([mount.tag]));
        let query = query(method, endpoint, ops);
        if !query.is_empty() {
            operation.insert("parameters".into(), query.into());
        }
        if matches!(method, "post" | "patch") {
            let media = match method {
                "patch" => "application/merge-patch+json",
                _ => "application/json",
            };
            let schema = body(endpoint);
            operation.insert(
                "requestBody".into(),
                json!({"required": true, "content": {media: {"schema": schema}}}),
            );
        }
        operation.insert("responses".into(), responses(method, endpoint));
        if endpoint.access == Access::Open {
            operation.insert("security".into(), json!([]));
        }
        operation.into()
    }

    /// Returns an id that no other operation has.
    fn id(&mut self, method: &str, path: &str) -> String {
        let verb = match method {
            "get" => "read",
            "post" => "write",
            other => other,
        };
        let words = path.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        let mut id = std::iter::once(verb).chain(words).collect::<Vec<_>>();
        if !self.context.is_empty() {
            id.push(&self.context);
        }
        let plain = id.join("-");
        let mut id = plain.clone();
        let mut number = 1;
        while !self.ids.insert(id.clone()) {
            number += 1;
            id = format!("{plain}-{number}");
        }
        id
    }

    /// Returns the document.
    pub fn finish(self) -> Value {
        let list = json!({"type": "array", "items": {"type": "string"}});
        let object = json!({"type": "object", "nullable": true});
        json!({
            "openapi": "3.0.2",
            "info": {
                "title": "Coffer API",
                "description": "All paths are below `/v1/`.",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "servers": [{"url": "/v1"}],
            "security": [{"token": []}],
            "paths": self.paths,
            "components": {
                "securitySchemes": {
                    "token": {"type": "apiKey", "in": "header", "name": "X-Vault-Token"},
                },
                "schemas": {
                    "Answer": {
                        "type": "object",
                        "required": [
                            "request_id", "lease_id", "renewable", "lease_duration", "data",
                            "wrap_info", "warnings", "auth",
                        ],
                        "properties": {
                            "request_id": {"type": "string"},
                            "lease_id": {"type": "string"},
                            "renewable": {"type": "boolean"},
                            "lease_duration": {"type": "integer"},
                            "data": object,
                            "wrap_info": object,
                            "warnings": {
                                "type": "array", "items": {"type": "string"}, "nullable": true,
                            },
                            "auth": object,
                        },
                    },
                    "Errors": {
                        "type": "object",
                        "required": ["errors"],
                        "properties": {"errors": list},
                    },
                },
            },
        })
    }
}

fn generic_name(path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = path.trim_end_matches('/').chars().map(plain).collect();
    format!("{name}_mount_path")
}

fn template(pattern: &'static str) -> String {
    let segments = parts(pattern).map(|part| match part {
        Part::Word(word) => word.to_owned(),
        Part::One(name) | Part::Some(name) | Part::Any(name) => format!("{{{name}}}"),
    });
    segments.collect::<Vec<_>>().join("/")
}

const fn method_of(op: Op) -> &'static str {
    match op.operation {
        Operation::Read | Operation::List | Operation::Scan | Operation::Help => "get",
        Operation::Create | Operation::Update => "post",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
    }
}

/// Returns the parameters in the query: the fields that count there, and the switches that make a
/// GET a list.
fn query(method: &str, endpoint: &Endpoint, ops: &[Op]) -> Vec<Value> {
    let has = |operation| ops.iter().any(|op| op.is(operation));
    let on = match method {
        "get" => On::READ.and(On::LIST),
        "delete" => On::DELETE,
        _ => return Vec::new(),
    };
    let fields = endpoint.fields.iter().filter(|field| field.on.meets(on));
    let mut query: Vec<Value> = fields
        .map(|field| {
            json!({
                "name": field.name, "in": "query", "description": field.help,
                "schema": schema(field),
            })
        })
        .collect();
    if method == "get" && has(Operation::List) {
        query.push(match has(Operation::Read) {
            true => json!({
                "name": "list", "in": "query", "description": "Lists instead, if `true`.",
                "schema": {"type": "string"},
            }),
            false => json!({
                "name": "list", "in": "query", "description": "Must be `true`.",
                "required": true, "schema": {"type": "string", "enum": ["true"]},
            }),
        });
    }
    if method == "get" && has(Operation::Scan) {
        query.push(json!({
            "name": "scan", "in": "query", "description": "Lists all below, if `true`.",
            "schema": {"type": "string"},
        }));
    }
    query
}

fn body(endpoint: &Endpoint) -> Value {
    if endpoint.takes_anything {
        return json!({"type": "object"});
    }
    let fields = || endpoint.fields.iter().filter(|f| f.on.meets(On::WRITE));
    let properties = fields().map(|field| (field.name.to_owned(), schema(field)));
    let mut body = json!({
        "type": "object", "properties": properties.collect::<Map<_, _>>(),
    });
    let required: Vec<&str> = fields().filter(|f| f.required).map(|f| f.name).collect();
    if let (Some(body), false) = (body.as_object_mut(), required.is_empty()) {
        body.insert("required".into(), json!(required));
    }
    body
}

fn schema(field: &Field) -> Value {
    let mut schema = match field.kind {
        FieldKind::Plain => json!({}),
        FieldKind::Text | FieldKind::Lifetime | FieldKind::SystemLifetime => {
            json!({"type": "string"})
        }
        FieldKind::Flag => json!({"type": "boolean"}),
        FieldKind::Integer => json!({"type": "integer", "format": "int64"}),
        FieldKind::Seconds | FieldKind::SignedSeconds => {
            json!({"type": "integer", "format": "seconds"})
        }
        FieldKind::Time => json!({"type": "string", "format": "date-time"}),
        FieldKind::List
        | FieldKind::CommaList
        | FieldKind::Names
        | FieldKind::CommaNames
        | FieldKind::Networks => json!({"type": "array", "items": {"type": "string"}}),
        FieldKind::Integers => json!({"type": "array", "items": {"type": "integer"}}),
        FieldKind::Pairs => json!({"type": "object", "format": "kvpairs"}),
        FieldKind::Map => json!({"type": "object", "format": "map"}),
    };
    let Some(fields) = schema.as_object_mut() else {
        return schema;
    };
    if !field.help.is_empty() {
        fields.insert("description".into(), field.help.into());
    }
    if field.alias_of.is_some() {
        fields.insert("deprecated".into(), true.into());
    }
    if field.secret {
        fields.insert("format".into(), "password".into());
    }
    let default = match field.kind {
        FieldKind::Flag | FieldKind::Integer => serde_json::from_str(field.default).ok(),
        FieldKind::Text => (!field.default.is_empty()).then(|| field.default.into()),
        _ => None,
    };
    if let Some(default) = default {
        fields.insert("default".into(), default);
    }
    schema
}

fn responses(method: &str, endpoint: &Endpoint) -> Value {
    let json = |schema: Value| json!({"application/json": {"schema": schema}});
    let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let good = match endpoint.answers {
        Answers::Envelope => json(of("Answer")),
        Answers::Object => json(json!({"type": "object"})),
        // JSON, text or an archive, as what is asked for.
        Answers::Bytes => json!({"*/*": {"schema": {}}}),
    };
    let mut responses = Map::new();
    let mut answer = |status: &str, what: &str, content: Option<Value>| {
        let mut response = Map::new();
        response.insert("description".into(), what.into());
        if let Some(content) = content {
            response.insert("content".into(), content);
        }
        responses.insert(status.into(), response.into());
    };
    answer("200", "Done.", Some(good));
    if method != "get" {
        answer("202", "Begun.", Some(json(of("Answer"))));
        answer("204", "Done; there is nothing to say.", None);
    }
    let either = json!({"anyOf": [of("Errors"), of("Answer")]});
    let mut faults = vec![
        ("400", "The request is wrong."),
        ("403", "The token, or its policies, do not grant it."),
        ("404", "There is no such thing."),
        ("405", "There is no such operation here."),
        ("412", "The node has not seen what the client has."),
        ("413", "The request is too large."),
        (
            "429",
            "Too many requests; or a standby, where that is asked.",
        ),
        ("473", "A standby, where that is asked."),
        ("501", "Not initialised."),
        ("503", "The node is sealed, or cannot answer now."),
    ];
    if method == "patch" {
        faults.push(("415", "The content type is wrong."));
    }
    for (status, what) in faults {
        let content = match (status, endpoint.answers) {
            // An absent secret that is patched has no body at all.
            ("404", _) if method == "patch" => None,
            ("404", _) => Some(json(either.clone())),
            ("429" | "473" | "501" | "503", Answers::Object) => {
                Some(json(json!({"type": "object"})))
            }
            _ => Some(json(of("Errors"))),
        };
        answer(status, what, content);
    }
    responses.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::table::{Row, Table};

    static TABLE: Table<()> = Table::new(
        "Keeps things.",
        &[&[Row {
            endpoint: Endpoint {
                pattern: "things/+path",
                access: Access::Sudo,
                fields: &[
                    Field::path("path", "Where it is."),
                    Field::new("ttl", FieldKind::Seconds, "Its life.").required(),
                    Field::new("limit", FieldKind::Integer, "").on(On::LIST),
                ],
                summary: "A thing.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::READ, ()), (Op::LIST, ()), (Op::WRITE, ())],
        }]],
    );

    #[test]
    fn a_row_becomes_a_path_with_its_operations() {
        let mut document = Document::new("x");
        for is_generic in [false, true] {
            let mount = Mounted {
                path: "a/",
                tag: "secrets",
                is_generic,
            };
            document.add(mount, &TABLE, |_| true);
        }
        let document = document.finish();
        let item = &document["paths"]["/a/things/{path}"];
        assert_eq!(item["x-vault-sudo"], true);
        assert_eq!(item["parameters"][0]["name"], "path");
        let get = &item["get"];
        assert_eq!(get["operationId"], "read-a-things-path-x");
        let names = get["parameters"].as_array().unwrap().iter();
        let names: Vec<&Value> = names.map(|parameter| &parameter["name"]).collect();
        assert_eq!(names, ["limit", "list"]);
        let body = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["ttl"]));
        assert_eq!(body["properties"]["ttl"]["type"], "integer");
        assert!(item.get("delete").is_none());
        let generic = &document["paths"]["/{a_mount_path}/things/{path}"];
        assert_eq!(generic["parameters"][0]["schema"]["default"], "a");
    }
}
