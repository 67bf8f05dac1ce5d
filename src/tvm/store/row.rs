//! Reading rows: a column that does not hold what was written there is named.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Result, StoreError};
use crate::types::{SessionDuration, Timestamp};

/// A row of an answer.
pub(super) trait Read {
    fn text(&self, column: &'static str) -> Result<String>;
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>>;
    fn number(&self, column: &'static str) -> Result<i64>;
    fn maybe_number(&self, column: &'static str) -> Result<Option<i64>>;

    /// A text that means something.
    fn word<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        read(&self.text(column)?).ok_or(StoreError::Corrupt { column })
    }

    fn maybe_word<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        match self.maybe_text(column)? {
            None => Ok(None),
            Some(text) => read(&text).map(Some).ok_or(StoreError::Corrupt { column }),
        }
    }

    fn time(&self, column: &'static str) -> Result<Timestamp> {
        Timestamp::from_unix_millis(self.number(column)?).ok_or(StoreError::Corrupt { column })
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        match self.maybe_number(column)? {
            None => Ok(None),
            Some(millis) => Timestamp::from_unix_millis(millis).map(Some).ok_or(StoreError::Corrupt { column }),
        }
    }

    fn maybe_session(&self, column: &'static str) -> Result<Option<SessionDuration>> {
        match self.maybe_number(column)? {
            None => Ok(None),
            Some(seconds) => {
                let duration = u32::try_from(seconds).ok().and_then(|seconds| SessionDuration::try_from(seconds).ok());
                duration.map(Some).ok_or(StoreError::Corrupt { column })
            }
        }
    }
}

impl Read for AnyRow {
    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &'static str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_number(&self, column: &'static str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }
}
