//! Flags as plain tables, with the flags that many verbs share.

/// The shared flags that a verb takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SharedFlags {
    /// None: the verb asks no server.
    Nothing,
    /// Connection flags.
    Http,
    /// Connection flags and `-format`.
    Format,
    /// Connection flags, `-format` and `-field`.
    Field,
}

impl SharedFlags {
    /// Returns the shared flags by heading, in the order in which the help prints them.
    pub fn sections(self) -> Vec<(&'static str, &'static [Flag])> {
        let http = ("HTTP Options", HTTP_FLAGS);
        match self {
            SharedFlags::Nothing => vec![],
            SharedFlags::Http => vec![http],
            SharedFlags::Format => vec![http, ("Output Options", FORMAT_FLAGS)],
            SharedFlags::Field => vec![http, ("Output Options", FIELD_FLAGS)],
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
    pub kind: FlagKind,
    /// The help text, a sentence or two.
    pub help: &'static str,
}

/// The kind of value of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagKind {
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

impl FlagKind {
    /// Returns the value's placeholder in the help.
    pub fn placeholder(self) -> &'static str {
        match self {
            FlagKind::Switch => "",
            FlagKind::Text | FlagKind::Texts => "=<string>",
            FlagKind::Number => "=<int>",
            FlagKind::Time => "=<duration>",
            FlagKind::Pairs => "=<key=value>",
        }
    }
}

/// Makes a [`Flag`] without a second name.
pub const fn flag(name: &'static str, kind: FlagKind, help: &'static str) -> Flag {
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
    FlagKind::Text,
    "Path of the kv mount. With it the next argument is the secret's path inside the mount; \
     without it the argument is mount and path in one.",
);

const FORMAT: Flag = flag(
    "format",
    FlagKind::Text,
    "How to print: table, json, yaml, or raw (read only). Also from VAULT_FORMAT.",
);

const FORMAT_FLAGS: &[Flag] = &[FORMAT];

const FIELD_FLAGS: &[Flag] = &[
    flag(
        "field",
        FlagKind::Text,
        "Print only this field, without a newline when the output is not a terminal.",
    ),
    FORMAT,
];

const HTTP_FLAGS: &[Flag] = &[
    flag(
        "address",
        FlagKind::Text,
        "Address of the server: http://, https:// or unix:///path. Also from VAULT_ADDR. The \
         default is https://127.0.0.1:8200.",
    ),
    flag(
        "ca-cert",
        FlagKind::Text,
        "PEM file of the authority that signed the server's certificate. Also from VAULT_CACERT.",
    ),
    flag(
        "ca-path",
        FlagKind::Text,
        "Directory of PEM files of authorities. Also from VAULT_CAPATH.",
    ),
    flag(
        "client-cert",
        FlagKind::Text,
        "PEM file of this client's certificate. Also from VAULT_CLIENT_CERT.",
    ),
    flag(
        "client-key",
        FlagKind::Text,
        "PEM file of the private key of -client-cert. Also from VAULT_CLIENT_KEY.",
    ),
    flag(
        "disable-redirects",
        FlagKind::Switch,
        "Do not follow a redirect. Also from VAULT_DISABLE_REDIRECTS.",
    ),
    flag(
        "header",
        FlagKind::Pairs,
        "A header to send, key=value. May be repeated; X-Vault- names are refused.",
    ),
    flag(
        "mfa",
        FlagKind::Texts,
        "Sent as X-Vault-MFA. Also from VAULT_MFA.",
    ),
    Flag {
        name: "namespace",
        alias: Some("ns"),
        kind: FlagKind::Text,
        help: "Sent as X-Vault-Namespace; -ns is short for it. Also from VAULT_NAMESPACE.",
    },
    flag(
        "no-color",
        FlagKind::Switch,
        "Accepted; the output has no colours.",
    ),
    flag(
        "non-interactive",
        FlagKind::Switch,
        "Never ask on the terminal; fail instead.",
    ),
    flag(
        "output-curl-string",
        FlagKind::Switch,
        "Print the curl command for the request and do not send it.",
    ),
    flag(
        "output-policy",
        FlagKind::Switch,
        "Print the policy that the request needs and do not send it.",
    ),
    flag(
        "policy-override",
        FlagKind::Switch,
        "Sent as X-Vault-Policy-Override.",
    ),
    flag(
        "tls-server-name",
        FlagKind::Text,
        "Name to expect in the server's certificate. Also from VAULT_TLS_SERVER_NAME.",
    ),
    flag(
        "tls-skip-verify",
        FlagKind::Switch,
        "Do not verify the server's certificate: anyone in between can read everything. Also \
         from VAULT_SKIP_VERIFY.",
    ),
    flag(
        "unlock-key",
        FlagKind::Text,
        "Accepted for Vault's sake; not used.",
    ),
    flag(
        "wrap-ttl",
        FlagKind::Time,
        "Wrap the answer in a single-use token of this lifetime. Also from VAULT_WRAP_TTL.",
    ),
];
