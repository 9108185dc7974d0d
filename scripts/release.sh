#!/usr/bin/env bash
# Builds what is shipped: target/dist/obhut-VERSION-ARCH[-v3].tar.gz with server, agent, unit, sample configuration and charters.
#
# OBHUT_CPU=baseline|v3|native chooses the processor: `baseline` (the default) runs on every x86-64; `v3` needs AVX2 (any server since
# about 2015) and compresses waveforms faster; `native` is for this machine only. Ciphers choose their instructions at run time either way.
# OBHUT_TARGET=…-linux-musl links libc statically too, if that target is installed (rustup target add x86_64-unknown-linux-musl, and
# Debian's musl-tools); otherwise everything except libc, libm and libgcc_s is linked statically.
set -euo pipefail
cd "$(dirname "$0")/.."
cpu=${OBHUT_CPU:-baseline}
host=$(rustc -vV | sed -n 's/^host: //p')
target=${OBHUT_TARGET:-$host}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

case $cpu in
baseline) flags= suffix= ;;
v3) flags="-C target-cpu=x86-64-v3" suffix=-v3 ;;
native) flags="-C target-cpu=native" suffix=-native ;;
*) echo "OBHUT_CPU is baseline, v3 or native" >&2; exit 2 ;;
esac

echo "==> release: $version for $target, $cpu"
# The folder names of the machine it was built on do not belong into the binary.
remap="--remap-path-prefix=$PWD=obhut --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
# An explicit target keeps the flags away from build scripts; a folder of its own keeps this from rebuilding everything else.
RUSTFLAGS="$flags $remap" CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols \
  cargo build --release --locked --target "$target" --target-dir target/release-build -p obhut -p obhut-agent

name=obhut-$version-${target%%-*}$suffix
dist=target/dist/$name
rm -rf "$dist"
mkdir -p "$dist/charters"
built=target/release-build/$target/release
cp "$built/obhut" "$dist/"
[ ! -x "$built/obhut-agent" ] || cp "$built/obhut-agent" "$dist/"
cp packaging/*.service packaging/obhut.toml docs/operation.md LICENSE "$dist/"
cp charters/*.toml "$dist/charters/"

echo "==> release: what the server links at run time"
if grep -qa OBHUT_DANGER_BYPASS "$dist/obhut"; then
    echo "!!! this program was built with \`test-bypass\`: it can go around decisions and records, and is not shipped" >&2
    exit 1
fi
ldd "$dist/obhut" 2>&1 | sed -E 's/ \(0x[0-9a-f]+\)//; s/^\s*/    /' || true
unexpected=$(ldd "$dist/obhut" 2>/dev/null | grep -vE 'linux-vdso|libc\.so|libm\.so|libgcc_s\.so|ld-linux|libpthread|libdl|statically|not a dynamic' || true)
[ -z "$unexpected" ] || { echo "links more than it should: $unexpected" >&2; exit 1; }

tar -C target/dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" -czf "target/dist/$name.tar.gz" "$name"
(cd target/dist && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
ls -l "$dist/obhut" | awk '{printf "    obhut: %.1f MiB\n", $5 / 1048576}'
