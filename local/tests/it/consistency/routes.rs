//! The routes of the gateway, of the local stack and of the contract are the same.

use std::collections::BTreeSet;

use local::functions::{FUNCTIONS, Trigger};

use super::template::{functions, resources, triggers};
use super::yaml;

/// A method in lower case, and a path.
type Route = (String, String);

/// Whether a route takes a call: `any` takes each method, `{name}` one segment, `{name+}` and `{*name}` all that follow.
fn takes(route: &Route, call: &Route) -> bool {
    let mut segments = call.1.split('/');
    for part in route.1.split('/') {
        let is_rest = part.ends_with("+}") || part.starts_with("{*");
        match segments.next() {
            Some(_) if is_rest => return is_method(route, call),
            Some(segment) if part.starts_with('{') || part == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none() && is_method(route, call)
}

fn is_method(route: &Route, call: &Route) -> bool {
    route.0 == "any" || route.0 == call.0
}

/// The calls that the contract knows.
fn documented() -> BTreeSet<Route> {
    let contract = yaml("docs/openapi.yaml");
    let mut calls = BTreeSet::new();
    for (path, operations) in contract["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys();
        let methods = methods
            .filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()));
        calls.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    calls
}

/// The routes of the gateway, each with its function.
fn deployed() -> BTreeSet<(String, Route)> {
    let mut routes = BTreeSet::new();
    for (name, function) in functions() {
        for event in triggers(&function).filter(|event| event["Type"] == "HttpApi") {
            let part = |name: &str| event["Properties"][name].as_str().unwrap().to_owned();
            let route = (part("Method").to_lowercase(), part("Path"));
            routes.insert((name.clone(), route));
        }
    }
    routes
}

/// The routes of the registry, each with its function.
fn served() -> BTreeSet<(String, Route)> {
    let mut routes = BTreeSet::new();
    for function in &FUNCTIONS {
        for trigger in function.triggers {
            if let Trigger::Route(method, path) = trigger {
                let method = format!("{method:?}").to_lowercase();
                routes.insert((function.name.to_owned(), (method, (*path).to_owned())));
            }
        }
    }
    routes
}

#[test]
fn a_route_takes_what_it_names() {
    let route = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    for (of, call, is_taken) in [
        (route("any", "/a/{rest+}"), route("post", "/a/b/c"), true),
        (route("any", "/a/{*rest}"), route("get", "/a/b"), true),
        (route("any", "/a/{rest+}"), route("get", "/a"), false),
        (route("get", "/a/{id}"), route("get", "/a/{other}"), true),
        (route("get", "/a/{id}"), route("post", "/a/b"), false),
        (route("get", "/a/{id}"), route("get", "/a/b/c"), false),
        (
            route("any", "/a/{id}/{do}"),
            route("put", "/a/{id}/b"),
            true,
        ),
    ] {
        assert_eq!(takes(&of, &call), is_taken, "{of:?} {call:?}");
    }
}

#[test]
fn the_gateway_and_the_local_stack_take_what_the_contract_knows_and_nothing_else() {
    let documented = documented();
    let (deployed, served) = (deployed(), served());
    // The most narrow route takes a call.
    let taken_by = |routes: &BTreeSet<(String, Route)>, call: &Route| {
        let taking = routes.iter().filter(|(_, route)| takes(route, call));
        let by_width = taking.min_by_key(|(_, route)| route.1.matches('{').count());
        by_width.map(|(function, _)| function.clone())
    };
    for call in &documented {
        let function = taken_by(&deployed, call);
        assert!(function.is_some(), "template.yaml lacks {call:?}");
        assert_eq!(taken_by(&served, call), function, "{call:?}");
    }
    for (where_, routes) in [
        ("template.yaml", &deployed),
        ("local/src/functions.rs", &served),
    ] {
        for (_, route) in routes {
            let is_known = documented.iter().any(|call| takes(route, call));
            assert!(
                is_known,
                "docs/openapi.yaml knows nothing of {route:?} in {where_}"
            );
        }
    }
}

/// A route is a resource of the stack and a statement in its function's policy, which ends at 20 KB.
#[test]
fn routes_at_the_gateway_are_few_and_each_has_its_limit() {
    let deployed = deployed();
    for (name, function) in functions() {
        let count = triggers(&function)
            .filter(|event| event["Type"] == "HttpApi")
            .count();
        assert!(
            count <= 5,
            "{name} has {count} routes: let its router know them"
        );
    }
    let api = &resources("AWS::Serverless::HttpApi")["HttpApi"]["Properties"];
    let throttled = api["RouteSettings"].as_object().unwrap().keys();
    let throttled: BTreeSet<Route> = throttled
        .map(|route| route.split_once(' ').unwrap())
        .map(|(method, path)| (method.to_lowercase(), path.to_owned()))
        .collect();
    let deployed: BTreeSet<Route> = deployed.into_iter().map(|(_, route)| route).collect();
    assert_eq!(throttled, deployed, "RouteSettings");
}
