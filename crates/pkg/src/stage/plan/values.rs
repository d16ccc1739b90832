//! Variables of a plan and their values.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{VALUE_BYTES_MAX, Why};

/// Most elements of an array.
const ELEMENTS_MAX: usize = 4096;
/// Limit of the bytes that expansions write plus the steps that patterns take in one plan.
const WORK_MAX: u64 = 16 * 1024 * 1024;

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stage) enum Value {
    Word(String),
    Array(Vec<String>),
    Map(Vec<(String, String)>),
    /// Only bash can compute it; the reason.
    Unknown(Why),
}

/// The variables that words can refer to.
pub(super) struct Known<'e> {
    pub(super) variables: BTreeMap<String, Value>,
    /// Values that the plan cannot change.
    fixed: BTreeMap<&'e str, Option<String>>,
    associative: BTreeSet<String>,
    environment: &'e dyn Fn(&str) -> Option<String>,
    /// Remaining budget of [`WORK_MAX`].
    pub(super) work: u64,
}

impl<'e> Known<'e> {
    pub(super) fn new(
        preset: BTreeMap<String, String>,
        fixed: BTreeMap<&'e str, Option<String>>,
        environment: &'e dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let maps = ["pkg_exports", "pkg_binds", "pkg_binds_optional"];
        Self {
            variables: preset.into_iter().map(|(name, text)| (name, Value::Word(text))).collect(),
            fixed,
            associative: maps.map(str::to_owned).into(),
            environment,
            work: WORK_MAX,
        }
    }

    /// True for a variable whose value is set outside of the plan.
    pub(super) fn is_fixed(&self, name: &str) -> bool {
        self.fixed.contains_key(name)
    }

    pub(super) fn declare_associative(&mut self, name: &str) {
        self.associative.insert(name.into());
    }

    pub(super) fn is_associative(&self, name: &str) -> bool {
        self.associative.contains(name)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.variables.insert(name.into(), value);
    }

    /// The value of `name`, or of one of its elements; an empty index is the first one. `None` when
    /// neither the plan nor the environment sets it.
    pub(super) fn look(&mut self, name: &str, index: &str) -> Result<Option<String>, Why> {
        if let Some(Some(text)) = self.fixed.get(name) {
            return Ok(Some(text.clone()));
        }
        let text = match self.variables.get(name) {
            None => return Ok((self.environment)(name).filter(|_| index.is_empty())),
            Some(Value::Unknown(why)) => return Err(format!("'${name}' is not known ({why})")),
            Some(Value::Word(text)) => (matches!(index, "" | "0")).then(|| text.clone()),
            Some(Value::Array(items)) => {
                let index = if index.is_empty() { "0" } else { index };
                let last = index == "-1";
                let at: usize = match index.parse() {
                    Ok(at) => at,
                    Err(_) if last => items.len().saturating_sub(1),
                    Err(_) => return Err(format!("the index '{index}' is not a number")),
                };
                items.get(at).cloned()
            }
            Some(Value::Map(pairs)) => {
                let index = if index.is_empty() { "0" } else { index };
                pairs.iter().find(|(key, _)| key == index).map(|(_, text)| text.clone())
            }
        };
        self.spend(text.as_deref().unwrap_or_default().len())?;
        Ok(text)
    }

    /// As [`Known::look`], but an element that a known array does not have is empty.
    pub(super) fn get(&mut self, name: &str, index: &str) -> Result<Option<String>, Why> {
        let text = self.look(name, index)?;
        let is_set = self.variables.contains_key(name);
        Ok(text.or(is_set.then(String::new)))
    }

    /// All elements of an array.
    pub(super) fn items(&mut self, name: &str) -> Result<Vec<String>, Why> {
        let items = match self.variables.get(name) {
            None => return Err(format!("'${name}' is not known")),
            Some(Value::Unknown(why)) => return Err(format!("'${name}' is not known ({why})")),
            Some(Value::Word(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items.clone(),
            Some(Value::Map(pairs)) => pairs.iter().map(|(_, text)| text.clone()).collect(),
        };
        self.spend(items.iter().map(|item| item.len() + 1).sum())?;
        Ok(items)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Why> {
        let left = self.work.checked_sub(bytes as u64);
        self.work = left.ok_or("the plan's values are too long altogether")?;
        Ok(())
    }

    /// `name=text`, `name+=text`, `name[index]=text`.
    pub(super) fn assign(
        &mut self,
        name: &str,
        index: Option<&str>,
        append: bool,
        text: String,
    ) -> Result<(), Why> {
        self.spend(text.len())?;
        let associative = self.is_associative(name);
        let former = self.variables.remove(name);
        if let Some(Value::Unknown(why)) = former.as_ref().filter(|_| append || index.is_some()) {
            let why = why.clone();
            self.set(name, Value::Unknown(why.clone()));
            return Err(why);
        }
        let value = match (former, index) {
            // Plans write an empty word for "none".
            (None, None) if associative && text.is_empty() => Value::Map(Vec::new()),
            (Some(Value::Map(mut pairs)), index) => {
                if !(text.is_empty() && index.is_none()) {
                    put(&mut pairs, index.unwrap_or("0"), text, append);
                }
                Value::Map(pairs)
            }
            (_, index) if associative => {
                let mut pairs = Vec::new();
                put(&mut pairs, index.unwrap_or("0"), text, append);
                Value::Map(pairs)
            }
            (Some(Value::Array(mut items)), index) => {
                let index = index.unwrap_or("0");
                let at: usize =
                    index.parse().map_err(|_| format!("the index '{index}' is not a number"))?;
                if at >= ELEMENTS_MAX {
                    return Err(format!("it has more than {ELEMENTS_MAX} elements"));
                }
                if items.len() <= at {
                    items.resize(at + 1, String::new());
                }
                match append {
                    true => items[at].push_str(&text),
                    false => items[at] = text,
                }
                Value::Array(items)
            }
            (former, None) => {
                let before = match former {
                    Some(Value::Word(before)) if append => before,
                    _ => String::new(),
                };
                Value::Word(before + &text)
            }
            (former, Some(index)) => {
                let items = match former {
                    Some(Value::Word(word)) => vec![word],
                    _ => Vec::new(),
                };
                self.set(name, Value::Array(items));
                return self.assign(name, Some(index), append, text);
            }
        };
        if let Value::Word(word) = &value
            && word.len() > VALUE_BYTES_MAX
        {
            return Err(format!("it is longer than {VALUE_BYTES_MAX} bytes"));
        }
        self.set(name, value);
        Ok(())
    }

    /// `name=(…)`, `name+=(…)`.
    pub(super) fn assign_list(&mut self, name: &str, append: bool, list: List) -> Result<(), Why> {
        let List { items, pairs } = list;
        let former = self.variables.remove(name).filter(|_| append);
        if let Some(Value::Unknown(why)) = &former {
            let why = why.clone();
            self.set(name, Value::Unknown(why.clone()));
            return Err(why);
        }
        let value = if self.is_associative(name) {
            let mut known = match former {
                Some(Value::Map(pairs)) => pairs,
                _ => Vec::new(),
            };
            for (key, text, append) in pairs {
                put(&mut known, &key, text, append);
            }
            // Bash takes words as keys and values in turn.
            if items.len() % 2 == 1 {
                return Err("it must be ([key]=value)".into());
            }
            let mut words = items.into_iter();
            while let Some(key) = words.next() {
                put(&mut known, &key, words.next().unwrap_or_default(), false);
            }
            Value::Map(known)
        } else {
            let mut known = match former {
                Some(Value::Array(items)) => items,
                Some(Value::Word(word)) => vec![word],
                _ => Vec::new(),
            };
            known.extend(items);
            for (key, text, append) in pairs {
                let at: usize =
                    key.parse().map_err(|_| format!("the index '{key}' is not a number"))?;
                if at >= ELEMENTS_MAX {
                    return Err(format!("it has more than {ELEMENTS_MAX} elements"));
                }
                if known.len() <= at {
                    known.resize(at + 1, String::new());
                }
                match append {
                    true => known[at].push_str(&text),
                    false => known[at] = text,
                }
            }
            Value::Array(known)
        };
        let (count, bytes) = match &value {
            Value::Map(pairs) => (pairs.len(), pairs.iter().map(|(k, v)| k.len() + v.len()).sum()),
            Value::Array(items) => (items.len(), items.iter().map(String::len).sum::<usize>()),
            _ => (0, 0),
        };
        if count > ELEMENTS_MAX {
            return Err(format!("it has more than {ELEMENTS_MAX} elements"));
        }
        self.spend(bytes)?;
        self.set(name, value);
        Ok(())
    }
}

/// The content between the parentheses of an array.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) items: Vec<String>,
    /// Key, text, and whether the text is appended.
    pub(super) pairs: Vec<(String, String, bool)>,
}

fn put(pairs: &mut Vec<(String, String)>, key: &str, text: String, append: bool) {
    match pairs.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) if append => known.push_str(&text),
        Some((_, known)) => *known = text,
        None => pairs.push((key.into(), text)),
    }
}
