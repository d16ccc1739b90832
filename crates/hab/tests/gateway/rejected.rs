//! No value of a configuration that cannot be read gets into the record, the log or an explanation.

use testkit::wait_for;

use super::root_with_web;

const SECRET: &str = "Kq7vXw2mZt9";

#[test]
fn a_rejected_configuration_is_recorded_without_its_values() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let contents = [
        format!("password = {SECRET}\n"),
        format!("password = \"{SECRET}\n"),
        format!("password = \"{SECRET}\\q\"\n"),
        format!("password = \"{SECRET}\"\npassword = \"{SECRET}\"\n"),
        format!("password = \"{SECRET}\" colour = 1\n"),
        format!("password = [\"{SECRET}\", \n"),
        format!("password = '{SECRET}'\n[password]\ncolour = 1\n"),
        format!("password = \"\"\"{SECRET}\ncolour = 1\n"),
    ];
    let rejections = || {
        let events = sup.get("/v1/events?type=config.rejected&limit=1000").json();
        events["items"].as_array().cloned().unwrap_or_default()
    };
    for content in contents {
        // A file without an error in between: the same error twice is recorded once.
        root.write("hab/user/web/config/user.toml", "colour = \"blue\"\n");
        wait_for("no condition", || {
            let service = sup.get("/v1/services/web.default").json();
            (service["conditions"].as_array()?.is_empty()).then_some(())
        });
        let before = rejections().len();
        root.write("hab/user/web/config/user.toml", &content);
        let rejected = wait_for(&format!("the rejection of {content}"), || {
            let all = rejections();
            (all.len() > before).then(|| all[0].clone())
        });
        assert_eq!(rejected["data"]["what"], "user_toml", "{rejected}");
        let message = rejected["message"].as_str().unwrap_or_default();
        assert!(message.contains("user.toml:"), "{message}");
        assert!(!message.contains(SECRET), "{message}");
    }
    for path in
        ["/v1/events?limit=1000", "/v1/services/web.default", "/v1/services/web.default/explain"]
    {
        assert!(!sup.get(path).text().contains(SECRET), "{path}");
    }
    assert!(!sup.log().contains(SECRET), "{}", sup.log());
}
