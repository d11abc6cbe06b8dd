//! One component a file; each has a style sheet of the same name in `www/styles/components/`.

pub mod about;
pub mod block_inspector;
pub mod call_stack;
pub mod changes;
pub mod code_pane;
pub mod debug_pane;
pub mod dirty_balance;
pub mod disk_map;
pub mod editor;
pub mod help;
pub mod icon;
pub mod kernel_said;
pub mod kernel_source;
pub mod library;
pub mod locals;
pub mod narration;
pub mod page_view;
pub mod palette;
pub mod panel_tabs;
pub mod path;
pub mod sheet;
pub mod timeline;
pub mod top_bar;
pub mod transport;
pub mod user_memory;
pub mod watch;
