//! How coins are counted in the books.

/// The decimals of coins that have others than [`MOST`], on the network that the code names.
const EXPONENTS: [(&str, u32); 22] = [
    ("ada", 6),
    ("bch", 8),
    ("btc", 8),
    ("dash", 8),
    ("doge", 8),
    ("dot", 10),
    ("ltc", 8),
    ("sol", 9),
    ("ton", 9),
    ("trx", 6),
    ("usdc", 6),
    ("usdcmatic", 6),
    ("usdcsol", 6),
    ("usdterc20", 6),
    ("usdtmatic", 6),
    ("usdtsol", 6),
    ("usdtton", 6),
    ("usdttrc20", 6),
    ("xlm", 7),
    ("xmr", 12),
    ("xrp", 6),
    ("zec", 8),
];
/// The decimals of all others: enough for each. A coin is counted in the same ones for ever, so no row may be changed.
const MOST: u32 = 18;

/// The decimals in which the books count a coin.
pub(super) fn exponent(code: &str) -> u32 {
    let known = EXPONENTS.iter().find(|(coin, _)| *coin == code);
    known.map_or(MOST, |(_, exponent)| *exponent)
}
