//! What is kept on the volume: the data, and a mark of who writes there. Two writers at a time, which no set may ever
//! have, find each other's mark, and that stays written down.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use tokio::{fs, io::AsyncWriteExt};

pub struct Store {
    folder: PathBuf,
    /// Another one for each start of each pod.
    me: String,
}

impl Store {
    /// Begins to write, which is written down.
    pub async fn open(folder: PathBuf, host: &str) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let store = Self { folder, me: format!("{host} {now}") };
        store.append("starts", &store.me).await?;
        store.replace("owner", store.me.as_bytes()).await?;
        Ok(store)
    }

    /// What was POSTed last.
    pub async fn data(&self) -> String {
        let kept = fs::read(self.folder.join("kubia.txt")).await;
        kept.map_or_else(|_| "No data posted yet\n".to_owned(), |kept| String::from_utf8_lossy(&kept).into_owned())
    }

    /// Keeps data: all of it or none, whatever happens meanwhile.
    pub async fn keep(&self, data: &[u8]) -> Result<()> {
        self.replace("kubia.txt", data).await
    }

    /// Renews the mark; another's, where this one's was, is written down.
    pub async fn mark(&self) -> Result<()> {
        let owner = self.read("owner").await;
        if owner != self.me {
            self.append("conflicts", &format!("{} found {owner:?}", self.me)).await?;
        }
        self.replace("owner", self.me.as_bytes()).await
    }

    /// Takes the mark off, at the end.
    pub async fn release(&self) -> Result<()> {
        self.replace("owner", b"").await
    }

    /// Who has begun to write here, in order, and who met another.
    pub async fn witness(&self) -> String {
        format!("starts:\n{}conflicts:\n{}", self.read("starts").await, self.read("conflicts").await)
    }

    async fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).await.unwrap_or_default()
    }

    async fn append(&self, name: &str, line: &str) -> Result<()> {
        let path = self.folder.join(name);
        let told = || format!("cannot write {}", path.display());
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).await.with_context(told)?;
        file.write_all(format!("{line}\n").as_bytes()).await.with_context(told)?;
        file.sync_all().await.with_context(told)
    }

    async fn replace(&self, name: &str, data: &[u8]) -> Result<()> {
        let (path, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let told = |path: &Path| format!("cannot write {}", path.display());
        let mut file = fs::File::create(&new).await.with_context(|| told(&new))?;
        file.write_all(data).await.with_context(|| told(&new))?;
        file.sync_all().await.with_context(|| told(&new))?;
        fs::rename(&new, &path).await.with_context(|| told(&path))
    }
}
