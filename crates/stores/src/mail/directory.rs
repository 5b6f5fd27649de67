//! The courier that needs nothing: each mail becomes a file `.eml`, which mail programs open.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tidegate_model::{ErrorKind, Failure};

use super::{Courier, Delivery, DueMail, Undelivered};

/// A folder that mails are put into, readable by its owner only.
#[derive(Debug, Clone)]
pub struct Directory {
    folder: PathBuf,
}

impl Directory {
    /// Mails go to `folder`, which is made when the first one comes.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

#[async_trait]
impl Courier for Directory {
    fn is_repeatable(&self) -> bool {
        true
    }

    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure> {
        let folder = self.folder.clone();
        blocking(move || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| failed(&folder, &error))
        })
        .await?;
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Delivery for Directory {
    async fn announce(&mut self, _: &DueMail) -> Result<(), Undelivered> {
        Ok(())
    }

    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        let (folder, name, message) = (self.folder.clone(), file_name(mail), mail.message.clone());
        blocking(move || put(&folder, &name, &message).map_err(|error| failed(&folder, &error)))
            .await
            .map_err(Undelivered::Lost)
    }

    async fn close(&mut self) {}
}

/// What it is about in letters that every file system takes, and the beginning of the id.
fn file_name(mail: &DueMail) -> String {
    let about = mail.about.to_lowercase();
    let words = about.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let about: String = words.collect::<Vec<_>>().join("-").chars().take(40).collect();
    format!("{about}-{}.eml", &mail.id.to_string()[..12])
}

/// Nobody sees a part of it: it gets its name once it is whole and on the disk.
fn put(folder: &Path, name: &str, message: &[u8]) -> std::io::Result<()> {
    let draft = folder.join(format!(".{name}"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn failed(folder: &Path, error: &std::io::Error) -> Failure {
    let reason = format!("mails cannot be put into `{}`: {error}", folder.display());
    Failure::new("C0201", ErrorKind::Unavailable, reason).help("make the folder writable, or give `[mail]` a `url`")
}

async fn blocking(work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Failure::new("C0201", ErrorKind::Bug, format!("writing a mail failed: {error}"))))
}
