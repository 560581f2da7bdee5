//! The hosted pages: plain HTML with forms that a browser can send, without scripts.
//!
//! `/c/pay/{session}` pays a session, `/i/{invoice}` pays an invoice, `/p/session/{session}` is the portal. A button is
//! `POST` with `action`; after it the browser is sent on, to the seller's page if the buyer is done.

use serde_json::{Map, Value};

use super::checkout::BuyerAction;
use super::kind::ObjectKind;
use super::shared::StripeShared;
use super::values::{integer, text};
use super::world::StripeWorld;

/// What a page answers.
pub(super) enum PageAnswer {
    Html(u16, String),
    Redirect(String),
}

pub(super) fn serve(
    shared: &StripeShared,
    method: &str,
    path: &str,
    form: &Map<String, Value>,
) -> PageAnswer {
    let action = form.get("action").map(text).filter(|_| method == "POST");
    shared.change(|state| {
        for world in state.worlds() {
            world.request = (None, None);
            let answer = if let Some(id) = path.strip_prefix("/c/pay/") {
                checkout(world, id, action)
            } else if let Some(id) = path.strip_prefix("/i/") {
                invoice(world, id, action)
            } else if let Some(id) = path.strip_prefix("/p/session/") {
                let subscription = form.get("subscription").map(text).unwrap_or_default();
                portal(world, id, action, subscription)
            } else {
                None
            };
            if let Some(answer) = answer {
                return answer;
            }
        }
        PageAnswer::Html(404, frame("Not found", "<p>There is nothing here.</p>"))
    })
}

fn checkout(world: &mut StripeWorld, id: &str, action: Option<&str>) -> Option<PageAnswer> {
    let session = world.get(ObjectKind::Session, id)?.clone();
    if action == Some("cancel") {
        let to = session["cancel_url"]
            .as_str()
            .or(session["success_url"].as_str());
        return Some(PageAnswer::Redirect(to.unwrap_or("/").to_owned()));
    }
    let chosen = match action {
        Some("pay") => Some(BuyerAction::Pay),
        Some("decline") => Some(BuyerAction::Decline("generic_decline".into())),
        Some("delayed") => Some(BuyerAction::PayLater),
        Some("authenticate") => Some(BuyerAction::RequireAuthentication),
        Some("authentication_passed") => Some(BuyerAction::Authenticate { passes: true }),
        Some("authentication_failed") => Some(BuyerAction::Authenticate { passes: false }),
        _ => None,
    };
    let mut note = String::new();
    if let Some(chosen) = chosen {
        if let Err(refusal) = world.act(id, &chosen) {
            note = refusal.message;
        }
        let now = world.read(ObjectKind::Session, id);
        if now["status"] == "complete" {
            let to = text(&now["success_url"]).replace("{CHECKOUT_SESSION_ID}", id);
            return Some(PageAnswer::Redirect(to));
        }
    }
    Some(PageAnswer::Html(200, session_page(world, id, &note)))
}

fn session_page(world: &StripeWorld, id: &str, note: &str) -> String {
    let session = world.read(ObjectKind::Session, id);
    let status = text(&session["status"]);
    let (amount, currency) = (
        integer(&session["amount_total"]),
        text(&session["currency"]).to_uppercase(),
    );
    let terms = world.terms.get(id);
    let items = terms
        .map(|terms| terms.items.as_slice())
        .unwrap_or_default();
    let names: Vec<String> = items
        .iter()
        .map(|item| escape(text(&item["description"])))
        .collect();
    let intent = terms
        .and_then(|terms| terms.intent.clone())
        .unwrap_or_default();
    let intent = world.read(ObjectKind::Intent, &intent);
    let mut html = format!(
        "<p>{}</p><p><strong>{amount} {currency}</strong> (smallest unit)</p>",
        names.join(", ")
    );
    for note in [note, text(&intent["last_payment_error"]["message"])] {
        if !note.is_empty() {
            html.push_str(&format!("<p role=\"alert\">{}</p>", escape(note)));
        }
    }
    let buttons: &[(&str, &str)] = match (status, text(&intent["status"])) {
        ("open", "requires_action") => &[
            ("authentication_passed", "Pass 3-D Secure"),
            ("authentication_failed", "Fail 3-D Secure"),
            ("cancel", "Cancel"),
        ],
        ("open", _) => &[
            ("pay", "Pay"),
            ("decline", "Pay by a card that is declined"),
            ("authenticate", "Pay by a card with 3-D Secure"),
            ("delayed", "Pay by bank debit"),
            ("cancel", "Cancel"),
        ],
        _ => &[],
    };
    if buttons.is_empty() {
        html.push_str(&format!("<p>This session is {}.</p>", escape(status)));
    }
    html.push_str(&form(buttons, ""));
    frame("Checkout", &html)
}

fn invoice(world: &mut StripeWorld, id: &str, action: Option<&str>) -> Option<PageAnswer> {
    world.get(ObjectKind::Invoice, id)?;
    let mut html = String::new();
    if action == Some("pay")
        && let Err(refusal) = world.pay_invoice(id)
    {
        html.push_str(&format!(
            "<p role=\"alert\">{}</p>",
            escape(&refusal.message)
        ));
    }
    let invoice = world.read(ObjectKind::Invoice, id);
    html.push_str(&format!(
        "<p>{}: {} {}, {}</p>",
        escape(text(&invoice["number"])),
        integer(&invoice["amount_due"]),
        text(&invoice["currency"]).to_uppercase(),
        text(&invoice["status"])
    ));
    if invoice["status"] == "open" {
        html.push_str(&form(&[("pay", "Pay")], ""));
    }
    Some(PageAnswer::Html(200, frame("Invoice", &html)))
}

fn portal(
    world: &mut StripeWorld,
    id: &str,
    action: Option<&str>,
    subscription: &str,
) -> Option<PageAnswer> {
    let session = world.get(ObjectKind::PortalSession, id)?.clone();
    let mut html = String::new();
    match action {
        Some("return") => {
            let to = session["return_url"].as_str().unwrap_or("/");
            return Some(PageAnswer::Redirect(to.to_owned()));
        }
        Some("cancel") => {
            if let Err(refusal) = world.cancel_in_portal(id, subscription) {
                html.push_str(&format!(
                    "<p role=\"alert\">{}</p>",
                    escape(&refusal.message)
                ));
            }
        }
        _ => {}
    }
    let own = world
        .all(ObjectKind::Subscription)
        .filter(|subscription| subscription["customer"] == session["customer"]);
    for subscription in own {
        let id = text(&subscription["id"]);
        let ending = if subscription["cancel_at_period_end"] == true {
            ", ends with its period"
        } else {
            ""
        };
        html.push_str(&format!(
            "<p>{id}: {}{ending}</p>",
            text(&subscription["status"])
        ));
        if subscription["status"] != "canceled" && ending.is_empty() {
            let hidden = format!("<input type=\"hidden\" name=\"subscription\" value=\"{id}\">");
            html.push_str(&form(&[("cancel", "Cancel subscription")], &hidden));
        }
    }
    html.push_str(&form(&[("return", "Return")], ""));
    Some(PageAnswer::Html(200, frame("Customer portal", &html)))
}

fn form(buttons: &[(&str, &str)], hidden: &str) -> String {
    let buttons: String = buttons
        .iter()
        .map(|(action, label)| {
            format!("<button name=\"action\" value=\"{action}\">{label}</button> ")
        })
        .collect();
    format!("<form method=\"post\">{hidden}{buttons}</form>")
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body><h1>{title} \
         (simulated)</h1>{body}</body></html>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
