// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "caption-example",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "concord", path: "../..")],
    targets: [
        .executableTarget(
            name: "caption-example", dependencies: [.product(name: "ConcordRuntime", package: "concord")],
            path: "Sources")
    ]
)
