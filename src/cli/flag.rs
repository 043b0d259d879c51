//! Flags as plain tables, with the flags that many verbs share.

/// The shared flags that a verb takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// None: the verb asks no server.
    Nothing,
    /// Connection flags.
    Http,
    /// Connection flags and `-format`.
    Format,
    /// Connection flags, `-format` and `-field`.
    Field,
}

impl Shared {
    /// Returns the shared flags by heading, in the order in which the help prints them.
    pub fn sections(self) -> Vec<(&'static str, &'static [Flag])> {
        let http = ("HTTP Options", HTTP_FLAGS);
        match self {
            Shared::Nothing => vec![],
            Shared::Http => vec![http],
            Shared::Format => vec![http, ("Output Options", FORMAT_FLAGS)],
            Shared::Field => vec![http, ("Output Options", FIELD_FLAGS)],
        }
    }
}

/// A flag.
#[derive(Clone, Copy)]
pub struct Flag {
    /// The name, without dashes.
    pub name: &'static str,
    /// A second name.
    pub alias: Option<&'static str>,
    /// The kind of value that follows it.
    pub kind: Kind,
    /// The help text, a sentence or two.
    pub help: &'static str,
}

/// The kind of value of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// A text; the last one counts.
    Text,
    /// An integer.
    Number,
    /// A duration, `30s` or bare seconds.
    Time,
    /// Texts: it may be repeated.
    Texts,
    /// `key=value`: it may be repeated.
    Pairs,
}

impl Kind {
    /// Returns the value's placeholder in the help.
    pub fn placeholder(self) -> &'static str {
        match self {
            Kind::Switch => "",
            Kind::Text | Kind::Texts => "=<string>",
            Kind::Number => "=<int>",
            Kind::Time => "=<duration>",
            Kind::Pairs => "=<key=value>",
        }
    }
}

/// Makes a [`Flag`] without a second name.
pub const fn flag(name: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag {
        name,
        alias: None,
        kind,
        help,
    }
}

/// The mount flag of the kv verbs.
pub const MOUNT: Flag = flag(
    "mount",
    Kind::Text,
    "Path of the kv mount. With it the next argument is the secret's path inside the mount; \
     without it the argument is mount and path in one.",
);

const FORMAT: Flag = flag(
    "format",
    Kind::Text,
    "How to print: table, json, yaml, or raw (read only). Also from VAULT_FORMAT.",
);

const FORMAT_FLAGS: &[Flag] = &[FORMAT];

const FIELD_FLAGS: &[Flag] = &[
    flag(
        "field",
        Kind::Text,
        "Print only this field, without a newline when the output is not a terminal.",
    ),
    FORMAT,
];

const HTTP_FLAGS: &[Flag] = &[
    flag(
        "address",
        Kind::Text,
        "Address of the server: http://, https:// or unix:///path. Also from VAULT_ADDR. The \
         default is https://127.0.0.1:8200.",
    ),
    flag(
        "ca-cert",
        Kind::Text,
        "PEM file of the authority that signed the server's certificate. Also from VAULT_CACERT.",
    ),
    flag(
        "ca-path",
        Kind::Text,
        "Directory of PEM files of authorities. Also from VAULT_CAPATH.",
    ),
    flag(
        "client-cert",
        Kind::Text,
        "PEM file of this client's certificate. Also from VAULT_CLIENT_CERT.",
    ),
    flag(
        "client-key",
        Kind::Text,
        "PEM file of the private key of -client-cert. Also from VAULT_CLIENT_KEY.",
    ),
    flag(
        "disable-redirects",
        Kind::Switch,
        "Do not follow a redirect. Also from VAULT_DISABLE_REDIRECTS.",
    ),
    flag(
        "header",
        Kind::Pairs,
        "A header to send, key=value. May be repeated; X-Vault- names are refused.",
    ),
    flag(
        "mfa",
        Kind::Texts,
        "Sent as X-Vault-MFA. Also from VAULT_MFA.",
    ),
    Flag {
        name: "namespace",
        alias: Some("ns"),
        kind: Kind::Text,
        help: "Sent as X-Vault-Namespace; -ns is short for it. Also from VAULT_NAMESPACE.",
    },
    flag(
        "no-color",
        Kind::Switch,
        "Accepted; the output has no colours.",
    ),
    flag(
        "non-interactive",
        Kind::Switch,
        "Never ask on the terminal; fail instead.",
    ),
    flag(
        "output-curl-string",
        Kind::Switch,
        "Print the curl command for the request and do not send it.",
    ),
    flag(
        "output-policy",
        Kind::Switch,
        "Print the policy that the request needs and do not send it.",
    ),
    flag(
        "policy-override",
        Kind::Switch,
        "Sent as X-Vault-Policy-Override.",
    ),
    flag(
        "tls-server-name",
        Kind::Text,
        "Name to expect in the server's certificate. Also from VAULT_TLS_SERVER_NAME.",
    ),
    flag(
        "tls-skip-verify",
        Kind::Switch,
        "Do not verify the server's certificate: anyone in between can read everything. Also \
         from VAULT_SKIP_VERIFY.",
    ),
    flag(
        "unlock-key",
        Kind::Text,
        "Accepted for Vault's sake; not used.",
    ),
    flag(
        "wrap-ttl",
        Kind::Time,
        "Wrap the answer in a single-use token of this lifetime. Also from VAULT_WRAP_TTL.",
    ),
];
