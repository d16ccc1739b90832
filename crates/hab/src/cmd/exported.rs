//! Packages of an export: the named ones with all their dependencies.

use anyhow::bail;
use roost_ident::PackageIdent;
use roost_pkg::{graph, image::Member, install};

use crate::{cmd::payload::parse_ident, context::Context};

/// The installed release that a text names; archives must be installed before.
pub(crate) fn resolve(context: &Context, text: &str) -> anyhow::Result<PackageIdent> {
    if text.ends_with(".hart") {
        bail!("{text}: only installed packages can be exported; run hab pkg install {text} first");
    }
    Ok(install::resolve(&context.root, &parse_ident(text)?)?.ident)
}

/// The releases and their dependencies.
pub(crate) fn members(context: &Context, idents: &[PackageIdent]) -> anyhow::Result<Vec<Member>> {
    let mut members: Vec<Member> = Vec::new();
    for ident in idents {
        let needed = graph::all(&context.root, ident)?;
        for one in std::iter::once(ident).chain(&needed) {
            if members.iter().all(|known| known.ident != *one) {
                let found = install::resolve(&context.root, one)?;
                members.push(Member { ident: found.ident, path: found.path });
            }
        }
    }
    Ok(members)
}
