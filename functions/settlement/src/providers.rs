//! The providers that are on, behind one shape.

use ::nowpayments::{Login, NowPayments, NowPaymentsError};
use ::stripe::{CancelAt, RefundRequest, Stripe, StripeError};
use domain::nowpayments::{self, CoinReport};
use domain::order::record::PaymentsMode;
use domain::own::{self, OwnReport};
use domain::report::{Lookup, PaymentFault, PaymentReport};
use domain::stars::{self, StarsReport};
use domain::stripe::{self, StripeReport};
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::http::Http;
use runtime::settings;
use store::PaymentEvent;
use telegram::{Telegram, TelegramError};

/// A report, whoever's it is.
pub(crate) type Report = Box<dyn PaymentReport + Send + Sync>;

/// What a call of a provider's failed by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    NowPayments(#[from] NowPaymentsError),
    #[error(transparent)]
    Stars(#[from] TelegramError),
    /// Its key is not set any more.
    #[error("{0} is off")]
    Off(&'static str),
}

impl ProviderError {
    /// Whether the provider did not answer, or asks for a pause: what else is asked of it now would have to wait, too.
    pub(crate) fn is_away(&self) -> bool {
        matches!(
            self.fault(),
            PaymentFault::NotSent | PaymentFault::Wait(_) | PaymentFault::Unknown
        )
    }

    /// What that means.
    pub(crate) fn fault(&self) -> PaymentFault {
        match self {
            Self::Stripe(error) => error.fault(),
            Self::NowPayments(error) => error.fault(),
            Self::Stars(error) => error.payment_fault(),
            Self::Off(_) => PaymentFault::Key,
        }
    }
}

/// What settlement asks of providers.
pub(crate) struct Providers {
    stripe: Option<Stripe>,
    nowpayments: Option<NowPayments>,
    bot: Option<Telegram>,
}

impl Providers {
    pub(crate) fn from_env(env: &mut Env, mode: PaymentsMode, clock: &Clock) -> Self {
        Self {
            bot: Telegram::front_from_env(env, clock),
            stripe: settings::stripe_key(env, mode).map(|key| {
                let base = env.base_url("STRIPE_API_BASE", ::stripe::API_BASE);
                Stripe::new(Http::from_env(env), base, key)
            }),
            nowpayments: settings::nowpayments_key(env).map(|key| {
                let base = env.base_url("NOWPAYMENTS_API_BASE", ::nowpayments::API_BASE);
                let login = settings::nowpayments_login(env);
                let login = login.map(|(email, password)| Login { email, password });
                NowPayments::new(Http::from_env(env), base, key, login)
            }),
        }
    }

    fn stripe(&self) -> Result<&Stripe, ProviderError> {
        let stripe = self.stripe.as_ref();
        stripe.ok_or(ProviderError::Off(stripe::PROVIDER))
    }

    fn nowpayments(&self) -> Result<&NowPayments, ProviderError> {
        let nowpayments = self.nowpayments.as_ref();
        nowpayments.ok_or(ProviderError::Off(nowpayments::PROVIDER))
    }

    /// The bot that people pay in Stars.
    pub(crate) fn bot(&self) -> Result<&Telegram, ProviderError> {
        self.bot.as_ref().ok_or(ProviderError::Off(stars::PROVIDER))
    }

    /// The report that an event is, which was verified when it came; nothing if it can't be read. One that was too large to be
    /// kept is asked for.
    pub(crate) async fn report(
        &self,
        event: &PaymentEvent,
    ) -> Result<Option<Report>, ProviderError> {
        let (provider, id) = event.key.split_once('#').unwrap_or_default();
        let body = event.body.as_bytes();
        Ok(match provider {
            stripe::PROVIDER if body.is_empty() => boxed(self.stripe()?.event(id).await?),
            stripe::PROVIDER => boxed(StripeReport::of_event(body)),
            nowpayments::PROVIDER => boxed(CoinReport::of_body(body).ok()),
            stars::PROVIDER => boxed(StarsReport::of_body(body)),
            own::PROVIDER => boxed(OwnReport::of_body(body)),
            _ => None,
        })
    }

    /// Reads at a provider; nothing if it has no such object.
    pub(crate) async fn fetch(
        &self,
        provider: &str,
        lookup: &Lookup,
    ) -> Result<Option<Report>, ProviderError> {
        Ok(match provider {
            stripe::PROVIDER => boxed(self.stripe()?.fetch(lookup).await?),
            nowpayments::PROVIDER => boxed(self.nowpayments()?.fetch(lookup).await?),
            _ => None,
        })
    }

    /// What a provider knows of an order by the page on which it is paid, `object`.
    pub(crate) async fn look(
        &self,
        provider: &str,
        object: &str,
    ) -> Result<Vec<Report>, ProviderError> {
        match provider {
            stripe::PROVIDER => {
                let lookup = Lookup::Session(object.to_owned());
                let found = boxed(self.stripe()?.fetch(&lookup).await?);
                Ok(found.into_iter().collect())
            }
            nowpayments::PROVIDER => {
                let payments = match self.nowpayments()?.payments_of(object).await {
                    // Its payments are known by what is reported, then.
                    Err(NowPaymentsError::NoLogin) => Vec::new(),
                    payments => payments?,
                };
                Ok(payments
                    .into_iter()
                    .filter_map(|one| boxed(Some(one)))
                    .collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What a provider knows of a subscription that began: whether it goes on, and its newest invoice.
    pub(crate) async fn renewals(
        &self,
        provider: &str,
        subscription: &str,
    ) -> Result<Vec<Report>, ProviderError> {
        if provider != stripe::PROVIDER {
            return Ok(Vec::new());
        }
        let stripe = self.stripe()?;
        let lookup = Lookup::Subscription(subscription.to_owned());
        let Some(read) = stripe.fetch(&lookup).await? else {
            return Ok(Vec::new());
        };
        let invoice = match read.object().value()["latest_invoice"].as_str() {
            Some(id) => stripe.invoice(id).await?,
            None => None,
        };
        Ok([Some(read), invoice]
            .into_iter()
            .filter_map(boxed)
            .collect())
    }

    /// Has nobody pay on the page of an order any more, where its provider can do that.
    ///
    /// # Errors
    /// A refusal means that the page is not open: look at it again.
    pub(crate) async fn close(&self, provider: &str, object: &str) -> Result<(), ProviderError> {
        if provider == stripe::PROVIDER {
            self.stripe()?.expire_session(object).await?;
        }
        Ok(())
    }

    /// The refund of this id of an order's charge, if it was made. Stripe knows the key of a call for a day, and then no more:
    /// what was made is found by the order's own id of it.
    pub(crate) async fn made(
        &self,
        provider: &str,
        request: RefundRequest<'_>,
    ) -> Result<Option<Report>, ProviderError> {
        if provider != stripe::PROVIDER {
            return Ok(None);
        }
        let made = self.stripe()?.refunds(request.charge).await?;
        let known = made
            .into_iter()
            .find(|made| made.object().value()["metadata"][stripe::REFUND_ID] == request.id);
        Ok(boxed(known))
    }

    /// Makes a refund that was not made; answers what the provider says of it.
    pub(crate) async fn refund(
        &self,
        provider: &str,
        request: RefundRequest<'_>,
    ) -> Result<Option<Report>, ProviderError> {
        match provider {
            stripe::PROVIDER => Ok(boxed(Some(self.stripe()?.create_refund(request).await?))),
            _ => Ok(None),
        }
    }

    /// Ends a subscription, at once or with the period that is paid; what was paid is kept.
    pub(crate) async fn cancel(
        &self,
        provider: &str,
        subscription: &str,
        at: CancelAt,
    ) -> Result<(), ProviderError> {
        if provider == stripe::PROVIDER {
            self.stripe()?.cancel_subscription(subscription, at).await?;
        }
        Ok(())
    }
}

fn boxed<R: PaymentReport + Send + Sync + 'static>(report: Option<R>) -> Option<Report> {
    report.map(|report| Box::new(report) as Report)
}
