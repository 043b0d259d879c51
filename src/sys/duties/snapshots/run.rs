//! Takes snapshots when they are due, on the active node.

use super::config::{self, Config, Configs};
use super::files::{self, Draft};
use super::status::{Auto, Status};
use crate::barrier::Unsealed;
use crate::clock::{Clock, Timestamp};
use crate::store::{Key, Observer, Revision};
use crate::sys::snapshot::save_to;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The longest pause after a failure.
const RETRY: Duration = Duration::from_secs(600);

/// The observer of the store that rings when settings are changed, by whichever node.
struct Watch {
    key: Key,
    changed: Notify,
}

impl Observer for Watch {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        if keys.is_empty() || keys.contains(&self.key) {
            self.changed.notify_one();
        }
    }
}

/// Runs until it is dropped. Without settings it only waits for some. First of all it forgets a
/// restore that the last active node did not finish.
pub async fn run(
    auto: Arc<Auto>,
    barrier: Arc<Unsealed>,
    clock: Arc<dyn Clock>,
    cluster_id: String,
) {
    let storage = Arc::clone(barrier.storage());
    let Some(whole) = storage.whole() else {
        return;
    };
    if let Err(error) = whole.abandon_restore().await {
        tracing::warn!(%error, "an unfinished restore could not be forgotten; the next one will");
    }
    let Ok(key) = config::key(&barrier) else {
        return;
    };
    let changed = Notify::new();
    let watch = Arc::new(Watch { key, changed });
    storage.observe(Arc::downgrade(&watch) as _);
    auto.all().clear();
    loop {
        let configs = match config::read(&barrier) {
            Ok((_, configs)) => configs,
            Err(error) => {
                tracing::warn!(%error, "the settings of snapshots cannot be read");
                Configs::new()
            }
        };
        auto.all().retain(|name, _| configs.contains_key(name));
        let Some((name, config, at)) = next(&auto, &configs).await else {
            watch.changed.notified().await;
            continue;
        };
        tokio::select! {
            () = watch.changed.notified() => continue,
            () = tokio::time::sleep(at.since(clock.now())) => {}
        }
        // The clock may have been slower than the timer.
        if at <= clock.now() {
            attempt(&auto, &name, &config, &barrier, &clock, &cluster_id).await;
        }
    }
}

/// Returns the setting that is due first, and the time at which it is due.
async fn next(auto: &Auto, configs: &Configs) -> Option<(String, Config, Timestamp)> {
    let mut first: Option<(String, Config, Timestamp)> = None;
    for (name, config) in configs {
        let interval = Duration::from_secs(config.interval_s);
        let status = auto.status(name);
        let at = match status.last_end.is_zero() {
            false if status.last_error.is_empty() => status.last_start.plus(interval),
            false => status.last_end.plus(interval.min(RETRY)),
            // Not tried since this node is active: the files tell when it was done last.
            true => match newest(config).await {
                Ok(Some((time, _))) => time.plus(interval),
                _ => Timestamp::default(),
            },
        };
        auto.all().entry(name.clone()).or_default().next = at;
        if first.as_ref().is_none_or(|(_, _, earliest)| at < *earliest) {
            first = Some((name.clone(), config.clone(), at));
        }
    }
    first
}

async fn newest(config: &Config) -> io::Result<Option<(Timestamp, u64)>> {
    let config = config.clone();
    let taken = blocking(move || files::taken(&config)).await?;
    Ok(taken.last().map(|last| (last.time(), last.index)))
}

async fn attempt(
    auto: &Auto,
    name: &str,
    config: &Config,
    barrier: &Arc<Unsealed>,
    clock: &Arc<dyn Clock>,
    cluster_id: &str,
) {
    let started = clock.now();
    let note = |change: &mut dyn FnMut(&mut Status)| {
        change(auto.all().entry(name.to_owned()).or_default());
    };
    note(&mut |status| status.started = started);
    let taken = take(config, barrier, started, cluster_id).await;
    match &taken {
        Ok(Some(path)) => crate::telemetry::info!(name, path, "took a snapshot"),
        Ok(None) => crate::telemetry::debug!(name, "nothing has changed since the last snapshot"),
        Err(error) => tracing::error!(name, error, "no snapshot could be taken"),
    }
    note(&mut |status| {
        status.started = Timestamp::default();
        status.last_start = started;
        status.last_end = clock.now();
        match &taken {
            Ok(path) => {
                status.consecutive_errors = 0;
                status.last_error.clear();
                if let Some(path) = path {
                    status.last_url = format!("file://{path}");
                }
            }
            Err(error) => {
                status.consecutive_errors += 1;
                status.last_error = error.clone();
            }
        }
    });
}

/// Takes a snapshot and returns its path; `None` when nothing has changed since the last one.
async fn take(
    config: &Config,
    barrier: &Arc<Unsealed>,
    now: Timestamp,
    cluster_id: &str,
) -> Result<Option<String>, String> {
    let local = |error: io::Error| format!("{}: {error}", config.path_prefix);
    let settings = config.clone();
    let made = blocking(move || files::make_folder(&settings)).await;
    made.map_err(local)?;
    let index = barrier.storage().status().applied_index;
    if matches!(newest(config).await.map_err(local)?, Some((_, last)) if last == index) {
        return Ok(None);
    }
    let settings = config.clone();
    let draft = blocking(move || {
        let used: u64 = files::taken(&settings)?
            .iter()
            .map(|taken| taken.bytes)
            .sum();
        let room = settings.local_max_space.saturating_sub(used);
        Draft::new(&settings, &files::name(&settings, now, index), room)
    });
    let draft = draft.await.map_err(local)?;
    let saved = save_to(barrier, cluster_id, draft).await;
    let (draft, _) = saved.map_err(|error| error.to_string())?;
    let settings = config.clone();
    let kept = blocking(move || {
        let path = draft.keep()?;
        files::prune(&settings)?;
        Ok(path)
    });
    let path = kept.await.map_err(local)?;
    Ok(Some(path.display().to_string()))
}

/// Runs file work off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}
