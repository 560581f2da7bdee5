//! The providers of payments, asked what a sale needs of them: keys, rights, what they report and where to, and what their own
//! pages let buyers do behind our back.
//!
//! Of all that is found, only Stripe's webhook endpoint is put right here, as far as it can be: it is switched on and asks for our
//! events. None is made. Stripe shows the signing secret of a new one once, to the caller that makes it, and `setup` has no place for a
//! secret: its answer is kept by CloudFormation, and it may not write the deployment's secret. So the call that makes
//! one is told, for a person to type.

use domain::claim::PublicUrl;
use domain::money::PaymentProvider;
use domain::order::record::PaymentsMode;
use domain::report::PaymentFault;
use domain::stripe::{API_VERSION, EVENT_TYPES};
use nowpayments::{Login, NowPayments, NowPaymentsError};
use runtime::config::Env;
use runtime::http::Http;
use runtime::settings;
use runtime::telemetry::chain;
use stripe::{EndpointFault, Right, Stripe, WebhookEndpoint};
use telegram::is_same_url;

use crate::check::{Check, CheckStatus, patiently, todo_or};
use crate::registration::Bot;

const ENDPOINT: &str = "Stripe's webhook endpoint";
const LATER: &str = "try again in a minute";

/// The providers that are on.
pub struct Providers {
    stripe: Option<Stripe>,
    nowpayments: Option<NowPayments>,
    has_login: bool,
    mode: PaymentsMode,
    public_url: Option<PublicUrl>,
}

/// Whether what can be put right is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repairing {
    /// It is only looked at.
    No,
    /// It is put right.
    Yes,
}

impl Providers {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env) -> Self {
        let mode = settings::payments_mode(env);
        let stripe = settings::stripe_key(env, mode);
        let stripe_secrets = settings::stripe_webhook_secrets(env);
        if stripe.is_some() && stripe_secrets.is_none() {
            env.problem("STRIPE_WEBHOOK_SECRET is missing, though STRIPE_SECRET_KEY is set: without it no payment is told".to_owned());
        }
        let login = settings::nowpayments_login(env);
        let nowpayments = settings::nowpayments_key(env);
        let ipn_secrets = settings::nowpayments_ipn_secrets(env);
        if nowpayments.is_some() && ipn_secrets.is_none() {
            env.problem("NOWPAYMENTS_IPN_SECRET is missing, though NOWPAYMENTS_API_KEY is set: without it no payment is told".to_owned());
        }
        let public_url = settings::public_url(env);
        let is_selling = stripe.is_some() || nowpayments.is_some();
        let has_page = public_url.is_some() && settings::page_keys(env).can_sign();
        if is_selling && !has_page {
            env.problem("PUBLIC_URL and CLAIM_KEY are needed where payments are taken: buyers come back to a page there".to_owned());
        }
        Self {
            stripe: stripe.map(|key| {
                let base = env.base_url("STRIPE_API_BASE", ::stripe::API_BASE);
                Stripe::new(Http::from_env(env), base, key)
            }),
            nowpayments: nowpayments.map(|key| {
                let base = env.base_url("NOWPAYMENTS_API_BASE", ::nowpayments::API_BASE);
                let login = login
                    .clone()
                    .map(|(email, password)| Login { email, password });
                NowPayments::new(Http::from_env(env), base, key, login)
            }),
            has_login: login.is_some(),
            mode,
            public_url,
        }
    }

    /// Looks at all but the webhook endpoint; nothing is changed.
    pub async fn check(&self, bots: &[Bot]) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(stripe) = &self.stripe {
            let account = self.account(stripe).await;
            let is_known = account.status != CheckStatus::Failed;
            checks.push(account);
            // A key that opens nothing has no rights to be looked at.
            if is_known {
                checks.extend(rights(stripe).await);
                checks.push(portal(stripe).await);
            }
        }
        if let Some(nowpayments) = &self.nowpayments {
            checks.push(coins(nowpayments).await);
            checks.push(self.login(nowpayments).await);
        }
        checks.extend(stars(bots).await);
        checks
    }

    /// Where Stripe reports what is paid, if Stripe is on. `webhook_url` is the address of Telegram's webhook, beside which that is
    /// too.
    pub async fn endpoint(&self, webhook_url: Option<&str>, repairing: Repairing) -> Option<Check> {
        let (stripe, public_url) = (self.stripe.as_ref()?, self.public_url.as_ref()?);
        let ours = public_url.payments(PaymentProvider::Stripe.as_str());
        let beside = webhook_url.and_then(|url| {
            let base = url.strip_suffix(crate::registration::WEBHOOK_PATH)?;
            Some(format!(
                "{base}/v1/payments/{}",
                PaymentProvider::Stripe.as_str()
            ))
        });
        Some(match stripe.webhook_endpoints().await {
            Ok(all) => {
                let is_ours = |endpoint: &&WebhookEndpoint| {
                    let is = |url: &String| is_same_url(&endpoint.url, url);
                    is(&ours) || beside.as_ref().is_some_and(is)
                };
                let found: Vec<&WebhookEndpoint> = all.iter().filter(is_ours).collect();
                of_endpoints(stripe, &found, &ours, repairing).await
            }
            // Of a key that opens nothing all is said.
            Err(failure) if is_key(failure.fault()) && !failure.lacks_right() => return None,
            Err(failure) if failure.lacks_right() => Check::warning(
                ENDPOINT,
                format!(
                    "the key may not look at it: give it “Webhook Endpoints: Write” in Stripe's dashboard, or see to it yourself that {ours} is told of our events"
                ),
            ),
            Err(failure) => of_failure(ENDPOINT, failure.fault(), &failure, LATER),
        })
    }

    async fn account(&self, stripe: &Stripe) -> Check {
        let what = "Stripe";
        let mode = match self.mode {
            PaymentsMode::Live => "live",
            PaymentsMode::Test => "test",
        };
        match stripe.account().await {
            Ok(account) if account.charges_enabled => Check::ok(
                what,
                format!("knows the key, of {mode} mode; account {}", account.id),
            ),
            // Money that is not real is taken all the same.
            Ok(account) if self.mode == PaymentsMode::Test => Check::ok(
                what,
                format!(
                    "knows the key, of test mode; account {}, which may not take real money yet",
                    account.id
                ),
            ),
            Ok(account) => Check::failed(
                what,
                format!(
                    "the account {} may not take money yet: complete it in Stripe's dashboard, under Settings, Business",
                    account.id
                ),
            ),
            Err(failure) if failure.lacks_right() => Check::warning(
                what,
                format!(
                    "knows the key, of {mode} mode, which may not read the account: see yourself in Stripe's dashboard that it may take money"
                ),
            ),
            Err(failure) => {
                let todo = "put a key that is not revoked into STRIPE_SECRET_KEY";
                of_failure(what, failure.fault(), &failure, todo)
            }
        }
    }

    async fn login(&self, nowpayments: &NowPayments) -> Check {
        let what = "NOWPayments' login";
        if !self.has_login {
            let says = "there is none, so an invoice of which no notification came is not looked up: put NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD into the secret";
            return Check::warning(what, says);
        }
        match nowpayments.check_login().await {
            Ok(()) => Check::ok(what, "is right"),
            Err(failure) => {
                let todo = match failure {
                    NowPaymentsError::Refused { .. } => {
                        "put the account's present ones into NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD"
                    }
                    _ => LATER,
                };
                Check::warning(what, format!("{}: {todo}", chain(&failure)))
            }
        }
    }
}

/// What is to be said of the endpoints that lead here, and done.
async fn of_endpoints(
    stripe: &Stripe,
    found: &[&WebhookEndpoint],
    url: &str,
    repairing: Repairing,
) -> Check {
    let is_of_version = |one: &&&WebhookEndpoint| one.fault() != Some(EndpointFault::Version);
    let faultless = found.iter().find(|one| one.fault().is_none());
    let usable = faultless.or_else(|| found.iter().find(is_of_version));
    let Some(endpoint) = usable else {
        let why = match found.first() {
            None => format!("none leads to {url}, so no payment would be told"),
            Some(other) => format!(
                "{} has not the API version {API_VERSION}, which can't be changed; delete it once the new one is there",
                other.id
            ),
        };
        return Check::failed(ENDPOINT, format!("{why}: make one by {}", making(url)));
    };
    // Of two that lead here, each event would come twice: harmless, and seldom meant.
    let surplus = found.iter().find(|other| other.id != endpoint.id);
    let surplus = surplus.map(|other| {
        let says = format!(
            "{} is as it should be, and {} leads to the same address: delete that one at Stripe",
            endpoint.id, other.id
        );
        Check::warning(ENDPOINT, says)
    });
    let Some(fault) = endpoint.fault() else {
        return surplus.unwrap_or_else(|| {
            let says = format!("{} tells our events to {}", endpoint.id, endpoint.url);
            Check::ok(ENDPOINT, says)
        });
    };
    let id = &endpoint.id;
    let (is_deaf, wrong) = match &fault {
        EndpointFault::Off => (true, format!("{id} is {}", endpoint.status)),
        EndpointFault::Missing(kinds) => {
            (true, format!("{id} does not ask for {}", kinds.join(", ")))
        }
        EndpointFault::Needless(kinds) => (
            false,
            format!("{id} asks for what nobody reads, {}", kinds.join(", ")),
        ),
        EndpointFault::Version => (true, format!("{id} has another API version")),
    };
    let say = |todo: &str| match is_deaf {
        true => Check::failed(ENDPOINT, format!("{wrong}: {todo}")),
        false => Check::warning(ENDPOINT, format!("{wrong}: {todo}")),
    };
    if repairing == Repairing::No {
        return say("run setup with WebhookUrl, which puts that right");
    }
    match stripe.repair_endpoint(id).await {
        Ok(repaired) if repaired.fault().is_none() => {
            Check::ok(ENDPOINT, format!("{wrong}; that was put right"))
        }
        Ok(_) => say("it did not change: put it right in Stripe's dashboard, under Webhooks"),
        Err(failure) => match failure.lacks_right() {
            true => say(
                "give the key “Webhook Endpoints: Write”, or put it right in Stripe's dashboard, under Webhooks",
            ),
            false => say(&format!("{}: {LATER}", chain(&failure))),
        },
    }
}

/// The call that makes an endpoint, for a person.
fn making(url: &str) -> String {
    let kinds = EVENT_TYPES.map(|kind| format!("-d 'enabled_events[]={kind}'"));
    format!(
        "curl https://api.stripe.com/v1/webhook_endpoints -u \"$STRIPE_SECRET_KEY:\" -d url={url} -d api_version={API_VERSION} {}, and put the “secret” of its answer, shown this once, into STRIPE_WEBHOOK_SECRET",
        kinds.join(" ")
    )
}

/// What a restricted key lacks; a secret key may do all.
async fn rights(stripe: &Stripe) -> Option<Check> {
    let what = "rights of Stripe's key";
    if !stripe.is_restricted() {
        return None;
    }
    let mut lacks = Vec::new();
    for right in Right::ALL {
        match stripe.has_right(right).await {
            Ok(true) => {}
            Ok(false) => lacks.push(right.name()),
            Err(failure) => return Some(of_failure(what, failure.fault(), &failure, LATER)),
        }
    }
    Some(match lacks.is_empty() {
        true => Check::ok(what, "it has all that are needed"),
        false => Check::failed(
            what,
            format!(
                "it lacks {}: give it these in Stripe's dashboard, under API keys",
                lacks.join(", ")
            ),
        ),
    })
}

/// What a call that failed says: a key that is refused is a person's to mend; a provider that is away for a moment keeps no version
/// from being deployed.
fn of_failure(
    what: &'static str,
    fault: PaymentFault,
    failure: &(dyn std::error::Error + 'static),
    todo: &str,
) -> Check {
    match fault {
        PaymentFault::Key | PaymentFault::Refused => {
            let todo = if is_key(fault) { todo } else { LATER };
            Check::failed(what, format!("{}: {todo}", chain(failure)))
        }
        PaymentFault::NotSent
        | PaymentFault::Wait(_)
        | PaymentFault::Unknown
        | PaymentFault::Failed => Check::warning(what, format!("{}: {LATER}", chain(failure))),
    }
}

/// Whether buyers can change behind our back what they subscribed to.
async fn portal(stripe: &Stripe) -> Check {
    let what = "Stripe's customer portal";
    match stripe.portal_switches_plans().await {
        Ok(None) => Check::ok(what, "none is set up"),
        Ok(Some(false)) => Check::ok(what, "lets nobody switch what they subscribed to"),
        Ok(Some(true)) => Check::warning(
            what,
            "lets buyers switch what they subscribed to, of which no order would hear: switch that off in Stripe's dashboard, under Settings, Billing, Customer portal, Subscriptions",
        ),
        Err(failure) if failure.lacks_right() => Check::warning(
            what,
            "the key may not look at it: give it “Customer portal: Read”, or see yourself that nobody can switch what they subscribed to there",
        ),
        Err(failure) => Check::warning(what, format!("{}: {LATER}", chain(&failure))),
    }
}

/// Whether NOWPayments knows the key, and takes any coin. That notifications are signed with `NOWPAYMENTS_IPN_SECRET` can't be
/// asked: the first one shows it.
async fn coins(nowpayments: &NowPayments) -> Check {
    let what = "NOWPayments";
    match nowpayments.coins().await {
        Ok(coins) if coins.is_empty() => Check::failed(
            what,
            "no coin is switched on, so nobody can pay: choose some in its dashboard, under Settings, Payments, Coins settings",
        ),
        Ok(coins) => Check::ok(what, format!("knows the key; coins: {}", coins.len())),
        Err(failure) => {
            let todo = "put a present key of the account into NOWPAYMENTS_API_KEY";
            of_failure(what, failure.fault(), &failure, todo)
        }
    }
}

/// Whether the front bot, if it hears of payments, may take Stars.
async fn stars(bots: &[Bot]) -> Option<Check> {
    let what = "Stars";
    let front = bots.first()?;
    if !front.updates.contains(&"pre_checkout_query") {
        return None;
    }
    let read = patiently(async || front.telegram.star_transactions(0, 1).await).await;
    Some(match read {
        Ok(_) => Check::ok(what, "the front bot may take them"),
        Err(failure) => Check::warning(
            what,
            format!(
                "{}: {}",
                chain(&failure),
                todo_or(&failure, "check TELEGRAM_BOT_TOKEN, and TELEGRAM_API_BASE")
            ),
        ),
    })
}

const fn is_key(fault: PaymentFault) -> bool {
    matches!(fault, PaymentFault::Key)
}
