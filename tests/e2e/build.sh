#!/usr/bin/env bash
# Builds the control plane of the end-to-end tests once, and prints its folder.
#
#   tests/e2e/build.sh           build what is missing; the last line of stdout is the folder of the binaries
#   tests/e2e/build.sh --path    print that folder without building
#
# The folder lies in the user's cache and is keyed by the pinned modules, the part
# of this script that builds, and the Go release, so a second clone or a second run
# finds the binaries ready. A cold build takes about 12 minutes on two cores, most of
# it for kube-scheduler, kube-apiserver and the packages that the others share with
# them. GANTRY_CONTROL_PLANE, the absolute path of a folder with the programs, takes
# the place of all that; Go is not needed then.
set -euo pipefail
cd "$(dirname "$0")"

go_needed=1.26
programs=(etcd kube-scheduler kube-apiserver kube-controller-manager kubectl kwok)
# An older Go fetches the release that go.mod asks for, from 1.21 on; for one that does not, scripts/setup.sh has.
PATH=${XDG_CACHE_HOME:-$HOME/.cache}/gantry/go/bin:$PATH
export GOTOOLCHAIN=auto GOFLAGS=-mod=readonly

fail() { echo "build.sh: $*" >&2; exit 1; }

given=${GANTRY_CONTROL_PLANE:-}
if [ -n "$given" ]; then
    [ "${given#/}" != "$given" ] || fail "GANTRY_CONTROL_PLANE=$given is no absolute path."
    for program in "${programs[@]}"; do
        [ -x "$given/$program" ] || fail "GANTRY_CONTROL_PLANE=$given has no program $program."
    done
    echo "$given"
    exit 0
fi

command -v go >/dev/null || fail "Go $go_needed or newer is needed to build kube-scheduler and its companions, and no 'go' is on PATH.
Install it from the Go project's own downloads (a distribution's golang package does from 1.21 on),
or set GANTRY_CONTROL_PLANE to a folder with ${programs[*]}."
go_version=$(go env GOVERSION) || fail "Go $go_needed or newer is needed, and this Go fetches no newer release."
[ "$(printf 'go%s\n%s\n' "$go_needed" "$go_version" | sort -V | head -n 1)" = "go$go_needed" ] ||
    fail "Go $go_needed or newer is needed, found $go_version."

recipe=$(sed -n '/^version_of()/,/^build kwok/p' build.sh)
key=$(cat go.mod go.sum <(echo "$recipe $go_version $(go env GOOS GOARCH | tr '\n' ' ')") | sha256sum | cut -c 1-16)
home=${XDG_CACHE_HOME:-$HOME/.cache}/gantry/control-plane
bin=$home/$key/bin

if [ "${1:-}" = --path ] || [ -d "$bin" ]; then
    echo "$bin"
    exit 0
fi

# One build at a time: a concurrent run waits here, and then finds the result.
mkdir -p "$home"
exec 9>"$home/$key.lock"
flock --nonblock 9 || { echo "build.sh: another build of $key is running, waiting for it" >&2; flock 9; }
if [ -d "$bin" ]; then
    echo "$bin"
    exit 0
fi

version_of() { go list -m -f '{{.Version}}' "$1"; }
kubernetes=$(version_of k8s.io/kubernetes)
minor=${kubernetes#v1.}
stamp="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    # An empty version makes kube-apiserver refuse its own feature gates.
    stamp+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done
stamp+=" -X sigs.k8s.io/kwok/pkg/consts.Version=$(version_of sigs.k8s.io/kwok)"

# Built beside the goal and renamed: a half-built folder is never found.
work=$home/.build-$key
rm -rf "$work"
mkdir -p "$work/bin"
build() {
    local started=$SECONDS
    echo "build.sh: building $1 ($2)" >&2
    CGO_ENABLED=0 go build -p 2 -trimpath -buildvcs=false -ldflags "$stamp" -o "$work/bin/$1" "$2" ||
        fail "building $2 failed"
    echo "build.sh: $1 ready after $((SECONDS - started)) s" >&2
}
build etcd go.etcd.io/etcd/server/v3
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kubectl k8s.io/kubernetes/cmd/kubectl
build kwok sigs.k8s.io/kwok/cmd/kwok

mkdir -p "$home/$key"
mv "$work/bin" "$bin"
rm -rf "$work"
echo "$bin"
