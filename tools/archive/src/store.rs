//! Where pieces go: a folder or a bucket. A piece is there whole or not at all, and is confirmed before it is deleted
//! here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use kakehashi::config::{ArchiveTarget, Bucket};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::path::Path as Name;
use object_store::{
    Attribute, Attributes, ClientOptions, MultipartUpload as _, ObjectStore, PutOptions, RetryConfig,
};

use crate::state::{Piece, sync};

/// Uploads at once.
const AT_ONCE: usize = 8;
/// Octets of a piece in memory; S3's parts are 5 MiB at least.
const PART: usize = 8 << 20;

/// Where pieces go.
pub enum Store {
    /// A folder.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Remote),
}

/// A bucket that can be written to.
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    attributes: Attributes,
    runtime: tokio::runtime::Runtime,
}

/// What became of some pieces.
#[derive(Debug, Default)]
pub struct Sent {
    /// Pieces that are confirmed.
    pub pieces: u64,
    /// Their octets.
    pub octets: u64,
    /// Why the rest is not.
    pub fault: Option<String>,
}

impl Store {
    /// Opens it; a bucket is not asked for yet. `region` is that of a bucket which nobody says more of.
    pub fn open(target: &ArchiveTarget, region: Option<&str>) -> io::Result<Self> {
        match target {
            ArchiveTarget::Folder(folder) => Ok(Self::Folder(folder.clone())),
            ArchiveTarget::Bucket(bucket) => {
                Remote::open(bucket, region).map(Self::Bucket).map_err(io::Error::other)
            }
        }
    }

    /// Sends the pieces that are still in `folder`, and deletes each that is confirmed.
    pub fn send(&self, folder: &Path, pieces: &[Piece]) -> Sent {
        let mut sent = Sent::default();
        let left = pieces.iter().filter(|piece| folder.join(&piece.file).exists());
        match self {
            Self::Folder(archive) => {
                for piece in left {
                    let copied = copy(&folder.join(&piece.file), &archive.join(&piece.name));
                    if !sent.note(
                        folder,
                        piece,
                        copied.map_err(|fault| format!("{}: {fault}", archive.display())),
                    ) {
                        break;
                    }
                }
            }
            Self::Bucket(remote) => remote.runtime.block_on(async {
                let mut uploads = stream::iter(left)
                    .map(
                        |piece| async move { (piece, remote.upload(&folder.join(&piece.file), piece).await) },
                    )
                    .buffer_unordered(AT_ONCE);
                while let Some((piece, uploaded)) = uploads.next().await {
                    if !sent.note(folder, piece, uploaded) {
                        break;
                    }
                }
            }),
        }
        sent
    }
}

impl Sent {
    /// Says whether to go on.
    fn note(&mut self, folder: &Path, piece: &Piece, outcome: Result<(), String>) -> bool {
        let outcome = outcome
            .and_then(|()| fs::remove_file(folder.join(&piece.file)).map_err(|fault| fault.to_string()));
        match outcome {
            Ok(()) => {
                self.pieces += 1;
                self.octets += piece.octets;
                true
            }
            Err(fault) => {
                self.fault = Some(fault);
                false
            }
        }
    }
}

/// Copies into the archive's folder, and makes sure that it is there after a loss of power as well.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let begun = folder.join(format!(".{name}.new"));
    let mut target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&begun)?;
    io::copy(&mut File::open(from)?, &mut target)?;
    target.sync_all()?;
    fs::rename(&begun, to)?;
    sync(folder)
}

impl Remote {
    fn open(bucket: &Bucket, region: Option<&str>) -> Result<Self, String> {
        // One TLS is linked; whoever asks for "the" provider gets it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Bucket { name, prefix, region: own_region, endpoint, storage_class, kms_key } = bucket;
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(name)
            // S3 refuses what was changed on its way.
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(RetryConfig {
                max_retries: 3,
                retry_timeout: Duration::from_secs(20),
                ..RetryConfig::default()
            });
        let says_http = |endpoint: &str| endpoint.starts_with("http://");
        // As AWS's tools do: what is said of S3 counts before what is said of all services.
        let endpoint = endpoint
            .clone()
            .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint))
            .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
        let timeouts = ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(5))
            .with_timeout(Duration::from_secs(60))
            .with_allow_http(endpoint.as_deref().is_some_and(says_http));
        builder = builder.with_client_options(timeouts);
        if let Some(endpoint) = endpoint {
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        let of_environment = builder.get_config_value(&AmazonS3ConfigKey::Region);
        if let Some(region) = own_region.as_deref().or(of_environment.as_deref()).or(region) {
            builder = builder.with_region(region);
        }
        if let Some(key) = kms_key {
            builder = builder.with_sse_kms_encryption(key).with_bucket_key(true);
        }
        let mut attributes = Attributes::new();
        if let Some(class) = storage_class {
            attributes.insert(Attribute::StorageClass, class.clone().into());
        }
        let store = builder.build().map_err(|fault| fault.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|fault| fault.to_string())?;
        Ok(Self { store: Arc::new(store), prefix: prefix.clone(), attributes, runtime })
    }

    async fn upload(&self, file: &Path, piece: &Piece) -> Result<(), String> {
        let name = if self.prefix.is_empty() {
            piece.name.clone()
        } else {
            format!("{}/{}", self.prefix, piece.name)
        };
        let name = Name::parse(name).map_err(|fault| fault.to_string())?;
        let uploaded = if piece.octets <= PART as u64 {
            self.whole(file, &name).await
        } else {
            self.in_parts(file, &name).await
        };
        uploaded.map_err(|fault| fault.to_string())
    }

    async fn whole(&self, file: &Path, name: &Name) -> object_store::Result<()> {
        let octets = fs::read(file).map_err(generic)?;
        let options = PutOptions { attributes: self.attributes.clone(), ..PutOptions::default() };
        self.store.put_opts(name, octets.into(), options).await.map(|_| ())
    }

    async fn in_parts(&self, file: &Path, name: &Name) -> object_store::Result<()> {
        let mut file = File::open(file).map_err(generic)?;
        let options = object_store::PutMultipartOptions {
            attributes: self.attributes.clone(),
            ..object_store::PutMultipartOptions::default()
        };
        let mut upload = self.store.put_multipart_opts(name, options).await?;
        let parts = async {
            loop {
                let mut part = Vec::with_capacity(PART);
                file.by_ref().take(PART as u64).read_to_end(&mut part).map_err(generic)?;
                if part.is_empty() {
                    break;
                }
                upload.put_part(part.into()).await?;
            }
            upload.complete().await.map(|_| ())
        }
        .await;
        if parts.is_err() {
            // Where this fails too, the bucket's lifecycle rule for unfinished uploads clears them.
            let _ = upload.abort().await;
        }
        parts
    }
}

fn generic(fault: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "spool", source: Box::new(fault) }
}
