#!/usr/bin/env bash
# Writes relocatable archives of `concord` and of `concord-server` into dist, with every library that they need but those
# of glibc, and with the libraries' licenses. They run wherever glibc is as new as here; the README in each says the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'dist: %s\n' "$*" >&2; exit 1; }
[ "$(uname)" = Linux ] || fail "archives are made on Linux only"

say "Building concord"
swift build -c release --product concord
programs=$PWD/.build/release
say "Building concord-server with Swift's libraries in it"
LIBTORCH=/none swift build -c release --product concord-server --static-swift-stdlib --scratch-path .build-dist
version=$("$programs/concord" --version)
onnxruntime=$(echo .deps/onnxruntime/lib/libonnxruntime.so.*)

# glibc's own libraries belong to the system, and to each other.
is_glibc() { # NAME
    case $1 in
    ld-linux* | libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | libresolv.so* | libutil.so* | libmvec.so* | linux-vdso*) ;;
    *) return 1 ;;
    esac
}

# `NAME PATH` of each library that files need, and that those need in turn.
needed() { # FILE…
    ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 } $2 == "=>" && $3 == "not" { print "missing: " $1 >"/dev/stderr"; bad = 1 } END { exit bad }' \
        | sort -u
}

# The Debian package that a file is from; nothing for one that is from none.
package_of() { # PATH
    local path found
    for path in "$1" "$(readlink -f "$1")" "${1#/usr}"; do
        found=$(dpkg -S "$path" 2>/dev/null | head -1 | cut -d: -f1) || true
        [ -z "$found" ] || { echo "$found"; return; }
    done
}

archive() { # NAME PROGRAM
    local name=$1 program=$2 folder="dist/$1-$version-linux-$(uname -m)" file path package
    rm -rf "$folder" "$folder.tar.gz"
    mkdir -p "$folder/bin" "$folder/lib" "$folder/licenses"
    install -m 755 "$program" "$folder/bin/$name"
    install -m 644 "$onnxruntime" "$folder/lib"
    needed "$program" "$onnxruntime" >"$folder/needed"
    while read -r file path; do
        is_glibc "$file" && continue
        install -m 644 "$(readlink -f "$path")" "$folder/lib/$file"
        package=$(package_of "$path")
        [ -n "$package" ] || continue
        echo "$package $(dpkg-query -W -f '${Version}' "$package")" >>"$folder/licenses/packages"
        cp -L "/usr/share/doc/$package/copyright" "$folder/licenses/$package"
    done <"$folder/needed"
    rm "$folder/needed"
    sort -u -o "$folder/licenses/packages" "$folder/licenses/packages"
    cp LICENSE "$folder/licenses/concord"
    for file in libtorch onnxruntime; do
        [ ! -d ".deps/$file/licenses" ] || cp -r ".deps/$file/licenses" "$folder/licenses/$file"
    done
    [ "$name" = concord ] || rm -rf "$folder/licenses/libtorch"

    strip "$folder/bin/$name"
    # shellcheck disable=SC2016  # The loader's variable, not the shell's.
    patchelf --set-rpath '$ORIGIN/../lib' "$folder/bin/$name"
    for file in "$folder"/lib/*; do
        # Those of wheels look beside themselves already.
        # shellcheck disable=SC2016
        [[ $(patchelf --print-rpath "$file") == *'$ORIGIN'* ]] || patchelf --set-rpath '$ORIGIN' "$file"
    done
    readme "$name" "$(newest_glibc "$folder")" >"$folder/README"
    check "$folder"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C dist -czf "$folder.tar.gz" \
        "${folder#dist/}"
    say "$folder.tar.gz: $(du -h "$folder.tar.gz" | cut -f1), unpacked $(du -sh "$folder" | cut -f1)"
}

# The newest version of glibc whose symbols any file asks for.
newest_glibc() { # FOLDER
    objdump -T "$1"/bin/* "$1"/lib/* 2>/dev/null | grep -o 'GLIBC_2\.[0-9.]*' | sed 's/GLIBC_//' | sort -V | tail -1
}

# Everything that the files of a folder need is in it, or is glibc's.
check() { # FOLDER
    local root file path
    root=$(realpath "$1")
    needed "$root"/bin/* "$root"/lib/* | while read -r file path; do
        is_glibc "$file" || [[ $(realpath "$path") == "$root"/lib/* ]] || fail "$file would come from $path, not from the archive"
    done
    (cd / && env -i "$root/bin/$(ls "$root/bin")" --help >/dev/null) || fail "the program in $1 does not run"
}

readme() { # NAME GLIBC
    cat <<EOF
$1 $version

Unpack it anywhere and run bin/$1. Needed are Linux on $(uname -m) with glibc $2 or newer, and nothing else but:
EOF
    case $1 in
    concord) cat <<EOF ;;
- certificates of authorities for \`concord pull\` (Debian: ca-certificates)
- an emoji font and Unicode's names for \`concord dataset emoji\` (Debian: fonts-noto-color-emoji, unicode-cldr-core)
EOF
    concord-server) cat <<EOF ;;
- certificates of authorities, where pictures may be fetched by https (Debian: ca-certificates)
EOF
    esac
    cat <<EOF

lib holds the libraries of the program: $([ "$1" = concord ] && echo "libtorch, Swift's, ")ONNX Runtime, and libvips, libcurl and others of
Debian with all that those need. licenses holds their licenses; licenses/packages lists the Debian packages and versions,
whose sources are at https://snapshot.debian.org. Concord's own is Apache 2.0; libvips brings FFTW, which is under the GNU
General Public License, and so is this archive as a whole.
EOF
}

archive concord "$programs/concord"
archive concord-server "$PWD/.build-dist/release/concord-server"
