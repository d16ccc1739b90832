//! Files about services.

use roost_service::{Remembered, ServiceSpec, remembered::REMEMBERED_SIZE_MAX_BYTES};

/// Reads a spec file, under the name it asks for and under another.
pub fn spec_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let spec = match ServiceSpec::parse(&text, "n.spec") {
        Ok(spec) => Ok(spec),
        Err(roost_service::SpecError::FileName { name, .. }) => {
            ServiceSpec::parse(&text, &format!("{name}.spec"))
        }
        Err(error) => Err(error),
    };
    match spec {
        Ok(spec) => {
            let file_name = spec.file_name();
            assert!(!file_name.contains(['/', '\0']), "{file_name}");
            assert_eq!(ServiceSpec::parse(&spec.to_toml(), &file_name), Ok(spec));
        }
        Err(error) => drop(error.line("/hab/sup/default/specs/n.spec")),
    }
}

/// Reads what an earlier Supervisor left.
pub fn remembered(data: &[u8]) {
    if let Ok(remembered) = Remembered::decode(data) {
        let again = remembered.encode();
        assert!(again.len() <= REMEMBERED_SIZE_MAX_BYTES);
        // What does not fit is left out, and a text may lack what is always written.
        if data.len() < REMEMBERED_SIZE_MAX_BYTES / 2 {
            assert_eq!(Remembered::decode(&again), Ok(remembered));
        }
    }
}
