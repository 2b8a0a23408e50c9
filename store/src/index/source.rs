//! Where pages come from: the generation that counts, perhaps still opening.
//!
//! The database opens on a thread of its own while the journal is replayed; whoever needs a page first waits for it, up to
//! a limit. Every page is compared with the checksum that the control file has for it. The first doubt condemns the
//! generation, and from then on everything answers [`Error::Index`].

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::control::{self, Control};
use super::database::{Form, OpenTrouble, Trouble};
use super::generation::{self, Generation, Place, form_of};
use super::key::{AT, PageKey, open_value};
use super::page::PageMark;
use super::survey::Survey;
use crate::error::{Error, Result};
use crate::limits::{DATABASE_OPEN_TIME, DATABASE_OPEN_TIME_PER_PAGE};

/// How to get hold of the generation that a control file names.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) place: Place,
    pub(super) control: Arc<Control>,
    /// Its last user may still write to it: work on a copy.
    pub(super) copy: bool,
    /// It was last written during this run of this host.
    pub(super) same_boot: bool,
}

/// An open generation, and what is in it if that had to be found out.
pub(super) struct Obtained {
    pub(super) generation: Arc<Generation>,
    pub(super) survey: Option<Survey>,
}

/// See the module.
pub(super) struct Source {
    place: Place,
    state: State,
}

enum State {
    /// There is no generation yet.
    Empty,
    Opening {
        name: String,
        receiver: Receiver<Result<Obtained, Trouble>>,
        limit: Duration,
    },
    Open(Arc<Generation>),
    Unusable(String),
}

impl Source {
    pub(super) fn empty(place: Place) -> Self {
        Self {
            place,
            state: State::Empty,
        }
    }

    /// Begins to open; returns at once.
    pub(super) fn opening(plan: Plan) -> Result<Self> {
        let place = plan.place.clone();
        let name = plan.control.generation.clone();
        let (receiver, limit) = plan.start()?;
        Ok(Self {
            place,
            state: State::Opening {
                name,
                receiver,
                limit,
            },
        })
    }

    pub(super) fn open(place: Place, generation: Arc<Generation>) -> Self {
        Self {
            place,
            state: State::Open(generation),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The generation, waited for; none if there is none yet.
    pub(super) fn ready(&mut self) -> Result<Option<&Arc<Generation>>> {
        if let State::Opening { .. } = self.state {
            self.wait();
        }
        match &self.state {
            State::Open(generation) => Ok(Some(generation)),
            State::Unusable(reason) => Err(Error::Index {
                reason: reason.clone(),
            }),
            State::Empty | State::Opening { .. } => Ok(None),
        }
    }

    fn wait(&mut self) {
        let State::Opening {
            name,
            receiver,
            limit,
        } = &self.state
        else {
            return;
        };
        let reason = match wait(receiver, *limit) {
            Ok(obtained) => {
                self.state = State::Open(obtained.generation);
                return;
            }
            Err(trouble) => trouble,
        };
        self.place.condemn(name, &reason);
        self.state = State::Unusable(reason);
    }

    /// From now on pages come from here.
    pub(super) fn switch(&mut self, generation: Arc<Generation>) {
        self.state = State::Open(generation);
    }

    /// Believes it no longer, now and at the next start.
    pub(super) fn condemn(&mut self, reason: String) -> Error {
        if let State::Open(generation) = &self.state {
            self.place.condemn(&generation.name, &reason);
        }
        self.state = State::Unusable(reason.clone());
        Error::Index { reason }
    }

    /// The value of a key that nothing lists; its own checksum is all that proves it.
    pub(super) fn lookup(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(generation) = self.ready()? else {
            return Ok(None);
        };
        let value = match generation.database.get(key) {
            Ok(None) => return Ok(None),
            Ok(Some(value)) => value,
            Err(trouble) => return Err(self.condemn(trouble)),
        };
        match open_value(key, &value) {
            Some((body, _)) => Ok(Some(body.to_vec())),
            None => Err(self.condemn("a looked-up value is damaged".into())),
        }
    }

    /// The body of a page that the control file lists.
    pub(super) fn page(&mut self, key: PageKey, mark: PageMark) -> Result<Vec<u8>> {
        let found = match self.ready()? {
            Some(generation) => read_page(generation, key, mark),
            None => Err(format!("{key:?} is listed but there is no database")),
        };
        found.map_err(|trouble| self.condemn(trouble))
    }

    /// Visits values from a key on, in order.
    pub(super) fn scan(
        &mut self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<()> {
        let Some(generation) = self.ready()? else {
            return Ok(());
        };
        let scanned = generation.database.scan(from, visit);
        scanned.map_err(|trouble| self.condemn(trouble))
    }
}

/// Reads a page and compares it with what the control file says of it.
pub(super) fn read_page(
    generation: &Generation,
    key: PageKey,
    mark: PageMark,
) -> Result<Vec<u8>, Trouble> {
    let bytes = key.to_bytes();
    let Some(value) = generation.database.get(&bytes)? else {
        return Err(format!("{key:?} is missing"));
    };
    let Some((body, crc)) = open_value(&bytes, &value) else {
        return Err(format!("{key:?} is damaged"));
    };
    if crc != mark.crc {
        return Err(format!("{key:?}: crc {crc:#x}, want {:#x}", mark.crc));
    }
    Ok(body.to_vec())
}

/// Lets the last user of a database go on closing it, for as long as is answered.
fn wait(
    receiver: &Receiver<Result<Obtained, Trouble>>,
    limit: Duration,
) -> Result<Obtained, Trouble> {
    match receiver.recv_timeout(limit) {
        Ok(obtained) => obtained,
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("opening the database takes longer than {limit:?}"))
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err("the thread that opens the database ended".into())
        }
    }
}

impl Plan {
    /// Opens it and waits.
    pub(super) fn obtain_in_time(self) -> Result<Result<Obtained, Trouble>> {
        let (receiver, limit) = self.start()?;
        Ok(wait(&receiver, limit))
    }

    /// Starts a thread that opens it.
    fn start(self) -> Result<(Receiver<Result<Obtained, Trouble>>, Duration)> {
        let (sender, receiver) = sync_channel(1);
        let pages = u32::try_from(self.control.pages().count()).unwrap_or(u32::MAX);
        let limit = DATABASE_OPEN_TIME + DATABASE_OPEN_TIME_PER_PAGE * pages;
        let spawned = thread::Builder::new()
            .name("index-open".into())
            .spawn(move || {
                let started = Instant::now();
                let obtained = self.obtain();
                tracing::debug!(
                    event = "index.opened",
                    pages,
                    looked_through = self.control.updating.is_some() || self.copy,
                    ms = started.elapsed().as_secs_f64() * 1e3
                );
                // The receiver is gone if it took too long: then nobody wants the result.
                let _ = sender.send(obtained);
            });
        spawned.map_err(|error| Error::Thread {
            name: "index-open",
            why: error.to_string(),
        })?;
        Ok((receiver, limit))
    }

    /// Opens the generation, or a proven copy of it; looks through all of it when a checkpoint was under way.
    fn obtain(&self) -> Result<Obtained, Trouble> {
        let generation = if self.copy {
            None
        } else {
            self.open_in_place()?
        };
        let copied = generation.is_none();
        let generation = Arc::new(match generation {
            Some(generation) => generation,
            None => self.open_copy()?,
        });
        let is_file = form_of(&generation.name) == Form::File;
        // A file is in memory anyway, and looking through it takes no time.
        if self.control.updating.is_none() && !copied && !is_file {
            self.check_last_written(&generation)?;
            return Ok(Obtained {
                generation,
                survey: None,
            });
        }
        let survey = Survey::of(&*generation.database, &self.control)?;
        survey.prove(&self.control, self.same_boot)?;
        Ok(Obtained {
            generation,
            survey: Some(survey),
        })
    }

    /// None if somebody else has it open for longer than it takes to close it.
    fn open_in_place(&self) -> Result<Option<Generation>, Trouble> {
        let name = &self.control.generation;
        let path = self.place.path(name);
        if self
            .place
            .fs
            .list(&self.place.dir)
            .is_ok_and(|names| !names.contains(name))
        {
            return Err(format!("{} is missing", path.display()));
        }
        match self.place.open(name) {
            Ok(generation) => Ok(Some(generation)),
            Err(OpenTrouble::Unusable(trouble)) => Err(trouble),
            Err(OpenTrouble::Locked) => Ok(None),
        }
    }

    fn open_copy(&self) -> Result<Generation, Trouble> {
        let name = self.place.fresh_name(form_of(&self.control.generation));
        tracing::info!(from = %self.control.generation, to = %name, "the index is copied: it may still be open elsewhere");
        self.place.copy(&self.control.generation, &name)?;
        self.place.sync_new(&name)?;
        self.place.open(&name).map_err(generation::text)
    }

    /// The value that each checkpoint writes last tells a database that was cut short or emptied.
    fn check_last_written(&self, generation: &Generation) -> Result<(), Trouble> {
        let mut want = Vec::new();
        control::put_after(&mut want, self.control.image.after);
        let found = generation.database.get(AT)?;
        if found
            .as_deref()
            .and_then(|value| open_value(AT, value))
            .is_some_and(|(body, _)| body == want)
        {
            return Ok(());
        }
        Err("the database does not end where the control file says".into())
    }
}
