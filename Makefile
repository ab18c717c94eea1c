# `make help` lists the targets.

# Exported so that Swift's package manager, which caches what Package.swift said, asks again when it changes.
LIBTORCH ?= .deps/libtorch
override LIBTORCH := $(abspath $(LIBTORCH))
export LIBTORCH

SWIFT_FILES := $(wildcard Package.swift Sources Tests Benchmarks Examples)
# What concord-server is made of: Foundation would bring it 46 MB, most of them tables of ICU.
SERVED := $(addprefix Sources/Concord,Core Text Media Checkpoint Data Runtime Server) Sources/Programs/ConcordServeArguments Sources/Programs/ConcordServerCommand

.DEFAULT_GOAL := help
.PHONY: help setup build test test-core format lint demo showcase examples dist lit bench parity peers golden doctor docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install system packages, libtorch and ONNX Runtime; nothing when all is there
	@scripts/setup.sh

build: setup ## Build the command line: .build/release/concord
	swift build -c release

test: setup ## Set up, build and run all tests
	swift build -c release --build-tests
	# Those of the service by themselves: tests that run whole programs block the threads that its connections wait for.
	swift test -c release --skip-build --skip ConcordServerTests
	swift test -c release --skip-build --filter ConcordServerTests

test-core: export override LIBTORCH := /none
test-core: setup ## Build and test the half that does without libtorch, in a build folder of its own
	swift test -c release --scratch-path .build-core

format: ## Format all Swift files
	swift format --in-place --recursive --parallel $(SWIFT_FILES)

lint: ## Check format and style of all Swift files, and what the documentation says
	swift format lint --strict --recursive --parallel $(SWIFT_FILES)
	@! grep -rn --include='*.swift' --exclude=Platform.swift 'import Foundation' $(SERVED) \
		|| { echo 'lint: import ConcordCore there, which brings the small half of Foundation' >&2; exit 1; }
	@python3 scripts/check-docs.py

demo: ## From nothing to a trained model that answers searches (FRESH=1 starts over)
	@scripts/demo.sh

showcase: ## All that Concord does: longer training, captions, export, service; goes on where it stopped (FRESH=1 starts over)
	@scripts/showcase.sh

examples: build ## Build and run the packages in Examples
	@scripts/examples.sh

dist: setup ## Write relocatable archives of concord and concord-server into dist
	@scripts/dist.sh

lit: build ## Train towards a locked sentence encoder and compare with a text tower from nothing (FRESH=1 starts over)
	@scripts/lit.sh

bench: build peers ## Compare speed with the Python peers, side by side on this machine
	@scripts/bench.sh

peers: setup ## Make .peers, the Python environment that golden files and benchmarks use
	@scripts/peers.sh

parity: demo peers ## Compare with the peers: the demo's tokenizer, a real sentence encoder, full-size checkpoints, audio
	.peers/bin/python scripts/check_tokenizer.py --model runs/emoji-demo
	@scripts/minilm.sh
	.peers/bin/python scripts/check_sentence_encoder.py
	.peers/bin/python Benchmarks/Checkpoints/compare.py --only parity
	.peers/bin/python Benchmarks/Checkpoints/sounds.py --only parity
	.peers/bin/python Benchmarks/Audio/compare.py --only parity

golden: peers ## Make all golden files of the tests anew
	@for script in scripts/golden/make_*.py; do echo "==> $$script"; .peers/bin/python "$$script" || exit 1; done

doctor: build ## Print versions, devices and what to do about anything missing
	@.build/release/concord doctor

docs: setup ## Make the reference of all public declarations: .build/docs
	@scripts/docs.sh

clean: ## Remove build folders; .deps, .peers, data and runs stay
	rm -rf .build .build-core .build-dist dist Benchmarks/.build
