//! Which targets may be called: https, two ports, no address within. Names are judged again by the addresses that they
//! resolve to, with each call.

use core::net::IpAddr;

use super::super::text::list;
use super::address::is_public;

/// The ports that may be called.
const PORTS: [u16; 2] = [443, 8443];
/// The most hosts that are exempt.
const EXEMPT_MAX: usize = 20;

/// Hosts that may be called whatever they are, by http too: for tests, and receivers on the same machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExemptHosts(Vec<(String, u16)>);

impl ExemptHosts {
    /// Reads `host:port` pairs with commas between; nothing if one is not such a pair.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pair = |pair: &str| {
            let (host, port) = pair.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
        };
        let pairs: Vec<_> = list(text).map(pair).collect::<Option<_>>()?;
        (!pairs.is_empty() && pairs.len() <= EXEMPT_MAX).then_some(Self(pairs))
    }

    /// Whether this host and port are exempt.
    #[must_use]
    pub fn contain(&self, host: &str, port: u16) -> bool {
        self.0
            .iter()
            .any(|(known, of)| known == host && *of == port)
    }
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetRefusal {
    /// Not https.
    Scheme,
    /// Another port than 443 and 8443.
    Port,
    /// The host is an address that is not the public's.
    Address,
}

/// Judges a target by the parts of its URL, as a URL parser reads them; `host` is in lower case, an address of IPv6 in
/// brackets.
///
/// # Errors
/// [`TargetRefusal`].
pub fn check_target(
    scheme: &str,
    host: &str,
    port: u16,
    exempt: &ExemptHosts,
) -> Result<(), TargetRefusal> {
    if exempt.contain(host, port) && matches!(scheme, "http" | "https") {
        return Ok(());
    }
    if scheme != "https" {
        return Err(TargetRefusal::Scheme);
    }
    if !PORTS.contains(&port) {
        return Err(TargetRefusal::Port);
    }
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match address {
        Ok(address) if !is_public(address) => Err(TargetRefusal::Address),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_on_two_ports_may_be_called_and_what_is_exempt() {
        let exempt = ExemptHosts::parse("localhost:8080, 127.0.0.1:9000").unwrap();
        let check = |scheme, host, port| check_target(scheme, host, port, &exempt);
        assert_eq!(check("https", "shop.example", 443), Ok(()));
        assert_eq!(check("https", "shop.example", 8443), Ok(()));
        assert_eq!(check("https", "1.1.1.1", 443), Ok(()));
        assert_eq!(
            check("http", "shop.example", 443),
            Err(TargetRefusal::Scheme)
        );
        assert_eq!(check("https", "shop.example", 22), Err(TargetRefusal::Port));
        assert_eq!(
            check("https", "127.0.0.1", 443),
            Err(TargetRefusal::Address)
        );
        assert_eq!(
            check("https", "[::ffff:10.0.0.1]", 443),
            Err(TargetRefusal::Address)
        );
        assert_eq!(check("http", "localhost", 8080), Ok(()));
        assert_eq!(check("http", "127.0.0.1", 9000), Ok(()));
        assert_eq!(check("http", "localhost", 8081), Err(TargetRefusal::Scheme));
        assert_eq!(check("ftp", "localhost", 8080), Err(TargetRefusal::Scheme));
        for wrong in ["", "localhost", ":80", "a:0", "a:70000", "a:80,b"] {
            assert_eq!(ExemptHosts::parse(wrong), None, "{wrong}");
        }
    }
}
