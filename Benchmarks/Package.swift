// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "concord-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "concord", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        .target(name: "BenchmarkSupport", path: "Support", exclude: ["company.py", "photos.py", "process_memory.py"]),
        .executableTarget(
            name: "image-benchmark",
            dependencies: [.product(name: "ConcordData", package: "concord")],
            path: "Images", exclude: ["compare.py", "pillow.py"]),
        .executableTarget(
            name: "audio-benchmark",
            dependencies: [.product(name: "ConcordData", package: "concord")],
            path: "Audio", exclude: ["compare.py", "transformers_features.py"]),
        .executableTarget(
            name: "training-benchmark",
            dependencies: [
                .product(name: "Concord", package: "concord"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Training", exclude: ["compare.py", "open_clip_training.py"]),
        .executableTarget(
            name: "loss-benchmark",
            dependencies: [
                "BenchmarkSupport",
                .product(name: "Concord", package: "concord"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Losses", exclude: ["compare.py", "loss_plot.py", "open_clip_loss.py"]),
        .executableTarget(
            name: "cached-benchmark",
            dependencies: [
                "BenchmarkSupport",
                .product(name: "Concord", package: "concord"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Cached", exclude: ["compare.py"]),
        .executableTarget(
            name: "coca-benchmark",
            dependencies: [
                "BenchmarkSupport",
                .product(name: "Concord", package: "concord"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "CoCa", exclude: ["compare.py", "open_clip_coca.py"]),
    ]
)
