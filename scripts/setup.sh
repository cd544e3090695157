#!/bin/sh
# Installs what a fresh machine lacks, and says what it cannot install. Quick when there is nothing to do.
#   scripts/setup.sh build   what `make run` needs: a C compiler, Rust, the wasm32-unknown-unknown target
#   scripts/setup.sh check   the same, rustfmt and clippy
#   scripts/setup.sh test    what `build` does, Go for the control plane of the end-to-end tests, unless GANTRY_CONTROL_PLANE
#                            names a folder that has it; Prometheus and Redis for the forecaster's, and a registry for
#                            the extender's; nothing is started. Node.js and Python too, for the plugins in
#                            examples/plugins, unless GANTRY_WITHOUT_LANGUAGES=1
# Rust comes by rustup into your home, all else by apt where there is apt.
set -eu

RUST_NEEDED=1.95
GO_NEEDED=1.26
GO_FETCHED=1.26.0
NODE_NEEDED=18
TARGET=wasm32-unknown-unknown
# tests/e2e/build.sh looks here too.
GO_HOME=${XDG_CACHE_HOME:-$HOME/.cache}/gantry/go
# First, as in the Makefile: rustup's Rust goes before a distribution's.
PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# True when dotted version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

apt_install() {
    command -v apt-get >/dev/null || return 1
    sudo=''; [ "$(id -u)" -eq 0 ] || sudo='sudo'
    printf 'setup: installing %s\n' "$*" >&2
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_c_compiler() {
    command -v cc >/dev/null || apt_install gcc libc6-dev ||
        die 'no C compiler (cc): install gcc or clang'
}

# rustup's own installer, into the user's home; it changes no profile of a shell.
install_rust() {
    command -v curl >/dev/null || apt_install ca-certificates curl || return 1
    printf 'setup: installing Rust with rustup\n' >&2
    installer=$(mktemp) || return 1
    curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --output "$installer" https://static.rust-lang.org/rustup/rustup-init.sh &&
        RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$installer" -y --no-modify-path --default-toolchain "$RUST_NEEDED" --profile minimal --component clippy,rustfmt >&2 &&
        installed=yes || installed=no
    rm -f "$installer"
    [ "$installed" = yes ]
}

# A distribution's Rust that is too old stays where it is: rustup's goes before it.
need_rust() {
    command -v cargo >/dev/null || install_rust || die "no cargo, and rustup's installer did not come: install Rust $RUST_NEEDED or newer"
    found=$(rustc --version | cut -d ' ' -f 2 | cut -d - -f 1)
    at_least "$found" "$RUST_NEEDED" && return
    ! command -v rustup >/dev/null ||
        die "rustc $found is too old: Gantry needs $RUST_NEEDED or newer; try 'rustup update stable && rustup default stable'"
    install_rust || die "rustc $found is too old, and rustup's installer did not come: install Rust $RUST_NEEDED or newer"
    hash -r
}

# The component is built for $TARGET. Rust's own target is best; a distribution's library source does as well, because
# gantry-component-build falls back to -Zbuild-std.
need_wasm_target() {
    [ -d "$(rustc --print target-libdir --target $TARGET)" ] && return
    command -v rustup >/dev/null && rustup target add $TARGET && return
    [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] && return
    die "no standard library for $TARGET: run 'rustup target add $TARGET', or use a distribution's rustc $RUST_NEEDED or newer
with its library source (on Debian: rustc-web with rust-web-src and lld), from which the component's library is built"
}

has_format_and_lints() { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1

# A minimal Rust has neither: `make test` says so before it builds a control plane for minutes.
need_format_and_lints() {
    has_format_and_lints && return
    ! command -v rustup >/dev/null || rustup component add rustfmt clippy >&2 || true
    has_format_and_lints ||
        die "no 'cargo fmt' or no 'cargo clippy': run 'rustup component add rustfmt clippy', or install your distribution's packages
(on Debian: rustfmt and rust-clippy, or rustfmt-web and rust-web-clippy for rustc-web)"
}

# From 1.21 on any Go fetches the release that tests/e2e/go.mod asks for. An older one fetches it as it does any module.
# Both are checked against Go's checksum database.
go_release() { (cd "$(dirname "$0")/../tests/e2e" && GOTOOLCHAIN=auto go env GOVERSION | sed 's/^go//'); }

fetch_go() {
    printf 'setup: fetching Go %s\n' "$GO_FETCHED" >&2
    toolchain=golang.org/toolchain@v0.0.1-go$GO_FETCHED.$(go env GOOS)-$(go env GOARCH)
    fetched=$(cd / && go mod download -json "$toolchain" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    [ -n "$fetched" ] && rm -rf "$GO_HOME.new" && mkdir -p "$GO_HOME.new" && cp -R "$fetched/." "$GO_HOME.new" &&
        chmod -R u+w "$GO_HOME.new" && chmod -R a+x "$GO_HOME.new/bin" "$GO_HOME.new/pkg/tool" &&
        rm -rf "$GO_HOME" && mv "$GO_HOME.new" "$GO_HOME"
}

need_go() {
    [ -z "${GANTRY_CONTROL_PLANE:-}" ] || return 0
    PATH=$GO_HOME/bin:$PATH
    command -v go >/dev/null || apt_install ca-certificates golang-go ||
        die "no Go: the end-to-end tests build a real control plane with Go $GO_NEEDED or newer. Install it from https://go.dev/dl,
or set GANTRY_CONTROL_PLANE to a folder with the control plane's programs"
    found=$(go_release)
    at_least "${found:-0}" "$GO_NEEDED" || fetch_go ||
        die "Go ${found:-} is too old, and fetches no newer release: the control plane needs $GO_NEEDED (https://go.dev/dl)"
}

# Tests start these programs themselves, on loopback. Debian's packages would start them as services: a policy
# (policy-rc.d, which says no by 101) keeps them from it while they are installed.
apt_install_stopped() {
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && { apt_install "$@"; return; }
    sudo=''; [ "$(id -u)" -eq 0 ] || sudo='sudo'
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod 755 "$policy"
    apt_install "$@" && installed=yes || installed=no
    $sudo rm -f "$policy"
    [ "$installed" = yes ]
}

need_servers() {
    set --
    { command -v prometheus && command -v promtool; } >/dev/null || set -- "$@" prometheus
    command -v prometheus-node-exporter >/dev/null || set -- "$@" prometheus-node-exporter
    command -v redis-server >/dev/null || set -- "$@" redis-server
    command -v docker-registry >/dev/null || set -- "$@" docker-registry
    [ $# -eq 0 ] || apt_install_stopped "$@" ||
        die "not installed: $*; tests start these on loopback"
}

# The plugins in JavaScript and Python are built and run. Who reaches no package index says so, and it is not hidden.
need_languages() {
    if [ "${GANTRY_WITHOUT_LANGUAGES:-}" = 1 ]; then
        printf 'setup: GANTRY_WITHOUT_LANGUAGES=1: the JavaScript and the Python plugin will NOT be tested\n' >&2
        return
    fi
    set --
    command -v node >/dev/null || set -- "$@" nodejs
    command -v npm >/dev/null || set -- "$@" npm
    python3 -c 'import ensurepip, venv' 2>/dev/null || set -- "$@" python3 python3-venv
    [ $# -eq 0 ] || apt_install "$@" ||
        die "not installed: $*; the plugins in examples/plugins need them, or say GANTRY_WITHOUT_LANGUAGES=1"
    found=$(node --version | sed 's/^v//')
    at_least "$found" "$NODE_NEEDED" || die "Node.js $found is too old: the JavaScript plugin needs $NODE_NEEDED or newer"
}

case "${1:-}" in
    build) need_c_compiler; need_rust; need_wasm_target ;;
    check) need_c_compiler; need_rust; need_wasm_target; need_format_and_lints ;;
    test) need_c_compiler; need_rust; need_wasm_target; need_go; need_servers; need_languages ;;
    *) die "say 'build', 'check' or 'test'" ;;
esac
