//! Questions about crawls and campaigns while the server runs: it has open what they are about, so it is asked.
//!
//! The server answers on a port of its own on loopback. Where, and the word that shows that who asks may read the data folder,
//! stand in a file that only its owner reads. A question is one line of JSON, the answer another; none of them changes anything
//! here, and only one asks something of others.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream as Connection},
    sync::Semaphore,
};
use url::Url;

/// Where the server answers, in the data folder.
const FILE: &str = "server.json";
/// Longest question, in bytes.
const MAX_QUESTION: u64 = 64 * 1024;
/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// Longest file that says where the server answers, in bytes.
const MAX_FILE: u64 = 4096;
/// Questions answered at once; others wait.
const AT_ONCE: usize = 4;
/// Longest time a question may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// Longest time an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the server can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Question {
    /// What became of an address.
    Why {
        /// The address.
        url: Url,
    },
    /// What runs when.
    Plan {
        /// Profile ids or files; all when empty.
        profiles: Vec<String>,
        /// Visits to come that are named for each.
        listings: usize,
    },
    /// Where fields stand that a profile does not find any more.
    Mend {
        /// The profile.
        profile: String,
    },
    /// The newest archived page at an address.
    Archived {
        /// The profile.
        profile: String,
        /// The address.
        url: Url,
    },
    /// What stands at an address now: it is fetched, as a run of the profile would.
    Look {
        /// What the profile is called in messages.
        file: String,
        /// The profile's text.
        text: String,
        /// The address.
        url: Url,
    },
    /// What changed in a listing.
    Versions {
        /// Its identity, or its address.
        listing: String,
    },
    /// Which questions a profile put to its site.
    Queries {
        /// The profile.
        profile: String,
    },
    /// What the runs of a profile did.
    Status {
        /// The profile.
        profile: String,
    },
    /// What came of a campaign.
    Campaign {
        /// Its id.
        campaign: String,
        /// The families of its rules.
        families: Vec<String>,
    },
}

/// How to reach the server.
#[derive(Debug, Serialize, Deserialize)]
struct Door {
    address: SocketAddr,
    word: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    word: String,
    question: Question,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Said(Value),
    Failed(String),
}

/// Asks the server that has the data folder `data` open.
///
/// # Errors
/// When no server answers there, or it cannot answer this.
pub(super) fn ask<T: DeserializeOwned>(data: &Path, question: Question) -> Result<T> {
    let path = data.join(FILE);
    let held = || {
        format!("{} is in use, and no server that can be asked runs on it: try again when it has ended", data.display())
    };
    let file = fs::File::open(&path).with_context(held)?;
    let door: Door =
        serde_json::from_reader(file.take(MAX_FILE)).with_context(|| format!("reading {}", path.display()))?;
    ensure!(door.address.ip().is_loopback(), "{} names an address that is not of this machine", path.display());
    let mut stream = TcpStream::connect_timeout(&door.address, ARRIVAL).with_context(held)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(ARRIVAL))?;
    let mut line = serde_json::to_vec(&Asked { word: door.word, question })?;
    line.push(b'\n');
    stream.write_all(&line).context("asking the server")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).context("waiting for the server's answer")?;
    match serde_json::from_slice(&answer).context("the server's answer cannot be read")? {
        Answer::Said(value) => serde_json::from_value(value).context("the server is of another version"),
        Answer::Failed(why) => bail!(why),
    }
}

/// The server's side; the file goes when this is dropped.
pub(super) struct Counter {
    listener: TcpListener,
    word: String,
    path: PathBuf,
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the file that says where the server answers is gone already");
        }
    }
}

impl Counter {
    /// Opens a port for questions about `data`.
    ///
    /// # Errors
    /// When there is no port or the file cannot be written.
    pub(super) async fn open(data: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("opening a port for questions")?;
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
        let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = data.join(FILE);
        let door = Door { address: listener.local_addr()?, word: word.clone() };
        crate::files::replace_private(&path, &serde_json::to_vec(&door)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { listener, word, path })
    }

    /// Answers questions by `answer`, which may block, for as long as it is let.
    pub(super) async fn answer<A>(self, answer: A)
    where
        A: Fn(Question) -> Result<Value> + Send + Sync + 'static,
    {
        let answer = Arc::new(answer);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let connection = match self.listener.accept().await {
                Ok((connection, _)) => connection,
                Err(error) => {
                    tracing::warn!(%error, "a question cannot be taken");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let (answer, word) = (Arc::clone(&answer), self.word.clone());
            tokio::spawn(async move {
                if let Err(error) = serve(connection, &word, answer).await {
                    tracing::debug!(%error, "a question was not answered");
                }
                drop(turn);
            });
        }
    }
}

async fn serve<A>(mut connection: Connection, word: &str, answer: Arc<A>) -> Result<()>
where
    A: Fn(Question) -> Result<Value> + Send + Sync + 'static,
{
    let (reading, mut writing) = connection.split();
    let mut line = Vec::new();
    let mut reading = BufReader::new(reading.take(MAX_QUESTION));
    tokio::time::timeout(ARRIVAL, reading.read_until(b'\n', &mut line)).await??;
    let asked: Asked = serde_json::from_slice(&line).map_err(|_| anyhow!("no question"))?;
    ensure!(bool::from(asked.word.as_bytes().ct_eq(word.as_bytes())), "the word is wrong");
    let said = tokio::task::spawn_blocking(move || answer(asked.question)).await?;
    let answer = said.map_or_else(|error| Answer::Failed(format!("{error:#}")), Answer::Said);
    let answer = serde_json::to_vec(&answer)?;
    tokio::time::timeout(PATIENCE, async {
        writing.write_all(&answer).await?;
        writing.shutdown().await
    })
    .await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Question {
        Question::Status { profile: "shop".into() }
    }

    async fn asked(data: &Path) -> Result<String> {
        let data = data.to_owned();
        tokio::task::spawn_blocking(move || ask::<String>(&data, status())).await.unwrap()
    }

    #[tokio::test]
    async fn who_may_read_the_folder_is_answered_and_who_may_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(asked(folder.path()).await.unwrap_err().to_string().contains("no server"));
        let counter = Counter::open(folder.path()).await.unwrap();
        let path = folder.path().join(FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let answering = tokio::spawn(counter.answer(|question| match question {
            Question::Status { profile } => Ok(Value::from(format!("about {profile}"))),
            _ => bail!("not that"),
        }));
        assert_eq!(asked(folder.path()).await.unwrap(), "about shop");
        let door: Door = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let forged = Door { word: "0".repeat(64), ..door };
        fs::write(&path, serde_json::to_vec(&forged).unwrap()).unwrap();
        assert!(asked(folder.path()).await.is_err());
        answering.abort();
        assert!(answering.await.unwrap_err().is_cancelled());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_question_without_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let counter = Counter::open(folder.path()).await.unwrap();
        let address = counter.listener.local_addr().unwrap();
        let answering = tokio::spawn(counter.answer(|_| Ok(Value::Null)));
        let sent = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut sent = 0;
            while sent < 1 << 26 && stream.write_all(&[b'x'; 4096]).is_ok() {
                sent += 4096;
            }
            sent
        });
        assert!(sent.await.unwrap() < 1 << 26);
        answering.abort();
    }
}
