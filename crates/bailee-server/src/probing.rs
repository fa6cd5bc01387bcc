//! Probing: what keeps the packs is made to show what it really does.
//!
//! Invariants: nothing rests on the outcome, put-once and pins least of all; what is written is a
//! few bytes under a name of its own, and taken away. Out of scope: whether a disk tells the truth
//! about `fsync`, which only a cut of its power shows.

use bailee_store::s3::{Finding, Outcome};
use bailee_store::{ObjectError, Objects, Put};

use crate::house::{House, HouseError};
use crate::keeping::KeepError;

/// Tries out the bucket, or the data directory's objects if there is none.
///
/// # Errors
/// It does not answer at all. What it does wrong is in the findings.
pub fn probe(house: &House) -> Result<Vec<Finding>, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    let mark = format!("{}-{}", house.clock().now().0, std::process::id());
    match house.config().vault.open(dir)? {
        None => Ok(disk(&**house.objects(), &format!("probe/{mark}")).map_err(HouseError::from)?),
        Some(bucket) => Ok(bucket
            .probe(&mark)
            .map_err(|error| HouseError::Engine { detail: error.to_string() })?),
    }
}

fn disk(objects: &dyn Objects, name: &str) -> Result<Vec<Finding>, ObjectError> {
    let finding = |what, holds: bool, saw: &str, else_saw: &str| Finding {
        what,
        outcome: if holds { Outcome::Holds } else { Outcome::Broken },
        saw: if holds { saw } else { else_saw }.to_owned(),
    };
    let first = objects.put(name, b"first")?;
    let read = objects.get(name)? == b"first" && first == Put::Stored;
    let listed = objects.list(name)? == [name];
    let once = objects.put(name, b"second")? == Put::AlreadyThere && objects.get(name)? == b"first";
    objects.delete(name)?;
    let gone = matches!(objects.get(name), Err(ObjectError::NotFound { .. }));
    Ok(vec![
        finding("read after write", read, "the very bytes", "other bytes"),
        finding("list after write", listed, "it is listed", "it is not listed"),
        finding("put once", once, "kept the first", "wrote over the first"),
        finding("delete", gone, "it is gone", "it is still there"),
    ])
}
