//! The lines of an export: parts of its file, in order.

use super::super::StoreError;
use super::super::item::{n, s};
use super::{ExportFile, ITEM, JOB_ID, Jobs, LINES_OF_PAGE};
use domain::job::JobId;
use domain::time::Timestamp;

const CONTENT: &str = "content";

/// The key of the line `number` of the file that `run` writes.
fn key(run: &str, number: u32) -> String {
    format!("line#{run}#{number:06}")
}

impl Jobs {
    /// Writes the line `number` of a file, counted from 0, to be forgotten at `end`. Durable on return; done twice it is as
    /// done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put_line(
        &self,
        id: &JobId,
        (run, number): (&str, u32),
        content: &str,
        end: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(JOB_ID, s(id))
            .item(ITEM, s(key(run, number)))
            .item(CONTENT, s(content))
            .item("expiresAt", n(end.seconds()))
            .send()
            .await
            .map_err(self.0.fault("PutItem of a line"))?;
        Ok(())
    }

    /// A page of a file, counted from 1; nothing of one that it does not have.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn page(
        &self,
        id: &JobId,
        file: &ExportFile,
        page: u32,
    ) -> Result<Option<String>, StoreError> {
        if !(1..=file.pages()).contains(&page) {
            return Ok(None);
        }
        let first = (page - 1) * LINES_OF_PAGE;
        let mut text = String::new();
        for number in first..file.lines.min(first + LINES_OF_PAGE) {
            let call = self.0.client.get_item().table_name(&self.0.name);
            let answer = call
                .key(JOB_ID, s(id))
                .key(ITEM, s(key(&file.run, number)))
                .send()
                .await
                .map_err(self.0.fault("GetItem of a line"))?;
            let item = answer.item.unwrap_or_default();
            let content = item.get(CONTENT).and_then(|content| content.as_s().ok());
            text.push_str(content.ok_or_else(|| self.0.malformed(CONTENT))?);
        }
        Ok(Some(text))
    }
}
