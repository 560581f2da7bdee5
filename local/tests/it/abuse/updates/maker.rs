//! Makes updates from the Bot API's own list of types, `update-types.json`: of each kind one with the required fields
//! alone, one with all, one for each optional field of the first two levels, and mixtures by chance; one with each type
//! of the list, however deep it lies, and every change of membership. The same seed makes the same updates.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

/// How deep fields that may be left out are made when all are asked for.
const ALL_LEVELS: usize = 3;
/// Beyond this depth choices are the first and arrays are empty: the types refer to themselves.
const DEEP: usize = 12;

/// Texts of all sorts. The links are none that the local stack has made.
const TEXTS: [&str; 12] = [
    "",
    "text",
    "https://t.me/+AbCdEfGhIjKlMnOp",
    "https://t.me/+AbCdEf...",
    "chat_member",
    "\u{0}\u{1}\u{7f}",
    "line\r\nline\u{2028}line",
    "\u{202e}\u{5d0}\u{5d1}\u{5d2} \u{1F3AB}\u{200d}\u{1F3AB}",
    "\"}],\\u0000\\\"",
    "<script>alert(1)</script>",
    "\u{fffe}\u{ffff}\u{feff}",
    "-1001234567890",
];
/// Numbers of all sorts; Telegram's ids have up to 52 bits, and their sum with a mark may have more.
const NUMBERS: [i64; 9] = [
    0,
    1,
    -1,
    1_795_176_000,
    4_294_967_296,
    4_503_599_627_370_495,
    9_007_199_254_740_993,
    i64::MAX,
    i64::MIN,
];

/// Which of the fields that may be left out are made.
#[derive(Clone, Copy)]
enum Optional<'a> {
    None,
    All,
    /// Those on the way to what is wanted, each as `(type, field)`; no field stands for all of a type.
    Only(&'a [(String, String)]),
    Chance,
}

pub(super) struct Maker {
    types: Map<String, Value>,
    chance: fastrand::Rng,
    chat_id: i64,
    made: BTreeSet<(String, String)>,
    /// The records that are being made: those that hold the one at hand.
    open: BTreeSet<String>,
}

impl Maker {
    /// A maker of updates, some of which are about the chat.
    pub(super) fn new(seed: u64, chat_id: i64) -> Self {
        let list: Value = serde_json::from_str(include_str!("../update-types.json")).unwrap();
        Self {
            types: list["types"].as_object().unwrap().clone(),
            chance: fastrand::Rng::with_seed(seed),
            chat_id,
            made: BTreeSet::new(),
            open: BTreeSet::new(),
        }
    }

    /// Updates of all kinds, each with its kind.
    pub(super) fn updates(&mut self, mixtures: usize) -> Vec<(String, Value)> {
        let mut updates = Vec::new();
        let mut deep = self.deep();
        let kinds: Vec<(String, String)> = self
            .fields("Update")
            .into_iter()
            .filter(|(_, _, is_required)| !is_required)
            .map(|(kind, of, _)| (kind, of))
            .collect();
        for (kind, of) in kinds {
            let mut paths = self.paths(&of);
            paths.extend(deep.remove(&kind).unwrap_or_default());
            let mut fillings = vec![Optional::None, Optional::All];
            fillings.extend(paths.iter().map(|path| Optional::Only(path)));
            fillings.extend([Optional::Chance].into_iter().cycle().take(mixtures));
            for filling in fillings {
                let content = self.value(&of, 0, filling);
                let update_id = 1 + updates.len();
                let mut update = json!({"update_id": update_id});
                update[&kind] = content;
                updates.push((kind.clone(), update));
            }
            if of == "ChatMemberUpdated" {
                for change in self.changes() {
                    let update_id = 1 + updates.len();
                    let mut update = json!({"update_id": update_id});
                    update[&kind] = change;
                    updates.push((kind.clone(), update));
                }
            }
        }
        updates
    }

    /// Every change of one status to another, some by a link.
    fn changes(&mut self) -> Vec<Value> {
        let statuses = self.types["ChatMember"].as_array().unwrap().clone();
        let mut changes = Vec::new();
        for old in &statuses {
            for new in &statuses {
                for _ in 0..12 {
                    let mut change = self.value("ChatMemberUpdated", 0, Optional::Chance);
                    for (field, status) in [("old_chat_member", old), ("new_chat_member", new)] {
                        let status = std::slice::from_ref(status);
                        change[field] = self.choice("ChatMember", status, 1, Optional::Chance);
                    }
                    if self.chance.u8(..4) > 0 {
                        change["invite_link"] = self.value("ChatInviteLink", 1, Optional::All);
                    }
                    changes.push(change);
                }
            }
        }
        changes
    }

    /// For each kind the shortest ways to the types that are not seen before, with all of their fields.
    fn deep(&self) -> BTreeMap<String, Vec<Vec<(String, String)>>> {
        let (mut ways, mut seen) = (BTreeMap::new(), BTreeSet::new());
        let mut next = VecDeque::new();
        for (kind, of, _) in self.fields("Update") {
            for record in self.records(&of) {
                next.push_back((kind.clone(), Vec::new(), record));
            }
        }
        while let Some((kind, way, record)) = next.pop_front() {
            if !seen.insert(record.clone()) {
                continue;
            }
            for (field, of, _) in self.fields(&record) {
                let step = (record.clone(), field);
                for below in self.records(&of) {
                    let way: Vec<_> = way.iter().cloned().chain([step.clone()]).collect();
                    next.push_back((kind.clone(), way, below));
                }
            }
            let whole: Vec<_> = way.into_iter().chain([(record, String::new())]).collect();
            ways.entry(kind).or_insert_with(Vec::new).push(whole);
        }
        ways
    }

    /// The fields of the list that no value had yet, apart from what lies too deep.
    pub(super) fn never_made(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for name in self.types.keys().filter(|name| *name != "Update") {
            for (field, _, _) in self.fields(name) {
                if !self.made.contains(&(name.clone(), field.clone())) {
                    missing.push(format!("{name}.{field}"));
                }
            }
        }
        missing
    }

    /// The fields of a record: name, type, and whether it is always there.
    fn fields(&self, record: &str) -> Vec<(String, String, bool)> {
        let fields = self.types.get(record).and_then(Value::as_object);
        let fields = fields.into_iter().flatten().map(|(name, of)| {
            let of = of.as_str().unwrap().to_owned();
            match name.strip_suffix('!') {
                Some(name) => (name.to_owned(), of, true),
                None => (name.clone(), of, false),
            }
        });
        fields.collect()
    }

    /// The records that a type can be: itself, the parts of a choice, what an array holds.
    fn records(&self, of: &str) -> Vec<String> {
        let of = of.trim_matches(['[', ']']);
        match self.types.get(of) {
            Some(Value::Array(choices)) => choices
                .iter()
                .map(|choice| choice.as_str().unwrap().to_owned())
                .filter(|choice| self.types.get(choice).is_some_and(Value::is_object))
                .collect(),
            Some(_) => vec![of.to_owned()],
            None => Vec::new(),
        }
    }

    /// Each field of the first two levels that may be left out, with the field that holds it.
    fn paths(&self, of: &str) -> Vec<Vec<(String, String)>> {
        let mut paths = Vec::new();
        for outer in self.records(of) {
            for (field, of, is_required) in self.fields(&outer) {
                let first = (outer.clone(), field);
                if !is_required {
                    paths.push(vec![first.clone()]);
                }
                for inner in self.records(&of) {
                    for (field, _, is_required) in self.fields(&inner) {
                        if !is_required {
                            paths.push(vec![first.clone(), (inner.clone(), field)]);
                        }
                    }
                }
            }
        }
        paths
    }

    fn value(&mut self, of: &str, depth: usize, optional: Optional<'_>) -> Value {
        if let Some(of) = of.strip_prefix('[') {
            let of = of.strip_suffix(']').unwrap();
            let many = match optional {
                _ if depth > DEEP => 0,
                // Ever fewer: blocks hold blocks.
                Optional::Chance if depth < 5 => self.chance.usize(..3),
                Optional::Chance => self.chance.usize(..2),
                _ => 1,
            };
            return (0..many)
                .map(|_| self.value(of, depth + 1, optional))
                .collect();
        }
        match of {
            "Boolean" => json!(self.chance.bool()),
            "Integer" => json!(self.chance.choice(NUMBERS)),
            "Float" => json!(self.chance.f64() * 1e6),
            "String" => match self.chance.u8(..) {
                0 => json!("x".repeat(4096)),
                _ => json!(self.chance.choice(TEXTS)),
            },
            _ => match self.types.get(of).cloned() {
                Some(Value::Array(choices)) => self.choice(of, &choices, depth, optional),
                Some(_) => self.record(of, depth, optional),
                None => panic!("{of} is not in the list"),
            },
        }
    }

    /// One of several types, marked as the Bot API marks it.
    fn choice(
        &mut self,
        of: &str,
        choices: &[Value],
        depth: usize,
        optional: Optional<'_>,
    ) -> Value {
        let wanted = match optional {
            // The last of them: a way may lead from one part of a choice to another.
            Optional::Only(path) => path
                .iter()
                .rev()
                .map(|(name, _)| name.as_str())
                .find(|name| choices.iter().any(|choice| choice == name)),
            _ => None,
        };
        let chosen = match wanted {
            _ if depth > DEEP => choices[0].as_str().unwrap(),
            Some(wanted) => wanted,
            None => self.chance.choice(choices).unwrap().as_str().unwrap(),
        };
        let mut value = self.value(chosen, depth + 1, optional);
        let mark = match chosen.strip_prefix(of).unwrap_or(chosen) {
            "Owner" => "creator".to_owned(),
            "Banned" => "kicked".to_owned(),
            name => snake(name),
        };
        for field in ["status", "type", "source"] {
            if value.get(field).is_some_and(Value::is_string) {
                value[field] = json!(mark);
            }
        }
        value
    }

    fn record(&mut self, of: &str, depth: usize, optional: Optional<'_>) -> Value {
        let mut record = Map::new();
        for (field, field_type, is_required) in self.fields(of) {
            let is_made = is_required
                || match optional {
                    Optional::None => false,
                    Optional::All => depth < ALL_LEVELS,
                    Optional::Only(path) => {
                        let mut steps = path.iter().filter(|(name, _)| name == of);
                        // Not again in a message that the message holds.
                        !self.open.contains(of)
                            && steps.any(|(_, only)| *only == field || only.is_empty())
                    }
                    // Ever fewer, or they would never end.
                    Optional::Chance => self.chance.usize(..(2 << depth.min(8))) == 0,
                };
            if is_made {
                let is_first = self.open.insert(of.to_owned());
                let value = match (of, field.as_str()) {
                    ("Chat", "id") if self.chance.bool() => json!(self.chat_id),
                    _ => self.value(&field_type, depth + 1, optional),
                };
                if is_first {
                    self.open.remove(of);
                }
                self.made.insert((of.to_owned(), field.clone()));
                record.insert(field, value);
            }
        }
        Value::Object(record)
    }
}

/// `RichTextBold` as `rich_text_bold`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
