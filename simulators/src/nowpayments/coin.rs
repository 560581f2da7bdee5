//! The coins and currencies that there are, a few of each kind: with and without a memo, of few and of many decimals, one
//! asset on two networks.

use super::decimal::Decimal;

/// A coin.
#[derive(Debug)]
pub(super) struct Coin {
    /// Its ticker, in small letters.
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) network: &'static str,
    /// The decimals of the network.
    pub(super) precision: u32,
    /// What one is worth in USD at first.
    pub(super) usd: &'static str,
    /// The least payment, in the coin.
    pub(super) least: &'static str,
    /// What a withdrawal costs, in the coin.
    pub(super) fee: &'static str,
    /// Payments need a memo: without it a deposit can't be assigned.
    pub(super) has_memo: bool,
    pub(super) wallet_regex: &'static str,
    /// What its addresses begin with.
    pub(super) prefix: &'static str,
    /// How long they are.
    pub(super) length: usize,
}

pub(super) const COINS: [Coin; 6] = [
    coin(
        "btc", "Bitcoin", "btc", 8, "60000", "0.00005", "0.0001", false, "bc1", 42,
    ),
    coin(
        "eth", "Ethereum", "eth", 18, "3000", "0.0005", "0.0008", false, "0x", 42,
    ),
    coin("trx", "Tron", "trx", 6, "0.5", "1", "1.1", false, "T", 34),
    coin(
        "usdttrc20",
        "Tether USD (Tron)",
        "trx",
        6,
        "1",
        "1",
        "1.3",
        false,
        "T",
        34,
    ),
    coin(
        "usdterc20",
        "Tether USD (Ethereum)",
        "eth",
        6,
        "1",
        "2",
        "4",
        false,
        "0x",
        42,
    ),
    coin("xrp", "Ripple", "xrp", 6, "2", "0.5", "0.2", true, "r", 34),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn coin(
    code: &'static str,
    name: &'static str,
    network: &'static str,
    precision: u32,
    usd: &'static str,
    least: &'static str,
    fee: &'static str,
    has_memo: bool,
    prefix: &'static str,
    length: usize,
) -> Coin {
    let wallet_regex = match prefix.as_bytes() {
        b"0x" => "^(0x)[0-9A-Fa-f]{40}$",
        b"T" => "^T[1-9A-HJ-NP-Za-km-z]{33}$",
        b"r" => "^r[1-9A-HJ-NP-Za-km-z]{33}$",
        _ => "^bc1[0-9a-z]{39}$",
    };
    Coin {
        code,
        name,
        network,
        precision,
        usd,
        least,
        fee,
        has_memo,
        wallet_regex,
        prefix,
        length,
    }
}

/// What one of a currency is worth in USD; the fiat currencies are those that estimates know.
const FIAT: [(&str, &str); 7] = [
    ("usd", "1"),
    ("eur", "1.25"),
    ("cad", "0.8"),
    ("gbp", "1.25"),
    ("aud", "0.64"),
    ("ils", "0.25"),
    ("ron", "0.2"),
];

impl Coin {
    pub(super) fn find(code: &str) -> Option<&'static Self> {
        COINS
            .iter()
            .find(|coin| coin.code.eq_ignore_ascii_case(code))
    }

    pub(super) fn first_rate(&self) -> Decimal {
        decimal(self.usd)
    }

    pub(super) fn least(&self) -> Decimal {
        decimal(self.least)
    }

    pub(super) fn withdrawal_fee(&self) -> Decimal {
        decimal(self.fee)
    }

    /// How many decimals its amounts have here: as many as the network knows, eight at most.
    pub(super) fn places(&self) -> u32 {
        self.precision.min(8)
    }

    /// A new address.
    pub(super) fn new_address(&self) -> String {
        let letters: &[u8] = match self.prefix {
            "0x" => b"0123456789abcdef",
            "bc1" => b"023456789acdefghjklmnpqrstuvwxyz",
            _ => b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
        };
        let mut address = self.prefix.to_owned();
        while address.len() < self.length {
            let letter = letters.get(fastrand::usize(..letters.len()));
            address.extend(letter.copied().map(char::from));
        }
        address
    }

    pub(super) fn is_address(&self, text: &str) -> bool {
        text.len() == self.length
            && text.starts_with(self.prefix)
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }
}

/// What one of a fiat currency is worth in USD.
pub(super) fn fiat(code: &str) -> Option<Decimal> {
    let rate = FIAT
        .iter()
        .find(|(fiat, _)| fiat.eq_ignore_ascii_case(code))?;
    Some(decimal(rate.1))
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_address_is_one_of_its_coin() {
        for coin in &COINS {
            assert!(coin.is_address(&coin.new_address()), "{}", coin.code);
            assert!(
                !coin.first_rate().is_zero() && !coin.least().is_zero(),
                "{}",
                coin.code
            );
        }
        let one = Coin::find("BTC").map(Coin::new_address).unwrap_or_default();
        assert!(!Coin::find("trx").is_some_and(|coin| coin.is_address(&one)));
    }
}
