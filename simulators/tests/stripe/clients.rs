//! The official clients, unchanged but for their base URL. `simulators/tests/clients/stripe/run.sh` installs them.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::site::{KEY, SellerSite};

#[tokio::test]
#[ignore = "needs the clients: simulators/tests/clients/stripe/run.sh installs them"]
#[expect(
    clippy::disallowed_methods,
    reason = "the script says where it installed them"
)]
async fn official_clients_work_unchanged() {
    let folder = PathBuf::from(std::env::var("CLIENTS").unwrap());
    for (program, script) in [("venv/bin/python", "client.py"), ("node", "client.mjs")] {
        let site = SellerSite::new().await;
        site.stripe.save_portal_settings(false, false);
        let program = match program {
            "node" => PathBuf::from(program),
            path => folder.join(path),
        };
        let output = Command::new(program)
            .arg(folder.join(script))
            .current_dir(&folder)
            .env("STRIPE_URL", site.stripe.url())
            .env("STRIPE_KEY", KEY)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {told}\n{wrong}");
        assert!(told.contains("done"), "{script}: {told}\n{wrong}");
    }
}
