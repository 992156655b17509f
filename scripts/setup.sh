#!/usr/bin/env bash
# Brings everything that the tests and the demo need: system libraries, .venv, the proseg executable.
# What is slow to build is cached in the user's cache folder, by version; a second call takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/napari-vhd"
PROSEG_VERSION="$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' src/napari_vhd/io/proseg_binary.py)"
UV_VERSION=0.13.9
PYTHON="${PYTHON:-}"
SYSTEM_PACKAGES="xvfb xauth libgl1 libgl1-mesa-dri libopengl0 libegl1 libdbus-1-3
  libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
  libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xfixes0 libfontconfig1 libglib2.0-0
  fonts-dejavu-core"

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in $PYTHON python3.11 python3 python; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 is not found; install it, or name it: make venv PYTHON=/path/to/python3.11"
}

install_system_libraries() {
    command -v dpkg-query >/dev/null || { say "not Debian or Ubuntu: system libraries are not checked"; return; }
    local missing=() package
    for package in $SYSTEM_PACKAGES; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        if sudo -n true 2>/dev/null; then sudo="sudo"; else
            fail "system libraries are missing; as an administrator, run: apt-get update && apt-get install -y ${missing[*]}"
        fi
    fi
    say "installing ${missing[*]}"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_proseg() {
    local root="$CACHE/proseg-$PROSEG_VERSION"
    [ -x "$root/bin/proseg" ] && return
    command -v cargo >/dev/null || fail "cargo (>= 1.88) is not found; install Rust, then run make venv again"
    say "compiling proseg $PROSEG_VERSION (once for this machine, 6 to 12 minutes)"
    mkdir -p "$CACHE"
    # Built beside, then renamed: an interrupted build never looks like a finished one. No debug
    # info and no link-time optimisation: 11 CPU-minutes in place of 23.
    local building="$CACHE/.proseg-$PROSEG_VERSION-$$"
    trap 'rm -rf "$building"' RETURN
    CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install proseg --version "$PROSEG_VERSION" --locked --quiet --root "$building"
    rm -rf "$root"
    mv "$building" "$root"
}

install_python_packages() {
    local python stamp
    python="$(find_python)"
    stamp="$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1) $python"
    [ "$(cat .venv/.napari-vhd-stamp 2>/dev/null)" = "$stamp" ] && return
    local uv="$CACHE/uv-$UV_VERSION"
    if [ ! -x "$uv/bin/uv" ]; then
        rm -rf "$uv" && "$python" -m venv "$uv" && "$uv/bin/pip" install -q "uv==$UV_VERSION"
    fi
    say "installing the Python packages into .venv"
    [ -x .venv/bin/python ] || "$uv/bin/uv" venv -q --python "$python" .venv
    "$uv/bin/uv" pip install -q --python .venv/bin/python --compile-bytecode -c constraints.txt -e ".[all,dev]"
    echo "$stamp" > .venv/.napari-vhd-stamp
}

install_system_libraries
install_proseg &
proseg=$!
install_python_packages || { kill "$proseg" 2>/dev/null || true; exit 1; }
wait "$proseg"
