//! `[archive]` as `kakehashi-archive` knows it. The server reads none of it but that rolled files are not its own to
//! delete.

use std::path::PathBuf;
use std::time::Duration;

/// `[archive]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where pieces go.
    pub to: ArchiveTarget,
    /// What pieces are.
    pub format: ArchiveFormat,
    /// Where pieces wait until they are taken, and where it is written down what has been done.
    pub state: PathBuf,
    /// What a Prometheus node exporter reads (`*.prom`).
    pub metrics: PathBuf,
    /// Between two looks for rolled files.
    pub every: Duration,
    /// How long rolled files stay at hand after they were archived.
    pub local_keep: Duration,
    /// Rolled files and waiting pieces together, in bytes: beyond it the oldest go, archived or not.
    pub local_bytes: u64,
}

/// Where pieces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveTarget {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3, or of what speaks its protocol.
    Bucket(Bucket),
}

/// A bucket. Credentials are in no configuration: the environment has them, or the instance's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all object names begin with; empty, or without slashes at its ends.
    pub prefix: String,
    /// `None`: the environment's, then the node's.
    pub region: Option<String>,
    /// `None`: the environment's, then AWS.
    pub endpoint: Option<String>,
    /// `None`: the bucket's.
    pub storage_class: Option<String>,
    /// The KMS key that encrypts; `None`: as the bucket says.
    pub kms_key: Option<String>,
}

/// What pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// The lines as they are, in gzip.
    JsonGzip,
    /// The lines as they are, in zstd.
    JsonZstd,
    /// Parquet.
    Parquet,
}

impl ArchiveFormat {
    /// All of them, by the word that the configuration has for each.
    pub const ALL: [(&'static str, Self); 3] =
        [("json-gzip", Self::JsonGzip), ("json-zstd", Self::JsonZstd), ("parquet", Self::Parquet)];
}
