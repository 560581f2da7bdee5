//! What shops, buyers and operators do about orders in a world.

use anyhow::Context as _;
use domain::order::record::Order;

use super::*;

impl World {
    /// The way of what others tell to the function of this name.
    pub(crate) fn transport_to(&self, name: &str) -> Deliver {
        let (function, wire) = (self.function(name).clone(), self.wire.clone());
        Arc::new(move |request| {
            let (function, wire) = (function.clone(), wire.clone());
            async move {
                let invocation = tokio::spawn(async move { function.call(request).await });
                wire.watch(invocation.abort_handle());
                invocation.await.map_err(|_| Reset)
            }
            .boxed()
        })
    }

    /// Who takes money here.
    ///
    /// # Errors
    /// If nothing is sold in this world.
    pub(crate) fn providers(&self) -> anyhow::Result<&Providers> {
        self.providers.as_ref().context("nothing is sold here")
    }

    /// An operator writes something as a whole; `None` if the function died over it.
    pub(crate) async fn write(&self, path: &str, body: &Value) -> Option<Reply> {
        let request = Request::put(format!("/v1/admin/{path}")).header("x-admin-key", ADMIN_KEY);
        let request = request.body(Bytes::from(body.to_string())).ok()?;
        self.call("admin", request).await
    }

    /// A shop calls for a buyer; `None` if the function died over it.
    pub(crate) async fn shop(&self, path: &str, body: &Value, key: &str) -> Option<Reply> {
        let request = Request::post(format!("/v1/{path}"))
            .header("x-api-key", API_KEY)
            .header("idempotency-key", key);
        let request = request.body(Bytes::from(body.to_string())).ok()?;
        self.call("shop", request).await
    }

    /// A buyer's page looks where the payment stands; `None` if the function died over it.
    pub(crate) async fn poll(&self, status_url: &str) -> Option<Reply> {
        let request = Request::get(status_url).body(Bytes::new()).ok()?;
        self.call("pay", request).await
    }

    /// All orders.
    ///
    /// # Errors
    /// What DynamoDB says, or that one can't be read.
    pub(crate) async fn orders(&self) -> anyhow::Result<Vec<Order>> {
        let items = self.items("Orders").await?;
        let orders = items.iter().filter(|item| item["item"] == "order");
        let read = |item: &Value| {
            let record = item["record"].as_str().unwrap_or_default();
            serde_json::from_str(record).with_context(|| format!("an order: {item}"))
        };
        orders.map(read).collect()
    }

    /// Whether providers have told all that they tell by themselves, and all of it was taken in, with what follows.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(crate) async fn is_settled(&self) -> anyhow::Result<bool> {
        let Some(providers) = &self.providers else {
            return Ok(true);
        };
        providers.stripe.delivered().await;
        providers.nowpayments.settled().await;
        let bells = self.aws.queue_depth(PAYMENTS.queue);
        if bells.is_some_and(|depth| depth.total() > 0) {
            return Ok(false);
        }
        let events = self.items("PaymentEvents").await?;
        let is_open = |event: &Value| !event["openShard"].is_null();
        let orders = self.orders().await?;
        Ok(!events.iter().any(is_open) && orders.iter().all(|order| order.pending.is_empty()))
    }
}

/// Whether an event or an order is due.
#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
pub(super) async fn is_payment_due(
    tables: &aws_sdk_dynamodb::Client,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let now = now.to_string();
    for (table, index, at) in [
        ("PaymentEvents", "OpenEvents", "nextAt"),
        ("Orders", "Due", "dueAt"),
    ] {
        let mut pages = tables
            .scan()
            .table_name(table)
            .index_name(index)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let items = page?.items.unwrap_or_default();
            let mut times = items.iter().filter_map(|item| item.get(at)?.as_s().ok());
            if times.any(|at| **at <= *now) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
