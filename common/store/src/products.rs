//! The table of products: a record for each, as JSON, with a version. A change names the version that it was made from, so that
//! of two operators who change the same product one is told of the other.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::try_join_all;

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::product::{Product, ProductId};
use domain::time::Timestamp;
use runtime::config::Env;

const PRODUCT_ID: &str = "productId";
const PRODUCT: &str = "product";
const VERSION: &str = "version";
const CREATED_AT: &str = "createdAt";
const UPDATED_AT: &str = "updatedAt";
/// The index of all products, by id, and its one key.
const LIST: &str = "List";
const ALL: &str = "product";

/// How many products one page has.
pub const PRODUCTS_PAGE: i32 = 25;

/// The table of products.
#[derive(Clone)]
pub struct Products(Table);

/// A product, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRecord {
    /// The product.
    pub product: Product,
    /// How often it was written.
    pub version: u64,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What became of a product that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductPut {
    /// It is like this now; it may have been so before.
    Done(Box<ProductRecord>),
    /// It is of another version than the one that was named: of this one, or it is not there.
    Changed(Option<u64>),
}

/// What became of a product that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductDeleted {
    /// It is gone.
    Done,
    /// It is of another version.
    Changed,
    /// There is none.
    Missing,
}

/// Some of the products, by id.
#[derive(Debug)]
pub struct ProductPage {
    /// The products.
    pub products: Vec<ProductRecord>,
    /// The last one that was looked at, if there may be more behind it.
    pub next: Option<ProductId>,
}

impl Products {
    /// The table `Products`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Products", "PRODUCTS_TABLE"))
    }

    /// Writes a product: a new one, or in the place of the version that is named. One that is there already like this, such as
    /// by a call whose answer was lost, is not written again. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; writing it again is harmless.
    pub async fn put(
        &self,
        product: &Product,
        replaces: Option<u64>,
        now: Timestamp,
    ) -> Result<ProductPut, StoreError> {
        // Strings and numbers under names that are known: it can't fail.
        let text = serde_json::to_string(product).unwrap_or_default();
        let call = self.0.client.update_item().table_name(&self.0.name);
        let call = call
            .key(PRODUCT_ID, s(&product.id))
            .update_expression(
                "SET #product = :product, version = :version, #list = :all, updatedAt = :now, createdAt = if_not_exists(createdAt, :now)",
            )
            .expression_attribute_names("#product", PRODUCT)
            .expression_attribute_names("#list", "list")
            .expression_attribute_values(":product", s(text))
            .expression_attribute_values(":version", n(replaces.unwrap_or(0).saturating_add(1)))
            .expression_attribute_values(":all", s(ALL))
            .expression_attribute_values(":now", s(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let call = match replaces {
            None => call.condition_expression("attribute_not_exists(productId)"),
            Some(version) => call
                .condition_expression("version = :replaced")
                .expression_attribute_values(":replaced", n(version)),
        };
        let error = match call.send().await {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                return Ok(ProductPut::Done(Box::new(self.read(&item)?)));
            }
            Err(error) => error,
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refusal)) =
            error.as_service_error()
        else {
            return Err(self.0.fault("UpdateItem of a product")(error));
        };
        let Some(item) = &refusal.item else {
            return Ok(ProductPut::Changed(None));
        };
        let there = self.read(item)?;
        Ok(match there.product == *product {
            true => ProductPut::Done(Box::new(there)),
            false => ProductPut::Changed(Some(there.version)),
        })
    }

    /// A product, as of now (1 read unit for each 4 KB).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: &ProductId) -> Result<Option<ProductRecord>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(PRODUCT_ID, s(id))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a product"))?;
        answer.item.map(|item| self.read(&item)).transpose()
    }

    /// Deletes a product of this version. Durable on return; nothing that was sold of it is touched.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn delete(&self, id: &ProductId, version: u64) -> Result<ProductDeleted, StoreError> {
        let call = self.0.client.delete_item().table_name(&self.0.name);
        let deleted = call
            .key(PRODUCT_ID, s(id))
            .condition_expression("version = :version")
            .expression_attribute_values(":version", n(version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = deleted else {
            return Ok(ProductDeleted::Done);
        };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(match refusal.item {
                    Some(_) => ProductDeleted::Changed,
                    None => ProductDeleted::Missing,
                })
            }
            _ => Err(self.0.fault("DeleteItem of a product")(error)),
        }
    }

    /// Up to [`PRODUCTS_PAGE`] products behind `after`, by id. One that was made a moment ago may be missing.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn page(&self, after: Option<&ProductId>) -> Result<ProductPage, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        // No id is less than a hyphen.
        let after = after.map_or("", ProductId::as_str);
        let condition = match after {
            "" => "#list = :all",
            _ => "#list = :all AND productId > :after",
        };
        let mut call = call
            .index_name(LIST)
            .key_condition_expression(condition)
            .expression_attribute_names("#list", "list")
            .expression_attribute_values(":all", s(ALL))
            .limit(PRODUCTS_PAGE);
        if !after.is_empty() {
            call = call.expression_attribute_values(":after", s(after));
        }
        let answer = call.send().await;
        let answer = answer.map_err(self.0.fault("Query of products"))?;
        let is_more = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let ids = items
            .iter()
            .map(|item| self.reader(item).parsed(PRODUCT_ID));
        let ids: Vec<ProductId> = ids.collect::<Result<_, _>>()?;
        let found = try_join_all(ids.iter().map(|id| self.get(id))).await?;
        Ok(ProductPage {
            // One that was deleted meanwhile is not there.
            products: found.into_iter().flatten().collect(),
            next: ids.into_iter().next_back().filter(|_| is_more),
        })
    }

    fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn read(&self, item: &Item) -> Result<ProductRecord, StoreError> {
        let reader = self.reader(item);
        let product = serde_json::from_str(reader.text(PRODUCT)?);
        Ok(ProductRecord {
            product: product.map_err(|_| self.0.malformed(PRODUCT))?,
            version: reader.number(VERSION)?,
            created_at: reader.parsed(CREATED_AT)?,
            updated_at: reader.parsed(UPDATED_AT)?,
        })
    }
}
