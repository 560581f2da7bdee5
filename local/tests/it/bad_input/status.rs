//! `GET /v1/invite/{requestId}`, and what is no route at all.

use local::harness::TestStack;

use super::{Case, KIB_64, REQUEST, WEBHOOK, lines, refuse_all, send};

/// Last parts of a path that are no request id. `ID` stands for a well-formed one, `HEX` for its digits.
const NO_IDS: &str = r#"
x
0
-1
T1
u1
null
undefined
*
-
.
..
...
%2e%2e
%2e%2e%2f
%
%zz
%00
%ff
%E2%82%AC
'
%22
%27%20OR%201=1
%3Cscript%3E
requestId
:requestId
urn:uuid:
{}
%7B%7D
00000000-0000-8000-8000-00000000000
0000000000008000800000000000000
00000000-0000-8000-8000-00000000000g
00000000-0000-8000-80000-00000000001
0000000000008000-8000-000000000001
------------------------------------
%30ID
ID0
HEX0
0xHEX
+ID
ID%20
%20ID
ID%00
ID,ID
ID;v=1
%7BID%7D
urn:uuid:ID0
ID.json
ID%2f
ID-ID
"#;

/// Well-formed, but nobody has it.
const UNKNOWN: &str = r#"
ID
HEX
ABCDEF00-0000-8000-8000-00000000000F
urn:uuid:ID
{ID}
00000000-0000-0000-0000-000000000000
ffffffff-ffff-ffff-ffff-ffffffffffff
550e8400-e29b-41d4-a716-446655440000
ID?
ID?id=KNOWN
ID?/../KNOWN
"#;

/// No routes.
const NOWHERE: &str = r#"
/v1/invite/
/v1/invite
/v1
/favicon.ico
/v1/invite/KNOWN/
/v1/invite/KNOWN/link
/v1/invite//KNOWN
//v1/invite/KNOWN
/v1/invite/../invite/KNOWN
/v2/invite/KNOWN
/V1/Invite/KNOWN
/v1/invites/KNOWN
/invite/KNOWN
/v1/%69nvite/KNOWN
/../../etc/passwd
/stack/nothing
"#;

#[tokio::test]
async fn a_status_is_found_by_its_id_alone() {
    let stack = TestStack::start().await;
    let (known, _) = stack.admitted("u1", "T1").await;
    let key = stack.local.api_key().to_owned();
    let id = "00000000-0000-8000-8000-000000000001";
    let fill = |target: &str| {
        target
            .replace("ID", id)
            .replace("HEX", &id.replace('-', ""))
            .replace("KNOWN", &known)
    };
    let get = |target: String, status, word| {
        Case::new("GET", target, status, word).header("x-api-key", key.as_bytes())
    };
    let of = |last: &str, status, word| get(format!("/v1/invite/{}", fill(last)), status, word);
    let mut cases: Vec<Case> = lines(NO_IDS)
        .map(|last| of(last, 400, "invalid_request_id"))
        .collect();
    cases.push(of(&"a".repeat(8000), 400, "invalid_request_id"));
    cases.extend(lines(UNKNOWN).map(|last| of(last, 404, "not_found")));
    cases.push(of("ID", 404, "not_found").body("{"));
    cases.push(of("ID", 404, "not_found").body(vec![b'x'; KIB_64 + 1]));
    cases.extend(lines(NOWHERE).map(|target| get(fill(target), 404, "not_found")));
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let target = format!("/v1/invite/{known}");
        cases.push(Case::new(method, target, 405, "method_not_allowed"));
    }
    refuse_all(&stack, cases).await;
    for spelling in [
        known.clone(),
        known.to_uppercase(),
        known.replace('-', ""),
        format!("{known}?x=y"),
    ] {
        let found = stack.shop().status(&spelling).await;
        assert_eq!(found["requestId"], known.as_str(), "{spelling}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one_on_every_route() {
    let stack = TestStack::start().await;
    let status = format!("/v1/invite/{}", uuid::Uuid::nil());
    let mut wrong = Vec::new();
    for (target, right) in [
        (REQUEST, "POST"),
        (WEBHOOK, "POST"),
        (status.as_str(), "GET"),
        ("/", "GET"),
        ("/local/state", "GET"),
        ("/local/actions/buy", "POST"),
        ("/local/actions/tap", "POST"),
        ("/local/actions/phone-say", "POST"),
        ("/local/actions/forum-say", "POST"),
        ("/local/actions/advance-clock", "POST"),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if method == right || (method == "HEAD" && right == "GET") {
                continue;
            }
            let answer = send(&stack, &Case::new(method, target, 405, "")).await;
            let mut allowed = answer.header("allow").split(',').map(str::trim);
            if answer.status != 405 || !allowed.any(|allowed| allowed == right) {
                let (status, allow) = (answer.status, answer.header("allow"));
                wrong.push(format!(
                    "{method} {target}: {status}, Allow: {allow}, but it takes {right}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
