//! From what lies in `index/` to an [`Index`] that can be replayed onto.
//!
//! Any doubt ends in an empty index and a reason: the journal then tells everything again.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::control::{self, Control};
use super::generation::Place;
use super::source::{Plan, Source};
use crate::error::Result;
use crate::fs::Fs;
use crate::index::Index;
use crate::journal::After;
use crate::position::SegmentNumber;
use crate::settings::Settings;

/// What generations are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Backend {
    /// One file while the index is small, which is read in no time; a sled database when it is not.
    #[default]
    Fitting,
    /// Always a sled database, so that tests need no large index for one.
    #[cfg(test)]
    Sled,
    /// Always one file, so that tests can crash it with the rest.
    #[cfg(any(test, feature = "sim"))]
    File,
}

/// What the index needs to know about this start.
#[derive(Clone, Debug)]
pub(crate) struct Opening<'a> {
    /// Our epoch; names the generations we create.
    pub(crate) epoch: u64,
    /// Boot id of this host: tells a killed process from a host that went down.
    pub(crate) boot_id: String,
    /// The data directory is on a network file system.
    pub(crate) network: bool,
    /// The previous holder released the lock in order.
    pub(crate) previous_clean: bool,
    /// The oldest segment that is still there; a checkpoint before it is of no use.
    pub(crate) oldest_segment: Option<SegmentNumber>,
    /// Where pages are kept.
    pub(crate) backend: Backend,
    /// Cache size and ages.
    pub(crate) settings: &'a Settings,
}

/// An index, and from where to replay onto it.
pub(crate) struct Opened {
    /// The index as of `from`, or empty.
    pub(crate) index: Index,
    /// Replay what comes after this; everything when `None`.
    pub(crate) from: Option<After>,
    /// Why there was no usable index although there should have been one.
    pub(crate) rebuilt: Option<String>,
}

impl Index {
    /// Opens the index of the data directory `dir` (its files are in `dir/index`). Never fails because of what the
    /// index looks like: any doubt sets the generation aside and gives an empty index with a reason.
    ///
    /// The database opens on a thread of its own meanwhile; call [`Index::settle`] after the replay.
    ///
    /// # Errors
    /// Only when a thread cannot be started.
    pub(crate) fn open(fs: Arc<dyn Fs>, dir: &Path, opening: &Opening<'_>) -> Result<Opened> {
        let place = Place {
            fs,
            dir: dir.join("index"),
            backend: opening.backend,
            epoch: opening.epoch,
        };
        let rebuilt = match read_control(&place, opening) {
            Ok(None) => None,
            Ok(Some(control)) => match resume(&place, opening, control)? {
                Ok(opened) => return Ok(opened),
                Err(reason) => Some(reason),
            },
            Err(reason) => Some(reason),
        };
        if let Some(reason) = &rebuilt {
            tracing::warn!(%reason, "no usable index: it is rebuilt from the journal");
        }
        let index = Self::empty(Source::empty(place), &opening.boot_id, opening.settings);
        Ok(Opened {
            index,
            from: None,
            rebuilt,
        })
    }
}

/// The control file, if there is one and it can be of use; none if there never was a checkpoint.
fn read_control(place: &Place, opening: &Opening<'_>) -> Result<Option<Control>, String> {
    let path = control::path(&place.dir);
    let bytes = match place.fs.read_small(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let control = Control::decode(&bytes)?;
    if let Some(reason) = place.condemned(&control.generation) {
        return Err(format!(
            "generation {} was set aside: {reason}",
            control.generation
        ));
    }
    let at = control.image.after.position.segment;
    match opening.oldest_segment {
        Some(oldest) if oldest <= at => Ok(Some(control)),
        Some(oldest) => Err(format!(
            "the checkpoint is in segment {at}, the oldest is {oldest}"
        )),
        None => Err(format!("the checkpoint is in segment {at}, there is none")),
    }
}

/// An index as of a control file, or the reason why not.
fn resume(
    place: &Place,
    opening: &Opening<'_>,
    control: Control,
) -> Result<Result<Opened, String>> {
    let mut control = Arc::new(control);
    let plan = Plan {
        place: place.clone(),
        control: Arc::clone(&control),
        copy: opening.network && !opening.previous_clean,
        same_boot: control.boot_id == opening.boot_id,
    };
    let mut proven = false;
    let source = if plan.copy || control.updating.is_some() {
        let obtained = match plan.obtain_in_time()? {
            Ok(obtained) => obtained,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Some(survey) = obtained.survey {
            let image = survey.image(&control);
            let generation = obtained.generation.name.clone();
            control = Arc::new(Control {
                image,
                generation,
                updating: None,
                ..(*control).clone()
            });
            proven = true;
        }
        Source::open(place.clone(), obtained.generation)
    } else {
        Source::opening(plan)?
    };
    let from = Some(control.image.after);
    let mut index = Index::as_of(source, control, &opening.boot_id, opening.settings);
    index.proven = proven;
    Ok(Ok(Opened {
        index,
        from,
        rebuilt: None,
    }))
}
