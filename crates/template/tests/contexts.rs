//! The context builders against contexts dumped by Habitat Supervisors through `{{toJson this}}`.

use std::collections::BTreeMap;

use roost_ident::SysInfo;
use roost_template::{Pkg, Sys, TemplateSet, install_context, service_context};
use serde_json::Value;

const SERVICE: &str = include_str!("fixtures/contexts-real/config-elected-sup1.json");
const INSTALL: &str = include_str!("fixtures/contexts-real/config-install.json");

fn map(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).expect("an object of texts")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn port(value: &Value) -> u32 {
    value.as_u64().and_then(|port| port.try_into().ok()).expect("a port")
}

/// The facts of a dumped `pkg`, without those that the builder derives.
fn pkg(dumped: &Value) -> Pkg {
    Pkg {
        ident: text(&dumped["ident"]).parse().expect("an identifier"),
        deps: serde_json::from_value(dumped["deps"].clone()).expect("identifiers"),
        env: map(&dumped["env"]),
        exposes: serde_json::from_value(dumped["exposes"].clone()).expect("texts"),
        exports: map(&dumped["exports"]),
        path: text(&dumped["path"]),
        svc_path: text(&dumped["svc_path"]),
        svc_user: text(&dumped["svc_user"]),
        svc_group: text(&dumped["svc_group"]),
    }
}

fn sys(dumped: &Value) -> Sys {
    Sys {
        version: text(&dumped["version"]),
        member_id: text(&dumped["member_id"]),
        addresses: SysInfo {
            ip: text(&dumped["ip"]),
            hostname: text(&dumped["hostname"]),
            gossip_ip: text(&dumped["gossip_ip"]),
            gossip_port: port(&dumped["gossip_port"]),
            http_gateway_ip: text(&dumped["http_gateway_ip"]),
            http_gateway_port: port(&dumped["http_gateway_port"]),
            ctl_gateway_ip: text(&dumped["ctl_gateway_ip"]),
            ctl_gateway_port: port(&dumped["ctl_gateway_port"]),
        },
        permanent: dumped["permanent"].as_bool().expect("a flag"),
    }
}

/// The output of the template `{{toJson this}}` for a context.
fn dump(context: &Value) -> String {
    TemplateSet::new([("ctx.json".to_owned(), "{{toJson this}}".to_owned())])
        .expect("a valid template")
        .render("ctx.json", context)
        .expect("renders")
}

#[test]
fn the_service_context_has_habitats_keys_in_habitats_order() {
    let dumped: Value = serde_json::from_str(SERVICE).expect("JSON");
    let context = service_context(
        &sys(&dumped["sys"]),
        &pkg(&dumped["pkg"]),
        dumped["cfg"].clone(),
        dumped["svc"].clone(),
        dumped["bind"].clone(),
    );
    assert_eq!(dump(&context), serde_json::to_string_pretty(&dumped).expect("JSON"));
}

#[test]
fn the_install_context_has_only_pkg_with_one_more_path_and_cfg() {
    let dumped: Value = serde_json::from_str(INSTALL).expect("JSON");
    let context = install_context(&pkg(&dumped["pkg"]), dumped["cfg"].clone());
    assert_eq!(dump(&context), serde_json::to_string_pretty(&dumped).expect("JSON"));
}
