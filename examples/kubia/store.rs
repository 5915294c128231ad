//! What is kept on the volume: the data, and a mark of who writes there. Two writers at a time, which no set may ever
//! have, find each other's mark, and that stays written down.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use tokio::{fs, io::AsyncWriteExt};

pub struct Store {
    folder: PathBuf,
    /// Another one for each start of each pod.
    me: String,
    marks: AtomicU64,
}

impl Store {
    /// Begins to write, which is written down.
    pub async fn open(folder: PathBuf, host: &str) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let store = Self { folder, me: format!("{host} {now}"), marks: AtomicU64::new(0) };
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
        let owner = self.read("owner").await?;
        if owner != self.me {
            self.append("conflicts", &format!("{} found {owner:?}", self.me)).await?;
        }
        self.replace("owner", self.me.as_bytes()).await?;
        self.marks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the mark off, at the end, and writes down that it ended in good order.
    pub async fn release(&self) -> Result<()> {
        self.append("ends", &self.me).await?;
        self.replace("owner", b"").await
    }

    /// How many marks this one has left, who has begun and ended to write here, and who met another. One who was killed within
    /// two marks of the other's start is not met.
    pub async fn witness(&self) -> Result<String> {
        let marks = self.marks.load(Ordering::Relaxed);
        let [starts, ends, conflicts] =
            [self.read("starts").await?, self.read("ends").await?, self.read("conflicts").await?];
        Ok(format!("marks: {marks}\nstarts:\n{starts}ends:\n{ends}conflicts:\n{conflicts}"))
    }

    async fn read(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        match fs::read_to_string(&path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            read => read.with_context(|| format!("cannot read {}", path.display())),
        }
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
