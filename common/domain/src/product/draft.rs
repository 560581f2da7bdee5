//! A product as an operator wrote it: read field by field, so that whoever wrote it is told which of them is wrong.

use serde_json::{Map, Value};

use super::{Product, ProductId, ProductProblem, ProductRules};

/// Fields that answers have beside a product; who sends one back with them means nothing by it.
const OF_ANSWERS: [&str; 2] = ["createdAt", "updatedAt"];

/// A product that was not checked yet.
#[derive(Debug)]
pub struct ProductDraft {
    pub(super) product: Product,
    /// The version that it takes the place of; absent: it is new.
    pub replaces: Option<u64>,
}

impl ProductDraft {
    /// Reads the product called `id` from its fields. `feeBps` may be missing, it is `fee_bps` then. `version` is the version
    /// that the product takes the place of.
    ///
    /// # Errors
    /// The field that is missing, not known or not of its type.
    pub fn read(
        id: &ProductId,
        mut fields: Map<String, Value>,
        fee_bps: u32,
    ) -> Result<Self, ProductProblem> {
        for name in OF_ANSWERS {
            fields.remove(name);
        }
        let replaces = match fields.remove("version") {
            None | Some(Value::Null) => None,
            Some(version) => Some(version.as_u64().ok_or_else(|| {
                ProductProblem::new(
                    "version",
                    "must be the number that the product was read with",
                )
            })?),
        };
        let own = fields.insert("productId".to_owned(), id.as_str().into());
        if own.is_some_and(|own| own != id.as_str()) {
            let what = "is another than that of the path: leave it out";
            return Err(ProductProblem::new("productId", what));
        }
        if fields.get("feeBps").is_none_or(Value::is_null) {
            fields.insert("feeBps".to_owned(), fee_bps.into());
        }
        let asked = Value::Object(fields);
        let product: Product = serde_path_to_error::deserialize(&asked).map_err(|error| {
            let path = error.path().to_string();
            let field = match path.as_str() {
                "." => "product",
                path => path,
            };
            ProductProblem::new(field, error.inner())
        })?;
        let written = serde_json::to_value(&product).unwrap_or_default();
        match unknown_field(&asked, &written) {
            Some(path) => Err(ProductProblem::new(
                path,
                "is not known: leave it out, or mend its name",
            )),
            None => Ok(Self { product, replaces }),
        }
    }

    /// The product, if it may be sold like this.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check(self, rules: &ProductRules<'_>) -> Result<Product, Vec<ProductProblem>> {
        let problems = rules.problems_of(&self.product);
        match problems.is_empty() {
            true => Ok(self.product),
            false => Err(problems),
        }
    }
}

/// The path to a field of `asked` that was not taken: what is written from what was read does not have it. A misspelt discount
/// would be no discount.
fn unknown_field(asked: &Value, written: &Value) -> Option<String> {
    match (asked, written) {
        (Value::Object(asked), Value::Object(written)) => {
            let given = asked.iter().filter(|(_, value)| !value.is_null());
            given
                .into_iter()
                .find_map(|(name, value)| match written.get(name) {
                    None => Some(name.clone()),
                    Some(taken) => {
                        unknown_field(value, taken).map(|rest| match rest.starts_with('[') {
                            true => format!("{name}{rest}"),
                            false => format!("{name}.{rest}"),
                        })
                    }
                })
        }
        (Value::Array(asked), Value::Array(written)) => {
            let pairs = asked.iter().zip(written).enumerate();
            pairs.into_iter().find_map(|(at, (asked, written))| {
                let rest = unknown_field(asked, written)?;
                Some(format!("[{at}].{rest}"))
            })
        }
        _ => None,
    }
}
