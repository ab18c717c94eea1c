#!/usr/bin/env bash
# Installs what Concord needs and says what it does; does nothing, quickly, when all is there.
#
#   Debian 12, Ubuntu 22.04 and newer   system packages by apt-get (with sudo when not root)
#   macOS 15                            system packages by Homebrew (untested)
#   .deps/libtorch                      libtorch, from the Python wheel `torch`
#   .deps/onnxruntime                   ONNX Runtime, from the Python wheel `onnxruntime`
#
# --shared         put the last two into ~/.local/share/concord, where all packages that depend on Concord find them:
#                  swift package resolve && .build/checkouts/concord/scripts/setup.sh --shared
# LIBTORCH=/path   use the libtorch of that folder, and download none. It may be a CUDA build, for example
#                  LIBTORCH=$(python3 -c 'import torch; print(torch.__path__[0])')
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/torch-wheel.sh

readonly ONNXRUNTIME_VERSION=1.32.0
say() { printf '==> %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

case $* in
"") readonly DEPS=$PWD/.deps ;;
--shared) readonly DEPS=$HOME/.local/share/concord ;;
*) fail "the only option is --shared, not: $*" ;;
esac

# --- System packages -------------------------------------------------------------------------------------------

# git, make, g++, libc6-dev        Swift's package manager; the C++ headers that CTorch compiles against
# libcurl4, libxml2, tzdata        what Foundation loads at run time
# libncurses6, zlib1g-dev          what the toolchain itself loads and links; zlib also reads compressed requests
# python3-pip, python3-venv        fetch wheels; the environment of the peers in golden files and benchmarks
# pkg-config, libvips-dev,
# libtiff-dev, libavif-dev         image decoding
# libharfbuzz-dev                  glyphs of the emoji font
# libsndfile1-dev, libsoxr-dev,
# libkissfft-dev                   sounds: files, sample rates, Fourier transforms
# libsentencepiece-dev             text of SigLIP models
# libutf8proc-dev                  normalization forms of Unicode
# libyaml-dev                      recipes and settings
# libgloo-dev                      headers of the transport that libtorch's process groups use
# libcurl4-openssl-dev, libssl-dev downloads from model hubs; hashes
# libxxhash-dev                    checksums of the files that a service opens
# patchelf                         `make dist`
# fonts-noto-color-emoji,
# unicode-cldr-core                pictures and captions of `concord dataset emoji`
readonly APT_PACKAGES=(
    ca-certificates git make pkg-config g++ libc6-dev zlib1g-dev libcurl4 libxml2 libncurses6 tzdata
    python3-pip python3-venv libvips-dev libtiff-dev libavif-dev libharfbuzz-dev libsndfile1-dev libsoxr-dev libkissfft-dev
    libsentencepiece-dev libutf8proc-dev libyaml-dev libcurl4-openssl-dev libssl-dev libxxhash-dev libgloo-dev patchelf
    fonts-noto-color-emoji unicode-cldr-core
)

install_apt_packages() { # PACKAGE…
    local installed package missing=() as_root=()
    # Virtual packages do not show as installed, so ask for what each installed package provides, too: Ubuntu's
    # libcurl4t64 provides libcurl4.
    installed=" $(dpkg-query -W -f '${db:Status-Status}|${Package}, ${Provides}\n' \
        | sed -n 's/^installed|//p' | sed 's/ ([^)]*)//g' | tr -s ',\n' ' ') "
    for package in "$@"; do
        [[ $installed == *" $package "* ]] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "not root, and no sudo here; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing system packages: ${missing[*]}"
    mkdir -p "$DEPS"
    { "${as_root[@]}" apt-get update -q \
        && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    } >"$DEPS/apt.log" 2>&1 || {
        tail -n 20 "$DEPS/apt.log" >&2
        fail "apt-get failed; the whole log is $DEPS/apt.log"
    }
}

install_system_packages() {
    if [ "$(uname)" = Darwin ]; then # Untested.
        command -v brew >/dev/null || fail "Homebrew is needed: https://brew.sh"
        local formula
        for formula in pkgconf vips libtiff libavif harfbuzz libsndfile libsoxr kissfft sentencepiece utf8proc libyaml curl \
            openssl@3 xxhash; do
            brew list --versions "$formula" >/dev/null || { say "Installing $formula"; brew install "$formula"; }
        done
    elif command -v apt-get >/dev/null; then
        install_apt_packages "${APT_PACKAGES[@]}"
    else
        say "No apt-get here. Install by hand what these Debian packages hold: ${APT_PACKAGES[*]}"
    fi
}

# --- Libraries from Python wheels ------------------------------------------------------------------------------

# The libraries do not depend on the Python version, so one is named for which all the wheels exist.
wheel_platform() {
    case "$(uname -s) $(uname -m)" in
    "Linux x86_64") echo manylinux_2_28_x86_64 ;;
    "Linux aarch64") echo manylinux_2_28_aarch64 ;;
    "Darwin arm64") echo macosx_15_0_arm64 ;;
    *) fail "no wheels of libtorch and ONNX Runtime exist for $(uname -sm)" ;;
    esac
}

download_wheel() { # PIP ARGUMENT…; the wheel comes to lie in $DEPS/new
    python3 -m pip download --no-deps --only-binary=:all: --python-version 3.11 --platform "$(wheel_platform)" \
        --dest "$DEPS/new" "$@"
}

# Unpacks the files of the one wheel in $DEPS/new whose paths begin with FROM, and its version, into $DEPS/NAME. The
# folder appears complete or not at all: a set-up that is killed leaves only $DEPS/new, which the next one starts over.
unpack_wheel() { # NAME FROM=TO…
    local name=$1 wheel
    shift
    wheel=$(echo "$DEPS/new/"*.whl)
    python3 - "$wheel" "$DEPS/new/$name" "$@" <<'PYTHON'
import os, shutil, sys, zipfile
wheel, output, *folders = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for folder in folders:
        source, target = folder.split("=")
        for entry in archive.infolist():
            if entry.filename.startswith(source) and not entry.is_dir():
                # Not joined with a slash: FROM and TO may end within a file's name.
                path = os.path.join(output, target + entry.filename[len(source):])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.open(entry) as packed, open(path, "wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
with open(os.path.join(output, "VERSION"), "w") as file:
    file.write(os.path.basename(wheel).split("-")[1] + "\n")
PYTHON
    replace_dependency "$name"
}

replace_dependency() { # NAME
    rm -rf "${DEPS:?}/$1"
    mv "$DEPS/new/$1" "$DEPS/$1"
    rm -rf "$DEPS/new"
    say "$1 $(cat "$DEPS/$1/VERSION") is in $DEPS/$1"
}

has_version() { # NAME VERSION
    local version
    [ -f "$DEPS/$1/VERSION" ] && version=$(<"$DEPS/$1/VERSION") && [ "${version%%+*}" = "$2" ]
}

install_libtorch() {
    if [ "${LIBTORCH:-$DEPS/libtorch}" != "$DEPS/libtorch" ]; then
        [ "$LIBTORCH" = /none ] || [ -f "$LIBTORCH/include/ATen/ATen.h" ] \
            || fail "LIBTORCH=$LIBTORCH holds no libtorch; name a folder with \`include\` and \`lib\`, unset it for the" \
                "usual one, or set LIBTORCH=/none to do without"
        return
    fi
    has_version libtorch "$TORCH_VERSION" && return
    rm -rf "$DEPS/new" && mkdir -p "$DEPS/new"
    say "Downloading libtorch $TORCH_VERSION (about 200 MB)"
    if with_cpu_torch download_wheel; then
        unpack_wheel libtorch torch/lib/=lib/ torch/include/=include/ \
            "torch-$TORCH_VERSION+cpu.dist-info/licenses/=licenses/" "torch-$TORCH_VERSION.dist-info/licenses/=licenses/"
    else
        # Its libraries look for those of the nvidia wheels in the folders beside torch, so all of them are kept.
        say "No CPU build found; downloading the build that pip finds, with its CUDA libraries (about 3 GB)"
        python3 -m pip install --no-compile --target "$DEPS/new/python" "torch==$TORCH_VERSION"
        rm -rf "$DEPS/python" && mv "$DEPS/new/python" "$DEPS/python"
        mkdir "$DEPS/new/libtorch"
        ln -s ../python/torch/lib ../python/torch/include "$DEPS/new/libtorch"
        echo "$TORCH_VERSION" >"$DEPS/new/libtorch/VERSION"
        replace_dependency libtorch
    fi
    # SwiftPM keeps what Package.swift said last and does not notice that libtorch has appeared since.
    rm -f "${XDG_CACHE_HOME:-$HOME/.cache}"/org.swift.swiftpm/manifests/manifest.db* \
        "$HOME"/Library/Caches/org.swift.swiftpm/manifests/manifest.db*
}

install_onnxruntime() {
    has_version onnxruntime "$ONNXRUNTIME_VERSION" && compgen -G "$DEPS/onnxruntime/lib/libonnxruntime.*" >/dev/null \
        && return
    rm -rf "$DEPS/new" && mkdir -p "$DEPS/new"
    say "Downloading ONNX Runtime $ONNXRUNTIME_VERSION (about 30 MB)"
    download_wheel "onnxruntime==$ONNXRUNTIME_VERSION"
    unpack_wheel onnxruntime onnxruntime/capi/libonnxruntime=lib/libonnxruntime onnxruntime/LICENSE=licenses/LICENSE \
        onnxruntime/ThirdPartyNotices.txt=licenses/ThirdPartyNotices.txt
}

command -v swift >/dev/null || fail "Swift 6.2 or newer is needed: https://www.swift.org/install"
install_system_packages
install_libtorch
install_onnxruntime
say "Set up."
