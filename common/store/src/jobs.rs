//! The table of jobs: a record for each, and the lines of the file that an export makes.
//!
//! Each stage is left by one write that asks for the stage: of two runs that do the same one goes on, and what they did is
//! the same. An export writes its lines under a key that its run has drawn, and names it by the write that ends the job.

mod lines;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::TelegramUserId;
use domain::job::{JobId, JobKind, JobStage, Pseudonym, RECEIPT_KEPT, TableCounts};
use domain::message::MessageId;
use domain::texts::Language;
use domain::time::Timestamp;
use runtime::config::Env;

pub(super) const JOB_ID: &str = "jobId";
pub(super) const ITEM: &str = "item";
/// The sort key of the record of a job.
pub(super) const JOB: &str = "job";
pub(super) const KIND: &str = "kind";
const STAGE: &str = "stage";
const STATE: &str = "jobState";
const PERSON: &str = "telegramUserId";
const ASKED_BY: &str = "askedBy";
const LANGUAGE: &str = "language";
const CREATED_AT: &str = "createdAt";
const UPDATED_AT: &str = "updatedAt";
const PSEUDONYM: &str = "pseudonym";
const COUNTS: &str = "counts";
const ERASED_AT: &str = "erasedAt";
const RECEIPT: &str = "receipt";
const RUN: &str = "run";
const SECRET: &str = "secret";
const PUBLIC_URL: &str = "publicUrl";
const LINES: &str = "lines";
const UNTIL: &str = "until";
const ENDED_AT: &str = "endedAt";
/// The index of jobs by state and age.
const BY_STATE: &str = "ByState";
/// The index of jobs by their person.
pub(super) const BY_PERSON: &str = "ByPerson";

/// How many lines one answer has: a function on Lambda answers 6 MB at most, as JSON text, and a line has 250 KB.
const LINES_OF_PAGE: u32 = 8;

/// The table of jobs.
#[derive(Clone)]
pub struct Jobs(Table);

/// Whether something is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Something is.
    Open,
    /// Nothing is.
    Done,
}

impl JobState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Done => "DONE",
        }
    }
}

/// A job that is asked for.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What it is to be known by.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For whom.
    pub person: TelegramUserId,
    /// Who asks: the name of an operator; nobody, if the person does.
    pub operator: Option<String>,
    /// The language that the person reads, if it is known.
    pub language: Option<Language>,
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// What it is known by.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub stage: JobStage,
    /// For whom; of an erasure that is done, nobody.
    pub person: Option<TelegramUserId>,
    /// The operator who asked; nobody, if the person did.
    pub operator: Option<String>,
    /// The language of its messages.
    pub language: Option<Language>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its stage last changed.
    pub updated_at: Timestamp,
    /// What stands for the person in the books, while they are erased.
    pub pseudonym: Option<Pseudonym>,
    /// How many items of each table there were of the person.
    pub counts: TableCounts,
    /// When they were erased.
    pub erased_at: Option<Timestamp>,
    /// The message with the receipt.
    pub receipt: Option<MessageId>,
    /// The file of an export.
    pub file: Option<ExportFile>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The file of an export.
#[derive(Clone, Debug)]
pub struct ExportFile {
    /// The run that wrote it.
    pub run: String,
    /// What its address ends with, so that nobody guesses it.
    pub secret: String,
    /// Where people reach the API.
    pub public_url: String,
    /// How many lines of the table it has.
    pub lines: u32,
    /// Until when it can be fetched.
    pub until: Timestamp,
}

impl Jobs {
    /// The table `Jobs`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Jobs", "JOBS_TABLE"))
    }

    /// Asks for a job, unless the same is asked for the person and not done; answers the one that is. The export that a person
    /// asks for is another than that of an operator, who alone is told its address. Durable on return. Two
    /// callers at the same instant may both ask: doing a job twice does no more than doing it once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; asking again is harmless.
    pub async fn ask(&self, job: &NewJob, now: Timestamp) -> Result<JobId, StoreError> {
        for id in self.of_person(job.person).await? {
            let open = self.get(&id).await?;
            let is_same = open.is_some_and(|open| {
                let is_told_alike = open.operator.is_some() == job.operator.is_some();
                open.kind == job.kind
                    && open.stage != JobStage::Done
                    && (is_told_alike || job.kind == JobKind::Erase)
            });
            if is_same {
                return Ok(id);
            }
        }
        let call = self.0.client.put_item().table_name(&self.0.name);
        let mut call = call
            .item(JOB_ID, s(&job.id))
            .item(ITEM, s(JOB))
            .item(KIND, s(job.kind.as_str()))
            .item(STAGE, s(job.kind.first_stage().as_str()))
            .item(STATE, s(JobState::Open.as_str()))
            .item(PERSON, s(job.person))
            .item(CREATED_AT, s(now))
            .item(UPDATED_AT, s(now))
            .condition_expression("attribute_not_exists(jobId)");
        if let Some(operator) = &job.operator {
            call = call.item(ASKED_BY, s(operator));
        }
        if let Some(language) = job.language {
            call = call.item(LANGUAGE, s(language.code()));
        }
        let Err(error) = call.send().await else {
            return Ok(job.id.clone());
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(job.id.clone()),
            _ => Err(self.0.fault("PutItem of a job")(error)),
        }
    }

    /// A job, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: &JobId) -> Result<Option<JobRecord>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(JOB_ID, s(id))
            .key(ITEM, s(JOB))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a job"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    /// Up to `limit` jobs of a state: of those that are open the oldest, of those that are done the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn listed(&self, state: JobState, limit: i32) -> Result<Vec<JobId>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(BY_STATE)
            .key_condition_expression("jobState = :state")
            .expression_attribute_values(":state", s(state.as_str()))
            .scan_index_forward(state == JobState::Open)
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of jobs"))?;
        self.ids(&answer.items.unwrap_or_default())
    }

    /// The jobs for a person.
    async fn of_person(&self, person: TelegramUserId) -> Result<Vec<JobId>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(BY_PERSON)
            .key_condition_expression("telegramUserId = :person")
            .expression_attribute_values(":person", s(person))
            .scan_index_forward(false)
            .limit(25)
            .send()
            .await
            .map_err(self.0.fault("Query of a person's jobs"))?;
        self.ids(&answer.items.unwrap_or_default())
    }

    fn ids(&self, items: &[Item]) -> Result<Vec<JobId>, StoreError> {
        let table = &self.0;
        let ids = items
            .iter()
            .map(|item| Reader { table, item }.parsed(JOB_ID));
        ids.collect()
    }

    /// Notes the file that a run has written. Durable on return; the first one counts.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the file is then made again.
    pub async fn written(
        &self,
        id: &JobId,
        file: &ExportFile,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self
            .leave(id, JobStage::Collecting, JobStage::Telling, now)
            .update_expression(
                "SET #stage = :to, updatedAt = :now, #run = :run, secret = :secret, publicUrl = :url, #lines = :lines, #until = :until, \
                 expiresAt = :end",
            )
            .expression_attribute_names("#run", RUN)
            .expression_attribute_names("#lines", LINES)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":run", s(&file.run))
            .expression_attribute_values(":secret", s(&file.secret))
            .expression_attribute_values(":url", s(&file.public_url))
            .expression_attribute_values(":lines", n(file.lines))
            .expression_attribute_values(":until", s(file.until))
            .expression_attribute_values(":end", n(file.until.seconds()));
        self.send(call, "UpdateItem to note a file").await
    }

    /// Ends an export: its person is told, or need not be. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn end_export(&self, id: &JobId, now: Timestamp) -> Result<(), StoreError> {
        let call = self
            .leave(id, JobStage::Telling, JobStage::Done, now)
            .update_expression(
                "SET #stage = :to, updatedAt = :now, jobState = :done, endedAt = :now",
            )
            .expression_attribute_values(":done", s(JobState::Done.as_str()));
        self.send(call, "UpdateItem to end an export").await
    }

    /// Notes what there is of a person, before any of it is erased. Durable on return; the first run that counted counts.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then counted again.
    pub async fn counted(
        &self,
        id: &JobId,
        (counts, pseudonym, language): (&TableCounts, &Pseudonym, Language),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let counts = counts.iter();
        let counts = counts.map(|(table, count)| (table.clone(), n(count)));
        let call = self
            .leave(id, JobStage::Counting, JobStage::Leaving, now)
            .update_expression(
                "SET #stage = :to, updatedAt = :now, counts = :counts, pseudonym = :pseudonym, #language = :language",
            )
            .expression_attribute_names("#language", LANGUAGE)
            .expression_attribute_values(":counts", AttributeValue::M(counts.collect()))
            .expression_attribute_values(":pseudonym", s(pseudonym.as_str()))
            .expression_attribute_values(":language", s(language.code()));
        self.send(call, "UpdateItem to note what is erased").await
    }

    /// Notes that a person's seats have ended and nobody has to take them out of a chat any more. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then looked at again.
    pub async fn out(&self, id: &JobId, now: Timestamp) -> Result<(), StoreError> {
        let call = self
            .leave(id, JobStage::Leaving, JobStage::Erasing, now)
            .update_expression("SET #stage = :to, updatedAt = :now");
        self.send(call, "UpdateItem to note that a person is out")
            .await
    }

    /// Notes that all was erased at `now`, and the message that says so. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then erased again.
    pub async fn erased(
        &self,
        id: &JobId,
        receipt: Option<&MessageId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let set = "SET #stage = :to, updatedAt = :now, erasedAt = :now";
        let call = self.leave(id, JobStage::Erasing, JobStage::Telling, now);
        let call = match receipt {
            None => call.update_expression(set),
            Some(receipt) => call
                .update_expression(format!("{set}, receipt = :receipt"))
                .expression_attribute_values(":receipt", s(receipt)),
        };
        self.send(call, "UpdateItem to note that a person is erased")
            .await
    }

    /// Ends an erasure: from now on its record names nobody, and nothing tells whom the pseudonym stands for. Durable on
    /// return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn end_erasure(&self, id: &JobId, now: Timestamp) -> Result<(), StoreError> {
        let call = self
            .leave(id, JobStage::Telling, JobStage::Done, now)
            .update_expression(
                "SET #stage = :to, updatedAt = :now, endedAt = :now, jobState = :done, expiresAt = :end \
                 REMOVE telegramUserId, pseudonym, receipt, #language",
            )
            .expression_attribute_names("#language", LANGUAGE)
            .expression_attribute_values(":done", s(JobState::Done.as_str()))
            .expression_attribute_values(":end", n(now.plus(RECEIPT_KEPT).seconds()));
        self.send(call, "UpdateItem to end an erasure").await
    }

    /// The write by which a stage is left.
    fn leave(
        &self,
        id: &JobId,
        from: JobStage,
        to: JobStage,
        now: Timestamp,
    ) -> UpdateItemFluentBuilder {
        let call = self.0.client.update_item().table_name(&self.0.name);
        call.key(JOB_ID, s(id))
            .key(ITEM, s(JOB))
            .condition_expression("#stage = :from")
            .expression_attribute_names("#stage", STAGE)
            .expression_attribute_values(":from", s(from.as_str()))
            .expression_attribute_values(":to", s(to.as_str()))
            .expression_attribute_values(":now", s(now))
    }

    async fn send(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let Err(error) = call.send().await else {
            return Ok(());
        };
        match error.as_service_error() {
            // Another run was faster, or the SDK repeated a write whose answer was lost.
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(self.0.fault(operation)(error)),
        }
    }

    fn read(&self, item: &Item) -> Result<JobRecord, StoreError> {
        let table = &self.0;
        let reader = Reader { table, item };
        let kind = JobKind::of_word(reader.text(KIND)?);
        let stage = JobStage::of_word(reader.text(STAGE)?);
        let person = reader.optional_text(PERSON)?;
        let person = person.map(|id| id.parse::<i64>().map_err(|_| table.malformed(PERSON)));
        let file = match reader.optional_text(SECRET)? {
            None => None,
            Some(secret) => Some(ExportFile {
                run: reader.text(RUN)?.to_owned(),
                secret: secret.to_owned(),
                public_url: reader.text(PUBLIC_URL)?.to_owned(),
                lines: reader.number(LINES)?,
                until: reader.parsed(UNTIL)?,
            }),
        };
        let receipt = reader.optional_text(RECEIPT)?.map(str::parse);
        Ok(JobRecord {
            id: reader.parsed(JOB_ID)?,
            kind: kind.ok_or_else(|| table.malformed(KIND))?,
            stage: stage.ok_or_else(|| table.malformed(STAGE))?,
            person: person.transpose()?.map(TelegramUserId),
            operator: reader.optional_text(ASKED_BY)?.map(str::to_owned),
            language: reader.optional_text(LANGUAGE)?.and_then(Language::of_tag),
            created_at: reader.parsed(CREATED_AT)?,
            updated_at: reader.parsed(UPDATED_AT)?,
            pseudonym: reader.optional_text(PSEUDONYM)?.map(Pseudonym::kept),
            counts: counts(&reader)?,
            erased_at: reader.optional_instant(ERASED_AT)?,
            receipt: receipt.transpose().map_err(|_| table.malformed(RECEIPT))?,
            file,
            ended_at: reader.optional_instant(ENDED_AT)?,
        })
    }
}

fn counts(reader: &Reader<'_>) -> Result<TableCounts, StoreError> {
    let Some(counts) = reader.optional_map(COUNTS)? else {
        return Ok(TableCounts::new());
    };
    let counts = counts.item.iter().map(|(table, count)| {
        let count = count.as_n().ok().and_then(|count| count.parse().ok());
        let count = count.ok_or_else(|| reader.table.malformed(COUNTS))?;
        Ok((table.clone(), count))
    });
    counts.collect()
}

impl ExportFile {
    /// How many pages it is fetched in, one after the other.
    #[must_use]
    pub const fn pages(&self) -> u32 {
        self.lines.div_ceil(LINES_OF_PAGE)
    }
}
