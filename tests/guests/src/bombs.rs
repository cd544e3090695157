//! Components that no compiler from Rust makes, written byte by byte.
//!
//! A table cannot be grown from Rust, and no Rust program is as dear to compile as one that is written for it. The
//! numbers are those of the WebAssembly binary format.

use crate::bytes;

/// What a component begins with; a core module has another version.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;

/// Sections of a core module, in the order that they must have.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const TABLES: u8 = 4;
const START: u8 = 8;
const CODE: u8 = 10;

/// The one type used: a function without parameters and results.
const FUNCTION_TYPE: &[u8] = &[1, 0x60, 0, 0];
const EMPTY: u8 = 0x40;
const END: u8 = 0x0b;

/// A plugin with one more module in it, whose start code grows a table until it is refused, and then traps.
#[must_use]
pub fn table_bomb() -> Vec<u8> {
    let one_table_of_functions = [1, 0x70, 0, 0];
    #[rustfmt::skip]
    let body = [
        0, // no locals
        0x03, EMPTY, // loop
        0xd0, 0x70, // ref.null func
        0x41, 0x80, 0x80, 0x04, // i32.const 65536
        0xfc, 0x0f, 0, // table.grow
        0x41, 0x7f, 0x47, // i32.const -1, i32.ne
        0x0d, 0, // br_if: again
        END, 0x00, END, // unreachable
    ];
    let module = [
        MODULE,
        &section(TYPES, FUNCTION_TYPE),
        &section(FUNCTIONS, &[1, 0]),
        &section(TABLES, &one_table_of_functions),
        &section(START, &[0]),
        &section(CODE, &one_function(&body)),
    ];
    let honest = bytes("well_behaved");
    let instance = [&[1, 0][..], &number(count_of_modules(honest)), &[0]].concat();
    [honest, &section(CORE_MODULE, &module.concat()), &section(CORE_INSTANCE, &instance)].concat()
}

/// A component with one function of `loops` loops, each within the one before, the innermost of which changes `locals`
/// variables and jumps to any of them: whoever compiles it has to follow every variable through every loop.
///
/// It is no plugin; compiling it comes before that is seen.
#[must_use]
pub fn compile_bomb(loops: u32, locals: u32) -> Vec<u8> {
    let mut body = [&[1][..], &number(locals), &[0x7f]].concat();
    body.extend([0x03, EMPTY].repeat(loops as usize));
    for local in 0..locals {
        let (own, next) = (number(local), number((local + 1) % locals));
        // local.get, local.get, i32.add, local.set
        body.extend([&[0x20], &own[..], &[0x20], &next, &[0x6a, 0x21], &own].concat());
    }
    // local.get 0, br_table to every loop
    body.extend([&[0x20, 0, 0x0e], &number(loops - 1)[..]].concat());
    (0..loops).for_each(|depth| body.extend(number(depth)));
    body.extend([END].repeat(loops as usize + 1));
    let module =
        [MODULE, &section(TYPES, FUNCTION_TYPE), &section(FUNCTIONS, &[1, 0]), &section(CODE, &one_function(&body))];
    [COMPONENT, &section(CORE_MODULE, &module.concat())].concat()
}

fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind], &number(content.len() as u32)[..], content].concat()
}

fn one_function(body: &[u8]) -> Vec<u8> {
    [&[1], &number(body.len() as u32)[..], body].concat()
}

/// LEB128: seven bits a byte, the lowest first, the highest bit set on all but the last.
fn number(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// How many core modules a component has at its outermost level.
fn count_of_modules(component: &[u8]) -> u32 {
    let (mut rest, mut count) = (&component[COMPONENT.len()..], 0);
    while let [kind, after @ ..] = rest {
        let digits = after.iter().position(|byte| byte & 0x80 == 0).map_or(after.len(), |last| last + 1);
        let size = after[..digits].iter().rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        count += u32::from(*kind == CORE_MODULE);
        rest = &after[digits + size..];
    }
    count
}
