# Sourced by setup.sh and peers.sh: which PyTorch, and where its CPU build comes from.

readonly TORCH_VERSION=2.13.0

# Runs a pip command that fetches the CPU build of torch from where pip is set up to look; PIP_EXTRA_INDEX_URL and
# PIP_FIND_LINKS add places. Fails when none of them has it.
with_cpu_torch() { # COMMAND ARGUMENT…
    # macOS has one build only, and its version has no suffix.
    local version=$TORCH_VERSION+cpu
    [ "$(uname)" != Darwin ] || version=$TORCH_VERSION
    "$@" "torch==$version"
}
