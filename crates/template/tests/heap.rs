//! Heap memory of a template set: a Supervisor holds one per service and hook.
#![allow(unsafe_code, reason = "an allocator that counts must implement an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering::SeqCst},
};

use roost_template::TemplateSet;

struct Counting;

static HEAP_BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_BYTES.fetch_add(layout.size() as isize, SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HEAP_BYTES.fetch_sub(layout.size() as isize, SeqCst);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// About 600 bytes with 8 tags, the size of a usual public template.
const FILE: &str = r#"# Written from the configuration; changes are overwritten.
daemonize no
pidfile {{pkg.svc_pid_file}}
dir {{pkg.svc_data_path}}
bind {{sys.ip}}
port {{cfg.port}}
timeout 0
loglevel notice
databases 16
save 900 1
save 300 10
save 60 10000
stop-writes-on-bgsave-error yes
rdbcompression yes
rdbchecksum yes
dbfilename dump.rdb
slave-serve-stale-data yes
{{#if svc.me.follower}}
slaveof {{svc.leader.sys.ip}} {{svc.leader.cfg.port}}
{{/if}}
{{#eachAlive svc.members as |member|}}
# member {{member.member_id}}
{{/eachAlive}}
appendonly no
appendfsync everysec
no-appendfsync-on-rewrite no
"#;

#[test]
fn a_set_of_five_small_files_keeps_less_than_40_kib() {
    let sources = || (0..5).map(|n| (format!("file-{n}.conf"), FILE.to_owned()));
    // Allocates everything that the engine keeps once per process.
    let set = TemplateSet::new(sources()).expect("valid templates");
    let context = serde_json::json!({"sys": {"ip": "10.0.0.1"}});
    set.render_all(&context).expect("renders");

    let before = HEAP_BYTES.load(SeqCst);
    let set = TemplateSet::new(sources()).expect("valid templates");
    let kept = HEAP_BYTES.load(SeqCst) - before;
    drop(set.render_all(&context).expect("renders"));
    let after_rendering = HEAP_BYTES.load(SeqCst) - before;
    assert!(kept < 40 * 1024, "{kept} bytes");
    assert_eq!(after_rendering, kept, "rendering keeps nothing");
}
