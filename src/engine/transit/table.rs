//! The endpoints.

use super::record::NAME;
use super::{crypt, export, keys, sign};
use crate::engine::table::{Endpoint, Field, FieldKind, Matched, On, Op, Row, Table};
use crate::engine::tools::{
    self, ALGORITHM, BYTES, HASH, HASH_FORMAT, INPUT, RANDOM, RANDOM_FORMAT, SOURCE, URL_ALGORITHM,
    URL_BYTES,
};
use crate::engine::{Error, Outcome};

/// A handler of an operation.
type Handler = fn(&Matched<'_>) -> Result<Outcome, Error>;

/// The endpoints of a mount.
pub(super) static TABLE: Table<Handler> = Table::new(
    "Encrypts, signs and hashes for its callers, with keys that they never see.",
    &[KEYS, CRYPT, SIGN, LEAVE, TOOLS],
);

/// The start of the path that encrypts, before the key's name.
pub(super) const ENCRYPT: &str = "encrypt/";

const TYPE: Field = Field::new(
    "type",
    FieldKind::Text,
    "aes128-gcm96, aes256-gcm96, chacha20-poly1305, xchacha20-poly1305, ed25519, ecdsa-p256, \
     ecdsa-p384, ecdsa-p521, rsa-2048, rsa-3072, rsa-4096 or hmac.",
)
.default("aes256-gcm96");
const CIPHER: Field = Field::new(
    "type",
    FieldKind::Text,
    "aes128-gcm96, aes256-gcm96, chacha20-poly1305 or xchacha20-poly1305.",
)
.default("aes256-gcm96");
const PADDING: Field =
    Field::new("padding_scheme", FieldKind::Text, "Of RSA: oaep.").default("oaep");
const CONVERGENT: Field = Field::new(
    "convergent_encryption",
    FieldKind::Flag,
    "True to encrypt one text in one context always alike; the key must be derived.",
);
const CONTEXT: Field = Field::new(
    "context",
    FieldKind::Text,
    "In base64: what a derived key is derived for.",
);
const KEY_VERSION: Field = Field::new(
    "key_version",
    FieldKind::Integer,
    "Version of the key that encrypts; 0 is the newest.",
);
const ASSOCIATED: Field = Field::new(
    "associated_data",
    FieldKind::Text,
    "In base64: authenticated with the text, and needed again to decrypt it.",
);
const CIPHERTEXT: Field = Field::new(
    "ciphertext",
    FieldKind::Text,
    "Text that encrypting returned.",
);
const PLAINTEXT: Field =
    Field::new("plaintext", FieldKind::Text, "Text to encrypt, in base64.").secret();
const BATCH: Field = Field::new(
    "batch_input",
    FieldKind::Plain,
    "List of objects with these fields, and \"reference\", which comes back; instead of one text.",
);
const PARTIAL: Field = Field::new(
    "partial_failure_response_code",
    FieldKind::Integer,
    "Status where some of a batch failed and some did not.",
)
.default("400");
const EXPORTABLE: Field = Field::new(
    "exportable",
    FieldKind::Flag,
    "Marks the key as one that may leave; it stays so.",
);
const BACKUP: Field = Field::new(
    "allow_plaintext_backup",
    FieldKind::Flag,
    "Marks the key as one that may be backed up in the clear; it stays so.",
);
const AUTO_ROTATE: Field = Field::new(
    "auto_rotate_period",
    FieldKind::Seconds,
    "0: keys are rotated when somebody asks for it.",
)
.default("0");

const KEYS: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "config/keys",
            fields: &[Field::new(
                "disable_upsert",
                FieldKind::Flag,
                "True when encrypting under an unknown name shall make no key.",
            )],
            summary: "Settings of all keys.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, keys::settings), (Op::WRITE, keys::set)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys",
            summary: "Lists the names of the keys.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, keys::list)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name",
            fields: &[
                NAME,
                TYPE,
                Field::new(
                    "derived",
                    FieldKind::Flag,
                    "True to derive a key for the context of each request.",
                ),
                CONVERGENT,
                Field::new(
                    "key_size",
                    FieldKind::Integer,
                    "Length of a key of type hmac, in bytes: 32 to 512.",
                )
                .default("32"),
                CONTEXT.on(On::READ),
                EXPORTABLE,
                BACKUP,
                AUTO_ROTATE,
            ],
            prepares: true,
            summary: "Makes a key, shows its settings and versions, or deletes it.",
            about: "A key that exists stays as it is. One is deleted only after \
                    `deletion_allowed` was set.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, keys::read),
            (Op::WRITE, keys::make),
            (Op::DELETE, keys::delete),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name/config",
            fields: &[
                NAME,
                Field::new(
                    "min_decryption_version",
                    FieldKind::Integer,
                    "Lowest version that decrypts.",
                ),
                Field::new(
                    "min_encryption_version",
                    FieldKind::Integer,
                    "Lowest version that encrypts; 0 is the newest.",
                ),
                Field::new(
                    "deletion_allowed",
                    FieldKind::Flag,
                    "True when the key may be deleted.",
                ),
                EXPORTABLE,
                BACKUP,
                AUTO_ROTATE,
            ],
            summary: "Changes the settings of a key.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, keys::configure)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name/rotate",
            fields: &[NAME],
            prepares: true,
            summary: "Adds a version to a key, which encrypts from then on.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, keys::rotate)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name/trim",
            fields: &[
                NAME,
                Field::new(
                    "min_available_version",
                    FieldKind::Integer,
                    "Lowest version that is kept.",
                )
                .required(),
            ],
            summary: "Deletes old versions of a key for ever.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, keys::trim)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name/soft-delete",
            fields: &[NAME],
            summary: "Keeps a key from being used, until it is restored.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::DELETE, keys::soft_delete)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "keys/:name/soft-delete-restore",
            fields: &[NAME],
            summary: "Lets a key be used again.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, keys::restore)],
    },
];

const CRYPT: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "encrypt/:name",
            fields: &[
                NAME,
                PLAINTEXT,
                CONTEXT,
                KEY_VERSION,
                ASSOCIATED,
                BATCH,
                PARTIAL,
                CIPHER,
                CONVERGENT,
                PADDING,
            ],
            creates: true,
            summary: "Encrypts a text, or many.",
            about: "Where there is no key of that name, one of \"type\" is made, for which the \
                    caller needs `create`; a derived one where a context is given.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, crypt::encrypt)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "decrypt/:name",
            fields: &[
                NAME, CIPHERTEXT, CONTEXT, ASSOCIATED, BATCH, PARTIAL, PADDING,
            ],
            summary: "Decrypts a text, or many.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, crypt::decrypt)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "rewrap/:name",
            fields: &[
                NAME,
                CIPHERTEXT,
                CONTEXT,
                KEY_VERSION,
                ASSOCIATED,
                BATCH,
                PADDING,
            ],
            summary: "Encrypts what old versions encrypted with the newest, and shows no text.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, crypt::rewrap)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "datakey/:plaintext/:name",
            fields: &[
                NAME,
                Field::path(
                    "plaintext",
                    "plaintext to be shown the key, too, or wrapped.",
                ),
                CONTEXT,
                KEY_VERSION,
                ASSOCIATED,
                Field::new("bits", FieldKind::Integer, "128, 256 or 512.").default("256"),
                PADDING,
            ],
            summary: "Makes a key for use elsewhere, encrypted under this one.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, crypt::datakey)],
    },
];

const TEXT_INPUT: Field = Field::new(
    "input",
    FieldKind::Text,
    "What is signed or hashed, in base64.",
)
.secret();
const HASH_ALGORITHM: Field = Field::new(
    "hash_algorithm",
    FieldKind::Text,
    "sha1, sha2-224, sha2-256, sha2-384, sha2-512, sha3- with the lengths of sha2, or none.",
)
.default("sha2-256");
const OLD_ALGORITHM: Field = Field::new(
    "algorithm",
    FieldKind::Text,
    "As \"hash_algorithm\", which comes first.",
)
.default("sha2-256");
const PREHASHED: Field = Field::new(
    "prehashed",
    FieldKind::Flag,
    "True when the input is a hash. Ed25519 has no such thing, and signs it as it is.",
);
const SIGNATURE_ALGORITHM: Field = Field::new(
    "signature_algorithm",
    FieldKind::Text,
    "Of RSA: pss or pkcs1v15.",
)
.default("pss");
const MARSHALING: Field = Field::new(
    "marshaling_algorithm",
    FieldKind::Text,
    "Form of a signature of ECDSA: asn1 or jws.",
)
.default("asn1");
const SALT_LENGTH: Field = Field::new(
    "salt_length",
    FieldKind::Text,
    "Of RSA with pss: auto, hash, or bytes.",
)
.default("auto");
const SIGN_FIELDS: &[Field] = &[
    NAME,
    TEXT_INPUT,
    CONTEXT,
    HASH_ALGORITHM,
    OLD_ALGORITHM,
    URL_ALGORITHM,
    KEY_VERSION,
    PREHASHED,
    SIGNATURE_ALGORITHM,
    MARSHALING,
    SALT_LENGTH,
    BATCH,
];
const VERIFY_FIELDS: &[Field] = &[
    NAME,
    TEXT_INPUT,
    Field::new(
        "signature",
        FieldKind::Text,
        "Signature that signing returned.",
    ),
    Field::new(
        "hmac",
        FieldKind::Text,
        "Keyed hash, in place of a signature.",
    ),
    CONTEXT,
    HASH_ALGORITHM,
    OLD_ALGORITHM,
    URL_ALGORITHM,
    PREHASHED,
    SIGNATURE_ALGORITHM,
    MARSHALING,
    SALT_LENGTH,
    BATCH,
];
const HMAC_FIELDS: &[Field] = &[
    NAME,
    TEXT_INPUT,
    OLD_ALGORITHM,
    URL_ALGORITHM,
    KEY_VERSION,
    BATCH,
];
const SIGNS: Endpoint = Endpoint {
    fields: SIGN_FIELDS,
    summary: "Signs an input, or many.",
    ..Endpoint::USUAL
};
const VERIFIES: Endpoint = Endpoint {
    fields: VERIFY_FIELDS,
    summary: "Tells whether a signature or a keyed hash is one of an input, or of many.",
    ..Endpoint::USUAL
};
const HMACS: Endpoint = Endpoint {
    fields: HMAC_FIELDS,
    summary: "Makes the keyed hash of an input, or of many.",
    ..Endpoint::USUAL
};

const SIGN: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "sign/:name",
            ..SIGNS
        },
        operations: &[(Op::COMPUTE, sign::sign)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "sign/:name/:urlalgorithm",
            ..SIGNS
        },
        operations: &[(Op::COMPUTE, sign::sign)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "verify/:name",
            ..VERIFIES
        },
        operations: &[(Op::COMPUTE, sign::verify)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "verify/:name/:urlalgorithm",
            ..VERIFIES
        },
        operations: &[(Op::COMPUTE, sign::verify)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "hmac/:name",
            ..HMACS
        },
        operations: &[(Op::COMPUTE, sign::hmac)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "hmac/:name/:urlalgorithm",
            ..HMACS
        },
        operations: &[(Op::COMPUTE, sign::hmac)],
    },
];

const RANDOMS: &[(Op, Handler)] = &[(Op::COMPUTE, tools::random)];
const HASHES: &[(Op, Handler)] = &[(Op::COMPUTE, tools::hash)];

const TOOLS: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "random",
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "random/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "random/:source/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, SOURCE, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "hash",
            ..HASH
        },
        operations: HASHES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "hash/:urlalgorithm",
            fields: &[ALGORITHM, HASH_FORMAT, INPUT, URL_ALGORITHM],
            ..HASH
        },
        operations: HASHES,
    },
];

const EXPORT: Endpoint = Endpoint {
    fields: &[
        Field::path(
            "type",
            "encryption-key, signing-key, hmac-key or public-key.",
        ),
        NAME,
        Field::path("version", "Number of a version, or latest; all without it."),
        Field::new(
            "format",
            FieldKind::Text,
            "raw (base64), der (base64) or pem; the type's own where none is asked for.",
        )
        .on(On::READ),
    ],
    summary: "Shows a part of a key that was made exportable, or public keys of any.",
    ..Endpoint::USUAL
};
const RESTORE: Endpoint = Endpoint {
    fields: &[
        NAME,
        Field::new("backup", FieldKind::Text, "Text that the backup answered.")
            .required()
            .secret(),
        Field::new(
            "force",
            FieldKind::Flag,
            "True to replace a key of that name.",
        ),
    ],
    summary: "Makes a key from a backup, under its name or another.",
    ..Endpoint::USUAL
};

const LEAVE: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "export/:type/:name",
            ..EXPORT
        },
        operations: &[(Op::READ, export::export)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "export/:type/:name/:version",
            ..EXPORT
        },
        operations: &[(Op::READ, export::export)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "backup/:name",
            fields: &[NAME],
            summary: "Shows a key with all its versions, in the clear, for restoring it elsewhere.",
            about: "The key must be exportable and allow it. The text is this server's own form.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, export::backup)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "restore",
            ..RESTORE
        },
        operations: &[(Op::WRITE, export::restore)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "restore/:name",
            ..RESTORE
        },
        operations: &[(Op::WRITE, export::restore)],
    },
];
