// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "concord-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "concord", path: "..")],
    targets: [
        .executableTarget(
            name: "image-benchmark",
            dependencies: [.product(name: "ConcordData", package: "concord")],
            path: "Images", exclude: ["compare.py", "pillow.py"])
    ]
)
