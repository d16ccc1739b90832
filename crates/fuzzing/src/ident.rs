//! Names in messages, specs and commands.

use std::{fmt::Display, str::FromStr};

use roost_crypto::{NamedRevision, Revision};
use roost_ident::{PackageIdent, PackageTarget, ServiceBind, ServiceGroup, version};

fn same<T: FromStr + Display>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let shown = value.to_string();
    let again = shown.parse::<T>().ok().expect("its own text");
    assert_eq!(again.to_string(), shown);
    Some(value)
}

/// Parses a text as every kind of name, and orders three as versions.
pub fn names(data: &[u8]) {
    let [text, other, third] = crate::pieces::texts(data);
    if let Some(ident) = same::<PackageIdent>(&text).and_then(|ident| ident.validate().ok()) {
        let fits_path =
            |part: &str| !part.contains(['/', '\0']) && !matches!(part, "" | "." | "..");
        assert!(fits_path(&ident.origin) && fits_path(&ident.name));
        assert!(ident.version.as_deref().is_none_or(fits_path));
        assert!(ident.release.as_deref().is_none_or(fits_path));
    }
    same::<ServiceGroup>(&text);
    same::<ServiceBind>(&text);
    same::<PackageTarget>(&text);
    let _ = Revision::parse(&text);
    if let Ok(named) = NamedRevision::parse(&text) {
        assert_eq!(named.to_string(), text);
    }
    // Sorting requires a total order.
    let order = version::compare_or_text;
    assert_eq!(order(&other, &text), order(&text, &other).reverse());
    if order(&text, &other).is_le() && order(&other, &third).is_le() {
        assert!(order(&text, &third).is_le(), "{text:?} {other:?} {third:?}");
    }
}
