//! Every limit of this crate, in one place.

/// Longest accepted TOML or JSON text of one configuration source, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// Deepest merge of two layers: with 30 shared nested tables the merge works, with 31 it fails
/// (reference: templates §1.3).
pub const MAX_MERGE_DEPTH: usize = 30;

/// Longest accepted template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 1024 * 1024;

/// Largest product of a template's bytes and tags. The parser counts lines from the start for every
/// tag, so its time grows with this product; at the limit it is about a second.
pub const MAX_PARSE_WORK: usize = 500_000_000;

/// Longest run of backslashes in a template. When it looks for an escaped tag, the parser reads the
/// rest of the run again for each backslash.
pub const MAX_BACKSLASHES: usize = 256;

/// Deepest nesting of blocks, `else if` links and subexpressions in one template. Public templates
/// stay below 10. Every level costs a few KiB of stack while rendering.
pub const MAX_NESTING: usize = 64;

/// Most `{{else if ...}}` links in one template. The parser links them before the depth can be
/// measured, and dropping a longer chain would cost a stack frame per link.
pub const MAX_ELSE_LINKS: usize = 256;

/// Longest rendered text of one file, in bytes.
pub const MAX_RENDERED_BYTES: usize = 16 * 1024 * 1024;

/// Work units that the rendering of one file may spend on loop rounds and partials. One round
/// costs 1 and 1 more per [`TEXT_BYTES_PER_STEP`] of literal text in the loop's body.
pub const MAX_STEPS: u64 = 200_000;

/// Bytes of literal text in a repeated body that count as one work unit.
pub const TEXT_BYTES_PER_STEP: usize = 16;

/// Stack that nested partials of one rendering may use, in bytes. Stops infinite recursion of
/// partials; real ones nest two or three deep. [`MAX_NESTING`] bounds the stack between two
/// partials.
pub const MAX_PARTIAL_STACK_BYTES: usize = 512 * 1024;
