#!/usr/bin/env bash
# Writes Sources/ConcordONNX/OnnxFile/Generated from onnx.proto, after a change of it. Needs protoc, Debian's package
# protobuf-compiler, or another one that PROTOC names; the Swift half of the compiler is built from swift-protobuf.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build --product protoc-gen-swift
folder=Sources/ConcordONNX/OnnxFile
${PROTOC:-protoc} --proto_path="$folder" --plugin="$(swift build --show-bin-path)/protoc-gen-swift" \
    --swift_opt=Visibility=Package --swift_out="$folder/Generated" onnx.proto
